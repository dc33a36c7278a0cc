//! What fires: from what was reported, and from what waits to be reported. Pure.
//!
//! Alertmanager is told of states. What waits in the outbox therefore counts at once, also while the message before it is
//! tried again: after an outage of Alertmanager it hears how things are, not how they came to be so.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sentinel_store::{Firing, Waiting};

use super::super::{Message, Text};
use super::alert::Alert;

/// The kind of cause of the host's own incident, a word of `Cause::kind`.
const HOST_WIDE: &str = "host_wide";

/// Everything that a receiver is to be sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Level {
    /// By incident and severity.
    alerts: BTreeMap<(u64, String), Entry>,
    /// The last message that is in it.
    pub(super) up_to: i64,
}

/// One alert.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) alert: Alert,
    pub(super) notified: i64,
    pub(super) ended: Option<Timestamp>,
}

impl Level {
    /// From what was reported, and what waits to be.
    pub(super) fn of(firing: &[Firing], waiting: &[Waiting], zone: &TimeZone, wall: Timestamp) -> Self {
        Self::after(firing, waiting, zone, wall).0
    }

    /// The same, with the alerts that what waits changes.
    pub(super) fn after(
        firing: &[Firing],
        waiting: &[Waiting],
        zone: &TimeZone,
        wall: Timestamp,
    ) -> (Self, Vec<(u64, String)>) {
        let mut level = Self::default();
        for row in firing {
            level.up_to = level.up_to.max(row.notified);
            // Written by another version, and not to be understood: it is told no more, and ends by itself.
            if let Ok(alert) = serde_json::from_str(&row.alert) {
                let entry = Entry {
                    alert,
                    notified: row.notified,
                    ended: row.ended,
                };
                level.alerts.insert((row.incident.0, row.severity.clone()), entry);
            }
        }
        let mut changed = Vec::new();
        for row in waiting {
            // Also what changes nothing has been heard of then.
            level.up_to = level.up_to.max(row.row);
            let message = Message::from_payload(&row.payload, &row.kind, wall);
            changed.extend(level.take(&message, row.row, zone));
        }
        changed.sort();
        changed.dedup();
        (level, changed)
    }

    /// Takes in what `message`, which is `row` of the outbox, says; answers the alerts it changes. Taking it in again
    /// changes nothing.
    pub(super) fn take(&mut self, message: &Message, row: i64, zone: &TimeZone) -> Vec<(u64, String)> {
        let data = &message.data;
        if !message.is_incident() {
            return Vec::new();
        }
        let key = (data.incident, data.severity.as_str().to_owned());
        let is_known = self.alerts.keys().any(|(incident, _)| *incident == data.incident);
        if data.resolution.is_some() {
            let mut changed = Vec::new();
            for (key, entry) in self
                .alerts
                .iter_mut()
                .filter(|((incident, _), _)| *incident == data.incident)
            {
                entry.ended.get_or_insert(message.timestamp);
                entry.notified = entry.notified.max(row);
                changed.push(key.clone());
            }
            return changed;
        }
        // What is known of an outage of the whole host grows with it.
        if data.cause.kind == HOST_WIDE
            && data.kind == "update"
            && let Some(entry) = self.alerts.get_mut(&key).filter(|entry| entry.notified < row)
        {
            entry.alert.annotations = Alert::down(message, &Text::of(message, zone)).annotations;
            entry.notified = row;
            return vec![key];
        }
        // A message that only goes on about an incident is no new alert: what fires is reported again anyway.
        if is_known && !matches!(data.kind.as_str(), "fired" | "gave_up") {
            return Vec::new();
        }
        if self.alerts.get(&key).is_some_and(|entry| entry.notified >= row) {
            return vec![key];
        }
        let alert = Alert::down(message, &Text::of(message, zone));
        let entry = Entry {
            alert,
            notified: row,
            ended: None,
        };
        self.alerts.insert(key.clone(), entry);
        vec![key]
    }

    /// How alerts are kept in the store.
    pub(super) fn rows(&self, keys: &[(u64, String)]) -> Vec<Firing> {
        let found = keys.iter().filter_map(|key| Some((key, self.alerts.get(key)?)));
        found
            .map(|((incident, severity), entry)| Firing {
                incident: sentinel_engine::IncidentId(*incident),
                severity: severity.clone(),
                notified: entry.notified,
                // Nothing in it lacks a JSON form.
                alert: serde_json::to_string(&entry.alert).unwrap_or_default(),
                ended: entry.ended,
            })
            .collect()
    }

