//! The real binary, as a process of its own, spoken to over real sockets.
//!
//! Nothing here sleeps to let something happen: every wait is for a predicate,
//! with a bound that only a failure reaches.

#![allow(clippy::unwrap_used, reason = "in a test, the panic is the message")]

mod faults;
mod flags;
mod harness;
mod healthcheck;
mod inject;
mod lifecycle;
