//! Containers of a real Docker Engine: watched, distinguished, healed.
//!
//! Needs a Docker Engine and root: `cargo test -p sentinel --test docker`. The containers run from the image of the test
//! host, so that no registry is needed; their names begin with `docker-`.

#![allow(clippy::unwrap_used, reason = "a failure to set a test up is its message")]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the support for test hosts and agents is shared, and each suite uses its part"
)]

#[path = "../agent_process/agent.rs"]
mod agent;
#[path = "../support/host.rs"]
mod host;

mod compose;
mod connection_lost;
mod daemon;
mod discover;
mod drain;
mod engine;
mod evidence;
mod healing;
mod labels;
mod podman;
mod scenarios;
mod verbs;
mod watch;
