//! The rules for single values: names, durations, addresses, paths.
//!
//! Each answers the parsed value or a sentence that says what is wrong. None repeats what may be a secret.

mod address;
mod http;
mod names;
mod target;
mod text;
mod time;

pub use address::is_this_host;
pub(super) use address::{docker, host_port, http_url, listen, mail_server, mailbox};
pub(super) use http::{header_name, header_value, json_pointer, status};
pub(super) use names::{agent_name, pattern, variable_name};
pub use names::{alert_pattern, label_name, label_value, name};
pub(super) use target::unit_pattern;
pub use target::{compose, container, protected, unit};
pub(super) use text::{absolute_path, argument, bearer_token, needle, secret, secret_file, socket_path, template};
pub use time::parse_duration;
pub(super) use time::{duration, spell, time_of_day, zone};

/// The longest text that is ever meant: addresses, arguments, header values.
const MAX_TEXT: usize = 4096;

/// `text` in backticks, fit for one line of a terminal.
pub(super) fn shown(text: &str) -> String {
    const MAX_SHOWN: usize = 60;
    let mut escaped: String = text.escape_debug().take(MAX_SHOWN + 1).collect();
    if escaped.chars().count() > MAX_SHOWN {
        escaped.pop();
        escaped.push('…');
    }
    format!("`{escaped}`")
}

/// One printable line of at most `max` characters.
fn line(text: &str, max: usize) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character".to_owned());
    }
    if text.chars().count() > max {
        return Err(format!("is longer than {max} characters"));
    }
    Ok(())
}
