//! Whom the agent tells, in the flesh: a mail server with a mail client, and a cluster of Alertmanagers.
//!
//! Run it by name: `cargo test -p sentinel --test telling`. It needs a Docker Engine and root.

#[path = "../support/mod.rs"]
mod support;

mod alertmanager;
mod lab;
mod mail;
