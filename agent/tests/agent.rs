//! What needs neither Docker nor root: the agent's parts against real servers, processes and files, the binary itself, and
//! the documentation. One program, as linking each of these alone took longer than running it.
//!
//! `cargo test -p sentinel --test agent store::` runs one subject. `UPDATE_GOLDEN=1` writes the golden files of
//! `config::`, `docs::` and `simulate::` again. What a test changes for its whole process (limits, environment, signals), it
//! changes in a process that it starts for that.

#![allow(clippy::unwrap_used, reason = "a failure to set a test up is its message")]

#[path = "support/log.rs"]
mod log;

mod agent_process;
mod alerts;
mod config;
mod demo;
mod docs;
mod email;
mod probe;
mod process;
mod receivers;
mod simulate;
mod store;
mod webhook;
