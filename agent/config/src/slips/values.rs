//! Values of another kind than the key has, and the line that was probably meant.

use toml::de::DeValue;

use crate::keys::{A_NAME, AN_ARGUMENT};
use crate::rules;
use crate::schema::Kind;

/// Tables of which nothing but text was given, and the line that was probably meant.
const TABLES: &[(&str, &str)] = &[
    (
        "receivers.NAME.slack",
        "slack = { webhook_url_file = \"/etc/sentinel/secrets/slack\" }",
    ),
    (
        "receivers.NAME.email",
        "email = { server = \"smtp://mail.example.com:587\", from = \"sentinel@example.com\", to = [\"ops@example.com\"] }",
    ),
    (
        "receivers.NAME.webhook",
        "webhook = { url_file = \"/etc/sentinel/secrets/webhook-url\" }",
    ),
    (
        "receivers.NAME.alertmanager",
        "alertmanager = { urls = [\"http://alertmanager.example.com:9093\"] }",
    ),
    (
        "receivers.NAME.command",
        "command = { argv = [\"/usr/local/bin/page\", \"ops\"] }",
    ),
    (
        "services.NAME.process",
        "process = { pid_file = \"/run/NAME.pid\", start = [\"/usr/sbin/NAME\"] }",
    ),
    ("services.NAME.recovery", "recovery = { burst = 5, window = \"30m\" }"),
];

/// A whole number, also one that is written as text.
pub(crate) fn count(value: &DeValue<'_>) -> Option<u32> {
    match value {
        DeValue::Integer(number) => number.as_str().parse().ok(),
        DeValue::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A duration; a number alone is meant as seconds, as everywhere.
pub(crate) fn span(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Integer(number) => Some(format!("{}s", number.as_str().parse::<u32>().ok()?)),
        DeValue::String(text) => rules::parse_duration(text).ok().map(|_| text.to_string()),
        _ => None,
    }
}

/// The line to write for a value of another kind than the key `name` has, as in `services.NAME.command = "a b"`.
pub(crate) fn instead_of_value(kind: &Kind, name: &str, value: &DeValue<'_>) -> Option<String> {
    match (kind, value) {
        (Kind::Table { section, short: None }, DeValue::String(_)) => {
            let (_, line) = TABLES.iter().find(|(path, _)| *path == section.path)?;
            Some((*line).to_owned())
        }
        (Kind::List { of, .. }, DeValue::String(text)) => match of {
            Kind::Text { what: AN_ARGUMENT, .. } => Some(command(name, text)),
            // Names are no secrets; other texts may be.
            Kind::Text { what: A_NAME, rule } if rule(text).is_ok() => Some(format!("{name} = [\"{text}\"]")),
            _ => Some(format!("{name} = [\"...\"]")),
        },
        (Kind::Named { section, .. }, DeValue::Array(_)) => {
            let table = section.path.strip_suffix("NAME").unwrap_or(section.path);
            Some(format!("[{table}shop]` for each, with its name in place of `shop"))
        }
        (Kind::Bool, DeValue::String(text)) => {
            let value = match text.to_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => true,
                "false" | "no" | "off" | "0" => false,
                _ => return None,
            };
            Some(format!("{name} = {value}"))
        }
        (Kind::Integer { .. }, DeValue::String(_)) => count(value).map(|count| format!("{name} = {count}")),
        _ => None,
    }
}

/// A command of one text, as a shell would take it, as a list. Options may hold passwords, so what follows one is not
/// repeated.
fn command(name: &str, text: &str) -> String {
    let needs_shell = text.contains(['|', '&', ';', '<', '>', '$', '`', '*', '\'', '"', '\\', '(', '~']);
    if needs_shell {
        return format!("{name} = [\"/bin/sh\", \"-c\", \"...\"]");
    }
    let is_plain = |word: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._:-".contains(&byte);
        !word.starts_with('-') && word.bytes().all(plain) && word.len() <= 40
    };
    let mut words: Vec<String> = text
        .split_whitespace()
        .map_while(|word| is_plain(word).then(|| format!("\"{word}\"")))
        .collect();
    if words.len() < text.split_whitespace().count() {
        words.push("...".to_owned());
    }
    if let Some(first) = words.first_mut().filter(|first| !first.starts_with("\"/")) {
        first.insert_str(1, "/usr/bin/");
    }
    format!("{name} = [{}]", words.join(", "))
}
