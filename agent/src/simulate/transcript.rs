//! A simulation for operators, and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use sentinel_engine::alerting::Outgoing;
use sentinel_engine::{NotificationKind, ReportKind, Resolution, Severity};
use sentinel_simulation::{BEGINNING, Check, Happened, Line, Outcome, Row, Scenario, Summary, Who};
use sentinel_text::{Paint, Table, Tone, exact_span, span_secs};
use serde_json::{Value, json};

use super::policies::STAND_IN;

/// The timeline, a line per event, and the summary.
pub(crate) fn render(outcome: &Outcome, scenario: &Scenario, paint: Paint) -> String {
    let mut out = String::new();
    if !scenario.about.is_empty() {
        out.push_str(&paint.text(Tone::Strong, &scenario.about));
        out.push_str("\n\n");
    }
    let mut table = Table::indented("");
    for line in &outcome.timeline.lines {
        table.row(row(line));
    }
    out.push_str(&table.render(paint));
    if outcome.timeline.omitted > 0 {
        let _ = writeln!(out, "and {} lines more", outcome.timeline.omitted);
    }
    if !outcome.timeline.lines.is_empty() {
        out.push('\n');
    }
    out.push_str(&summary_table(&outcome.summary, paint));
    out.push_str(&total(&outcome.summary, scenario));
    for check in &outcome.summary.checks {
        out.push_str(&check_line(check, paint));
    }
    out
}

/// The same as one JSON document.
pub(crate) fn json(outcome: &Outcome, name: &str, scenario: &Scenario) -> Value {
    let summary = &outcome.summary;
    json!({
        "scenario": name,
        "about": scenario.about,
        "simulated_seconds": seconds(scenario.duration),
        "ok": summary.is_as_expected(),
        "timeline": outcome.timeline.lines.iter().map(line_json).collect::<Vec<_>>(),
        "omitted": outcome.timeline.omitted,
        "services": summary.rows.iter().map(row_json).collect::<Vec<_>>(),
        "restarts": summary.restarts(),
        "messages": summary.messages(),
        "downtime_seconds": seconds(summary.downtime()),
        "expected": summary.checks.iter().map(check_json).collect::<Vec<_>>(),
    })
}

/// `2h simulated: 5 restarts, 2 messages, 3m 20s down`.
fn total(summary: &Summary, scenario: &Scenario) -> String {
    let plural = |count: usize, thing: &str| match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    };
    format!(
        "\n{} simulated: {}, {}, {} down\n",
        exact_span(scenario.duration),
        plural(summary.restarts(), "restart"),
        plural(summary.messages(), "message"),
        span_secs(summary.downtime().as_secs_f64()),
    )
}

fn summary_table(summary: &Summary, paint: Paint) -> String {
    let headings = ["SERVICE", "DOWN", "INCIDENTS", "RESTARTS", "MESSAGES", "AT THE END"];
    let mut table = Table::with_headings(headings);
    for row in &summary.rows {
        let state = match row.state {
            Some("healthy") => (Tone::Good, "healthy"),
            Some("stopped" | "maintenance") => (Tone::Plain, row.state.unwrap_or_default()),
            Some(state) => (Tone::Bad, state),
            None => (Tone::Faint, "-"),
        };
        let messages = match row.messages.len() {
            0 => "0".to_owned(),
            count => format!("{count}: {}", tally(&row.messages)),
        };
        table.row([
            (Tone::Plain, row.name.to_string()),
            (Tone::Plain, span_secs(row.downtime.as_secs_f64())),
            (Tone::Plain, row.incidents.to_string()),
            (Tone::Plain, row.restarts.to_string()),
            (Tone::Plain, messages),
            (state.0, state.1.to_owned()),
        ]);
    }
    table.render(paint)
}

fn check_line(check: &Check, paint: Paint) -> String {
    let Check { expected, found, holds } = check;
    let (tone, text) = if *holds {
        (Tone::Good, format!("✓ {expected}: {found}"))
    } else {
        (Tone::Bad, format!("✗ {expected}: {found}, not as expected"))
    };
    paint.text(tone, &text) + "\n"
}

