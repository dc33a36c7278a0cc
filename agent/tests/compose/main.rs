//! What `deploy/` holds, with real images in a real Docker Engine, by both versions of Compose.
//!
//! Needs a Docker Engine and root: `cargo test -p sentinel --test compose`. Where no registry answers, the base images are
//! stand-ins made here; the first build takes minutes, as it builds everything from nothing.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "the support for test hosts is shared, and each suite uses its part"
)]

mod bus;
mod docker;
mod files;
#[path = "../support/host.rs"]
mod host;
mod proxy;
mod story;
