//! What passes between the agent and its world, in order: all that the invariants are judged by.

use std::collections::BTreeMap;

use sentinel_engine::alerting::Rules;
use sentinel_engine::{
    Action, Changed, Command, Event, HostPolicy, IncidentId, Service, ServiceName, ServiceSnapshot, Time,
};

/// What a life of the agent begins with.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    pub booted_at: Time,
    /// The limits over the host.
    pub policy: HostPolicy,
    /// What is configured.
    pub services: Vec<Service>,
    /// Who is notified of what.
    pub rules: Rules,
    /// Whether the store was damaged, and a new one is begun.
    pub store_lost: bool,
}

/// One thing that passed.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// The agent was started, from what was recorded.
    AgentStarted(Box<Start>),
    /// The agent was killed. What was decided and not recorded is lost.
    AgentDied,
    /// The configuration became another: the limits over the host, every service there is now, and what was changed
    /// of those that were there before.
    Reloaded(HostPolicy, Vec<Service>, BTreeMap<ServiceName, Changed>),
    /// Other rules of who is notified.
    RulesChanged(Box<Rules>),
    /// An operator silenced a service, or everything.
    Silenced {
        id: u64,
        service: Option<ServiceName>,
        until: Time,
    },
    /// An operator ended a silence.
    Expired(u64),
    /// An operator acknowledged an incident.
    Acknowledged(IncidentId),
    /// The engine was informed.
    Event(Box<Event>),
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
