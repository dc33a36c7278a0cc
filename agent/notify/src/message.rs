//! What receivers are sent: one JSON document, the same for every receiver. It is what the outbox keeps; each receiver
//! puts it in its own form when it delivers, and in the same form every time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sentinel_engine::{Resolution, Severity, Starter};
use sentinel_text::clip;
use sentinel_text::clip::{clip_beginning, clip_block};
use serde::{Deserialize, Serialize};

/// A payload is smaller than this, in bytes: what Standard Webhooks asks for.
pub const PAYLOAD_MAX: usize = 20_000;

/// At most so many members of a combined message are named, one by one.
pub const MEMBERS_MAX: usize = 20;
/// At most so many pieces of evidence.
pub const EVIDENCE_MAX: usize = 4;
/// At most so many lines of the timeline.
pub const TIMELINE_MAX: usize = 16;

/// Room for the parts that come in numbers, each in bytes of JSON.
const MEMBER_NAME_MAX: usize = 80;
const MEMBER_SUMMARY_MAX: usize = 300;
const EVIDENCE_TITLE_MAX: usize = 80;
const EVIDENCE_TEXT_MAX: usize = 1200;
pub(super) const LINE_MAX: usize = 200;

/// A message as its receivers get it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// `incident.fired`, `incident.gave_up`, `incident.healed`, `incident.resolved` and other words after `incident.` for
    /// one incident; `alerts.group`, `alerts.digest`, `alerts.stuck`, `alerts.test` for what is not about one.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was decided.
    pub timestamp: Timestamp,
    /// What it is about.
    pub data: MessageData,
}

/// What a message is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageData {
    /// The host's name.
    pub host: String,
    /// The service; empty when it is about none, or several.
    pub service: String,
    /// The incident's number on that host; 0 when it is about none, or several.
    pub incident: u64,
    /// The message's ordinal within the incident, from 1.
    pub sequence: u32,
    /// `fired`, `gave_up`, `update`, `escalated`, `healed`, `resolved`, `flapping`, `flapping_ended`: the last word of the type.
    pub kind: String,
    /// `info`, `warning` or `critical`.
    pub severity: Severity,
    /// One line that says it all: host, service, what happened, and why.
    pub summary: String,
    /// Why the service is, or was, down.
    pub cause: MessageCause,
    /// When the incident opened.
    pub opened_at: Timestamp,
    /// Attempts to heal it so far.
    pub attempts: u32,
    /// What is being done about it.
    pub doing: String,
    /// What its probes say, and said before, where that is why nothing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<FailingProbe>,
    /// How it ended, when it did: `healed`, `recovered`, `started`, `stopped`, `unmanaged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// How long it was open, or flapped, when it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// How long it was down, when it is over: from the first failure seen to the first answer of the run that was then
    /// proved; without probes until that ran. Absent when it was not seen to fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down_seconds: Option<f64>,
    /// From the first failure seen to the proof, when it is well again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved_after_seconds: Option<f64>,
    /// Who began the run that is well, when it is: `nobody` (the same as before), `agent`, `operator` (by the agent),
    /// `supervisor`, `dependency`, `trigger`, `other`. Absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<Starter>,
    /// The service's labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What was seen and done, with its result, oldest first. At most [`TIMELINE_MAX`] lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelineLine>,
    /// The facts it rests on. At most [`EVIDENCE_MAX`] pieces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Incidents of this service in the last 24 hours, this one included; `None` when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incidents_last_day: Option<u32>,
    /// What a combined message is made of; empty in all others. At most [`MEMBERS_MAX`]; `summary` says how many there are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// Where to read more: what `[alerts] link` makes of a message about one incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What a service's probes say, and what they said before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingProbe {
    /// What they say now: `404`.
    pub now: String,
    /// Since when they have not passed.
    pub since: Timestamp,
    /// What they said when they passed last, if that is known: `200`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// Why the service is, or was, down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MessageCause {
    /// The word for its kind.
    pub kind: String,
    /// The sentence.
    pub text: String,
}

/// One line of an incident's timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineLine {
    /// When.
    pub at: Timestamp,
    /// The sentence.
    pub text: String,
}

/// One fact, in the words of whoever stated it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it is: `last probe`.
    pub title: String,
    /// What was said. It may span lines, and comes from outside: receivers fence it.
    pub text: String,
}

