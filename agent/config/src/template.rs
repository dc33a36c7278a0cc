//! Templates of the operator: Jinja, with a limit on the work and on the size of what comes out.
//!
//! A [`Template`] is for words, a [`Link`] for the address of a page.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::{Environment, Error, UndefinedBehavior, escape_formatter, filters};
use sentinel_text::time::moment;
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

/// Steps a template may take; a page of text takes some hundreds.
const FUEL: u64 = 100_000;

/// What a template makes is cut off here, in bytes: no receiver takes more.
const OUTPUT_MAX: usize = 32 * 1024;

/// The longest address a link may make, in bytes: a message has room for it whatever else it says, and receivers take it.
pub(crate) const LINK_MAX: usize = 1000;

/// The only template of its environment.
const NAME: &str = "template";

/// A template that can be used again and again.
pub struct Template(Environment<'static>);

impl Template {
    /// From its text, with times of `zone`. The error names the line.
    pub fn new(text: &str, zone: &TimeZone) -> Result<Self, String> {
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
    pub fn render(&self, context: impl Serialize) -> Result<String, String> {
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

/// The template of an address. Every value in it is encoded as a part of one, so that what a service is called or says
/// changes where it leads to no more than it should; `safe` takes a value as it is.
pub struct Link(Template);

impl Link {
    /// From its text. The error names the line.
    pub fn new(text: &str) -> Result<Self, String> {
        let mut template = Template::new(text, &TimeZone::UTC)?;
        // Said out loud it is not done twice.
        let encode = |value: &minijinja::Value| filters::urlencode(value).map(minijinja::Value::from_safe_string);
        template
            .0
            .add_filter("urlencode", move |value: minijinja::Value| encode(&value));
        template.0.set_formatter(move |output, state, value| {
            let value = if value.is_safe() { value.clone() } else { encode(value)? };
            escape_formatter(output, state, &value)
        });
        Ok(Self(template))
    }

    /// The address for what `context` holds.
    pub fn render(&self, context: impl Serialize) -> Result<Url, String> {
        let rendered = self.0.render(context)?;
        let url = address(rendered.trim()).map_err(|reason| format!("what it makes {reason}"))?;
        // Encoded, it may be longer than it was.
        match url.as_str().len() {
            0..=LINK_MAX => Ok(url),
            length => Err(format!("makes an address of {length} bytes, more than {LINK_MAX}")),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

/// The address of a page that a browser can open.
fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(&escape_percents(text)).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is a URL with another scheme than http and https".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("is a URL with a user or a password, which every reader would see".to_owned());
    }
    Ok(url)
}

/// `text` with `%25` for every `%` that begins no escape. A browser reads such an address; Alertmanager refuses it, with
/// everything that is sent beside it.
fn escape_percents(text: &str) -> Cow<'_, str> {
    if !has_lone_percent(text) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split('%');
    let mut escaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        escaped.push_str(if begins_with_hex(part) { "%" } else { "%25" });
        escaped.push_str(part);
    }
    Cow::Owned(escaped)
}

/// Whether `text` holds a `%` that begins no escape.
fn has_lone_percent(text: &str) -> bool {
    text.split('%').skip(1).any(|part| !begins_with_hex(part))
}

fn begins_with_hex(text: &str) -> bool {
    text.len() >= 2 && text.bytes().take(2).all(|byte| byte.is_ascii_hexdigit())
}

/// The link that `text` describes, tried on messages of several kinds: better now than when there is something to tell.
///
/// Answers besides what is probably not meant: values are encoded, so a `%` that begins no escape is one of the template.
pub(crate) fn link(text: &str) -> Result<(Link, Option<&'static str>), String> {
    let link = Link::new(text)?;
    let [_, mut fired, resolved] = samples();
    // Not every service has labels.
    merge(&mut fired, json!({ "labels": {} }));
    let mut is_lone = false;
    for sample in [fired, resolved] {
        let tried = |problem| format!("{problem} (tried on {})", sample["type"]);
        link.render(&sample).map_err(tried)?;
        is_lone |= has_lone_percent(&link.0.render(&sample).map_err(tried)?);
    }
    let note = is_lone.then_some("has a `%` that begins no escape such as `%20`; it is sent as `%25`");
    Ok((link, note))
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
pub fn samples() -> [Value; 3] {
    let at = "1970-01-01T00:00:00Z";
    let bare = json!({
        "type": "alerts.test", "timestamp": at, "host": "host", "service": "", "incident": 0, "sequence": 1,
        "kind": "test", "severity": "info", "summary": "host: a test", "cause": {"kind": "", "text": ""},
        "opened_at": at, "attempts": 0, "doing": "", "failing": null, "resolution": null, "duration_seconds": null,
        "down_seconds": null, "proved_after_seconds": null, "started_by": null, "labels": {},
        "timeline": [], "evidence": [], "incidents_last_day": null, "members": [], "url": null,
        "title": "host: a test", "body": "Host:  host",
    });
    let mut fired = bare.clone();
    merge(
        &mut fired,
        json!({
            "type": "incident.fired", "kind": "fired", "service": "service", "incident": 7, "severity": "warning",
            "cause": {"kind": "exited", "text": "exited with code 1"}, "attempts": 1, "doing": "verifying, attempt 1",
            "failing": {"now": "404", "since": at, "before": "200"},
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
            "down_seconds": 0.2, "proved_after_seconds": 1.5, "started_by": "agent",
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
    fn templates_say_what_they_are_reported_to() {
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
    fn a_link_is_an_address_whatever_it_is_made_of() {
        let context = json!({
            "host": "web 1", "service": "a/b?c&d#e", "incident": 7, "labels": { "runbook": "https://wiki.example/x?y=1&z" },
            "nothing": null,
        });
        #[rustfmt::skip]
        let table = [
            ("https://r.example/{{ service }}", Ok("https://r.example/a/b%3Fc%26d%23e")),
            ("https://r.example/x?host={{ host }}&incident={{ incident }}", Ok("https://r.example/x?host=web%201&incident=7")),
            ("https://r.example/x?host={{ host | urlencode }}", Ok("https://r.example/x?host=web%201")),
            ("https://r.example/?{{ {'host': host, 'n': incident} | urlencode }}", Ok("https://r.example/?host=web%201&n=7")),
            ("https://r.example/{{ service | replace('/', '-') }}", Ok("https://r.example/a-b%3Fc%26d%23e")),
            ("{{ labels.runbook | safe }}", Ok("https://wiki.example/x?y=1&z")),
            ("{{ (labels.other or 'https://r.example/' ~ incident) | safe }}", Ok("https://r.example/7")),
            (" http://[::1]:9464/{{ incident }}\n", Ok("http://[::1]:9464/7")),
            ("https://r.example/é {{ nothing }}x", Ok("https://r.example/%C3%A9%20x")),
            ("https://r.example/100%/{{ service }}?a=5%", Ok("https://r.example/100%25/a/b%3Fc%26d%23e?a=5%25")),
            ("{{ labels.runbook }}", Err("what it makes is not a URL: ")),
            ("{{ service }}", Err("what it makes is not a URL: ")),
            ("", Err("what it makes is not a URL: ")),
            ("javascript:alert({{ incident }})", Err("what it makes is a URL with another scheme than http and https")),
            ("https://me:secret@r.example/", Err("what it makes is a URL with a user or a password")),
            ("https://r.example/{{ srevice }}", Err("line 1 of the template: undefined value: `srevice` is undefined")),
            ("https://r.example/{% for n in range(500) %}é{% endfor %}", Err("makes an address of 3018 bytes, more than 1000")),
        ];
        for (text, expected) in table {
            let made = Link::new(text).and_then(|link| link.render(&context));
            match (made, expected) {
                (Ok(url), Ok(expected)) => assert_eq!(url.as_str(), expected, "{text}"),
                (Err(problem), Err(expected)) => assert!(problem.starts_with(expected), "{text}: {problem}"),
                (made, _) => panic!("{text}: {made:?}"),
            }
        }
    }

    #[test]
    fn a_link_is_tried_before_it_is_needed() {
        let problem = link("https://r.example/{{ labels.team }}").unwrap_err();
        assert!(
            problem.contains("is undefined (tried on \"incident.fired\")"),
            "a service need not have that label: {problem}"
        );
        for fine in [
            "https://r.example/{{ labels.team or service }}",
            "https://r.example/{% if resolution %}over{% else %}{{ cause.kind }}{% endif %}",
        ] {
            link(fine).unwrap();
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

#[cfg(test)]
mod fuzz {
    use proptest::prelude::*;

    use super::*;

    /// What means something in a template, between anything else.
    fn text() -> impl Strategy<Value = String> {
        #[rustfmt::skip]
        let pieces = vec![
            "{{", "}}", "{%", "%}", "{#", "#}", "-", "(", ")", "[", "]", "{", "}", "|", ".", ",", ":", "~", "*", "**", "//", "%", "==",
            " if ", " else ", " elif ", " endif ", " for ", " in ", " endfor ", " set ", " endset ", " block b ", " endblock ",
            " macro m(a) ", " endmacro ", " call m() ", " endcall ", " filter upper ", " endfilter ", " with ", " endwith ",
            " raw ", " endraw ", " include 'template' ", " import 'template' as t ", " extends 'template' ", " do ", " not ", " is ",
            "title", "evidence", "labels", "members", "cause.text", "timestamp", "loop", "loop.index", "x", "'a'", "\"%9d\"", "0",
            "-1", "1.5e308", "9223372036854775807", "1000000", "range", "range(9)", "dict", "namespace", "m(1)", "local", "tojson",
            "indent", "format", "batch", "slice", "replace", "join", "urlencode", "safe", "pprint", "sort", "groupby", "round",
            "truncate", "length", "{{ ", " }}", "{% for x in range(99) %}", "{% endfor %}", "\\", "\"", "'", "\n", " ", "é",
        ];
        let expression = prop::sample::select(pieces.clone());
        let wrapped =
            prop::collection::vec(expression, 1..8).prop_map(|pieces| format!("{{{{ {} }}}}", pieces.join(" ")));
        let filter = prop::sample::select(vec![
            "indent", "format", "batch", "slice", "replace", "join", "round", "truncate", "center",
        ]);
        let value = prop::sample::select(vec![
            "title",
            "evidence",
            "'%9d'",
            "'%*d'",
            "labels",
            "range(99)",
            "'a' * 9",
        ]);
        let argument = prop::sample::select(vec![
            "",
            "0",
            "-1",
            "9223372036854775807",
            "99999999",
            "1e308",
            "''",
            "title",
        ]);
        let filtered = (value, filter, argument.clone(), argument).prop_map(|(value, filter, one, two)| {
            format!("{{{{ {value} | {filter}({one}, {two}) }}}}").replace(", )", ")")
        });
        let piece = prop_oneof![
            6 => prop::sample::select(pieces).prop_map(str::to_owned),
            2 => wrapped,
            2 => filtered,
            1 => any::<String>(),
        ];
        prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_template_is_refused_or_makes_a_bounded_text(text in text()) {
            let is_fine = check(&text).is_ok();
            let Ok(template) = Template::new(&text, &TimeZone::UTC) else {
                return Ok(());
            };
            for sample in samples() {
                let made = template.render(sample);
                prop_assert!(made.is_ok() || !is_fine, "{:?}", made);
                prop_assert!(made.is_err() || made.is_ok_and(|made| made.len() <= OUTPUT_MAX));
            }
        }

        #[test]
        fn any_link_is_refused_or_makes_a_bounded_address(text in text()) {
            for text in [text.clone(), format!("https://r.example/{text}")] {
                if let Ok((made, _)) = link(&text) {
                    let [_, fired, _] = samples();
                    prop_assert!(made.render(fired).is_ok_and(|url| url.as_str().len() <= LINK_MAX));
                }
            }
        }
    }
}
