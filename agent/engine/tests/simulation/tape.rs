//! What passes between the agent and its world, in order: all that the invariants are judged by.

use sentinel_engine::{Action, Command, Event, ServiceSnapshot, Time};

/// One thing that passed.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// The agent was started, from what was recorded.
    AgentStarted,
    /// The agent was killed. What was decided and not recorded is lost.
    AgentDied,
    /// The engine was told.
    Told(Event),
    /// The engine was asked to look at the clock.
    Woken,
    /// The engine decided.
    Decided(Command),
    /// Everything decided so far was recorded.
    Recorded,
    /// An action was given to its adapter.
    Acted(Action),
    /// Nothing is left to be done for now; true when everything that was decided is on disk.
    Settled { durable: bool },
    /// The engine's own view, for comparison.
    Shown(Vec<ServiceSnapshot>),
}

/// Entries with their times.
#[derive(Debug, Default)]
pub struct Tape {
    pub entries: Vec<(Time, Entry)>,
}

impl Tape {
    pub fn push(&mut self, at: Time, entry: Entry) {
        self.entries.push((at, entry));
    }
}
