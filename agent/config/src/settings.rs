//! The settings every other part works from: complete, checked, and free of how they were written.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use sentinel_engine::alerting::Rules;
use sentinel_engine::{HostPolicy, Mode, Policy, Service};
use serde::Deserialize;
use url::Url;

use super::alertmanager::AlertmanagerSettings;
use super::discovery::Origin;
use super::email::EmailSettings;
use super::secret::Secret;
use super::target::{DockerAddress, Reach, Target};
use crate::template::Link;
use crate::web::WebSettings;

/// Everything the configuration says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[agent]`.
    pub agent: AgentSettings,
    /// `[recovery]`: limits over the whole host.
    pub recovery: HostPolicy,
    /// `[defaults]`, as a service that says nothing itself would have it.
    pub defaults: Policy,
    /// `[services.*]`, by name.
    pub services: Vec<ServiceSettings>,
    /// `[receivers.*]`, by name.
    pub receivers: Vec<ReceiverSettings>,
    /// `[alerts]`.
    pub alerts: AlertSettings,
    /// `[maintenance.*]`, by name.
    pub maintenance: Vec<MaintenanceSettings>,
    /// `[heartbeat]`.
    pub heartbeat: Option<HeartbeatSettings>,
}

/// `[agent]`: the agent itself.
#[derive(Clone, Debug)]
pub struct AgentSettings {
    /// The host's name in messages. Default: the kernel's host name.
    pub name: String,
    /// Where the store is kept. Default `/var/lib/sentinel`.
    pub state_dir: PathBuf,
    /// The socket of the control commands. Default `/run/sentinel/control.sock`.
    pub control_socket: PathBuf,
    /// Where the Docker Engine listens. Default `unix:///var/run/docker.sock`.
    pub docker: DockerAddress,
    /// Whether `[X-Sentinel]` sections of unit files are read. Default: they are.
    pub unit_files: bool,
    /// Whether labels of containers are read. Default: they are.
    pub labels: bool,
    /// Whether whatever runs on this host is observed. Default `auto`.
    pub host: HostWatch,
    /// How to log. Default `auto`.
    pub log: LogFormat,
    /// Write the first words of a line as pictures.
    pub emoji: bool,
    /// Where metrics are served. Default: nowhere.
    pub web: WebSettings,
    /// `observe` overrides every service.
    pub mode: Mode,
}

/// Whether whatever runs on this host is observed, without being restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostWatch {
    /// When no service is configured.
    #[default]
    Auto,
    /// It is.
    Observe,
    /// It is not.
    Off,
}

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// journald when stdout is connected to it, else logfmt.
    #[default]
    Auto,
    /// One logfmt line per event on stdout.
    Logfmt,
    /// One JSON object per event on stdout.
    Json,
    /// Native journal fields.
    Journald,
}

/// One `[services.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSettings {
    /// What the engine needs to know.
    pub service: Service,
    /// What runs it; `None` when it is only probed.
    pub target: Option<Target>,
    /// What is asked of it; all must pass.
    pub probes: Vec<ProbeSettings>,
    /// Which other units a restart of it may restart or stop.
    pub reach: Reach,
    /// How many of the last lines of its log are evidence, at most.
    pub log_lines: u32,
    /// Where it comes from.
    pub origin: Origin,
}

/// One probe of a service.
#[derive(Clone, Debug, PartialEq)]
pub enum ProbeSettings {
    /// `http = ...`.
    Http(Box<HttpProbe>),
    /// `tcp = ...`.
    Tcp(TcpProbe),
    /// `command = ...`.
    Command(CommandProbe),
}

impl ProbeSettings {
    /// Everything must be done by then.
    pub const fn timeout(&self) -> Duration {
        match self {
            Self::Http(http) => http.timeout,
            Self::Tcp(tcp) => tcp.timeout,
            Self::Command(command) => command.timeout,
        }
    }
}

/// `http = URL` or `http = { url = URL, ... }`.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpProbe {
    /// What to ask; http or https.
    pub url: Url,
    /// Default GET.
    pub method: String,
    /// Sent along.
    pub headers: BTreeMap<String, String>,
    /// Accepted statuses. Default 200-299.
    pub status: Vec<RangeInclusive<u16>>,
    /// Must occur in the first 64 KiB of the body.
    pub body_contains: Option<String>,
    /// JSON pointers into the body, and what must be there.
    pub json: BTreeMap<String, serde_json::Value>,
    /// A correct answer slower than this is a failure.
    pub max_latency: Option<Duration>,
    /// Trust these certificates (PEM) instead of the host's.
    pub ca_file: Option<PathBuf>,
    /// Accept any certificate.
    pub insecure: bool,
    /// Reuse connections. Default: a fresh one each time, which also proves that the service still accepts.
    pub keep_alive: bool,
    /// Redirects followed. Default 0: a redirect is an answer.
    pub follow: u8,
    /// Everything must be done by then. Default 3 s.
    pub timeout: Duration,
}

