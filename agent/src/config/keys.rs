//! Every key of the configuration, in one table: name, values, default, meaning.
//!
//! What is not here is an unknown key. Checks, suggestions and the documentation of the keys come from this table.

mod alertmanager;
mod email;

use std::time::Duration;

use sentinel_engine::RestartWord;

use super::rules;
use super::schema::{Bounds, Key, Kind, Section};
use super::validate::DAYS;

mod alerts;

use alerts::ALERTS;

/// At most this many services: what one host is measured to carry.
pub const MAX_SERVICES: usize = 10_000;
/// At most this many receivers; each has a queue of its own.
pub const MAX_RECEIVERS: usize = 100;
/// At most this many maintenance windows: each is looked up in the calendar.
const MAX_WINDOWS: usize = 100;
/// At most this many entries in a list or small table: more is a mistake.
const MAX_ENTRIES: usize = 256;

/// At most this many signing secrets: the old one and the new one, and some to spare.
const MAX_SIGNING: usize = 8;

const MILLISECOND: Duration = Duration::from_millis(1);
const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

const fn bounds(min: Duration, max: Duration) -> Bounds {
    Bounds { min, max }
}

/// Keys that a later version brings. They are real, so a guess at the nearest word would mislead.
const NOT_YET: &[(&str, &[&str])] = &[("agent", &["listen", "public"])];

/// Whether a later version brings this key.
pub(super) fn is_not_yet(section: &Section, name: &str) -> bool {
    NOT_YET
        .iter()
        .any(|(path, names)| *path == section.path && names.contains(&name))
}

const PATH: Kind = Kind::Text {
    what: "an absolute path",
    rule: rules::absolute_path,
};
const SECRET_FILE: Kind = Kind::Text {
    what: "an absolute path, or \"credential:NAME\"",
    rule: rules::secret_file,
};
const SECRET: Kind = Kind::Text {
    what: "text",
    rule: rules::secret,
};
const URL: Kind = Kind::Text {
    what: "a URL",
    rule: |text| rules::http_url(text).map(drop),
};
/// What a name is called in messages.
pub(super) const A_NAME: &str = "a name";

const NAME: Kind = Kind::Text {
    what: A_NAME,
    rule: rules::name,
};
/// What an argument of a command is called in messages.
pub(super) const AN_ARGUMENT: &str = "an argument as text";

const ARGUMENT: Kind = Kind::Text {
    what: AN_ARGUMENT,
    rule: rules::argument,
};
const COMMAND: Kind = Kind::List {
    of: &ARGUMENT,
    max: MAX_ENTRIES,
};
const UNIT_PATTERN: Kind = Kind::Text {
    what: "the name of a unit, or a pattern",
    rule: |text| rules::unit_pattern(text).map(drop),
};
const ZONE: Kind = Kind::Text {
    what: "a time zone such as \"Europe/Berlin\"",
    rule: |text| rules::zone(text).map(drop),
};
const RESTART_WORD: Kind = Kind::WordOr {
    words: &RestartWord::WORDS,
    rule: |text| RestartWord::parse(text).map(drop).ok_or_else(String::new),
};
const MODE: Kind = Kind::Word(&["heal", "observe"]);
const HEADER: Kind = Kind::Text {
    what: "text",
    rule: rules::header_value,
};
const HEADERS: Kind = Kind::Map {
    key: rules::header_name,
    of: &HEADER,
    max: MAX_ENTRIES,
};

