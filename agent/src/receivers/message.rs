//! What receivers are told: one JSON document, the same for every receiver that takes JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sentinel_engine::{Notification, NotificationKind, Resolution, Severity, Time};
use serde::{Deserialize, Serialize};

use crate::store::OutgoingMessage;

/// A payload is smaller than this, in bytes: what Standard Webhooks asks for.
pub const PAYLOAD_MAX: usize = 20_000;

/// Room for each part, in bytes of JSON; together they stay well below [`PAYLOAD_MAX`].
const NAME_MAX: usize = 256;
const SUMMARY_MAX: usize = 2048;
const CAUSE_MAX: usize = 2048;
const DOING_MAX: usize = 1024;
const LABEL_MAX: usize = 256;
const LABELS_MAX: usize = 8192;

/// A message as its receivers get it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// `incident.fired`, `incident.gave_up`, `incident.healed` or `incident.resolved`.
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
    /// The service.
    pub service: String,
    /// The incident's number on that host.
    pub incident: u64,
    /// The message's ordinal within the incident, from 1.
    pub sequence: u32,
    /// `fired`, `gave_up`, `healed` or `resolved`.
    pub kind: String,
    /// `info`, `warning` or `critical`.
    pub severity: Severity,
    /// One line that says it all.
    pub summary: String,
    /// Why the service is, or was, down.
    pub cause: MessageCause,
    /// When the incident opened.
    pub opened_at: Timestamp,
    /// Attempts to heal it so far.
    pub attempts: u32,
    /// What is being done about it.
    pub doing: String,
    /// How it ended, when it did: `healed`, `recovered`, `stopped`, `unmanaged`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// How long it was down, when it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// The service's labels.
    pub labels: BTreeMap<String, String>,
}

/// Why the service is, or was, down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageCause {
    /// The word for its kind.
    pub kind: String,
    /// The sentence.
    pub text: String,
}

impl Message {
    /// Sets `notification` in words. `wall` tells when a moment was by the wall clock.
    pub fn new(
        notification: &Notification,
        host: &str,
        labels: &BTreeMap<String, String>,
        wall: impl Fn(Time) -> Timestamp,
    ) -> Self {
        let (resolution, duration) = match notification.kind {
            NotificationKind::Healed { resolution, duration } | NotificationKind::Resolved { resolution, duration } => {
                (Some(resolution), Some(duration))
            }
            NotificationKind::Fired | NotificationKind::GaveUp => (None, None),
        };
        let (host, service) = (clip(host, NAME_MAX), clip(notification.service.as_str(), NAME_MAX));
        let cause = clip(&notification.cause.to_string(), CAUSE_MAX);
        Self {
            kind: format!("incident.{}", notification.kind.as_str()),
            timestamp: wall(notification.at),
            data: MessageData {
                incident: notification.incident.0,
                sequence: notification.sequence,
                kind: notification.kind.as_str().to_owned(),
                severity: notification.severity,
                summary: clip(
                    &format!("{host}: {service} {}", predicate(notification.kind, &cause)),
                    SUMMARY_MAX,
                ),
                cause: MessageCause {
                    kind: notification.cause.kind().to_owned(),
                    text: cause,
                },
                opened_at: wall(notification.opened_at),
                attempts: notification.attempts,
                doing: clip(&notification.doing, DOING_MAX),
                resolution,
                duration_seconds: duration.map(|duration| (duration.as_secs_f64() * 1000.0).round() / 1000.0),
                labels: clip_labels(labels),
                host,
                service,
            },
        }
    }

    /// The bytes that are sent.
    pub fn payload(&self) -> Vec<u8> {
        // Nothing in it lacks a JSON form: keys are strings, and numbers are finite.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The same for each of `receivers`, ready for the outbox.
    pub fn outgoing<'a>(
        &self,
        notification: &Notification,
        receivers: impl IntoIterator<Item = &'a String>,
    ) -> Vec<OutgoingMessage> {
        let payload = self.payload();
        receivers
            .into_iter()
            .map(|receiver| OutgoingMessage {
                incident: notification.incident,
                sequence: notification.sequence,
                receiver: receiver.clone(),
                kind: notification.kind.as_str(),
                severity: notification.severity,
                payload: payload.clone(),
                created: notification.at,
                created_wall: self.timestamp,
            })
            .collect()
    }
}

/// What is said of the service.
pub(crate) fn predicate(kind: NotificationKind, cause: &str) -> String {
    match kind {
        NotificationKind::Fired => format!("is down: {cause}"),
        NotificationKind::GaveUp => format!("is down and restarting does not help: {cause}"),
        NotificationKind::Healed { resolution, duration } | NotificationKind::Resolved { resolution, duration } => {
            let duration = span(duration);
            match resolution {
                Resolution::Healed => format!("was restarted and is healthy again after {duration}: {cause}"),
                Resolution::Recovered => format!("recovered by itself after {duration}: {cause}"),
                Resolution::Stopped => format!("was stopped on purpose after {duration} of trouble: {cause}"),
                Resolution::Unmanaged => format!("is no longer watched, after {duration} of trouble: {cause}"),
            }
        }
    }
}

