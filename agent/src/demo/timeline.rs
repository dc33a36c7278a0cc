//! What happens, in the words of operators. Pure: a log line or an alert in, a sentence out.

use sentinel_text::Tone;
use sentinel_text::span_secs;

use super::agent::LogLine;
use super::receiver::Post;

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its sign, one character wide.
    pub(super) sign: &'static str,
    /// What it means to the reader.
    pub(super) tone: Tone,
    /// The sentence.
    pub(super) text: String,
}

impl Entry {
    /// What the demo itself does.
    pub(super) fn action(text: impl Into<String>) -> Self {
        Self::new("»", Tone::Strong, text)
    }

    fn new(sign: &'static str, tone: Tone, text: impl Into<String>) -> Self {
        Self {
            sign,
            tone,
            text: text.into(),
        }
    }
}

/// What a line of the agent's log says; `None` when another line says it as well.
pub(super) fn logged(line: &LogLine) -> Option<Entry> {
    let Some(service) = line.service.as_deref() else {
        return said_by_the_agent(line);
    };
    let bad = |text| Entry::new("✗", Tone::Bad, text);
    let good = |text| Entry::new("✓", Tone::Good, text);
    let (incident, cause) = (line.incident.unwrap_or_default(), &line.cause);
    Some(match line.event.as_str() {
        // What follows says it: the restart, or that the service is healthy.
        "operator" if line.request == "restart" => return None,
        "control" | "verified" => return None,
        "operator" => Entry::new("·", Tone::Plain, format!("{service}, by an operator: {}", line.request)),
        "died" => bad(format!("{service} died: {cause}")),
        "unreachable" => bad(format!("{service} does not answer: {cause}")),
        "unhealthy" => bad(format!("{service} gives a wrong answer: {cause}")),
        "incident_opened" => Entry::new("·", Tone::Plain, format!("incident {incident} is opened")),
        "cause_changed" => Entry::new(
            "·",
            Tone::Plain,
            format!("incident {incident} has another cause: {cause}"),
        ),
        "held" => {
            let remaining = line
                .remaining
                .map(|left| format!(" ({})", span_secs(left)))
                .unwrap_or_default();
            Entry::new("·", Tone::Plain, format!("no restart yet: {}{remaining}", line.reason))
        }
        "restart" => Entry::new("→", Tone::Warn, started(service, line)),
        "restart_ended" if line.result == "done" => {
            Entry::new("·", Tone::Plain, format!("{service} runs; now it has to prove itself"))
        }
        "restart_ended" => bad(format!("that did not work: {}", line.reason)),
        "not_verified" => bad(format!("the restart did not help: {}", line.reason)),
        "healthy" if line.recoveries_total == 0 => good(format!("{service} is healthy")),
        "healthy" => good(format!("{service} is healthy again")),
        "incident_closed" => good(format!(
            "incident {incident} is closed: {} after {}",
            line.resolution,
            span_secs(line.duration)
        )),
        "gave_up" => bad(format!(
            "the agent gave up on {service} after {} attempts; manual action needed",
            line.attempts
        )),
        "stopped" => Entry::new("·", Tone::Plain, format!("{service} is left alone: {}", line.reason)),
        _ => return said_by_the_agent(line),
    })
}

/// `restart` and `start` in words: by whom, and which attempt.
fn started(service: &str, line: &LogLine) -> String {
    match (line.by.as_str(), line.action_kind.as_str(), line.attempt) {
        ("operator", "start", _) => format!("the agent is asked to start {service}"),
        (_, "start_trigger", attempt) => format!(
            "the agent starts what triggers {service}, attempt {}",
            attempt.unwrap_or_default()
        ),
        ("operator", ..) => format!("the agent is asked to restart {service}"),
        (_, verb, attempt) => format!(
            "the agent {verb}s {service}{}, attempt {}",
            if verb == "start" { " again" } else { "" },
            attempt.unwrap_or_default()
        ),
    }
}

/// What has no words of its own is worth a line when it is a warning or worse.
fn said_by_the_agent(line: &LogLine) -> Option<Entry> {
    let what = [&line.msg, &line.error, &line.event]
        .into_iter()
        .find(|text| !text.is_empty())?;
    let more = if line.error.is_empty() || *what == line.error {
        String::new()
    } else {
        format!(": {}", line.error)
    };
    match line.level.as_str() {
        "warn" => Some(Entry::new("!", Tone::Warn, format!("the agent: {what}{more}"))),
        "error" => Some(Entry::new("!", Tone::Bad, format!("the agent: {what}{more}"))),
        _ => None,
    }
}

