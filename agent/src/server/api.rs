//! What goes over the control socket, shared by the server and the command line.
//!
//! Fields are only ever added. Readers ignore what they do not know; moments are RFC 3339 in UTC; spans are seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sentinel_config::discovery::{Source, Unseen};
use sentinel_config::{OriginKind, Rejected};
use sentinel_engine::{Mode, Severity};
use serde::{Deserialize, Serialize};

/// The longest pause or deploy with an end: 366 days, as for a silence. What shall rest for longer is paused until resumed, or
/// taken out of the configuration.
pub const PAUSE_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

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
    pub refused: Vec<RejectedStatus>,
    /// Where services are looked for, and nothing is known now.
    #[serde(default)]
    pub unseen: Vec<UnseenStatus>,
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
    fn from(refused: &Rejected) -> Self {
        let problem = &refused.problem;
        Self {
            service: refused.service.clone(),
            origin: refused.kind,
            place: problem.place.to_string(),
            message: if problem.key.is_empty() {
                problem.message.clone()
            } else {
                format!("{}: {}", problem.key, problem.message)
            },
            suggestion: problem.suggestion.clone(),
            watched: refused.watched,
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
    /// Who takes care of it, when somebody said so.
    #[serde(default)]
    pub acknowledged: Option<AcknowledgedStatus>,
    /// Restarts left before the agent gives up.
    pub attempts_left: u32,
    /// How often it came back since it was first watched.
    pub recoveries_total: u64,
    /// What would have been done but for `mode = "observe"`; `null` where there is nothing to tell.
    #[serde(default)]
    pub observed: Option<ObservedStatus>,
    /// Set while it goes down too often to tell people each time.
    #[serde(default)]
    pub flapping: Option<FlappingStatus>,
}

/// Somebody takes care of an incident.
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
    /// For people.
    pub reason: String,
    /// When it ends by itself; `null` when somebody has to end it.
    pub until: Option<Timestamp>,
}

/// Why nothing is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldStatus {
    /// A closed set of words.
    pub kind: String,
    /// For people.
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

/// `GET /v1/incidents`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentsResponse {
    /// Newest first.
    pub incidents: Vec<IncidentSummary>,
}

/// One incident in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentSummary {
    /// Its number.
    pub id: u64,
    /// The service.
    pub service: String,
    /// Why it was down, for people.
    pub cause: String,
    /// The same as a word out of a closed set.
    pub cause_kind: String,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it closed; `null` while it is open.
    pub closed_at: Option<Timestamp>,
    /// From opening to closing, or until now.
    pub duration_seconds: f64,
    /// How long the service was down: from the first failure seen to the first answer of the run that was then proved;
    /// without probes until that ran. `null` while it is open, and when it was not seen to fail.
    #[serde(default)]
    pub down_seconds: Option<f64>,
    /// From the first failure seen to the proof; `null` unless it is well again.
    #[serde(default)]
    pub proved_after_seconds: Option<f64>,
    /// How it ended (`healed`, `recovered`, `started`, `stopped`, `unmanaged`); `null` while it is open.
    pub resolution: Option<String>,
    /// Restarts attempted.
    pub attempts: u32,
}

/// `GET /v1/incidents/ID`: the summary's fields, and the story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: IncidentSummary,
    /// The cause with its facts (exit code, signal, phase of the probe, ...); `null` when another version wrote it.
    #[serde(default)]
    pub cause_facts: serde_json::Value,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// What was gathered about it, oldest first; an agent of an older version tells none.
    #[serde(default)]
    pub evidence: Vec<EvidenceEntry>,
    /// What was done, oldest first.
    pub actions: Vec<ActionEntry>,
    /// Who was told, oldest first.
    pub messages: Vec<MessageEntry>,
}

/// One line of an incident's story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// The `event=` word of the log.
    pub kind: String,
    /// For people.
    pub text: String,
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceEntry {
    /// When it was so.
    pub at: Timestamp,
    /// What it is: `its last log lines`.
    pub title: String,
    /// What it says, in the words of whoever said it, without control characters other than line ends; why it could not be
    /// had, if it is `missing`.
    pub text: String,
    /// Whether it could not be had.
    pub missing: bool,
}

/// One recovery action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionEntry {
    /// Its number.
    pub id: u64,
    /// Its ordinal within the incident; 0 for an operator's.
    pub attempt: u32,
    /// `start` or `restart`.
    pub kind: String,
    /// When it was decided.
    pub started_at: Timestamp,
    /// When its adapter answered; `null` while it is being carried out, or when no answer ever came.
    pub ended_at: Option<Timestamp>,
    /// How it ended, for people.
    pub result: Option<String>,
    /// Whether it helped; `null` while that is not known, and when it was cut short.
    #[serde(default)]
    pub helped: Option<bool>,
}

