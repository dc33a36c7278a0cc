//! The binary itself, with real processes, signals, sockets and files; no Docker, no root.

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
mod web;
