//! Simulated hosts for Sentinel's engine: services, faults and a virtual clock.
//!
//! Everything is pure: the same script under the same policy gives the same timeline, whatever runs it.
//!
//! | file | what |
//! | --- | --- |
//! | `schedule.rs` | what is going to happen |
//! | `store.rs` | what outlives the agent |
//! | `target.rs`, `actor.rs` | what runs a service, and how it behaves |
//! | `world.rs`, `adapter.rs` | the host, its time, and what becomes of the agent's restarts |
//! | `story.rs` | what a story does to the host step by step, and what it finds |
//! | `scenario.rs`, `scripted_event.rs`, `policies.rs` | what can be scripted, and what the agent knows of it |
//! | `play.rs`, `outbox.rs` | a scenario, played; which of its messages a receiver gets as one |
//! | `replay.rs` | from incidents of the past to a scenario |
//! | `timeline.rs`, `summary.rs` | what happened, and what it comes to |
//!
//! The engine's stories and random lives (`engine/tests`) and `sentinel simulate` and `replay` are played here.

mod actor;
mod adapter;
mod order;
mod outbox;
mod play;
mod policies;
mod replay;
mod scenario;
mod schedule;
mod scripted_event;
mod store;
mod story;
mod summary;
mod target;
mod timeline;
mod world;

pub use actor::{Actor, Behaviour};
pub use order::circle;
pub use play::{BEGINNING, Outcome, run};
pub use policies::{CircleError, Policies};
pub use replay::{Past, PastEnd, scenario as scenario_of};
pub use scenario::{Expect, Scenario, ServiceModel, Start, Supervision};
pub use schedule::Schedule;
pub use scripted_event::{ScriptedEvent, ServiceEvent};
pub use store::Store;
pub use story::everything_to;
pub use summary::{Check, Row, Summary};
pub use target::{PATIENCE, Target, ended};
pub use timeline::{Happened, Line, Timeline, Who};
pub use world::{AdapterFaults, Requests, World};