/// The whole file.
pub static ROOT: Section = Section {
    path: "",
    doc: "The whole file",
    keys: &[&[
        Key {
            name: "agent",
            kind: Kind::Table {
                section: &AGENT,
                short: None,
            },
            default: "",
            doc: "The agent itself",
        },
        Key {
            name: "defaults",
            kind: Kind::Table {
                section: &DEFAULTS,
                short: None,
            },
            default: "",
            doc: "Set once for all services; what a service says itself wins",
        },
        Key {
            name: "services",
            kind: Kind::Named {
                section: &SERVICE,
                max: MAX_SERVICES,
            },
            default: "",
            doc: "What to keep up",
        },
        Key {
            name: "recovery",
            kind: Kind::Table {
                section: &HOST,
                short: None,
            },
            default: "",
            doc: "Limits of restarting over the whole host",
        },
        Key {
            name: "receivers",
            kind: Kind::Named {
                section: &RECEIVER,
                max: MAX_RECEIVERS,
            },
            default: "",
            doc: "Where alerts go",
        },
        Key {
            name: "alerts",
            kind: Kind::Table {
                section: &ALERTS,
                short: None,
            },
            default: "",
            doc: "Who is notified, and when",
        },
        Key {
            name: "heartbeat",
            kind: Kind::Table {
                section: &HEARTBEAT,
                short: Some("url"),
            },
            default: "",
            doc: "Who is to notice when this agent is gone",
        },
        Key {
            name: "maintenance",
            kind: Kind::Named {
                section: &MAINTENANCE,
                max: MAX_WINDOWS,
            },
            default: "",
            doc: "When services are left alone",
        },
    ]],
};

static AGENT: Section = Section {
    path: "agent",
    doc: "The agent itself",
    keys: &[&[
        Key {
            name: "name",
            kind: Kind::Text {
                what: "text",
                rule: rules::agent_name,
            },
            default: "the host's name",
            doc: "The host's name in messages",
        },
        Key {
            name: "state_dir",
            kind: PATH,
            default: "/var/lib/sentinel",
            doc: "Where incidents, budgets and undelivered messages are kept",
        },
        Key {
            name: "control_socket",
            kind: Kind::Text {
                what: "an absolute path",
                rule: rules::socket_path,
            },
            default: "/run/sentinel/control.sock",
            doc: "The socket through which commands reach the agent",
        },
        Key {
            name: "docker",
            kind: Kind::Text {
                what: "an address",
                rule: |text| rules::docker(text).map(drop),
            },
            default: "unix:///var/run/docker.sock",
            doc: "The Docker Engine, as `unix:///PATH` or `tcp://HOST:PORT` (a filtering proxy)",
        },
        Key {
            name: "unit_files",
            kind: Kind::Bool,
            default: "true",
            doc: "Watch units whose file, or a drop-in, has a section `[X-Sentinel]`",
        },
        Key {
            name: "labels",
            kind: Kind::Bool,
            default: "true",
            doc: "Watch containers whose labels ask for it: `sentinel.enable=true`",
        },
        Key {
            name: "host",
            kind: Kind::Word(&["auto", "observe", "off"]),
            default: "auto",
            doc: "`observe` watches whatever runs on this host and restarts nothing of it; auto does so when no service is configured",
        },
        Key {
            name: "log",
            kind: Kind::Word(&["auto", "logfmt", "json", "journald"]),
            default: "auto",
            doc: "How to log; auto is journald under systemd, else logfmt",
        },
        Key {
            name: "emoji",
            kind: Kind::Bool,
            default: "false",
            doc: "Begin the most important log lines with a picture",
        },
        Key {
            name: "mode",
            kind: MODE,
            default: "heal",
            doc: "`observe` overrides every service: nothing is restarted",
        },
    ]],
};

static DEFAULTS: Section = Section {
    path: "defaults",
    doc: "Set once for all services",
    keys: &[COMMON],
};

/// One `[services.NAME]`.
static SERVICE: Section = Section {
    path: "services.NAME",
    doc: "One service: what runs it, what is asked of it, how it is healed",
    keys: &[OWN, COMMON],
};

