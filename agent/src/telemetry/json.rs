//! One event as one JSON object on one line: `timestamp` and `level`, then what the logfmt line holds, in its order.

use jiff::Timestamp;
use sentinel_text::push_quoted;

use super::logfmt::{LINE_MAX, is_ours, level};
use super::record::{Record, Value};

/// Kept free for what ends every object.
const TAIL: usize = 256;

/// `record`, logged at `now`, as an object without a newline.
pub(super) fn line(record: &Record, now: Timestamp) -> String {
    let mut object = String::from("{");
    push_member(&mut object, "timestamp", &Value::Text(format!("{now:.6}")));
    push_member(
        &mut object,
        "level",
        &Value::Text(level(*record.metadata.level()).to_owned()),
    );
    let mut truncated = record.truncated;
    let mut push = |object: &mut String, name: &str, value: &Value| {
        let start = object.len();
        push_member(object, name, value);
        if object.len() > LINE_MAX - TAIL {
            object.truncate(start);
            truncated = true;
        }
    };
    for (name, value) in &record.fields {
        push(&mut object, name, value);
    }
    if let Some(message) = &record.message {
        push(&mut object, "msg", &Value::Text(message.clone()));
    }
    if truncated {
        push_member(&mut object, "truncated", &Value::Bare("true".to_owned()));
    }
    let target = record.metadata.target();
    if !is_ours(target) && target.len() < TAIL / 2 {
        push_member(&mut object, "target", &Value::Text(target.to_owned()));
    }
    object.push('}');
    object
}

fn push_member(object: &mut String, name: &str, value: &Value) {
    if object.len() > 1 {
        object.push(',');
    }
    push_quoted(object, name);
    object.push(':');
    match value {
        Value::Text(text) => push_quoted(object, text),
        Value::Bare(text) => object.push_str(text),
    }
}
