//! The engine's view of every service, for the status command, the API and the page.

use std::time::Duration;

use crate::ids::{IncidentId, ServiceName};
use crate::policy::Mode;
use crate::probe::ProbeOutcome;
use crate::state::{Hold, State};
use crate::time::Time;

/// One reason for which a service is in maintenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Why, for operators.
    pub reason: String,
    /// When it ends by itself.
    pub until: Option<Time>,
}

/// A service that goes down too often to be reported each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlappingSnapshot {
    /// When the first of its incidents opened.
    pub since: Time,
    /// Incidents since then.
    pub incidents: u32,
    /// Messages are withheld until it has been stable for so long.
    pub stable: Duration,
}

/// One service as the engine sees it now.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSnapshot {
    /// Its name.
    pub name: ServiceName,
    /// What it is doing.
    pub state: State,
    /// Since when.
    pub since: Time,
    /// Heal or observe.
    pub mode: Mode,
    /// Why it is not being restarted, when it is down.
    pub hold: Option<Hold>,
    /// What it is waiting for and how long still, soonest first: `next probe`, `next attempt`, `verification ends`.
    pub waiting: Vec<(&'static str, Duration)>,
    /// Why it is in maintenance; empty when it is not.
    pub maintenance: Vec<Maintenance>,
    /// The target in a few words: `running`, `down: killed by signal KILL`.
    pub target: String,
    /// The last probe round and when it ended.
    pub last_probe: Option<(Time, ProbeOutcome)>,
    /// For how long no probe has passed or failed, when that is longer than it should be.
    pub unprobed: Option<Duration>,
    /// The open incident.
    pub incident: Option<IncidentId>,
    /// When that opened.
    pub incident_since: Option<Time>,
    /// Attempts made in the open incident.
    pub attempts: u32,
    /// Attempts left within the window.
    pub attempts_left: u32,
    /// How often it came back.
    pub recoveries: u64,
    /// Incidents in which it would have been restarted but for `mode = "observe"`, and in how many of these that would
    /// have been right.
    pub observed: (u64, u64),
    /// Set while it flaps: its messages are withheld then.
    pub flapping: Option<FlappingSnapshot>,
}