/// A duration for people: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// `text` on one line and cut so that it takes at most `max` bytes in JSON.
fn clip(text: &str, max: usize) -> String {
    let mut clipped = String::new();
    let mut room = max.saturating_sub('…'.len_utf8());
    for letter in text.chars() {
        let letter = if letter.is_control() { ' ' } else { letter };
        let cost = letter.len_utf8() + usize::from(matches!(letter, '"' | '\\'));
        if cost > room {
            clipped.push('…');
            break;
        }
        room -= cost;
        clipped.push(letter);
    }
    clipped
}

/// As many labels as there is room for, in order.
fn clip_labels(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut room = LABELS_MAX;
    labels
        .iter()
        .map(|(key, value)| (clip(key, LABEL_MAX), clip(value, LABEL_MAX)))
        .take_while(|(key, value)| {
            // At worst every letter is escaped; then quotes, colon and comma.
            let cost = 2 * (key.len() + value.len()) + 6;
            let fits = cost <= room;
            room = room.saturating_sub(cost);
            fits
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use sentinel_engine::{Cause, IncidentId, ProbeFailure, ProbePhase};

    use super::*;

    fn notification(kind: NotificationKind) -> Notification {
        Notification {
            incident: IncidentId(7),
            sequence: 2,
            service: "shop".into(),
            kind,
            severity: Severity::Warning,
            at: Time::from_epoch(Duration::from_secs(100)),
            opened_at: Time::from_epoch(Duration::from_secs(60)),
            cause: Cause::Killed {
                signal: 9,
                core_dumped: false,
            },
            attempts: 1,
            doing: "restart, attempt 1".to_owned(),
        }
    }

    fn wall(at: Time) -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap() + at.since_epoch()
    }

    #[test]
    fn summaries_say_it_in_one_line() {
        let over = |resolution| (resolution, Duration::from_millis(3200));
        let healed = |(resolution, duration)| NotificationKind::Healed { resolution, duration };
        let resolved = |(resolution, duration)| NotificationKind::Resolved { resolution, duration };
        #[rustfmt::skip]
        let table = [
            (NotificationKind::Fired, "web1: shop is down: killed by signal KILL"),
            (NotificationKind::GaveUp, "web1: shop is down and restarting does not help: killed by signal KILL"),
            (healed(over(Resolution::Healed)), "web1: shop was restarted and is healthy again after 3.2 s: killed by signal KILL"),
            (resolved(over(Resolution::Recovered)), "web1: shop recovered by itself after 3.2 s: killed by signal KILL"),
            (resolved(over(Resolution::Stopped)), "web1: shop was stopped on purpose after 3.2 s of trouble: killed by signal KILL"),
            (resolved(over(Resolution::Unmanaged)), "web1: shop is no longer watched, after 3.2 s of trouble: killed by signal KILL"),
        ];
        for (kind, expected) in table {
            let message = Message::new(&notification(kind), "web1", &BTreeMap::new(), wall);
            assert_eq!(message.data.summary, expected);
        }
    }

    #[test]
    fn the_payload_is_what_is_documented() {
        let kind = NotificationKind::Resolved {
            resolution: Resolution::Healed,
            duration: Duration::from_millis(40_500),
        };
        let labels = BTreeMap::from([("team".to_owned(), "shop".to_owned())]);
        let message = Message::new(&notification(kind), "web1", &labels, wall);
        let expected = serde_json::json!({
            "type": "incident.resolved",
            "timestamp": "2023-11-14T22:15:00Z",
            "data": {
                "host": "web1", "service": "shop", "incident": 7, "sequence": 2,
                "kind": "resolved", "severity": "warning",
                "summary": "web1: shop was restarted and is healthy again after 40 s: killed by signal KILL",
                "cause": {"kind": "killed", "text": "killed by signal KILL"},
                "opened_at": "2023-11-14T22:14:20Z",
                "attempts": 1, "doing": "restart, attempt 1",
                "resolution": "healed", "duration_seconds": 40.5,
                "labels": {"team": "shop"},
            },
        });
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&message.payload()).unwrap(),
            expected
        );
        assert_eq!(serde_json::from_slice::<Message>(&message.payload()).unwrap(), message);
    }

    #[test]
    fn payloads_stay_small_whatever_a_service_says() {
        for filler in ["\"", "\\", "\u{1}", "é", "🔎", "\n", "a"] {
            let long = filler.repeat(100_000);
            let mut notification = notification(NotificationKind::GaveUp);
            notification.service = long.as_str().into();
            notification.doing.clone_from(&long);
            notification.cause = Cause::Probe(ProbeFailure {
                phase: ProbePhase::Body,
                detail: long.clone(),
            });
            let labels = (0..1000).map(|n| (format!("{n}{long}"), long.clone())).collect();
            let payload = Message::new(&notification, &long, &labels, wall).payload();
            assert!(payload.len() < PAYLOAD_MAX, "{} bytes of {filler:?}", payload.len());
            serde_json::from_slice::<Message>(&payload).unwrap();
        }
    }

    #[test]
    fn spans_are_read_at_a_glance() {
        let table = [
            (400, "0.4 s"),
            (12_900, "12 s"),
            (185_000, "3 min 5 s"),
            (7_800_000, "2 h 10 min"),
        ];
        for (millis, expected) in table {
            assert_eq!(span(Duration::from_millis(millis)), expected);
        }
        assert_eq!(span(Duration::from_secs(3 * 86400 + 4 * 3600)), "3 d 4 h");
    }
}
