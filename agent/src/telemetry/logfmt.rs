//! One event as one logfmt line.
//!
//! Fields come in the order given, then `msg`, then `target` for what libraries say, then `level` unless it is `info`:
//! the words that matter stand first, and the ordinary line is not cluttered by what is ordinary.

use sentinel_text::{is_unprintable, push_quoted};
use tracing::Level;

use super::record::Record;

/// Most bytes of a line without its newline. Escaping can make text six times as long; fields that no longer fit are
/// left out, and `truncated=true` says so.
pub(super) const LINE_MAX: usize = 8 * 1024;

/// Kept free for what ends every line.
const TAIL: usize = 256;

/// `record` as a line, without its newline.
pub(super) fn line(record: &Record, emoji: bool) -> String {
    if let Some(line) = emoji.then(|| picture(record)).flatten() {
        return line;
    }
    let mut line = Line::default();
    for (name, value) in &record.fields {
        line.push(name, value.as_str());
    }
    if let Some(message) = &record.message {
        line.push("msg", message);
    }
    line.finish(record)
}

/// The three kinds of event that read as a picture and a sentence when `emoji` is set.
fn picture(record: &Record) -> Option<String> {
    let event = record.field("event")?;
    let service = record.field("service");
    let text = match (event, service, record.field("status")) {
        ("started", None, _) => format!("🔎 {}", record.message.as_deref()?),
        ("healthy", Some(service), Some("up")) => format!("✅ {service} is healthy"),
        (_, Some(service), Some("down")) if record.field("status_code").is_some() => {
            format!(
                "❌ {service} {event}: {}",
                record.field("cause").unwrap_or("cause not known")
            )
        }
        _ => return None,
    };
    Some(sentinel_text::printable(&text).into_owned())
}

/// A line as it grows.
#[derive(Default)]
struct Line {
    text: String,
    truncated: bool,
}

impl Line {
    fn push(&mut self, name: &str, value: &str) {
        let start = self.text.len();
        push_pair(&mut self.text, name, value);
        if self.text.len() > LINE_MAX - TAIL {
            self.text.truncate(start);
            self.truncated = true;
        }
    }

    fn finish(mut self, record: &Record) -> String {
        if self.truncated || record.truncated {
            push_pair(&mut self.text, "truncated", "true");
        }
        let target = record.metadata.target();
        if !is_ours(target) && target.len() < TAIL / 2 {
            push_pair(&mut self.text, "target", target);
        }
        if *record.metadata.level() != Level::INFO {
            push_pair(&mut self.text, "level", level(*record.metadata.level()));
        }
        self.text
    }
}

/// Whether the agent itself logged it, not a library.
pub(super) fn is_ours(target: &str) -> bool {
    target
        .strip_prefix("sentinel")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || rest.starts_with('_'))
}

/// The word for a level.
pub(super) fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

fn push_pair(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(' ');
    }
    // Names are literals in the source, ours or a library's; the latter may hold anything.
    out.extend(name.chars().map(|c| {
        if c.is_ascii_alphanumeric() || "_-.".contains(c) {
            c
        } else {
            '_'
        }
    }));
    out.push('=');
    if needs_quotes(value) {
        push_quoted(out, value);
    } else {
        out.push_str(value);
    }
}

/// Whether a reader would not get `value` back as it is.
fn needs_quotes(value: &str) -> bool {
    value.is_empty()
        || value
            .chars()
            .any(|c| matches!(c, ' ' | '=' | '"' | '\\') || is_unprintable(c))
}
