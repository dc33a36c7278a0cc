//! The whole agent on a real host: systemd as PID 1, its bus, its journal, real processes, a real HTTP receiver.
//!
//! Needs a Docker Engine and root for the first run, so it is not part of plain `cargo test`:
//! `cargo test -p sentinel --test host`. Every test boots a host of its own.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "the support for test hosts is shared, and each suite uses its part"
)]

#[path = "../support/host.rs"]
mod host;

mod agent_killed;
mod blast;
mod check;
mod connection_lost;
mod delivery;
mod discover;
mod disk_full;
mod evidence;
mod fallen;
mod first_pass;
mod harness;
mod journal;
mod left_alone;
mod many;
mod names;
mod observed;
mod outages;
mod polkit;
mod receiver;
mod recovery;
mod sections;
mod stops;
