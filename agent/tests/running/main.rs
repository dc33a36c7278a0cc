//! The binary itself, with real processes, signals, sockets and files; no Docker, no root.

#![allow(clippy::unwrap_used, reason = "a failure to set a test up is its message")]

mod agent;
mod alerts;
mod deploy;
mod health;
mod killed;
mod maintenance;
mod older_store;
mod outbox;
mod reload;
mod replay;
mod secrets;
mod store_lost;
