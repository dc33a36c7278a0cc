//! The settings every other part works from: complete, checked, and free of how they were written.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret as _, SecretString};
use sentinel_engine::{HostPolicy, Mode, Policy, Service, ServiceName};
use url::Url;

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
    /// How to log. Default `auto`.
    pub log: LogFormat,
    /// Write the first words of a line as pictures.
    pub emoji: bool,
    /// `observe` overrides every service.
    pub mode: Mode,
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
    /// Free labels for routing and messages.
    pub labels: BTreeMap<String, String>,
    /// Which other units a restart of it may restart or stop.
    pub reach: Reach,
}

/// Which other units a restart of a service may restart or stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// `may_affect`: full names of units, or patterns with `*` and `?`.
    pub may_affect: Vec<String>,
    /// The healed services that name this one in `after`. Their units, and those of the services after them in turn,
    /// may be taken along: the configuration says that they depend on this one, and they are watched.
    pub dependents: Vec<ServiceName>,
}

/// What runs a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A systemd unit, by its full name.
    Unit(String),
    /// A process known by its pid file.
    Process(ProcessTarget),
}

/// `process = { ... }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessTarget {
    /// Holds the pid while it runs, and is removed by the process on a clean stop.
    pub pid_file: PathBuf,
    /// Starts it: a program and its arguments, no shell.
    pub start: Vec<String>,
    /// Stops it; `None` sends SIGTERM, then SIGKILL.
    pub stop: Option<Vec<String>>,
    /// How long `start` and `stop` may each take. Default 30 s.
    pub timeout: Duration,
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
}

/// The kinds of receiver.
#[derive(Clone, Debug, PartialEq)]
pub enum ReceiverKind {
    /// `webhook = { ... }`.
    Webhook(WebhookSettings),
}

/// `webhook = { url | url_file, secret | secret_file, headers }`.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Where to POST. Secret, as tokens often stand in it.
    pub url: SecretString,
    /// Signs messages as in Standard Webhooks; `whsec_` and base64, or raw text.
    pub secret: Option<SecretString>,
    /// Sent along; secret, as tokens often stand in them.
    pub headers: BTreeMap<String, SecretString>,
}

impl PartialEq for WebhookSettings {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &SecretString, b: &SecretString| a.expose_secret() == b.expose_secret();
        let secrets = match (&self.secret, &other.secret) {
            (Some(a), Some(b)) => same(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        let headers = self.headers.len() == other.headers.len()
            && self
                .headers
                .iter()
                .all(|(name, value)| other.headers.get(name).is_some_and(|other| same(value, other)));
        secrets && headers && same(&self.url, &other.url)
    }
}

/// `[alerts]`.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    /// Receivers of every message, by name. Default: all.
    pub receivers: Vec<String>,
    /// An outage healed within this time is one info message. Default 30 s; copied into each service's policy.
    pub notify_after: Duration,
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
    /// Why, for people.
    pub reason: Option<String>,
}

/// When a window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaintenanceEnd {
    /// When it has lasted this long.
    After(Duration),
    /// At this time of day, the next day when that is not after its start.
    At(Time),
}
