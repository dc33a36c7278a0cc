//! Templates of the operator: Jinja, with a limit on the work and on the size of what comes out.

use std::fmt;
use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::{Environment, Error, UndefinedBehavior};
use serde::Serialize;
use serde_json::{Value, json};

use crate::moment::moment;

/// Steps a template may take; a page of text takes some hundreds.
const FUEL: u64 = 100_000;

/// What a template makes is cut off here, in bytes: no receiver takes more.
const OUTPUT_MAX: usize = 32 * 1024;

/// The only template of its environment.
const NAME: &str = "template";

/// A template that can be used again and again.
pub(crate) struct Template(Environment<'static>);

impl Template {
    /// From its text, with times of `zone`. The error names the line.
    pub(crate) fn new(text: &str, zone: &TimeZone) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        // A misspelt name is an error, but what may be absent can be asked for.
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        let zone = zone.clone();
        environment.add_filter("local", move |at: String| {
            let at: Option<Timestamp> = at.parse().ok();
            at.map_or_else(String::new, |at| moment(at, &zone))
        });
        environment
            .add_template_owned(NAME, text.to_owned())
            .map_err(|error| explain(&error))?;
        Ok(Self(environment))
    }

    /// The text for what `context` holds.
    pub(crate) fn render(&self, context: impl Serialize) -> Result<String, String> {
        let mut output = Bounded(Vec::new());
        self.0
            .get_template(NAME)
            .and_then(|template| {
                let context = minijinja::Value::from(minijinja::value::Serde(context));
                template.render_captured_to(context, &mut output).map(drop)
            })
            .map_err(|error| match output.0.len() {
                OUTPUT_MAX.. => format!("makes more than {} KiB", OUTPUT_MAX >> 10),
                _ => explain(&error),
            })?;
        String::from_utf8(output.0).map_err(|_| "makes no UTF-8 text".to_owned())
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}

/// What is wrong with a template, with its line. It is tried on messages of several kinds: better now than when there is
/// something to tell.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let template = Template::new(text, &TimeZone::UTC)?;
    for sample in samples() {
        let rendered = template
            .render(&sample)
            .map_err(|problem| format!("{problem} (tried on {})", sample["type"]))?;
        if rendered.trim().is_empty() {
            return Err(format!("the template makes nothing (tried on {})", sample["type"]));
        }
    }
    Ok(())
}

/// What a template of a receiver works with, in a message that has next to nothing, and in one that has everything.
pub(crate) fn samples() -> [Value; 3] {
    let at = "1970-01-01T00:00:00Z";
    let bare = json!({
        "type": "alerts.test", "timestamp": at, "host": "host", "service": "", "incident": 0, "sequence": 1,
        "kind": "test", "severity": "info", "summary": "host: a test", "cause": {"kind": "", "text": ""},
        "opened_at": at, "attempts": 0, "doing": "", "resolution": null, "duration_seconds": null, "labels": {},
        "timeline": [], "evidence": [], "incidents_last_day": null, "members": [], "url": null,
        "title": "host: a test", "body": "Host:  host",
    });
    let mut fired = bare.clone();
    merge(
        &mut fired,
        json!({
            "type": "incident.fired", "kind": "fired", "service": "service", "incident": 7, "severity": "warning",
            "cause": {"kind": "exited", "text": "exited with code 1"}, "attempts": 1, "doing": "verifying, attempt 1",
            "labels": {"team": "shop"}, "timeline": [{"at": at, "text": "exited with code 1"}],
            "evidence": [{"title": "exit status", "text": "1"}], "incidents_last_day": 2,
            "url": "https://host.example/incidents/7",
        }),
    );
    let mut resolved = fired.clone();
    merge(
        &mut resolved,
        json!({
            "type": "incident.resolved", "kind": "resolved", "resolution": "healed", "duration_seconds": 1.5,
            "members": [{"incident": 7, "service": "service", "kind": "fired", "severity": "warning", "summary": "down"}],
        }),
    );
    [bare, fired, resolved]
}

fn merge(into: &mut Value, other: Value) {
    if let (Value::Object(into), Value::Object(other)) = (into, other) {
        into.extend(other);
    }
}

/// The engine's words with the line, without the template's name and text.
fn explain(error: &Error) -> String {
    let what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    match error.line() {
        Some(line) => format!("line {line} of the template: {what}"),
        None => format!("the template: {what}"),
    }
}

/// Takes so many bytes and then refuses.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = OUTPUT_MAX - self.0.len();
        self.0.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        match bytes.len() {
            length if length > room => Err(io::Error::other("too much")),
            length => Ok(length),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str) -> Result<String, String> {
        Template::new(text, &TimeZone::UTC)?
            .render(json!({ "name": "shop", "at": "2026-11-22T16:03:00Z", "gone": null }))
    }

    #[test]
    fn templates_say_what_they_are_told_to() {
        let table = [
            ("{{ name }} is down\n", "shop is down"),
            ("{{ at | local }}", "2026-11-22 16:03:00 UTC"),
            ("{% if gone %}x{% else %}y{% endif %}", "y"),
            ("{{ name | tojson }}", "\"shop\""),
        ];
        for (text, expected) in table {
            assert_eq!(render(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_template_is_tried_before_it_is_needed() {
        let table = [
            (
                "{{ srevice }}",
                "line 1 of the template: undefined value: `srevice` is undefined (tried on \"alerts.test\")",
            ),
            (
                "{% for e in evidence %}{{ e.titel }}{% endfor %}x",
                "is undefined (tried on \"incident.fired\")",
            ),
            (
                "{% if service %}x{% endif %}",
                "the template makes nothing (tried on \"alerts.test\")",
            ),
        ];
        for (text, expected) in table {
            let problem = check(text).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
        for fine in [
            "{{ resolution }} {{ url or '-' }}",
            "{{ timestamp | local }}",
            "{{ title }}{% for m in members %}{{ m.summary }}{% endfor %}",
            "{{ labels.team or 'nobody' }}",
        ] {
            check(fine).unwrap();
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        #[rustfmt::skip]
        let table = [
            ("a\n{% if %}", "line 2 of the template: "),
            ("{{ nmae }}", "line 1 of the template: undefined value"),
            ("{{ name | shout }}", "line 1 of the template: unknown filter"),
            ("{% include 'other' %}", "line 1 of the template: template not found"),
            ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "engine ran out of fuel"),
            ("{% for a in range(9999) %}{{ name }}{{ at }}{% endfor %}", "makes more than 32 KiB"),
        ];
        for (text, expected) in table {
            let error = render(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
