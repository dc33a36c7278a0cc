//! One message on its way to one receiver: what the outbox keeps, and what every kind of receiver makes its form of.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sentinel_config::template::Template;
use sentinel_store::Delivery;
use sentinel_text::clip;
use serde_json::{Map, Value, json};

use super::message::Message;
use super::text::Text;

/// Of what is wrong with a template, this much is reported, in bytes.
const PROBLEM_MAX: usize = 300;

/// What may be absent from a message, and must not be for a template that asks for it.
const OPTIONAL: [(&str, Value); 11] = [
    ("failing", Value::Null),
    ("resolution", Value::Null),
    ("duration_seconds", Value::Null),
    ("down_seconds", Value::Null),
    ("proved_after_seconds", Value::Null),
    ("started_by", Value::Null),
    ("incidents_last_day", Value::Null),
    ("url", Value::Null),
    ("timeline", Value::Array(Vec::new())),
    ("evidence", Value::Array(Vec::new())),
    ("members", Value::Array(Vec::new())),
];

/// A message with its forms.
pub(super) struct RenderedMessage<'a> {
    /// The outbox's row: key, bytes, attempt, and what began the conversation.
    pub(super) delivery: &'a Delivery,
    /// What it says.
    pub(super) message: Message,
    /// The same in words.
    pub(super) text: Text,
    /// The time of this attempt by the wall clock.
    pub(super) wall: Timestamp,
    /// What the operator's template made of it, or why it could not.
    rendered: Option<Result<String, TemplateError>>,
}

impl<'a> RenderedMessage<'a> {
    /// The message of `delivery` in the words of `template`, or in the built-in ones. A template that fails loses nothing:
    /// the built-in words are reported, and that it failed.
    pub(super) fn new(delivery: &'a Delivery, wall: Timestamp, zone: &TimeZone, template: Option<&Template>) -> Self {
        let message = Message::from_payload(&delivery.payload, &delivery.kind, wall);
        let built_in = Text::of(&message, zone);
        let rendered = template.map(|template| render(template, &message, &built_in));
        let text = match &rendered {
            None => built_in,
            Some(Ok(rendered)) => Text::written(rendered),
            Some(Err(problem)) => {
                let mut text = built_in;
                text.facts
                    .push(("Template", format!("these are the built-in words; {problem}")));
                text
            }
        };
        Self {
            delivery,
            message,
            text,
            wall,
            rendered,
        }
    }

    /// What is wrong with the operator's template, when it could not be used.
    pub(super) fn problem(&self) -> Option<&TemplateError> {
        self.rendered.as_ref()?.as_ref().err()
    }

    /// What a receiver of JSON gets: the bytes of the outbox, or what the template made.
    pub(super) fn body(&self) -> Cow<'_, [u8]> {
        match &self.rendered {
            None => Cow::Borrowed(&self.delivery.payload),
            Some(Ok(rendered)) => Cow::Borrowed(rendered.as_bytes()),
            Some(Err(problem)) => {
                let mut value = serde_json::to_value(&self.message).unwrap_or_default();
                if let Some(object) = value.as_object_mut() {
                    object.insert("template_error".to_owned(), problem.to_string().into());
                }
                Cow::Owned(value.to_string().into_bytes())
            }
        }
    }
}

/// Why a template did not make a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    /// It could not be carried out; holds what is wrong with it, and where, clipped.
    #[error("{0}")]
    Failed(String),
    /// It made white space.
    #[error("the template made nothing")]
    Nothing,
}

fn render(template: &Template, message: &Message, text: &Text) -> Result<String, TemplateError> {
    let rendered = template
        .render(context(message, text))
        .map_err(|problem| TemplateError::Failed(clip(&problem, PROBLEM_MAX)))?;
    if rendered.trim().is_empty() {
        return Err(TemplateError::Nothing);
    }
    Ok(rendered)
}

/// What a template works with: `type`, `timestamp`, everything in `data` by its own name, and the built-in words as `title`
/// and `body`.
pub(super) fn context(message: &Message, text: &Text) -> Value {
    let mut context: Map<String, Value> = OPTIONAL
        .map(|(name, absent)| (name.to_owned(), absent))
        .into_iter()
        .collect();
    if let Ok(Value::Object(data)) = serde_json::to_value(&message.data) {
        context.extend(data);
    }
    context.insert("type".to_owned(), json!(message.kind));
    context.insert("timestamp".to_owned(), json!(message.timestamp));
    context.insert("title".to_owned(), json!(text.title));
    context.insert("body".to_owned(), json!(text.body()));
    Value::Object(context)
}

#[cfg(test)]
mod tests {
    use sentinel_engine::{IncidentId, Severity, Time};

    use super::super::message::Evidence;

    use super::*;

    fn delivery(payload: Vec<u8>) -> Delivery {
        Delivery {
            row: 1,
            event: "msg_1".to_owned(),
            incident: IncidentId(1),
            sequence: 1,
            kind: "fired".to_owned(),
            payload,
            created: Time::ZERO,
            attempt: 1,
            ambiguous: false,
            first: None,
        }
    }

    fn fired() -> Message {
        let at = Timestamp::UNIX_EPOCH;
        let mut message = Message::about_alerts("fired", "host", at, Severity::Info, "host: this is a test");
        message.kind = "incident.fired".to_owned();
        message.data.service = "service".to_owned();
        message.data.evidence = vec![Evidence::new("exit status", "1")];
        message
    }

    #[test]
    fn a_template_has_the_last_word() {
        let delivery = delivery(fired().payload());
        let template = Template::new("{{ service | upper }} {{ kind }}\n\n{{ body }}", &TimeZone::UTC).unwrap();
        let rendered = RenderedMessage::new(&delivery, Timestamp::UNIX_EPOCH, &TimeZone::UTC, Some(&template));
        assert_eq!(rendered.text.title, "SERVICE fired");
        assert!(
            rendered.text.whole().contains("exit status:\n    1"),
            "{}",
            rendered.text.whole()
        );
        assert!(rendered.body().starts_with(b"SERVICE fired\n"));
    }

    #[test]
    fn a_template_that_fails_loses_nothing() {
        let mut message = fired();
        message.data.attempts = 3;
        let delivery = delivery(message.payload());
        let template = Template::new(
            "{% if attempts == 3 %}{{ 1 / 0 }}{% else %}x{% endif %}",
            &TimeZone::UTC,
        )
        .unwrap();
        let rendered = RenderedMessage::new(&delivery, Timestamp::UNIX_EPOCH, &TimeZone::UTC, Some(&template));
        let text = rendered.text.whole();
        assert!(text.starts_with("host: this is a test\n"), "{text}");
        assert!(
            text.contains("these are the built-in words; line 1 of the template"),
            "{text}"
        );
        let body: Value = serde_json::from_slice(&rendered.body()).unwrap();
        assert_eq!(body["data"]["service"], "service");
        assert!(body["template_error"].as_str().unwrap().contains("line 1"), "{body}");
    }

    /// What `sentinel check` tries templates on is what they work with.
    #[test]
    fn samples_are_messages() {
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let message = fired();
        let real = context(&message, &Text::of(&message, &TimeZone::UTC));
        for mut sample in sentinel_config::template::samples() {
            assert_eq!(keys(&sample), keys(&real));
            let (kind, at) = (sample["type"].take(), sample["timestamp"].take());
            let data: Result<crate::MessageData, _> = serde_json::from_value(sample);
            assert!(data.is_ok() && kind.is_string() && at.is_string(), "{kind}: {data:?}");
        }
    }
}