/// What only a service of its own can say.
const OWN: &[Key] = &[
    Key {
        name: "unit",
        kind: Kind::Text {
            what: "the name of a unit",
            rule: |text| rules::unit(text).map(drop),
        },
        default: "",
        doc: "The systemd service that runs it; `.service` may be left out",
    },
    Key {
        name: "container",
        kind: Kind::Text {
            what: "the name of a container",
            rule: rules::container,
        },
        default: "",
        doc: "The Docker container that runs it",
    },
    Key {
        name: "compose",
        kind: Kind::Text {
            what: "text such as \"shop/web\"",
            rule: |text| rules::compose(text).map(drop),
        },
        default: "",
        doc: "The Compose service that runs it, as PROJECT/SERVICE; all of its containers, or one with PROJECT/SERVICE/NUMBER",
    },
    Key {
        name: "process",
        kind: Kind::Table {
            section: &PROCESS,
            short: None,
        },
        default: "",
        doc: "The process that runs it, when neither systemd nor anything else does",
    },
    Key {
        name: "http",
        kind: Kind::Table {
            section: &HTTP,
            short: Some("url"),
        },
        default: "",
        doc: "Ask over HTTP; `http = URL` is short for `http = { url = URL }`",
    },
    Key {
        name: "tcp",
        kind: Kind::Text {
            what: "text such as \"127.0.0.1:5432\"",
            rule: rules::host_port,
        },
        default: "",
        doc: "Connect to HOST:PORT",
    },
    Key {
        name: "command",
        kind: COMMAND,
        default: "",
        doc: "Run a program, given by its absolute path, with arguments and no shell; exit status 0 passes",
    },
    Key {
        name: "after",
        kind: Kind::List {
            of: &NAME,
            max: MAX_ENTRIES,
        },
        default: "[]",
        doc: "Services that must be up before this one is worth restarting",
    },
];

/// What may also stand in `[defaults]`.
const COMMON: &[Key] = &[
    Key {
        name: "mode",
        kind: MODE,
        default: "heal",
        doc: "Restart what failed, or only `observe`",
    },
    Key {
        name: "labels",
        kind: Kind::Map {
            key: rules::label_name,
            of: &Kind::Text {
                what: "text",
                rule: rules::label_value,
            },
            max: MAX_ENTRIES,
        },
        default: "{}",
        doc: "Free labels in messages",
    },
    Key {
        name: "severity",
        kind: Kind::Word(&["info", "warning", "critical"]),
        default: "warning",
        doc: "How bad an outage is that was not healed; giving up is always critical",
    },
    Key {
        name: "interval",
        kind: Kind::Duration(bounds(TENTH, DAY)),
        default: "10s",
        doc: "From the start of one round of probes to the next",
    },
    Key {
        name: "timeout",
        kind: Kind::Duration(bounds(MILLISECOND, HOUR)),
        default: "3s, or `interval` when that is shorter",
        doc: "A probe that takes longer has failed; at most `interval`",
    },
    Key {
        name: "fall",
        kind: Kind::Integer { min: 1, max: 100 },
        default: "3",
        doc: "Failed probes in a row that make it down",
    },
    Key {
        name: "fall_of",
        kind: Kind::Integer { min: 0, max: 64 },
        default: "0",
        doc: "When not 0, `fall` failures among so many of the last probes are enough, also when not in a row",
    },
    Key {
        name: "restart_on",
        kind: Kind::List {
            of: &RESTART_WORD,
            max: MAX_ENTRIES,
        },
        default: "[\"refused\", \"reset\", \"closed\", \"timeout\", \"status-5xx\", \"body\", \"command\", \"health-check\"]",
        doc: "The kinds of failed probes for which it is restarted, after `fall` of them since the last pass, in any order; all \
              else alerts. Also `status-4xx`, a `status-NNN`, `redirect`, `slow`, `dns`, `tls`, `unreachable`, `protocol` and \
              `agent`; `[]` restarts for none",
    },
    Key {
        name: "rise",
        kind: Kind::Integer { min: 1, max: 100 },
        default: "2",
        doc: "Passed probes in a row that make it up again",
    },
    Key {
        name: "start_grace",
        kind: Kind::Duration(bounds(Duration::ZERO, DAY)),
        default: "30s",
        doc: "After a start, failed probes do not count for this long, or until `rise` have passed",
    },
    Key {
        name: "settle",
        kind: Kind::AutoOrDuration(bounds(Duration::ZERO, HOUR)),
        default: "auto",
        doc: "How long to leave what died to its own supervisor; auto looks at what that will do",
    },
    Key {
        name: "may_affect",
        kind: Kind::List {
            of: &UNIT_PATTERN,
            max: MAX_ENTRIES,
        },
        default: "[]",
        doc: "Other units that a restart may restart or stop (`Requires=`, `BindsTo=`, `PartOf=`, `Conflicts=`), such as \
              \"worker-*\"; those of services `after` this one always may. When others run, it is not restarted",
    },
    Key {
        name: "log_lines",
        kind: Kind::Integer { min: 0, max: 50 },
        default: "10",
        doc: "How many of the last lines of its log are kept with an incident and sent in messages, at most; 0 reads none",
    },
    Key {
        name: "enabled",
        kind: Kind::Bool,
        default: "true",
        doc: "`false` leaves it unwatched",
    },
    Key {
        name: "recovery",
        kind: Kind::Table {
            section: &RECOVERY,
            short: None,
        },
        default: "",
        doc: "How often, and how fast, to restart it",
    },
];

