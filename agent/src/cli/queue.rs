//! `sentinel alerts queue`.

use std::fmt::Write as _;

use sentinel_api::{QueueResponse, QueuedMessage, ReceiverStatus};
use sentinel_text::Table;
use sentinel_text::span_secs;
use sentinel_text::{Paint, Tone};

use super::View;
use super::client::{Client, Result, parse};

/// Asks for what waits.
pub(super) async fn run(client: &Client, view: &View, limit: u32) -> Result<String> {
    let limit = limit.to_string();
    let text = client.get(&["alerts", "queue"], &[("limit", &limit)]).await?;
    if view.json {
        return Ok(text);
    }
    Ok(show(&parse(&text)?, view.paint))
}

/// The receivers, then the messages.
pub(super) fn show(queue: &QueueResponse, paint: Paint) -> String {
    if queue.receivers.is_empty() {
        return "no receivers\n".to_owned();
    }
    let mut table = Table::with_headings(["RECEIVER", "STATE", "WAITING", "OLDEST", "NEXT", "LAST ERROR"]);
    for receiver in &queue.receivers {
        table.row([
            (Tone::Strong, receiver.name.clone()),
            state(receiver),
            (Tone::Plain, receiver.waiting.to_string()),
            (Tone::Plain, receiver.oldest_seconds.map_or_else(String::new, span_secs)),
            (Tone::Plain, next(receiver)),
            (Tone::Plain, receiver.last_error.clone().unwrap_or_default()),
        ]);
    }
    let mut out = table.render(paint);
    let lost: u64 = queue.receivers.iter().map(|receiver| receiver.undelivered).sum();
    if lost > 0 {
        let _ = writeln!(out, "\n{lost} never delivered; the next digest lists them");
    }
    if queue.messages.is_empty() {
        out.push_str("\nnothing waits\n");
        return out;
    }
    let mut table = Table::with_headings([
        "RECEIVER",
        "INCIDENT",
        "SERVICE",
        "KIND",
        "AGE",
        "STATE",
        "ATTEMPTS",
        "NEXT",
        "LAST ERROR",
    ]);
    for message in &queue.messages {
        let incident = message.incident;
        table.row([
            (Tone::Plain, message.receiver.clone()),
            (
                Tone::Plain,
                if incident == 0 {
                    String::new()
                } else {
                    incident.to_string()
                },
            ),
            (Tone::Plain, message.service.clone()),
            (urgency(message), message.kind.clone()),
            (Tone::Plain, span_secs(message.age_seconds)),
            (Tone::Plain, standing(message)),
            (Tone::Plain, message.attempts.to_string()),
            (Tone::Plain, due(message)),
            (Tone::Plain, message.last_error.clone().unwrap_or_default()),
        ]);
    }
    out.push('\n');
    out.push_str(&table.render(paint));
    let waiting: u64 = queue.receivers.iter().map(|receiver| receiver.waiting).sum();
    let shown = u64::try_from(queue.messages.len()).unwrap_or(u64::MAX);
    if waiting > shown {
        let _ = writeln!(out, "and {} more", waiting - shown);
    }
    out
}

fn state(receiver: &ReceiverStatus) -> (Tone, String) {
    match receiver.failing_seconds {
        _ if receiver.breaker == "closed" && receiver.failures == 0 => (Tone::Good, "works".to_owned()),
        Some(seconds) if receiver.breaker != "closed" => (Tone::Bad, format!("failing for {}", span_secs(seconds))),
        Some(seconds) if receiver.failures > 1 => (Tone::Warn, format!("failing for {}", span_secs(seconds))),
        Some(seconds) => (Tone::Warn, format!("failed {} ago", span_secs(seconds))),
        None => (Tone::Warn, "failed".to_owned()),
    }
}

