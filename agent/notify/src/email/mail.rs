//! A message as a mail: headers, text and HTML. Pure, and the same bytes on every attempt.
//!
//! All mails about one incident are one thread, in clients that go by `References` and in those that go by the subject:
//! what happened stands in brackets before it, which RFC 5256 (2.1, "base subject") does not count.

use std::time::SystemTime;

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, MultiPart, SinglePart};
use sentinel_config::EmailSettings;
use sentinel_engine::{Resolution, Severity};
use sentinel_store::First;
use sentinel_text::clip;

use super::super::{MessageData, RenderedMessage};
use super::html;

/// Room for a subject, in bytes; most clients show half of it.
const SUBJECT_MAX: usize = 200;

/// Room for the value of a header of ours, in bytes.
const VALUE_MAX: usize = 200;

/// Why a message cannot be a mail.
#[derive(Debug, thiserror::Error)]
pub(super) enum MailError {
    /// Its headers do not make one.
    #[error(transparent)]
    Headers(#[from] lettre::error::Error),
    /// Its text fits into no part.
    #[error("it cannot be encoded")]
    Encoding,
}

/// The mail for a rendered message.
pub(super) fn compose(rendered: &RenderedMessage<'_>, settings: &EmailSettings) -> Result<Vec<u8>, MailError> {
    let delivery = rendered.delivery;
    let data = &rendered.message.data;
    let subject = subject(rendered);
    let mut builder = lettre::Message::builder()
        .from(settings.from.clone())
        // When it was decided, not when it was sent: mails of one thread stay in order, and attempts do not differ.
        .date(SystemTime::from(rendered.message.timestamp))
        .message_id(Some(message_id(&delivery.event, settings)))
        .subject(subject.clone());
    for to in &settings.to {
        builder = builder.to(to.clone());
    }
    if let Some(first) = &delivery.first {
        let id = first_id(first, settings);
        builder = builder.in_reply_to(id.clone()).references(id);
    }
    // Nobody's absence is to be sent to a program (RFC 3834, and Exchange's own).
    builder = raw(builder, "Auto-Submitted", "auto-generated");
    builder = raw(builder, "X-Auto-Response-Suppress", "All");
    if data.severity == Severity::Critical {
        builder = raw(builder, "Importance", "high");
    }
    let incident = match data.incident {
        0 => String::new(),
        incident => incident.to_string(),
    };
    // For filters.
    for (name, value) in [
        ("X-Sentinel-Type", rendered.message.kind.as_str()),
        ("X-Sentinel-Host", &data.host),
        ("X-Sentinel-Service", &data.service),
        ("X-Sentinel-Severity", data.severity.as_str()),
        ("X-Sentinel-Incident", &incident),
    ] {
        let value = plain(value, VALUE_MAX);
        if !value.is_empty() {
            builder = raw(builder, name, &value);
        }
    }
    let parts = MultiPart::alternative()
        // `=` stands before a hexadecimal number or a line's end in what is encoded, so no line there is like this one.
        .boundary(format!("=_{}", delivery.event))
        .singlepart(part(ContentType::TEXT_PLAIN, lines(&rendered.text.whole()))?)
        .singlepart(part(ContentType::TEXT_HTML, html::page(rendered, &subject))?);
    let mail = builder.multipart(parts)?;
    Ok(mail.formatted())
}

/// The id of the mail for the message `event`. The sender's domain is what makes it the world's only one.
pub(super) fn message_id(event: &str, settings: &EmailSettings) -> String {
    format!("<{event}@{}>", settings.from.email.domain())
}

/// The id of the mail that began the conversation, which may have been sent under another configuration.
fn first_id(first: &First, settings: &EmailSettings) -> String {
    let known = first.reference.as_deref().filter(|id| {
        let inner = id.strip_prefix('<').and_then(|id| id.strip_suffix('>'));
        inner.is_some_and(|id| {
            id.contains('@')
                && id.len() <= VALUE_MAX
                && id.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>".contains(&byte))
        })
    });
    known.map_or_else(|| message_id(&first.event, settings), str::to_owned)
}

/// What stands in the list of mails: `[DOWN] shop on web1 (incident 7)`.
fn subject(rendered: &RenderedMessage<'_>) -> String {
    let data = &rendered.message.data;
    let subject = if rendered.message.is_incident() {
        format!(
            "[{}] {} on {} (incident {})",
            state(data),
            data.service,
            data.host,
            data.incident
        )
    } else {
        format!("[{}] {}", word(&data.kind), rendered.text.title)
    };
    plain(&subject, SUBJECT_MAX)
}

/// What happened, in a word or two.
fn state(data: &MessageData) -> String {
    match (data.resolution, data.kind.as_str()) {
        (Some(Resolution::Healed), _) => "HEALED".to_owned(),
        (Some(Resolution::Recovered), _) => "RECOVERED".to_owned(),
        (Some(Resolution::Stopped), _) => "STOPPED".to_owned(),
        (Some(Resolution::Started), _) => "STARTED".to_owned(),
        (Some(Resolution::Unmanaged), _) => "NO LONGER WATCHED".to_owned(),
        (None, "fired") => "DOWN".to_owned(),
        (None, kind) => word(kind),
    }
}

/// A word of ours, as it stands in a subject.
fn word(kind: &str) -> String {
    kind.replace('_', " ").to_uppercase()
}

/// `text` on one line and cut, without what a header must not hold and without what makes a line read otherwise than
/// it is written.
fn plain(text: &str, max: usize) -> String {
    let text: String = text.chars().filter(|letter| !is_invisible(*letter)).collect();
    clip(text.trim(), max)
}

/// Lines of text with nothing in them that a terminal would obey.
fn lines(text: &str) -> String {
    let kept = |letter: &char| *letter == '\n' || !(letter.is_control() || is_invisible(*letter));
    let mut text: String = text.chars().filter(kept).collect();
    text.push('\n');
    text
}

/// Marks of direction (Unicode's bidirectional controls) and the like, which hide what a text says.
pub(super) const fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

fn raw(builder: lettre::message::MessageBuilder, name: &'static str, value: &str) -> lettre::message::MessageBuilder {
    // What is not ASCII becomes an encoded word, and what is long is folded.
    let name = HeaderName::new_from_ascii_str(name);
    builder.raw_header(HeaderValue::new(name, value.to_owned()))
}

/// A part that any server may pass on: ASCII in short lines.
fn part(kind: ContentType, text: String) -> Result<SinglePart, MailError> {
    let body =
        Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable).map_err(|_| MailError::Encoding)?;
    Ok(SinglePart::builder().header(kind).body(body))
}