/// `tcp = "HOST:PORT"`.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpProbe {
    /// Host and port to connect to.
    pub address: String,
    /// Everything must be done by then. Default 3 s.
    pub timeout: Duration,
}

/// `command = ["PROGRAM", "ARG", ...]`: passes when it exits 0.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandProbe {
    /// Program and arguments, no shell.
    pub argv: Vec<String>,
    /// Killed, with its children, after this. Default 3 s.
    pub timeout: Duration,
}

/// One `[receivers.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiverSettings {
    /// Its name.
    pub name: String,
    /// Where its messages go.
    pub kind: ReceiverKind,
    /// Whose clocks the times in its messages go by: `[alerts] time_zone`. Default: the host's.
    pub zone: TimeZone,
    /// `template`, `template_file`: other words than the built-in ones.
    pub template: Option<String>,
}

/// The kinds of receiver.
#[derive(Clone, Debug, PartialEq)]
pub enum ReceiverKind {
    /// `slack = { ... }`.
    Slack(SlackSettings),
    /// `command = { ... }`.
    Command(CommandSettings),
    /// `webhook = { ... }`.
    Webhook(WebhookSettings),
    /// `email = { ... }`.
    Email(Box<EmailSettings>),
    /// `alertmanager = { ... }`.
    Alertmanager(AlertmanagerSettings),
}

impl ReceiverKind {
    /// Its key in the configuration.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Slack(_) => "slack",
            Self::Command(_) => "command",
            Self::Webhook(_) => "webhook",
            Self::Email(_) => "email",
            Self::Alertmanager(_) => "alertmanager",
        }
    }
}

/// `slack = { style }`: in what form a webhook gets its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlackStyle {
    /// Blocks for Slack, an attachment for everything else.
    #[default]
    Auto,
    /// Blocks, as Slack shows them.
    Blocks,
    /// Text and one attachment, as Mattermost, Rocket.Chat and Discord show them.
    Attachments,
}

/// `slack = { webhook_url }` or `slack = { token, channel }`.
#[derive(Clone, Debug, PartialEq)]
pub enum SlackSettings {
    /// An incoming webhook: each message stands by itself.
    Webhook {
        /// Its URL, which is all that it takes to post.
        url: Secret,
        /// What shows the message.
        style: SlackStyle,
    },
    /// A bot: one message per incident, brought up to date, with a thread.
    Bot {
        /// Its token.
        token: Secret,
        /// Where it writes: a channel's ID or name.
        channel: String,
        /// Where its methods are. Default `https://slack.com/api/`.
        api_url: Url,
    },
}

/// `command = { argv, env, timeout }`.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandSettings {
    /// Program and arguments, no shell.
    pub argv: Vec<String>,
    /// For its environment.
    pub env: BTreeMap<String, Secret>,
    /// Killed, with its children, after this. Default 15 s.
    pub timeout: Duration,
}

/// `[heartbeat]`: who notices when the agent is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct HeartbeatSettings {
    /// Asked while all is well. Secret: a client that knows the URL can keep the alarm silent.
    pub url: Secret,
    /// Asked instead while it is not.
    pub fail_url: Secret,
    /// How often. Default 60 s.
    pub interval: Duration,
}

/// `webhook = { url | url_file, secret | secret_file, headers }`.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookSettings {
    /// Where to POST. Secret, as tokens often stand in it.
    pub url: Secret,
    /// Each signs messages as in Standard Webhooks; `whsec_` and base64, or raw text.
    pub secrets: Vec<Secret>,
    /// Sent along; secret, as tokens often stand in them.
    pub headers: BTreeMap<String, Secret>,
}

/// `[alerts]`.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    /// Receivers of every message that no route matches, by name. Default: all.
    pub receivers: Vec<String>,
    /// Which receivers are notified of what, `receivers` included.
    pub rules: Rules,
    /// An outage healed within this time is one info message. Default 30 s; copied into each service's policy.
    pub notify_after: Duration,
    /// Where to read more about an incident.
    pub link: Option<Arc<Link>>,
}

/// One `[maintenance.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MaintenanceSettings {
    /// Its name.
    pub name: String,
    /// The services it is about: names, or patterns with `*` and `?`. Default: all.
    pub services: Vec<String>,
    /// When it opens, by the clocks of its zone.
    pub start: Time,
    /// When it ends.
    pub end: MaintenanceEnd,
    /// The days on which it opens; empty for every day.
    pub days: Vec<Weekday>,
    /// Whose clocks count. Default: the host's.
    pub zone: TimeZone,
    /// Why, for the operator.
    pub reason: Option<String>,
}

impl MaintenanceSettings {
    /// Whether it is about this service.
    pub fn covers(&self, service: &str) -> bool {
        self.services.iter().any(|pattern| crate::matches(pattern, service))
    }

    /// Why, for the operator.
    pub fn reason(&self) -> String {
        let own = || format!("maintenance window `{}`", self.name);
        self.reason.clone().unwrap_or_else(own)
    }
}

/// When a window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaintenanceEnd {
    /// When it has lasted this long.
    After(Duration),
    /// At this time of day, the next day when that is not after its start.
    At(Time),
}
