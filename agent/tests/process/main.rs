//! Process targets: real processes, pid files and signals.

// `allow-unwrap-in-tests` does not reach the helpers of tests.
#![allow(clippy::unwrap_used)]

mod restart;
mod scene;
mod watch;
