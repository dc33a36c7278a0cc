//! The packages on a real host: installed by apt from a signed repository, upgraded, taken back, removed, purged.
//!
//! Needs a Docker Engine, root and debhelper: `cargo test -p sentinel --test package`. The programs in them are those that
//! the other tests run, which are built already; `SENTINEL_PROGRAMS=target/x86_64-unknown-linux-gnu/release` has what
//! `make deb` built instead.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "the support for test hosts is shared, and each suite uses its part"
)]

#[path = "../support/host.rs"]
mod host;

mod beside;
mod built;
mod completed;
mod doctor;
mod guarded;
mod harness;
mod installed;
mod leaving;
mod linted;
mod quickstart;
mod secrets;
mod slow;
mod upgraded;
