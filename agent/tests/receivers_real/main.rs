//! Receivers as they run elsewhere: a mail server with a mail client, and a cluster of Alertmanagers.
//!
//! Run it by name: `cargo test -p sentinel --test receivers_real`. It needs a Docker Engine and root.

#[path = "../support/mod.rs"]
mod support;

mod alertmanager;
mod harness;
mod mail;
