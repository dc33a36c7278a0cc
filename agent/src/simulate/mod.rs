//! Files around the simulation (crate `sentinel-simulation`): scenarios and policies that are read, and transcripts.
//!
//! | file | what |
//! | --- | --- |
//! | `keys.rs`, `inputs.rs`, `read.rs` | from TOML to a scenario |
//! | `shipped.rs`, `scenarios/` | the scenarios that come with the agent |
//! | `policies.rs` | what the agent knows of the scripted services |
//! | `transcript.rs` | what happened and what it comes to, for operators and as JSON |

mod inputs;
mod keys;
mod policies;
mod read;
#[cfg(test)]
mod replay_tests;
mod shipped;
mod transcript;

pub use policies::{defaults, policies};
pub use read::read;
pub use shipped::{SHIPPED, Shipped, find};
pub(crate) use transcript::{json, render};
