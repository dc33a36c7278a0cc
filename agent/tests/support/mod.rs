//! What the tests against real parts share.

// Each test target compiles this for itself and uses a part of it.
#![allow(dead_code, unreachable_pub)]

pub mod host;
