//! A simulation for people, and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use sentinel_text::Table;
use sentinel_text::exact_span;
use sentinel_text::span_secs;
use sentinel_text::{Paint, Tone};
use serde_json::{Value, json};

use super::story::{Line, Who};
use super::summary::{Check, Row, Summary};
use super::world::BEGINNING;
use super::{Outcome, Scenario};

impl Outcome {
    /// The story, a line per happening, and the summary.
    pub(crate) fn render(&self, scenario: &Scenario, paint: Paint) -> String {
        let mut out = String::new();
        if !scenario.about.is_empty() {
            out.push_str(&paint.text(Tone::Strong, &scenario.about));
            out.push_str("\n\n");
        }
        let mut story = Table::indented("");
        for line in &self.story.lines {
            story.row(row(line));
        }
        out.push_str(&story.render(paint));
        if self.story.omitted > 0 {
            let _ = writeln!(out, "and {} lines more", self.story.omitted);
        }
        if !self.story.lines.is_empty() {
            out.push('\n');
        }
        out.push_str(&self.summary.render(paint));
        out.push_str(&self.total(scenario));
        for check in &self.summary.checks {
            out.push_str(&check.render(paint));
        }
        out
    }

    /// The same as one JSON document.
    pub(crate) fn json(&self, name: &str, scenario: &Scenario) -> Value {
        let summary = &self.summary;
        json!({
            "scenario": name,
            "about": scenario.about,
            "simulated_seconds": seconds(scenario.duration),
            "ok": summary.is_as_expected(),
            "timeline": self.story.lines.iter().map(line_json).collect::<Vec<_>>(),
            "omitted": self.story.omitted,
            "services": summary.rows.iter().map(row_json).collect::<Vec<_>>(),
            "restarts": summary.restarts(),
            "messages": summary.messages(),
            "downtime_seconds": seconds(summary.downtime()),
            "expected": summary.checks.iter().map(check_json).collect::<Vec<_>>(),
        })
    }

    /// `2h simulated: 5 restarts, 2 messages, 3m 20s down`.
    fn total(&self, scenario: &Scenario) -> String {
        let plural = |count: usize, thing: &str| match count {
            1 => format!("1 {thing}"),
            _ => format!("{count} {thing}s"),
        };
        format!(
            "\n{} simulated: {}, {}, {} down\n",
            exact_span(scenario.duration),
            plural(self.summary.restarts(), "restart"),
            plural(self.summary.messages(), "message"),
            span_secs(self.summary.downtime().as_secs_f64()),
        )
    }
}

impl Summary {
    fn render(&self, paint: Paint) -> String {
        let headings = ["SERVICE", "DOWN", "INCIDENTS", "RESTARTS", "MESSAGES", "AT THE END"];
        let mut table = Table::with_headings(headings);
        for row in &self.rows {
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
}

impl Check {
    fn render(&self, paint: Paint) -> String {
        let Self { expected, found, holds } = self;
        let (tone, text) = if *holds {
            (Tone::Good, format!("✓ {expected}: {found}"))
        } else {
            (Tone::Bad, format!("✗ {expected}: {found}, not as expected"))
        };
        paint.text(tone, &text) + "\n"
    }
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
    [
        (Tone::Faint, clock(line.at.since(BEGINNING))),
        (line.tone, sign(line.who).to_owned()),
        (Tone::Plain, line.about.to_string()),
        (line.tone, line.word.to_owned()),
        (line.tone, line.text.clone()),
    ]
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
        "by": line.who,
        "service": line.about.as_str(),
        "incident": line.incident,
        "event": line.word,
        "text": line.text,
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
