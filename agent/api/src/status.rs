//! How the agent and its services are.

use jiff::Timestamp;
use sentinel_config::discovery::{Source, Unseen};
use sentinel_config::{OriginKind, Rejected};
use sentinel_engine::Mode;
use serde::{Deserialize, Serialize};

/// `GET /v1/version`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The agent's version.
    pub version: String,
}

/// `GET /v1/health`: that it answers says that the agent's loop turns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthResponse {
    /// When the agent started.
    pub since: Timestamp,
    /// How many services it watches.
    pub services: usize,
}

/// `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusResponse {
    /// The host's name, as in messages.
    pub host: String,
    /// The agent's version.
    pub version: String,
    /// When the agent started.
    pub since: Timestamp,
    /// Every service, by name.
    pub services: Vec<ServiceStatus>,
    /// What was found on the host and is not watched.
    #[serde(default)]
    pub rejected: Vec<RejectedStatus>,
    /// Where services are looked for, and nothing is known now.
    #[serde(default)]
    pub unseen: Vec<UnseenStatus>,
    /// Where metrics are served; `null` where they are not configured to be.
    #[serde(default)]
    pub web: Option<WebStatus>,
}

/// Where metrics are served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebStatus {
    /// The address, as it is configured.
    pub address: String,
    /// Why nothing is served there; `null` when all is well.
    pub error: Option<String>,
}

/// A place where services are looked for, of which nothing is known now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnseenStatus {
    /// Which: `labels`, `unit_files`, `host_units` or `host_containers`.
    pub source: Source,
    /// Why it cannot be looked at; `null` when that has not happened yet.
    pub reason: Option<String>,
}

impl From<Unseen> for UnseenStatus {
    fn from(unseen: Unseen) -> Self {
        let Unseen { source, reason } = unseen;
        Self { source, reason }
    }
}

/// Something that was found on the host and is not watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedStatus {
    /// The name that the service would have; empty when it has none.
    pub service: String,
    /// Where it comes from.
    pub origin: OriginKind,
    /// Where that stands: `container web, label sentinel.http`.
    pub place: String,
    /// Why not.
    pub message: String,
    /// The nearest right word.
    pub suggestion: Option<String>,
    /// Whether the service is watched all the same, without what this is about.
    #[serde(default)]
    pub watched: bool,
}

impl From<&Rejected> for RejectedStatus {
    fn from(rejected: &Rejected) -> Self {
        let problem = &rejected.problem;
        Self {
            service: rejected.service.clone(),
            origin: rejected.kind,
            place: problem.place.to_string(),
            message: if problem.key.is_empty() {
                problem.message.clone()
            } else {
                format!("{}: {}", problem.key, problem.message)
            },
            suggestion: problem.suggestion.clone(),
            watched: rejected.watched,
        }
    }
}

/// One service now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// The word for what it is doing: `healthy`, `backoff`, `gave_up`, ...
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// The same, as seconds until now.
    pub since_seconds: f64,
    /// `heal` or `observe`.
    pub mode: ModeWord,
    /// Where it comes from: `file`, `label`, `unit_file` or `host`.
    #[serde(default)]
    pub origin: OriginKind,
    /// Where that stands, as `container web`; empty for the files of the configuration.
    #[serde(default)]
    pub origin_place: String,
    /// Why it is not being restarted, when it is down.
    pub hold: Option<HoldStatus>,
    /// What it is waiting for, soonest first.
    pub waiting: Vec<Waiting>,
    /// Why it is in maintenance; empty when it is not.
    #[serde(default)]
    pub maintenance: Vec<MaintenanceStatus>,
    /// What runs it, in a few words.
    pub target: String,
    /// The last round of probes.
    pub last_probe: Option<ProbeStatus>,
    /// For how many seconds no probe could be made, where that is longer than it should be.
    #[serde(default)]
    pub not_probed_seconds: Option<f64>,
    /// The open incident.
    pub incident: Option<u64>,
    /// Who takes care of it, when an operator said so.
    #[serde(default)]
    pub acknowledged: Option<AcknowledgedStatus>,
    /// Restarts left before the agent gives up.
    pub attempts_left: u32,
    /// How often it came back since it was first watched.
    pub recoveries_total: u64,
    /// What would have been done but for `mode = "observe"`; `null` where there is nothing to tell.
    #[serde(default)]
    pub observed: Option<ObservedStatus>,
    /// Set while it goes down too often to notify receivers each time.
    #[serde(default)]
    pub flapping: Option<FlappingStatus>,
}

/// An operator acknowledges an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcknowledgedStatus {
    /// Who.
    pub by: String,
    /// What they said; may be empty.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// What would have been done but for `mode = "observe"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedStatus {
    /// Incidents in which the service would have been restarted.
    pub would_have_restarted: u64,
    /// How many of these would have been right: a restart by other means then helped.
    pub right: u64,
}

/// A service that flaps: its messages are withheld until it has been stable for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlappingStatus {
    /// When the first of its incidents opened.
    pub since: Timestamp,
    /// Incidents since then.
    pub incidents: u32,
    /// How long it must have been stable for its messages to go out again.
    pub stable_seconds: f64,
}

/// Whether the agent acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModeWord {
    /// It restarts what failed.
    Heal,
    /// It only watches.
    Observe,
}

impl From<Mode> for ModeWord {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Heal => Self::Heal,
            Mode::Observe => Self::Observe,
        }
    }
}

impl ModeWord {
    /// The word of the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Heal => "heal",
            Self::Observe => "observe",
        }
    }
}

/// One reason for which a service is left alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaintenanceStatus {
    /// For operators.
    pub reason: String,
    /// When it ends by itself; `null` when somebody has to end it.
    pub until: Option<Timestamp>,
}

/// Why nothing is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldStatus {
    /// A closed set of words.
    pub kind: String,
    /// For operators.
    pub text: String,
}

/// Something that will happen by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// What: `next probe`, `next attempt`, `verification ends`.
    pub what: String,
    /// In how many seconds.
    pub seconds: f64,
}

/// A round of probes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeStatus {
    /// Whether it passed; `null` when the agent itself could not ask.
    pub ok: Option<bool>,
    /// `passed`, or what went wrong.
    pub text: String,
    /// The HTTP status, when an answer came.
    pub status_code: Option<u16>,
    /// Milliseconds until the verdict.
    pub latency_ms: f64,
    /// When it ended.
    pub at: Timestamp,
}
