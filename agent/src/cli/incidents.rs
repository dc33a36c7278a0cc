//! `sentinel incidents`.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use sentinel_api::{ActionEntry, IncidentDetail, IncidentSummary, IncidentsResponse, MessageEntry};
use sentinel_text::Table;
use sentinel_text::time::{between, local, local_millis};
use sentinel_text::{Paint, Tone};
use sentinel_text::{count, span_secs};

use super::View;
use super::client::{Client, Result, parse};

/// Asks for the newest incidents, or for the one with number `id`.
pub(super) async fn run(
    client: &Client,
    view: &View,
    id: Option<u64>,
    service: Option<&str>,
    limit: u32,
) -> Result<String> {
    if let Some(id) = id {
        let text = client.get(&["incidents", &id.to_string()], &[]).await?;
        return if view.json {
            Ok(text)
        } else {
            Ok(one(&parse(&text)?, view.paint, &view.zone))
        };
    }
    let limit = limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(service.map(|service| ("service", service)));
    let text = client.get(&["incidents"], &query).await?;
    if view.json {
        return Ok(text);
    }
    let IncidentsResponse { incidents } = parse(&text)?;
    Ok(list(&incidents, view.paint, &view.zone))
}

/// A line each.
pub(super) fn list(incidents: &[IncidentSummary], paint: Paint, zone: &TimeZone) -> String {
    if incidents.is_empty() {
        return "no incidents\n".to_owned();
    }
    let mut table = Table::with_headings([
        "ID", "SERVICE", "OPENED", "DOWN", "PROVED", "OUTCOME", "ATTEMPTS", "CAUSE",
    ]);
    for incident in incidents {
        table.row([
            (Tone::Plain, incident.id.to_string()),
            (Tone::Plain, incident.service.clone()),
            (Tone::Plain, local(incident.opened_at, zone)),
            (
                Tone::Plain,
                span_secs(incident.down_seconds.unwrap_or(incident.duration_seconds)),
            ),
            (
                Tone::Plain,
                incident.proved_after_seconds.map(span_secs).unwrap_or_default(),
            ),
            outcome(incident),
            (Tone::Plain, incident.attempts.to_string()),
            (Tone::Plain, incident.cause.clone()),
        ]);
    }
    table.render(paint)
}

/// The whole story.
pub(super) fn one(incident: &IncidentDetail, paint: Paint, zone: &TimeZone) -> String {
    let summary = &incident.summary;
    let mut out = headline(summary, paint);
    let mut facts = Table::indented("  ");
    let mut fact = |name: &str, value: String| facts.row([(Tone::Faint, name.to_owned()), (Tone::Plain, value)]);
    fact("cause", summary.cause.clone());
    fact("opened", local(summary.opened_at, zone));
    if let Some(closed) = summary.closed_at {
        fact("closed", local(closed, zone));
    }
    fact("attempts", summary.attempts.to_string());
    out.push_str(&facts.render(paint));

    let mut timeline = Table::indented("  ");
    for entry in &incident.timeline {
        let at = local_millis(entry.at, zone);
        timeline.row([
            (Tone::Faint, at),
            (Tone::Strong, entry.kind.clone()),
            (Tone::Plain, entry.text.clone()),
        ]);
    }
    section(&mut out, "timeline", &timeline.render(paint), paint);

    for piece in &incident.evidence {
        let title = format!("{}, {}", piece.title, local_millis(piece.at, zone));
        let mut lines = Table::indented("  ");
        if piece.missing {
            lines.row([(Tone::Faint, format!("cannot be read: {}", piece.text))]);
        }
        for line in piece.text.lines().filter(|_| !piece.missing) {
            lines.row([(Tone::Plain, line.to_owned())]);
        }
        section(&mut out, &title, &lines.render(paint), paint);
    }

    let mut actions = Table::indented("  ");
    for entry in &incident.actions {
        actions.row([
            (Tone::Faint, local_millis(entry.started_at, zone)),
            (Tone::Strong, entry.kind.clone()),
            (Tone::Plain, action(entry)),
        ]);
    }
    section(&mut out, "actions", &actions.render(paint), paint);

    let mut messages = Table::indented("  ");
    for entry in &incident.messages {
        messages.row([
            (Tone::Plain, entry.receiver.clone()),
            (Tone::Strong, entry.kind.clone()),
            delivery(entry),
            (Tone::Faint, entry.id.clone()),
        ]);
    }
    section(&mut out, "messages", &messages.render(paint), paint);
    out
}

/// `incident 3: shop is down for 12s`, `incident 3: shop was down 0.2s, proved after 20s, healed`.
fn headline(summary: &IncidentSummary, paint: Paint) -> String {
    let name = paint.text(Tone::Strong, &format!("incident {}: {}", summary.id, summary.service));
    let lasted = span_secs(summary.duration_seconds);
    let (tone, word) = outcome(summary);
    if summary.closed_at.is_none() {
        return format!("{name} {}\n", paint.text(tone, &format!("has been down for {lasted}")));
    }
    let word = paint.text(tone, &word);
    match (
        summary.down_seconds.map(span_secs),
        summary.proved_after_seconds.map(span_secs),
    ) {
        (Some(down), Some(proved)) if proved != down => {
            format!("{name} was down {down}, proved after {proved}, {word}\n")
        }
        (Some(down), _) => format!("{name} was down {down}, {word}\n"),
        // It was never seen to fail, or an earlier version did not note since when.
        (None, _) => format!("{name} had trouble for {lasted}, {word}\n"),
    }
}

fn outcome(incident: &IncidentSummary) -> (Tone, String) {
    match (&incident.resolution, incident.closed_at) {
        (Some(resolution), _) => {
            let good = matches!(resolution.as_str(), "healed" | "recovered" | "started");
            (if good { Tone::Good } else { Tone::Faint }, resolution.clone())
        }
        (None, Some(_)) => (Tone::Faint, "closed".to_owned()),
        (None, None) => (Tone::Bad, "open".to_owned()),
    }
}

/// `attempt 1, carried out after 300ms`.
fn action(entry: &ActionEntry) -> String {
    let mut text = match entry.attempt {
        0 => "by an operator".to_owned(),
        attempt => format!("attempt {attempt}"),
    };
    match (&entry.result, entry.ended_at) {
        (None, None) => text.push_str(", no answer yet"),
        (result, ended) => {
            let result = result.as_deref().unwrap_or("ended");
            let _ = write!(text, ", {result}");
            if let Some(ended) = ended {
                let _ = write!(text, " after {}", span_secs(between(entry.started_at, ended)));
            }
        }
    }
    text
}

fn delivery(entry: &MessageEntry) -> (Tone, String) {
    let tone = match entry.state.as_str() {
        "delivered" => Tone::Good,
        "failed" => Tone::Bad,
        _ => Tone::Warn,
    };
    let mut text = format!("{}, {}", entry.state, count(entry.attempts, "attempt"));
    if let Some(error) = &entry.last_error {
        let _ = write!(text, ", last error: {error}");
    }
    (tone, text)
}

/// Adds a section, unless there is nothing in it.
fn section(out: &mut String, name: &str, lines: &str, paint: Paint) {
    if !lines.is_empty() {
        let _ = write!(out, "\n{}\n{lines}", paint.text(Tone::Strong, name));
    }
}