static RECOVERY: Section = Section {
    path: "services.NAME.recovery",
    doc: "How often, and how fast, to restart",
    keys: &[&[
        Key {
            name: "backoff",
            kind: Kind::Duration(bounds(MILLISECOND, DAY)),
            default: "10s",
            doc: "Gap before the second attempt; doubles from there. The first comes at once",
        },
        Key {
            name: "backoff_max",
            kind: Kind::Duration(bounds(MILLISECOND, DAY)),
            default: "5m",
            doc: "The longest gap between attempts",
        },
        Key {
            name: "jitter",
            kind: Kind::Share { max: 0.5 },
            default: "0.2",
            doc: "Share by which gaps vary, so that hosts do not restart in step",
        },
        Key {
            name: "burst",
            kind: Kind::Integer { min: 1, max: 100 },
            default: "5",
            doc: "Attempts allowed within `window` before giving up",
        },
        Key {
            name: "window",
            kind: Kind::Duration(bounds(SECOND, WEEK)),
            default: "30m",
            doc: "The sliding window of `burst`",
        },
        Key {
            name: "half_open",
            kind: Kind::Duration(bounds(Duration::ZERO, WEEK)),
            default: "1h",
            doc: "After giving up, one attempt each so often; `0s` is never",
        },
        Key {
            name: "verify",
            kind: Kind::Duration(bounds(TENTH, DAY)),
            default: "60s",
            doc: "Time a restarted service has to prove itself; longer than `min_uptime`",
        },
        Key {
            name: "min_uptime",
            kind: Kind::Duration(bounds(Duration::ZERO, DAY)),
            default: "20s",
            doc: "What was restarted must have lived this long before it counts as healed",
        },
        Key {
            name: "reset_after",
            kind: Kind::Duration(bounds(SECOND, WEEK)),
            default: "10m",
            doc: "Health without a break after which attempts and giving up are forgotten",
        },
        Key {
            name: "before_first_pass",
            kind: Kind::Word(&["hold", "restart"]),
            default: "hold",
            doc: "Whether a probe that has never passed since it was configured may restart it; `hold` only alerts, as it may be \
                  the wrong question",
        },
        Key {
            name: "on_clean_exit",
            kind: Kind::Word(&["restart", "alert", "ignore"]),
            default: "restart",
            doc: "What to do when it ended by itself and reported success",
        },
        Key {
            name: "on_dependency_return",
            kind: Kind::Word(&["alert", "start", "ignore"]),
            default: "alert",
            doc: "What to do when it was stopped together with a service it comes `after`, and that one is healthy again",
        },
        Key {
            name: "retry_oneshot",
            kind: Kind::Bool,
            default: "false",
            doc: "Whether a unit with Type=oneshot that failed is run again; otherwise that is an alert",
        },
    ]],
};

