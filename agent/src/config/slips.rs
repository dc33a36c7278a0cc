//! What those write who come from other tools or from other formats, and the line that is meant here.
//!
//! Nothing of it is accepted: a key that means nearly the same elsewhere is refused all the same, and the answer is the
//! line to write. No value that may be a secret is repeated.

use std::ops::Range;

use toml::de::DeValue;

use super::rules;
use super::schema::Kind;

/// The most that is read of a text to know its format.
const MAX_LINES: usize = 50;

/// Keys of services that other tools have, by what they mean, and the line to write for them.
const OF_SERVICES: &[(&[&str], &str)] = &[
    (
        &[
            "url",
            "uri",
            "endpoint",
            "health",
            "health_check",
            "health_url",
            "healthcheck",
            "http_url",
        ],
        "http = \"http://127.0.0.1:8080/health\"",
    ),
    (
        &[
            "expected_status",
            "status",
            "status_code",
            "expected_status_codes",
            "conditions",
        ],
        "http = { url = \"http://127.0.0.1:8080/health\", status = [\"200-299\"] }",
    ),
    (&["port", "host", "hostname", "address"], "tcp = \"127.0.0.1:8080\""),
    (
        &["exec", "cmd", "script", "program", "test", "check"],
        "command = [\"/usr/bin/redis-cli\", \"ping\"]",
    ),
    (
        &[
            "pidfile",
            "pid_file",
            "start_command",
            "stop_command",
            "start_program",
            "stop_program",
        ],
        "process = { pid_file = \"/run/NAME.pid\", start = [\"/usr/sbin/NAME\"], stop = [\"/bin/kill\", \"...\"] }",
    ),
    (
        &["service", "systemd", "systemd_unit", "service_name", "unit_name"],
        "unit = \"nginx.service\"",
    ),
    (&["docker", "container_name", "image"], "container = \"NAME\""),
    (
        &["depends_on", "depends", "requires", "wants", "needs", "dependencies"],
        "after = [\"postgresql\"]",
    ),
    (
        &[
            "restart",
            "auto_restart",
            "autorestart",
            "restart_policy",
            "autoheal",
            "heal",
        ],
        "mode = \"heal\" (or \"observe\")",
    ),
    (
        &[
            "notify",
            "notifications",
            "alert",
            "alerts",
            "contacts",
            "channels",
            "receivers",
        ],
        "[[alerts.routes]] with match = { service = \"NAME\" } and receivers = [\"team\"]",
    ),
    (&["disabled", "active"], "enabled = false"),
    (&["tags"], "labels = { team = \"web\" }"),
    (&["name", "id"], "the name in the table's header, as in [services.shop]"),
];

/// Keys of services elsewhere whose value goes on meaning the same under the name that follows.
const RENAMED: &[(&[&str], Renamed)] = &[
    (
        &[
            "retries",
            "max_retries",
            "failures",
            "failure_threshold",
            "unhealthy_threshold",
            "failurethreshold",
            "max_failures",
            "attempts",
            "threshold",
        ],
        Renamed::Count("fall", 3),
    ),
    (
        &[
            "success_threshold",
            "healthy_threshold",
            "successthreshold",
            "successes",
        ],
        Renamed::Count("rise", 2),
    ),
    (
        &[
            "check_interval",
            "every",
            "period",
            "poll_interval",
            "frequency",
            "periodseconds",
            "interval_seconds",
        ],
        Renamed::Duration("interval", "10s"),
    ),
    (
        &["check_timeout", "timeoutseconds", "timeout_seconds"],
        Renamed::Duration("timeout", "3s"),
    ),
    (
        &[
            "start_period",
            "startup_delay",
            "initial_delay",
            "initialdelayseconds",
            "grace",
            "grace_period",
            "start_delay",
        ],
        Renamed::Duration("start_grace", "30s"),
    ),
    (
        &[
            "max_restarts",
            "restart_limit",
            "max_attempts",
            "start_limit_burst",
            "startlimitburst",
            "restarts",
        ],
        Renamed::InnerCount("burst", 5),
    ),
    (
        &[
            "cooldown",
            "restart_delay",
            "restart_sec",
            "restartsec",
            "delay",
            "backoff_delay",
        ],
        Renamed::InnerDuration("backoff", "10s"),
    ),
];