/// One message to one receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageEntry {
    /// Its idempotency key, as the receiver sees it.
    pub id: String,
    /// The receiver's name.
    pub receiver: String,
    /// `fired`, `gave_up`, `update`, `escalated`, `healed`, `resolved`, `flapping` or `flapping_ended`.
    pub kind: String,
    /// `info`, `warning` or `critical`.
    #[serde(default)]
    pub severity: String,
    /// `pending`, `inflight`, `merged` (part of another), `delivered`, `dead` (refused for good), `expired`, or
    /// `superseded` (another says it).
    pub state: String,
    /// Deliveries tried.
    pub attempts: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
}

/// `GET /v1/alerts/queue`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueResponse {
    /// Every receiver that takes messages from the queue, by name.
    pub receivers: Vec<ReceiverStatus>,
    /// The messages that wait, by receiver and in the order in which they are looked at; the first ones of many.
    pub messages: Vec<QueuedMessage>,
}

/// One receiver, and how it has answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiverStatus {
    /// Its name.
    pub name: String,
    /// Messages that wait for it.
    pub waiting: u64,
    /// Age of the oldest of them.
    pub oldest_seconds: Option<f64>,
    /// `closed`: messages go; `open`: nothing is sent until the next try; `half_open`: it is time for a try.
    pub breaker: String,
    /// Failures in a row.
    pub failures: u32,
    /// For how long it has failed.
    pub failing_seconds: Option<f64>,
    /// In how many seconds something is sent to it again, when it is left alone now.
    pub next_seconds: Option<f64>,
    /// Why it is left alone: `asked`, `breaker`, `pace` or `rest`.
    pub next_reason: Option<String>,
    /// The last failure, also when it is over.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Timestamp>,
    /// Messages it was never told, of which the next digest tells.
    pub undelivered: u64,
}

/// One message that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// Its idempotency key, as the receiver sees it.
    pub id: String,
    /// The receiver's name.
    pub receiver: String,
    /// The incident; 0 when it is about none, or several.
    pub incident: u64,
    /// The incident's service.
    pub service: String,
    /// `fired`, `resolved`, `group`, ...
    pub kind: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// `pending`, `inflight` (being sent) or `merged` (part of another that waits).
    pub state: String,
    /// How long ago it was decided.
    pub age_seconds: f64,
    /// In how many seconds its own time has come; 0 when it has.
    pub next_seconds: f64,
    /// Attempts so far.
    pub attempts: u32,
    /// Whether one of them may have reached the receiver.
    pub ambiguous: bool,
    /// Why the last one failed.
    pub last_error: Option<String>,
}

/// The body of `POST /v1/services/NAME/pause`; may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseBody {
    /// For how long; until resumed when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u64>,
}

/// The body of `POST /v1/services/NAME/deploy` and of `.../deployed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployBody {
    /// Which deploy, chosen by whoever deploys.
    pub id: u64,
    /// How long to wait for its end at most; only for `deploy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u64>,
}

/// The body of `POST /v1/silences`. At least one of services, severities and labels must be there; each that is must fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SilenceBody {
    /// Names of services, or patterns.
    #[serde(default)]
    pub services: Vec<String>,
    /// Severities, each exactly.
    #[serde(default)]
    pub severities: Vec<Severity>,
    /// Labels with values or patterns of values.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// For how long.
    pub duration_seconds: u64,
    /// Why; one line.
    pub comment: String,
}

/// `GET /v1/silences`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SilencesResponse {
    /// Those in force, oldest first.
    pub silences: Vec<SilenceEntry>,
}

/// One silence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SilenceEntry {
    /// Its number.
    pub id: u64,
    /// Names of services, or patterns; empty for all.
    pub services: Vec<String>,
    /// Severities; empty for all.
    pub severities: Vec<Severity>,
    /// Labels with values or patterns of values.
    pub labels: BTreeMap<String, String>,
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub comment: String,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// The body of `POST /v1/incidents/ID/ack`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AckBody {
    /// What is being done about it; one line, or nothing.
    #[serde(default)]
    pub text: String,
}

/// The answer to an acknowledgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AckResponse {
    /// The incident.
    pub incident: u64,
    /// Its service.
    pub service: String,
    /// Who acknowledged it, as the kernel says.
    pub by: String,
}

/// The answer to an operator's request: the engine has it. What comes of it is in the status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorResponse {
    /// The service.
    pub service: String,
    /// `restart`, `pause`, `resume`, `deploy` or `deployed`.
    pub request: String,
}

/// The answer to a reload that was applied: how many services that changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReloadResponse {
    /// New ones.
    pub added: usize,
    /// Those that are no longer configured.
    pub removed: usize,
    /// Those that are configured otherwise.
    pub changed: usize,
    /// Those that were not disturbed.
    pub unchanged: usize,
    /// What is probably not meant.
    pub warnings: Vec<String>,
}

/// Every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorResponse {
    /// For people.
    pub error: String,
}
