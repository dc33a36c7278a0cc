//! Keys of other tools, and the line to write here in place of each.

use toml::de::DeValue;

use super::values::{count, span};

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

/// The line to write instead of a key that the section at `path` does not know, when it is known from elsewhere.
pub(crate) fn instead_of(path: &str, name: &str, value: &DeValue<'_>) -> Option<String> {
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
