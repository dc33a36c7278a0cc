//! Names: of services, labels, variables.

use super::{line, shown};

/// The name of a service or receiver. Lower case only, since variables of the environment are lower-cased.
pub fn name(text: &str) -> Result<(), String> {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let rest = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte));
    if first && rest && text.len() <= 64 {
        return Ok(());
    }
    Err(format!(
        "{} is not a name: up to 64 of `a-z`, `0-9`, `.`, `_` and `-`, the first a letter or digit",
        shown(text)
    ))
}

/// The name of a service, or a pattern with `*` and `?`.
pub(crate) fn pattern(text: &str) -> Result<(), String> {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-*?".contains(&byte);
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(known) {
        return Ok(());
    }
    Err(format!(
        "{} is neither the name of a service nor a pattern such as \"db-*\"",
        shown(text)
    ))
}

/// The name of a service, a pattern with `*` and `?`, or the host itself.
pub fn alert_pattern(text: &str) -> Result<(), String> {
    if text == sentinel_engine::HOST {
        return Ok(());
    }
    pattern(text)
}

/// The name of a label, as Prometheus has them but in lower case.
pub fn label_name(text: &str) -> Result<(), String> {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if first && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') && text.len() <= 64
    {
        return Ok(());
    }
    Err(format!(
        "{} is not the name of a label: up to 64 of `a-z`, `0-9` and `_`, the first not a digit",
        shown(text)
    ))
}

/// The value of a label.
pub fn label_value(text: &str) -> Result<(), String> {
    line(text, 256)
}

/// The agent's name in messages.
pub(crate) fn agent_name(text: &str) -> Result<(), String> {
    line(text, 253)
}

/// The name of a variable of the environment.
pub(crate) fn variable_name(text: &str) -> Result<(), String> {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if first && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && text.len() <= 128 {
        return Ok(());
    }
    Err(format!("{} is not the name of a variable", shown(text)))
}
