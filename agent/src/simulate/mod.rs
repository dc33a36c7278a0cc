//! `sentinel simulate`: the engine on a virtual clock, in a scripted world.
//!
//! | file | what |
//! | --- | --- |
//! | `scenario.rs`, `scripted_event.rs` | what can be scripted |
//! | `keys.rs`, `inputs.rs`, `read.rs`, `order.rs` | from TOML to a scenario |
//! | `shipped.rs`, `scenarios/` | the scenarios that come with the agent |
//! | `policies.rs` | what the agent knows of the scripted services |
//! | `actor.rs` | one simulated service |
//! | `world.rs`, `play.rs` | the simulated host, and what the script does to it |
//! | `outbox.rs` | which of its messages a receiver gets as one |
//! | `replay.rs` | from incidents of the past to a scenario |
//! | `story.rs`, `summary.rs` | what happened, and what it comes to |
//! | `transcript.rs` | both for people, and as JSON |
//!
//! Everything is pure: the same scenario under the same policy gives the same transcript, byte for byte.

mod actor;
mod inputs;
mod keys;
mod order;
mod outbox;
mod play;
mod policies;
mod read;
mod replay;
mod scenario;
mod scripted_event;
mod shipped;
mod story;
mod summary;
mod transcript;
mod world;

pub use policies::{CircleError, Policies};
pub use replay::{Past, PastEnd, scenario as scenario_of};
pub use scenario::Scenario;
pub use shipped::{SHIPPED, Shipped, find};
pub use story::{Line, Story, Who};
pub use summary::{Row, Summary};

/// What a simulation came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What happened.
    pub story: Story,
    /// What it comes to.
    pub summary: Summary,
}

impl Outcome {
    /// How long incidents of services were open, all together, up to the end.
    pub fn open_for(&self) -> std::time::Duration {
        self.summary.rows.iter().map(|row| row.open).sum()
    }
}

/// Plays a scenario.
///
/// # Errors
///
/// When the scenario and the policy do not fit together.
pub fn run(scenario: &Scenario, policies: &Policies) -> Result<Outcome, CircleError> {
    let services = policies.services(scenario)?;
    let mut world = world::World::new(scenario, policies, services);
    world.run();
    let summary = Summary::of(&world);
    Ok(Outcome {
        story: world.story,
        summary,
    })
}