/// How a value is to be written here.
enum Renamed {
    /// A whole number, and one to show where none was given.
    Count(&'static str, u32),
    /// A duration, and one to show.
    Duration(&'static str, &'static str),
    /// The same in `recovery`.
    InnerCount(&'static str, u32),
    /// The same in `recovery`.
    InnerDuration(&'static str, &'static str),
}

/// What HTTP probes cannot do in this version.
const NOT_HTTP: &[&str] = &[
    "unix",
    "unix_socket",
    "socket",
    "socket_path",
    "http2",
    "http_version",
    "sni",
    "server_name",
];

/// Keys of the whole file that other tools have.
const OF_ROOT: &[(&[&str], &str)] = &[
    (
        &[
            "monitors",
            "monitor",
            "endpoints",
            "endpoint",
            "checks",
            "check",
            "programs",
            "process",
            "units",
            "containers",
        ],
        "a table for each service: [services.NAME] with unit = \"NAME.service\"",
    ),
    (
        &[
            "alerting",
            "notifications",
            "notification",
            "notifiers",
            "contacts",
            "slack",
            "email",
            "mail",
            "smtp",
            "webhook",
        ],
        "a table for each receiver: [receivers.NAME] with slack = { webhook_url_file = \"/etc/sentinel/secrets/slack\" }",
    ),
    (
        &["global", "settings", "general", "monitoring", "sentinel"],
        "[agent], or [defaults] for all services",
    ),
    (
        &["unit", "container", "compose", "http", "tcp"],
        "it in a table of a service: [services.NAME]",
    ),
];

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

/// The line to write instead of a key that the section at `path` does not know, when it is known from elsewhere.
pub(super) fn instead_of(path: &str, name: &str, value: &DeValue<'_>) -> Option<String> {
    let name = name.to_lowercase().replace('-', "_");
    let has = |names: &[&str]| names.contains(&name.as_str());
    match path {
        "services.NAME" | "defaults" => {
            let fixed = OF_SERVICES.iter().find(|(names, _)| has(names));
            if let Some((_, line)) = fixed.filter(|_| path == "services.NAME") {
                return Some(quoted(line));
            }
            let (_, renamed) = RENAMED.iter().find(|(names, _)| has(names))?;
            Some(format!("`{}`", renamed.line(value)))
        }
        "services.NAME.http" if has(NOT_HTTP) => Some(
            "`command = [\"/usr/bin/curl\", ...]`: probes over HTTP know neither Unix sockets, nor HTTP/2 alone, nor a \
             name for TLS apart from the URL's"
                .to_owned(),
        ),
        "" => {
            let (_, line) = OF_ROOT.iter().find(|(names, _)| has(names))?;
            Some((*line).to_owned())
        }
        _ => None,
    }
}

/// A line of TOML in backticks; a sentence as it stands.
fn quoted(line: &str) -> String {
    if line.contains(" = ") && !line.starts_with('[') {
        match line.split_once(" (or ") {
            Some((line, rest)) => format!("`{line}` (or {rest}"),
            None => format!("`{line}`"),
        }
    } else {
        line.to_owned()
    }
}

impl Renamed {
    fn line(&self, value: &DeValue<'_>) -> String {
        match self {
            Self::Count(key, shown) => format!("{key} = {}", count(value).unwrap_or(*shown)),
            Self::InnerCount(key, shown) => {
                format!("recovery = {{ {key} = {} }}", count(value).unwrap_or(*shown))
            }
            Self::Duration(key, shown) => format!("{key} = \"{}\"", span(value).as_deref().unwrap_or(shown)),
            Self::InnerDuration(key, shown) => {
                format!(
                    "recovery = {{ {key} = \"{}\" }}",
                    span(value).as_deref().unwrap_or(shown)
                )
            }
        }
    }
}

/// A whole number, also one that is written as text.
fn count(value: &DeValue<'_>) -> Option<u32> {
    match value {
        DeValue::Integer(number) => number.as_str().parse().ok(),
        DeValue::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A duration; a number alone is meant as seconds, as everywhere.
fn span(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Integer(number) => Some(format!("{}s", number.as_str().parse::<u32>().ok()?)),
        DeValue::String(text) => rules::parse_duration(text).ok().map(|_| text.to_string()),
        _ => None,
    }
}

/// The line to write for a value of another kind than the key `name` has, as in `services.NAME.command = "a b"`.
pub(super) fn instead_of_value(kind: &Kind, name: &str, value: &DeValue<'_>) -> Option<String> {
    match (kind, value) {
        (Kind::Table { section, short: None }, DeValue::String(_)) => {
            let (_, line) = TABLES.iter().find(|(path, _)| *path == section.path)?;
            Some((*line).to_owned())
        }
        (Kind::List { of, .. }, DeValue::String(text)) => match of {
            Kind::Text {
                what: super::keys::AN_ARGUMENT,
                ..
            } => Some(command(name, text)),
            // Names are no secrets; of other texts nobody knows.
            Kind::Text {
                what: super::keys::A_NAME,
                rule,
            } if rule(text).is_ok() => Some(format!("{name} = [\"{text}\"]")),
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

/// What a text that is not TOML is written in, and where that shows: the place of the first line that tells.
pub(super) fn other_format(text: &str) -> Option<(usize, &'static str)> {
    const YAML: &str = "this looks like YAML, and the configuration is TOML: write [services.web] in place of `services:` and \
                        `web:`, and `unit = \"nginx\"` in place of `unit: nginx`";
    const MONIT: &str = "this looks like a configuration of Monit: write [services.web] with `unit = \"nginx\"` in place of \
                         `check process`, and `http = \"http://127.0.0.1/\"` in place of `if failed port 80`";
    const JSON: &str =
        "this looks like JSON, and the configuration is TOML: write [services.web] and `unit = \"nginx\"`";
    const UNIT: &str = "this looks like a unit file of systemd, and the configuration is TOML: write [services.web] and \
                        `unit = \"nginx\"`; a unit file itself takes a section [X-Sentinel]";

    let mut offset = 0;
    for line in text.split_inclusive('\n').take(MAX_LINES) {
        let at = offset + (line.len() - line.trim_start().len());
        offset += line.len();
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "---" || is_yaml(line) {
            return Some((at, YAML));
        }
        if is_monit(line) {
            return Some((at, MONIT));
        }
        if line == "{" || line.starts_with("{\"") || line.starts_with("{ \"") {
            return Some((at, JSON));
        }
        if matches!(line, "[Unit]" | "[Service]" | "[Install]" | "[X-Sentinel]") {
            return Some((at, UNIT));
        }
    }
    None
}

/// `services:`, `unit: nginx` or `- name: web`, and not a key of TOML.
fn is_yaml(line: &str) -> bool {
    let line = line.strip_prefix("- ").unwrap_or(line);
    let Some((key, rest)) = line.split_once(':') else {
        return false;
    };
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !key.is_empty() && key.bytes().all(is_word) && (rest.is_empty() || rest.starts_with(' '))
}

/// `check process nginx with pidfile ...`, `set daemon 30`.
fn is_monit(line: &str) -> bool {
    let mut words = line.split_whitespace();
    match words.next().map(str::to_ascii_lowercase).as_deref() {
        Some("check") => words.next().is_some_and(|word| {
            let kinds = [
                "process",
                "host",
                "system",
                "file",
                "program",
                "network",
                "filesystem",
                "directory",
            ];
            kinds.contains(&word.to_ascii_lowercase().as_str())
        }),
        Some("set") => words.next().is_some_and(|word| word != "="),
        _ => false,
    }
}

/// What to write for a text without quotes at `span`, counted from the start of its `line`. A parser says only what it did
/// not find: "expected `nan`" for `nginx`.
pub(super) fn unquoted(line: &str, span: Range<usize>) -> Option<String> {
    let (key, _) = line.split_once('=')?;
    let text = line.get(span.clone()).filter(|_| span.start > key.len())?;
    let starts_as_text = text
        .starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/' || letter == ':')
        || text.starts_with(|letter: char| letter.is_ascii_digit()) && text.parse::<f64>().is_err();
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"'[]{},#".contains(&byte));
    let is_key = key
        .trim()
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if !starts_as_text || !is_plain || !is_key {
        return None;
    }
    let is_whole = line[key.len() + 1..span.start].trim().is_empty();
    Some(if is_whole {
        format!("{} = \"{text}\"", key.trim())
    } else {
        format!("\"{text}\"")
    })
}