static HOST: Section = Section {
    path: "recovery",
    doc: "Limits of restarting over the whole host",
    keys: &[&[
        Key {
            name: "max_in_flight",
            kind: Kind::Integer { min: 1, max: 100 },
            default: "1",
            doc: "Restarts whose new run has not begun, at the same time; a start that takes long holds no other",
        },
        Key {
            name: "tokens",
            kind: Kind::Integer { min: 1, max: 10_000 },
            default: "3",
            doc: "Restarts that may follow one another at once",
        },
        Key {
            name: "refill",
            kind: Kind::Duration(bounds(MILLISECOND, DAY)),
            default: "1m",
            doc: "After that, one more each",
        },
        Key {
            name: "storm_services",
            kind: Kind::Integer { min: 2, max: 10_000 },
            default: "3",
            doc: "So many services going down within `storm_window` are a storm: one alert for all, and no restart",
        },
        Key {
            name: "storm_window",
            kind: Kind::Duration(bounds(SECOND, HOUR)),
            default: "1m",
            doc: "See `storm_services`",
        },
        Key {
            name: "storm_hold",
            kind: Kind::Duration(bounds(Duration::ZERO, HOUR)),
            default: "2m",
            doc: "How long a storm stops every restart",
        },
        Key {
            name: "boot_grace",
            kind: Kind::Duration(bounds(Duration::ZERO, HOUR)),
            default: "1m",
            doc: "No restart within this time of the host's boot",
        },
    ]],
};

static PROCESS: Section = Section {
    path: "services.NAME.process",
    doc: "A process known by its pid file",
    keys: &[&[
        Key {
            name: "pid_file",
            kind: PATH,
            default: "",
            doc: "Holds the pid while it runs. Required",
        },
        Key {
            name: "start",
            kind: COMMAND,
            default: "",
            doc: "Starts it: a program, given by its absolute path, with arguments and no shell. Required",
        },
        Key {
            name: "stop",
            kind: COMMAND,
            default: "SIGTERM, then SIGKILL",
            doc: "Stops it",
        },
        Key {
            name: "timeout",
            kind: Kind::Duration(bounds(TENTH, HOUR)),
            default: "30s",
            doc: "How long `start` and `stop` may each take",
        },
    ]],
};

