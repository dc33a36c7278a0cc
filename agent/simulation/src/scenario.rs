//! A scenario: what runs on the host, what happens to it, and what must hold at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sentinel_engine::ServiceName;
use sentinel_text::exact_span;

use crate::scripted_event::ScriptedEvent;

/// How a start of a service goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It runs and answers.
    Well,
    /// It runs, and answers only after this long.
    Slowly(Duration),
    /// It runs, and exits with code 1 after this long.
    DiesAfter(Duration),
    /// It runs and never answers.
    Deaf,
    /// It does not start.
    Refused,
    /// Its supervisor calls it started only after this long (`Type=notify`); then it runs and answers.
    Ready(Duration),
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Well => f.write_str("it runs well"),
            Self::Slowly(span) => write!(f, "it answers after {}", exact_span(*span)),
            Self::DiesAfter(span) => write!(f, "it dies after {}", exact_span(*span)),
            Self::Deaf => f.write_str("it never answers"),
            Self::Refused => f.write_str("it cannot be executed"),
            Self::Ready(span) => write!(f, "it is ready after {}", exact_span(*span)),
        }
    }
}

/// A service's own supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supervision {
    /// So many restarts in a row, and then it gives up.
    pub restarts: u32,
    /// From the end of a run to the next start.
    pub delay: Duration,
    /// A run that lasted this long begins the row again (systemd's `StartLimitIntervalSec=`).
    pub interval: Duration,
}

/// One service of the simulated host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceModel {
    /// What it needs in order to answer.
    pub after: Vec<ServiceName>,
    /// How it starts.
    pub start: Start,
    /// What restarts it besides the agent.
    pub supervision: Option<Supervision>,
    /// Whether it is probed.
    pub has_probes: bool,
    /// Whether the agent can restart it.
    pub has_target: bool,
}

/// What must hold at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// At most so many restarts by the agent.
    pub max_restarts: Option<usize>,
    /// At most so many messages.
    pub max_messages: Option<usize>,
    /// No service is down for longer than this.
    pub max_downtime: Option<Duration>,
    /// The states of services at the end.
    pub end: BTreeMap<ServiceName, String>,
}

/// A scenario, free of errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What it shows.
    pub about: String,
    /// How long it takes.
    pub duration: Duration,
    /// What runs, by name. Its `after` has no circles.
    pub services: BTreeMap<ServiceName, ServiceModel>,
    /// What happens, in order of time.
    pub script: Vec<(Duration, ScriptedEvent)>,
    /// What must hold at the end.
    pub expect: Expect,
}
