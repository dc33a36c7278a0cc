//! Receivers, and the messages that wait for them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
    /// Messages it was never sent, of which the next digest tells.
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