static HTTP: Section = Section {
    path: "services.NAME.http",
    doc: "A question over HTTP, and the answer that is right",
    keys: &[&[
        Key {
            name: "url",
            kind: URL,
            default: "",
            doc: "What to ask; http or https. Required",
        },
        Key {
            name: "method",
            kind: Kind::Word(&["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]),
            default: "GET",
            doc: "How to ask",
        },
        Key {
            name: "headers",
            kind: HEADERS,
            default: "{}",
            doc: "Sent along",
        },
        Key {
            name: "headers_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file that holds more of them, a line each as `Name: value`: for those that are secret",
        },
        Key {
            name: "status",
            kind: Kind::List {
                of: &Kind::Status(|text| rules::status(text).map(drop)),
                max: MAX_ENTRIES,
            },
            default: "[\"200-299\"]",
            doc: "Accepted statuses and ranges of statuses",
        },
        Key {
            name: "body_contains",
            kind: Kind::Text {
                what: "text",
                rule: rules::needle,
            },
            default: "",
            doc: "Must occur in the first 64 KiB of the body",
        },
        Key {
            name: "json",
            kind: Kind::Map {
                key: rules::json_pointer,
                of: &Kind::Json,
                max: MAX_ENTRIES,
            },
            default: "{}",
            doc: "JSON pointers into the body, and the values that must be there",
        },
        Key {
            name: "max_latency",
            kind: Kind::Duration(bounds(MILLISECOND, HOUR)),
            default: "",
            doc: "A right answer slower than this is a failure; at most `timeout`",
        },
        Key {
            name: "ca_file",
            kind: PATH,
            default: "the host's",
            doc: "Trust the certificates in this file (PEM) instead",
        },
        Key {
            name: "insecure",
            kind: Kind::Bool,
            default: "false",
            doc: "Accept any certificate",
        },
        Key {
            name: "keep_alive",
            kind: Kind::Bool,
            default: "false",
            doc: "Keep the connection; a fresh one each time also proves that the service still accepts",
        },
        Key {
            name: "follow",
            kind: Kind::Integer { min: 0, max: 10 },
            default: "0",
            doc: "Redirects to follow; with 0 a redirect is an answer like any other",
        },
    ]],
};

static RECEIVER: Section = Section {
    path: "receivers.NAME",
    doc: "Where messages go",
    keys: &[&[
        Key {
            name: "slack",
            kind: Kind::Table {
                section: &SLACK,
                short: None,
            },
            default: "",
            doc: "Slack: an incoming webhook, or a bot that keeps each incident in one thread",
        },
        Key {
            name: "webhook",
            kind: Kind::Table {
                section: &WEBHOOK,
                short: None,
            },
            default: "",
            doc: "POST a JSON document, signed as in Standard Webhooks when there is a secret",
        },
        Key {
            name: "email",
            kind: Kind::Table {
                section: &email::EMAIL,
                short: None,
            },
            default: "",
            doc: "Send mail through a server",
        },
        Key {
            name: "alertmanager",
            kind: Kind::Table {
                section: &alertmanager::ALERTMANAGER,
                short: None,
            },
            default: "",
            doc: "Send what fires to the replicas of a Prometheus Alertmanager",
        },
        Key {
            name: "command",
            kind: Kind::Table {
                section: &COMMAND_RECEIVER,
                short: None,
            },
            default: "",
            doc: "Run a program with the message as JSON on stdin and `SENTINEL_*` in its environment",
        },
        Key {
            name: "template",
            kind: Kind::Text {
                what: "text",
                rule: rules::template,
            },
            default: "the built-in text",
            doc: "Other words, as a Jinja template: its first line is the title, the rest the body; of a webhook all of it",
        },
        Key {
            name: "template_file",
            kind: PATH,
            default: "",
            doc: "A file that holds the template",
        },
    ]],
};

static SLACK: Section = Section {
    path: "receivers.NAME.slack",
    doc: "Either `webhook_url`, or `token` and `channel`",
    keys: &[&[
        Key {
            name: "webhook_url",
            kind: URL,
            default: "",
            doc: "The URL of an incoming webhook",
        },
        Key {
            name: "webhook_url_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file that holds the URL",
        },
        Key {
            name: "token",
            kind: SECRET,
            default: "",
            doc: "The token of a bot with the scope `chat:write`",
        },
        Key {
            name: "token_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file that holds the token",
        },
        Key {
            name: "channel",
            kind: Kind::Text {
                what: "text",
                rule: rules::label_value,
            },
            default: "",
            doc: "Where the bot writes: the channel's ID, or its name; the bot must be a member",
        },
        Key {
            name: "api_url",
            kind: URL,
            default: "https://slack.com/api/",
            doc: "Where the bot finds Slack, such as https://slack-gov.com/api/",
        },
        Key {
            name: "style",
            kind: Kind::Word(&["auto", "blocks", "attachments"]),
            default: "auto",
            doc: "How a webhook gets its messages: `blocks` for Slack; `attachments` for Mattermost, Rocket.Chat and \
                  Discord's `/slack`, which show no blocks; `auto` goes by the URL's host",
        },
    ]],
};

static COMMAND_RECEIVER: Section = Section {
    path: "receivers.NAME.command",
    doc: "A program that takes the message on",
    keys: &[&[
        Key {
            name: "argv",
            kind: COMMAND,
            default: "",
            doc: "The program, given by its absolute path, with arguments and no shell. Required",
        },
        Key {
            name: "env",
            kind: Kind::Map {
                key: rules::variable_name,
                of: &ARGUMENT,
                max: MAX_ENTRIES,
            },
            default: "{}",
            doc: "Variables for its environment; their values are never shown, unlike arguments, which every user can read",
        },
        Key {
            name: "timeout",
            kind: Kind::Duration(bounds(TENTH, Duration::from_secs(30))),
            default: "15s",
            doc: "Killed, with its children, after this",
        },
    ]],
};

static WEBHOOK: Section = Section {
    path: "receivers.NAME.webhook",
    doc: "Where to POST",
    keys: &[&[
        Key {
            name: "url",
            kind: URL,
            default: "",
            doc: "Where to POST. Either this or `url_file` is required",
        },
        Key {
            name: "url_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file that holds the URL",
        },
        Key {
            name: "secret",
            kind: Kind::OneOrMore {
                of: &SECRET,
                max: MAX_SIGNING,
            },
            default: "",
            doc: "Signs messages: `whsec_` and base64 of 24 to 64 random bytes; other text is the key as it stands. Of several each signs, so that they can be rotated",
        },
        Key {
            name: "secret_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file that holds the secret, or several, a line each",
        },
        Key {
            name: "headers",
            kind: HEADERS,
            default: "{}",
            doc: "Sent along",
        },
        Key {
            name: "headers_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file that holds more of them, a line each as `Name: value`: for those that are secret",
        },
    ]],
};

static HEARTBEAT: Section = Section {
    path: "heartbeat",
    doc: "A dead man's switch: the server asked here raises the alarm when it is no longer asked",
    keys: &[&[
        Key {
            name: "url",
            kind: URL,
            default: "",
            doc: "Asked by GET while all is well. Either this or `url_file` is required",
        },
        Key {
            name: "url_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file that holds the URL",
        },
        Key {
            name: "interval",
            kind: Kind::Duration(bounds(SECOND, DAY)),
            default: "60s",
            doc: "How often; let the other side wait for three times as long",
        },
        Key {
            name: "fail_url",
            kind: URL,
            default: "`url` with /fail",
            doc: "Asked instead while the agent is not well: it sees no units, its store cannot be written, or messages wait",
        },
    ]],
};

const TIME_OF_DAY: Kind = Kind::Text {
    what: "a time of day such as \"02:00\"",
    rule: |text| rules::time_of_day(text).map(drop),
};

static MAINTENANCE: Section = Section {
    path: "maintenance.NAME",
    doc: "A window in which services are watched and otherwise left alone, as by `sentinel pause`",
    keys: &[&[
        Key {
            name: "services",
            kind: Kind::List {
                of: &Kind::Text {
                    what: "a name, or a pattern such as \"db-*\"",
                    rule: rules::pattern,
                },
                max: MAX_ENTRIES,
            },
            default: "[\"*\"]",
            doc: "Names of services; `*` stands for any characters, `?` for one",
        },
        Key {
            name: "start",
            kind: TIME_OF_DAY,
            default: "",
            doc: "When it opens. One that does not exist on a day is the first moment after; one that occurs twice, the first. Required",
        },
        Key {
            name: "duration",
            kind: Kind::Duration(bounds(MINUTE, WEEK)),
            default: "",
            doc: "How long it stays open. Either this or `end` is required",
        },
        Key {
            name: "end",
            kind: TIME_OF_DAY,
            default: "",
            doc: "When it ends, the next day when that is not after `start`",
        },
        Key {
            name: "days",
            kind: Kind::List {
                of: &Kind::Word(&DAYS),
                max: DAYS.len(),
            },
            default: "every day",
            doc: "The days on which it opens",
        },
        Key {
            name: "zone",
            kind: ZONE,
            default: "the host's",
            doc: "Whose clocks count",
        },
        Key {
            name: "reason",
            kind: Kind::Text {
                what: "text",
                rule: rules::label_value,
            },
            default: "",
            doc: "Why; shown by `sentinel status`",
        },
    ]],
};
