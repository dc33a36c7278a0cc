//! A random life of a host and its agent, for the invariants.
//!
//! Stories are scripts for the engine alone (`sentinel_simulation::World`). Here, with the same targets and the same store,
//! the driver's contract is modelled too (what is decided is recorded before it is done, and lost when the agent is killed
//! before that), watchers and adapters are tasks of their own that are late, see nothing or lie, and everything goes wrong at random, from a seed.
//!
//! Four seeds of five tell a few hours in which hardly a minute is quiet. Every fifth tells two weeks, in which squalls of
//! faults lie days apart and all is watched more seldom: what only weeks bring about costs no more than the hours do.
//!
//! | file | what |
//! | --- | --- |
//! | `rng.rs` | chance that replays |
//! | `setup.rs` | which services there are, and how much goes wrong |
//! | `host.rs` | the host: its parts, its time, and who is next |
//! | `target.rs` | a target that goes wrong, and what there is to see of it |
//! | `life.rs` | what targets do by themselves, and what is done to them |
//! | `watcher.rs` | what the agent gets to see |
//! | `adapters.rs` | what becomes of its restarts |
//! | `agent.rs` | the driver's contract around the engine |
//! | `faults.rs` | everything that goes wrong |
//! | `config.rs` | other configurations meanwhile |
//! | `tape.rs` | what passed between the agent and its world |
//! | `ledger.rs`, `configured.rs`, `known.rs`, `hearing.rs`, `kept.rs`, `shared.rs` | what the agent was notified of and did, counted without the engine |
//! | `invariants/` | what must hold, one function each |
//! | `lives.rs` | lives a seed, and asks every invariant about everything in it |
//! | `story.rs` | the tape as a transcript |

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part of the simulation"
)]

pub mod adapters;
pub mod agent;
mod audience;
pub mod config;
pub mod configured;
pub mod faults;
mod heard;
pub mod hearing;
pub mod host;
pub mod invariants;
pub mod kept;
pub mod known;
pub mod ledger;
pub mod life;
pub mod lives;
pub mod rng;
pub mod setup;
pub mod shared;
pub mod story;
pub mod tape;
pub mod target;
pub mod watcher;
