//! A message as an alert. Pure.
//!
//! What makes an alert the same one is its labels, so nothing that changes is among them. An incident that grows worse is
//! a second alert beside the first, with another severity, as by two rules of Prometheus: the usual inhibition mutes the
//! first then, and both end together.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sentinel_text::clip;
use sentinel_text::clip::clip_block;
use serde::{Deserialize, Serialize};

use super::super::text::SO_FAR;
use super::super::{Message, Text};

/// The alert's name for every service that is down.
const DOWN: &str = "SentinelServiceDown";

/// Room for an annotation, in bytes.
const ANNOTATION_MAX: usize = 4096;

/// One alert, whenever it is reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Alert {
    /// What it is.
    pub(super) labels: BTreeMap<String, String>,
    /// What there is to say of it.
    pub(super) annotations: BTreeMap<String, String>,
    /// When it began.
    pub(super) starts: Timestamp,
    /// Where to read more.
    #[serde(default)]
    pub(super) url: Option<String>,
}

/// An alert as it is sent (Alertmanager's API v2, `postableAlert`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Posted<'a> {
    labels: &'a BTreeMap<String, String>,
    annotations: &'a BTreeMap<String, String>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<&'a str>,
}

impl Alert {
    /// That the service of an incident is down.
    pub(super) fn down(message: &Message, text: &Text) -> Self {
        let data = &message.data;
        // Labels of ours win: routes go by them.
        let mut labels = data.labels.clone();
        let ours = [
            ("alertname", DOWN),
            ("service", &data.service),
            ("host", &data.host),
            ("severity", data.severity.as_str()),
        ];
        labels.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
        // This is told for as long as it fires, and how long that was at first soon is wrong. Alertmanager shows the beginning.
        let mut text = text.clone();
        text.facts.retain(|(name, _)| *name != SO_FAR);
        Self::new(labels, message, &text, data.opened_at)
    }

    /// What is no state of a service, such as a test: an alert that nobody ends, and that ends by itself.
    pub(super) fn once(message: &Message, text: &Text) -> Self {
        let data = &message.data;
        let name: String = data.kind.split('_').map(capitalised).collect();
        let labels = [
            ("alertname", format!("Sentinel{name}")),
            ("host", data.host.clone()),
            ("severity", data.severity.as_str().to_owned()),
        ];
        let labels = labels.map(|(name, value)| (name.to_owned(), value)).into();
        Self::new(labels, message, text, message.timestamp)
    }

    fn new(labels: BTreeMap<String, String>, message: &Message, text: &Text, starts: Timestamp) -> Self {
        let annotations = [
            ("summary", clip(&text.title, ANNOTATION_MAX)),
            ("description", clip_block(&text.body(), ANNOTATION_MAX)),
            ("cause", clip(&message.data.cause.text, ANNOTATION_MAX)),
        ];
        Self {
            labels,
            annotations: annotations
                .into_iter()
                .filter(|(_, text)| !text.is_empty())
                .map(|(name, text)| (name.to_owned(), text))
                .collect(),
            starts,
            url: message.data.url.clone(),
        }
    }

    /// How it is reported at `now`, that it fires for at least `lasting`, or that it ended.
    pub(super) fn posted(&self, now: Timestamp, lasting: Duration, ended: Option<Timestamp>) -> Posted<'_> {
        // A wall clock that was put back must not make it end before it begins, which Alertmanager refuses.
        let starts_at = self.starts.min(ended.unwrap_or(now));
        let ends_at = ended.unwrap_or_else(|| now.checked_add(lasting).unwrap_or(Timestamp::MAX));
        Posted {
            labels: &self.labels,
            annotations: &self.annotations,
            starts_at,
            ends_at,
            generator_url: self.url.as_deref(),
        }
    }
}

impl Posted<'_> {
    /// The same without its link; `None` when it has none.
    pub(super) fn without_link(&self) -> Option<Self> {
        self.generator_url.map(|_| Self {
            generator_url: None,
            ..self.clone()
        })
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use sentinel_engine::Severity;
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_is_reported_for_hours_does_not_say_that_it_has_lasted_for_a_second() {
        let at = Timestamp::UNIX_EPOCH;
        let mut message = Message::about_alerts("fired", "web1", at, Severity::Warning, "web1: shop is down");
        message.kind = "incident.fired".to_owned();
        let text = Text::of(&message, &TimeZone::UTC);
        assert!(text.body().contains("So far:"), "{}", text.body());
        let description = Alert::down(&message, &text).annotations["description"].clone();
        assert!(
            description.starts_with("Since:") && !description.contains("So far"),
            "{description}"
        );
    }

    #[test]
    fn the_page_of_an_incident_is_the_source_of_its_alert() {
        let at = Timestamp::UNIX_EPOCH;
        let mut message = Message::about_alerts("fired", "web1", at, Severity::Warning, "web1: shop is down");
        message.kind = "incident.fired".to_owned();
        for url in [None, Some("https://runbooks.example.com/shop")] {
            message.data.url = url.map(str::to_owned);
            let alert = Alert::down(&message, &Text::of(&message, &TimeZone::UTC));
            let posted = serde_json::to_value(alert.posted(at, Duration::ZERO, None)).unwrap();
            assert_eq!(posted.get("generatorURL").and_then(Value::as_str), url);
            assert!(
                !alert.labels.values().any(|value| value.contains("runbooks")),
                "it is no label"
            );
        }
    }
}