/// When something is sent to it again, and why not now.
fn next(receiver: &ReceiverStatus) -> String {
    let Some(seconds) = receiver.next_seconds else {
        return String::new();
    };
    let why = match receiver.next_reason.as_deref() {
        Some("asked") => ", as it asked",
        Some("breaker") => ", a try",
        Some("pace") => ", one by one",
        _ => "",
    };
    format!("in {}{why}", span_secs(seconds))
}

fn urgency(message: &QueuedMessage) -> Tone {
    match message.severity.as_str() {
        "critical" => Tone::Bad,
        "warning" => Tone::Warn,
        _ => Tone::Plain,
    }
}

fn standing(message: &QueuedMessage) -> String {
    let word = match message.state.as_str() {
        "inflight" => "being sent",
        "merged" => "in another",
        _ => "waiting",
    };
    let doubt = if message.ambiguous { ", may have arrived" } else { "" };
    format!("{word}{doubt}")
}

fn due(message: &QueuedMessage) -> String {
    if message.state == "pending" && message.next_seconds > 0.0 {
        format!("in {}", span_secs(message.next_seconds))
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(name: &str) -> ReceiverStatus {
        ReceiverStatus {
            name: name.to_owned(),
            waiting: 0,
            oldest_seconds: None,
            breaker: "closed".to_owned(),
            failures: 0,
            failing_seconds: None,
            next_seconds: None,
            next_reason: None,
            last_error: None,
            last_error_at: None,
            undelivered: 0,
        }
    }

    #[test]
    fn a_failure_is_as_old_as_it_is() {
        let failed = |failures, breaker: &str| {
            let receiver = ReceiverStatus {
                breaker: breaker.to_owned(),
                failures,
                failing_seconds: Some(65.0),
                ..receiver("team")
            };
            state(&receiver).1
        };
        assert_eq!(failed(1, "closed"), "failed 1m5s ago");
        assert_eq!(failed(2, "closed"), "failing for 1m5s");
        assert_eq!(failed(5, "open"), "failing for 1m5s");
    }

    #[test]
    fn a_queue_reads_from_the_receiver_to_the_message() {
        let message = QueuedMessage {
            id: "msg_1".to_owned(),
            receiver: "team".to_owned(),
            incident: 7,
            service: "shop".to_owned(),
            kind: "fired".to_owned(),
            severity: "warning".to_owned(),
            state: "pending".to_owned(),
            age_seconds: 700.0,
            next_seconds: 0.0,
            attempts: 9,
            ambiguous: true,
            last_error: Some("no answer".to_owned()),
        };
        let queue = QueueResponse {
            receivers: vec![
                receiver("mail"),
                ReceiverStatus {
                    waiting: 3,
                    oldest_seconds: Some(700.0),
                    breaker: "open".to_owned(),
                    failures: 14,
                    failing_seconds: Some(690.0),
                    next_seconds: Some(42.0),
                    next_reason: Some("breaker".to_owned()),
                    last_error: Some("no answer".to_owned()),
                    undelivered: 5,
                    ..receiver("team")
                },
            ],
            messages: vec![message],
        };
        assert_eq!(
            show(&queue, Paint::fixed(false)),
            "RECEIVER  STATE               WAITING  OLDEST  NEXT           LAST ERROR\n\
             mail      works               0\n\
             team      failing for 11m30s  3        11m40s  in 42s, a try  no answer\n\
             \n\
             5 never delivered; the next digest lists them\n\
             \n\
             RECEIVER  INCIDENT  SERVICE  KIND   AGE     STATE                      ATTEMPTS  NEXT  LAST ERROR\n\
             team      7         shop     fired  11m40s  waiting, may have arrived  9               no answer\n\
             and 2 more\n"
        );
        assert_eq!(
            show(
                &QueueResponse {
                    receivers: vec![receiver("mail")],
                    messages: vec![]
                },
                Paint::fixed(false)
            ),
            "RECEIVER  STATE  WAITING  OLDEST  NEXT  LAST ERROR\nmail      works  0\n\nnothing waits\n"
        );
    }
}