/// One of the incidents in a combined message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The incident's number.
    pub incident: u64,
    /// The service.
    pub service: String,
    /// `fired`, `gave_up`, `healed`, `resolved`.
    pub kind: String,
    /// How urgent it is by itself.
    pub severity: Severity,
    /// What there is to say of it, in one line.
    pub summary: String,
}

impl TimelineLine {
    /// A line, cut to what there is room for.
    pub fn new(at: Timestamp, text: &str) -> Self {
        Self {
            at,
            text: clip(text, LINE_MAX),
        }
    }
}

impl Evidence {
    /// A piece of a log, of which the last lines are kept when there is not room for all.
    pub fn last_lines(title: &str, text: &str) -> Self {
        Self::new(title, &clip_beginning(text, EVIDENCE_TEXT_MAX))
    }

    /// A piece of evidence, cut to what there is room for.
    pub fn new(title: &str, text: &str) -> Self {
        Self {
            title: clip(title, EVIDENCE_TITLE_MAX),
            text: clip_block(text, EVIDENCE_TEXT_MAX),
        }
    }
}

impl Member {
    /// A member, cut to what there is room for.
    pub fn new(incident: u64, service: &str, kind: &str, severity: Severity, summary: &str) -> Self {
        Self {
            incident,
            service: clip(service, MEMBER_NAME_MAX),
            kind: clip(kind, MEMBER_NAME_MAX),
            severity,
            summary: clip(summary, MEMBER_SUMMARY_MAX),
        }
    }
}

impl Message {
    /// A message that is about no incident: `kind` is the word after `alerts.`.
    pub fn about_alerts(kind: &str, host: &str, at: Timestamp, severity: Severity, summary: &str) -> Self {
        Self {
            kind: format!("alerts.{kind}"),
            timestamp: at,
            data: MessageData {
                host: clip(host, super::incident_message::NAME_MAX),
                service: String::new(),
                incident: 0,
                sequence: 1,
                kind: kind.to_owned(),
                severity,
                summary: clip(summary, super::incident_message::SUMMARY_MAX),
                cause: MessageCause::default(),
                opened_at: at,
                attempts: 0,
                doing: String::new(),
                failing: None,
                resolution: None,
                duration_seconds: None,
                down_seconds: None,
                proved_after_seconds: None,
                started_by: None,
                labels: BTreeMap::new(),
                timeline: Vec::new(),
                evidence: Vec::new(),
                incidents_last_day: None,
                members: Vec::new(),
                url: None,
            },
        }
    }

    /// What `sentinel alerts test` sends to `receiver`.
    pub fn test(host: &str, receiver: &str, at: Timestamp) -> Self {
        let summary = format!("{host}: a test of the receiver `{receiver}`; nothing is wrong");
        Self::about_alerts("test", host, at, Severity::Info, &summary)
    }

    /// Whether it is about one incident.
    pub fn is_incident(&self) -> bool {
        self.kind.starts_with("incident.")
    }

    /// The bytes that are kept, always below [`PAYLOAD_MAX`]: what matters least is left out when there is no room.
    pub fn payload(&self) -> Vec<u8> {
        let payload = encode(self);
        if payload.len() < PAYLOAD_MAX {
            return payload;
        }
        let mut smaller = self.clone();
        let data = &mut smaller.data;
        data.members.truncate(MEMBERS_MAX);
        data.evidence.clear();
        data.timeline.clear();
        data.labels.clear();
        let payload = encode(&smaller);
        if payload.len() < PAYLOAD_MAX {
            return payload;
        }
        smaller.data.members.clear();
        encode(&smaller)
    }

    /// What `payload` says. A payload that cannot be understood, as one from another version, still becomes a message:
    /// one that says so is better than none.
    pub fn from_payload(payload: &[u8], kind: &str, at: Timestamp) -> Self {
        serde_json::from_slice(payload).unwrap_or_else(|_| {
            let summary =
                "a message of another version of the agent, which this one cannot read; see `sentinel incidents`";
            let mut message = Self::about_alerts(kind, "", at, Severity::Warning, summary);
            message.kind = clip(kind, MEMBER_NAME_MAX);
            message
        })
    }
}

fn encode(message: &Message) -> Vec<u8> {
    // Nothing in it lacks a JSON form: keys are strings, and numbers are finite.
    serde_json::to_vec(message).unwrap_or_default()
}