/// `fired, gave_up`; what comes often is counted: `12 healed`.
fn tally(kinds: &[&'static str]) -> String {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for kind in kinds {
        match counted.iter_mut().find(|(known, _)| known == kind) {
            Some((_, count)) => *count += 1,
            None => counted.push((*kind, 1)),
        }
    }
    let words = counted.iter().map(|(kind, count)| match count {
        1 => (*kind).to_owned(),
        _ => format!("{count} {kind}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Who does something, one character wide, as in `sentinel demo`.
const fn sign(who: Who) -> &'static str {
    match who {
        Who::Script => "»",
        Who::World => "·",
        Who::Agent => "",
        Who::Message => "✉",
    }
}

fn row(line: &Line) -> [(Tone, String); 5] {
    let tone = tone(&line.what);
    [
        (Tone::Faint, clock(line.at.since(BEGINNING))),
        (tone, sign(line.who()).to_owned()),
        (Tone::Plain, line.about.to_string()),
        (tone, line.word().to_owned()),
        (tone, text(&line.what)),
    ]
}

/// The sentence.
fn text(what: &Happened) -> String {
    match what {
        Happened::Script { text, .. } | Happened::World { text, .. } => text.clone(),
        Happened::Report(report) => report.kind.to_string(),
        Happened::Message(outgoing) => message(outgoing),
    }
}

/// What a message says, and who gets it.
fn message(outgoing: &Outgoing) -> String {
    let message = &outgoing.notification;
    let cause = message.cause.to_string();
    let mut text = format!(
        "{}: {}",
        message.severity.as_str(),
        sentinel_notify::sentence(message, message.service.as_str(), &cause)
    );
    if matches!(
        message.kind,
        NotificationKind::Fired | NotificationKind::GaveUp { .. } | NotificationKind::Flapping { .. }
    ) {
        text.push_str("; ");
        text.push_str(&message.doing);
    }
    let named = outgoing.receivers.iter().filter(|(name, _)| *name != STAND_IN);
    let named: Vec<String> = named.map(|(name, reason)| format!("{name} ({reason})")).collect();
    if !named.is_empty() {
        let _ = write!(text, " -> {}", named.join(", "));
    }
    text
}

/// What it means to the reader.
fn tone(what: &Happened) -> Tone {
    match what {
        Happened::Script { .. } => Tone::Strong,
        Happened::World { .. } => Tone::Plain,
        Happened::Report(report) => report_tone(&report.kind),
        Happened::Message(outgoing) => match outgoing.notification.severity {
            Severity::Info => Tone::Good,
            Severity::Warning => Tone::Warn,
            Severity::Critical => Tone::Bad,
        },
    }
}

fn report_tone(kind: &ReportKind) -> Tone {
    match kind {
        ReportKind::StateChanged { .. } | ReportKind::ActionHeld { .. } => Tone::Faint,
        ReportKind::WentDown { .. } | ReportKind::GaveUp { .. } | ReportKind::ActionUnverified { .. } => Tone::Bad,
        ReportKind::BecameHealthy { .. } | ReportKind::ActionVerified { .. } => Tone::Good,
        ReportKind::IncidentClosed { resolution, .. } => match resolution {
            Resolution::Healed | Resolution::Recovered | Resolution::Started => Tone::Good,
            Resolution::Stopped | Resolution::Unmanaged => Tone::Plain,
        },
        ReportKind::ActionStarted { .. } | ReportKind::FlappingBegan { .. } => Tone::Warn,
        _ => Tone::Plain,
    }
}

/// `+12s`, `+2m03s`, `+1h02m03s`, `+3d04h05m06s`.
fn clock(since: Duration) -> String {
    let seconds = since.as_secs();
    let (days, hours, minutes, seconds) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("+{seconds}s"),
        (0, 0, _) => format!("+{minutes}m{seconds:02}s"),
        (0, _, _) => format!("+{hours}h{minutes:02}m{seconds:02}s"),
        _ => format!("+{days}d{hours:02}h{minutes:02}m{seconds:02}s"),
    }
}

/// Seconds, to the millisecond.
fn seconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1000.0).round() / 1000.0
}

fn line_json(line: &Line) -> Value {
    json!({
        "at": seconds(line.at.since(BEGINNING)),
        "by": line.who().as_str(),
        "service": line.about.as_str(),
        "incident": line.incident(),
        "event": line.word(),
        "text": text(&line.what),
    })
}

fn row_json(row: &Row) -> Value {
    json!({
        "service": row.name.as_str(),
        "downtime_seconds": seconds(row.downtime),
        "incidents": row.incidents,
        "restarts": row.restarts,
        "messages": row.messages,
        "state": row.state,
    })
}

fn check_json(check: &Check) -> Value {
    json!({ "expected": check.expected, "found": check.found, "ok": check.holds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_count_from_the_beginning() {
        for (seconds, expected) in [
            (0, "+0s"),
            (59, "+59s"),
            (123, "+2m03s"),
            (3600, "+1h00m00s"),
            (93_784, "+1d02h03m04s"),
        ] {
            assert_eq!(clock(Duration::from_millis(seconds * 1000 + 999)), expected);
        }
    }

    #[test]
    fn messages_are_counted_by_kind_in_the_order_in_which_they_came() {
        assert_eq!(tally(&["fired", "gave_up"]), "fired, gave_up");
        assert_eq!(tally(&["healed", "fired", "healed"]), "2 healed, fired");
    }
}