/// What arrived at the receiver.
pub(super) fn posted(post: &Post) -> Entry {
    match &post.alert {
        Ok(alert) => {
            let data = &alert.message.data;
            let text = format!("alert, {}: {}", data.kind.replace('_', " "), data.summary);
            Entry::new("✉", Tone::Plain, text)
        }
        Err(refusal) => Entry::new("✗", Tone::Bad, format!("an alert was refused: {refusal}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::demo::receiver::{Alert, Refusal};

    /// The timeline of a log, as it is shown without colours.
    fn shown(log: &str) -> Vec<String> {
        let lines = log.lines().map(|line| serde_json::from_str(line).expect(line));
        let entries = lines.filter_map(|line| logged(&line));
        entries.map(|entry| format!("{} {}", entry.sign, entry.text)).collect()
    }

    #[test]
    fn a_crash_is_distinguished_from_beginning_to_end() {
        let log = r#"{"timestamp":"2026-03-01T11:58:20.067000Z","level":"info","event":"started","msg":"Sentinel monitor started"}
{"level":"info","service":"shop","event":"stopped","reason":"stopped by an operator"}
{"level":"info","service":"shop","event":"control","request":"restart","uid":0,"pid":7}
{"level":"info","service":"shop","event":"operator","request":"restart"}
{"level":"info","service":"shop","event":"restart","action_kind":"start","by":"operator","action":1}
{"level":"info","service":"shop","event":"restart_ended","result":"done","action":1}
{"level":"info","service":"shop","event":"verified","action":1}
{"level":"info","service":"shop","status":"up","status_code":200,"recoveries_total":0,"event":"healthy"}
{"level":"warn","service":"shop","status":"down","status_code":"na","event":"died","cause":"exited with code 3"}
{"level":"warn","service":"shop","event":"incident_opened","incident":1,"cause":"exited with code 3","cause_kind":"exited"}
{"level":"info","service":"shop","event":"restart","incident":1,"attempt":1,"action_kind":"start","by":"agent","action":2}
{"level":"warn","service":"shop","event":"restart_ended","incident":1,"result":"failed","reason":"did not come up: `start` exited with code 1","action":2}
{"level":"info","service":"shop","event":"held","incident":1,"reason":"waiting before the next attempt","reason_kind":"backoff","remaining":0.25}
{"level":"info","service":"shop","event":"restart","incident":1,"attempt":2,"action_kind":"restart","by":"agent","action":3}
{"level":"warn","service":"shop","event":"not_verified","incident":1,"reason":"status 500","action":3}
{"level":"info","service":"shop","status":"up","status_code":200,"recoveries_total":1,"event":"healthy","incident":1}
{"level":"info","service":"shop","event":"incident_closed","incident":1,"resolution":"healed","duration":1.25}
{"level":"error","service":"shop","status":"down","event":"gave_up","incident":2,"attempts":5,"window":1800}"#;
        assert_eq!(
            shown(log),
            [
                "· shop is left alone: stopped by an operator",
                "→ the agent is asked to start shop",
                "· shop runs; now it has to prove itself",
                "✓ shop is healthy",
                "✗ shop died: exited with code 3",
                "· incident 1 is opened",
                "→ the agent starts shop again, attempt 1",
                "✗ that did not work: did not come up: `start` exited with code 1",
                "· no restart yet: waiting before the next attempt (0.3s)",
                "→ the agent restarts shop, attempt 2",
                "✗ the restart did not help: status 500",
                "✓ shop is healthy again",
                "✓ incident 1 is closed: healed after 1.3s",
                "✗ the agent gave up on shop after 5 attempts; manual action needed",
            ]
        );
    }

    #[test]
    fn what_probes_found_is_distinguished() {
        let log = r#"{"level":"warn","service":"shop","status":"down","event":"unreachable","cause":"no answer within 500ms"}
{"level":"warn","service":"shop","status":"down","status_code":500,"event":"unhealthy","cause":"status 500"}
{"level":"warn","service":"shop","event":"cause_changed","incident":4,"cause":"exited with code 1","cause_kind":"exited"}
{"level":"info","service":"shop","event":"operator","request":"pause for 1m"}"#;
        assert_eq!(
            shown(log),
            [
                "✗ shop does not answer: no answer within 500ms",
                "✗ shop gives a wrong answer: status 500",
                "· incident 4 has another cause: exited with code 1",
                "· shop, by an operator: pause for 1m",
            ]
        );
    }

    #[test]
    fn trouble_of_the_agent_itself_is_reported_and_chatter_is_not() {
        let log = r#"{"level":"warn","receiver":"demo","error":"connection refused","msg":"message not delivered; trying again"}
{"level":"error","event":"store_failed","msg":"the store cannot be written"}
{"level":"info","event":"something_new","msg":"all is well"}
{"level":"warn","service":"shop","event":"something_new"}
{"level":"warn"}"#;
        assert_eq!(
            shown(log),
            [
                "! the agent: message not delivered; trying again: connection refused",
                "! the agent: the store cannot be written",
                "! the agent: something_new",
            ]
        );
    }

    #[test]
    fn alerts_are_reported_by_their_own_summary() {
        let message = serde_json::json!({
            "type": "incident.gave_up", "timestamp": "2026-03-01T11:58:20Z",
            "data": {
                "host": "web1", "service": "shop", "incident": 7, "sequence": 2, "kind": "gave_up",
                "severity": "critical", "summary": "web1: shop is down", "cause": {"kind": "killed", "text": ""},
                "opened_at": "2026-03-01T11:58:20Z", "attempts": 5, "doing": "", "labels": {},
            },
        });
        let alert = Alert {
            id: "evt".to_owned(),
            message: serde_json::from_value(message).unwrap(),
        };
        let at = Instant::now();
        let entry = posted(&Post { at, alert: Ok(alert) });
        assert_eq!(entry.text, "alert, gave up: web1: shop is down");
        let alert = Err(Refusal::Signature);
        assert_eq!(
            posted(&Post { at, alert }).text,
            "an alert was refused: its signature is wrong"
        );
    }
}
