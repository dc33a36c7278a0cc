//! Parts of a question over HTTP, and of its answer.

use std::ops::RangeInclusive;

use reqwest::header::{HeaderName, HeaderValue};

use super::{MAX_TEXT, shown};

/// A status, or a range of statuses.
pub(crate) fn status(text: &str) -> Result<RangeInclusive<u16>, String> {
    let one = |part: &str| {
        let digits = part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u16>()
            .ok()
            .filter(|status| digits && (100..=599).contains(status))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (one(first), one(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        (Some(_), Some(_)) => Err(format!("{} runs backwards", shown(text))),
        _ => Err(format!(
            "{} is not a status from 100 to 599, or a range such as \"200-299\"",
            shown(text)
        )),
    }
}

/// A JSON pointer (RFC 6901).
pub(crate) fn json_pointer(text: &str) -> Result<(), String> {
    let tilde_ok = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if (text.is_empty() || text.starts_with('/')) && tilde_ok && text.len() <= MAX_TEXT {
        return Ok(());
    }
    Err(format!("{} is not a JSON pointer such as \"/status\"", shown(text)))
}

/// The name of an HTTP header.
pub(crate) fn header_name(text: &str) -> Result<(), String> {
    HeaderName::from_bytes(text.as_bytes())
        .map(drop)
        .map_err(|_| format!("{} is not the name of an HTTP header", shown(text)))
}

/// The value of an HTTP header. Not repeated: tokens stand in headers.
pub(crate) fn header_value(text: &str) -> Result<(), String> {
    if text.len() > MAX_TEXT {
        return Err(format!("is longer than {MAX_TEXT} bytes"));
    }
    HeaderValue::from_str(text)
        .map(drop)
        .map_err(|_| "holds characters that no HTTP header may".to_owned())
}