    /// What to tell, with the incident that each is about. Two incidents of one service have the same labels, and so are one
    /// alert: the later one speaks.
    pub(super) fn notified(&self) -> Vec<(u64, &Entry)> {
        let mut by_labels: BTreeMap<&BTreeMap<String, String>, (u64, &Entry)> = BTreeMap::new();
        for ((incident, _), entry) in &self.alerts {
            let known = by_labels.get(&entry.alert.labels);
            let rank = |entry: &Entry| (entry.ended.is_none(), entry.alert.starts, entry.notified);
            if known.is_none_or(|(_, known)| rank(known) <= rank(entry)) {
                by_labels.insert(&entry.alert.labels, (*incident, entry));
            }
        }
        by_labels.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    /// A message about incident `incident` of the shop, which opened when its number says.
    fn message(incident: u64, kind: &str, severity: &str, over: bool) -> Message {
        let mut message = json!({
            "type": format!("incident.{kind}"), "timestamp": at(100).to_string(),
            "data": {
                "host": "web1", "service": "shop", "incident": incident, "sequence": 1, "kind": kind,
                "severity": severity, "summary": format!("shop {kind}"),
                "cause": {"kind": "killed", "text": "killed"},
                "opened_at": at(i64::try_from(incident).unwrap()).to_string(), "attempts": 1, "doing": "",
                "labels": {"team": "payments", "severity": "none", "host": "forged"},
            },
        });
        if over {
            message["data"]["resolution"] = json!("healed");
        }
        serde_json::from_value(message).unwrap()
    }

    fn waiting(row: i64, message: &Message) -> Waiting {
        Waiting {
            row,
            kind: message.data.kind.clone(),
            payload: message.payload(),
        }
    }

    /// What is reported after `messages`, each a row later than the one before: severity, and whether it still fires.
    fn notified(messages: &[Message]) -> Vec<(String, bool)> {
        let rows: Vec<Waiting> = (1..)
            .zip(messages)
            .map(|(row, message)| waiting(row, message))
            .collect();
        let level = Level::of(&[], &rows, &TimeZone::UTC, at(200));
        let shown = level.notified().into_iter();
        shown
            .map(|(_, entry)| (entry.alert.labels["severity"].clone(), entry.ended.is_none()))
            .collect()
    }

    #[test]
    fn what_fires_is_what_was_notified_and_has_not_ended() {
        let fired = || message(1, "fired", "warning", false);
        let gave_up = || message(1, "gave_up", "critical", false);
        let resolved = || message(1, "resolved", "warning", true);
        let warning = |fires| ("warning".to_owned(), fires);
        let critical = |fires| ("critical".to_owned(), fires);
        let table = [
            ("nothing was told", vec![], vec![]),
            ("it fires", vec![fired()], vec![warning(true)]),
            ("told twice it is one", vec![fired(), fired()], vec![warning(true)]),
            ("it ended", vec![fired(), resolved()], vec![warning(false)]),
            (
                "worse is a second alert",
                vec![fired(), gave_up()],
                vec![critical(true), warning(true)],
            ),
            (
                "both end together",
                vec![fired(), gave_up(), resolved()],
                vec![critical(false), warning(false)],
            ),
            (
                "what only goes on about it is no alert",
                vec![fired(), message(1, "acknowledged", "info", false)],
                vec![warning(true)],
            ),
            (
                "healed before anybody was told",
                vec![message(1, "healed", "info", true)],
                vec![],
            ),
            (
                "the next incident of a service speaks for it",
                vec![fired(), resolved(), message(2, "fired", "warning", false)],
                vec![warning(true)],
            ),
            (
                "also when the end of the one before comes later",
                vec![fired(), message(2, "fired", "warning", false), resolved()],
                vec![warning(true)],
            ),
        ];
        for (what, messages, expected) in table {
            assert_eq!(notified(&messages), expected, "{what}");
        }
    }

    #[test]
    fn labels_are_the_same_from_the_first_message_to_the_last() {
        let mut level = Level::default();
        level.take(&message(1, "fired", "warning", false), 1, &TimeZone::UTC);
        let before = level.notified()[0].1.alert.labels.clone();
        level.take(&message(1, "fired", "warning", false), 2, &TimeZone::UTC);
        level.take(&message(1, "resolved", "info", true), 3, &TimeZone::UTC);
        assert_eq!(level.notified()[0].1.alert.labels, before);
        let labels: Vec<String> = before.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            labels,
            [
                "alertname=SentinelServiceDown",
                "host=web1",
                "service=shop",
                "severity=warning",
                "team=payments"
            ]
        );
    }

    #[test]
    fn what_is_kept_is_what_was_taken_in() {
        let row = waiting(7, &message(1, "fired", "warning", false));
        let (level, changed) = Level::after(&[], &[row], &TimeZone::UTC, at(200));
        let kept = level.rows(&changed);
        assert_eq!(Level::of(&kept, &[], &TimeZone::UTC, at(200)), level);
        // The same message again, as after a crash between the two.
        let mut again = Level::of(&kept, &[], &TimeZone::UTC, at(200));
        assert_eq!(
            again.take(&message(1, "fired", "warning", false), 7, &TimeZone::UTC),
            changed
        );
        assert_eq!(again, level);
        // What cannot be understood is told no more, and hides nothing else.
        let mut damaged = kept.clone();
        damaged[0].alert = "{".to_owned();
        assert!(Level::of(&damaged, &[], &TimeZone::UTC, at(200)).notified().is_empty());
    }

    #[test]
    fn an_alert_never_ends_before_it_begins() {
        let mut level = Level::default();
        level.take(&message(500, "fired", "warning", false), 1, &TimeZone::UTC);
        let alert = &level.notified()[0].1.alert;
        // The wall clock was put back since it opened.
        for (now, ended) in [(at(10), None), (at(10), Some(at(20)))] {
            let posted = serde_json::to_value(alert.posted(now, Duration::from_secs(240), ended)).unwrap();
            let time = |key: &str| posted[key].as_str().unwrap().parse::<Timestamp>().unwrap();
            assert!(time("startsAt") <= time("endsAt"), "{posted}");
        }
        let posted = serde_json::to_value(alert.posted(at(600), Duration::from_secs(240), None)).unwrap();
        assert_eq!(posted["endsAt"], at(840).to_string());
        assert_eq!(posted["startsAt"], at(500).to_string());
    }
}
