//! What happened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
    /// Why it was down, for operators.
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
    /// Who was notified, oldest first.
    pub messages: Vec<MessageEntry>,
}

/// One line of an incident's story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// The `event=` word of the log.
    pub kind: String,
    /// For operators.
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
    /// How it ended, for operators.
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
