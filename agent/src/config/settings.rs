//! The settings every other part works from: complete, checked, and free of how they were written.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use sentinel_engine::{HostPolicy, Mode, Policy, Service};
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
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// What the engine needs to know.
    pub service: Service,
    /// What runs it; `None` when it is only probed.
    pub target: Option<Target>,
    /// What is asked of it; all must pass.
    pub probes: Vec<ProbeSettings>,
    /// Free labels for routing and messages.
    pub labels: BTreeMap<String, String>,
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
#[derive(Clone, Debug)]
pub enum ProbeSettings {
    /// `http = ...`.
    Http(Box<HttpProbe>),
    /// `tcp = ...`.
    Tcp(TcpProbe),
    /// `command = ...`.
    Command(CommandProbe),
}

/// `http = URL` or `http = { url = URL, ... }`.
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
pub struct TcpProbe {
    /// Host and port to connect to.
    pub address: String,
    /// Everything must be done by then. Default 3 s.
    pub timeout: Duration,
}

/// `command = ["PROGRAM", "ARG", ...]`: passes when it exits 0.
#[derive(Clone, Debug)]
pub struct CommandProbe {
    /// Program and arguments, no shell.
    pub argv: Vec<String>,
    /// Killed, with its children, after this. Default 3 s.
    pub timeout: Duration,
}

/// One `[receivers.NAME]`.
#[derive(Clone, Debug)]
pub struct ReceiverSettings {
    /// Its name.
    pub name: String,
    /// Where its messages go.
    pub kind: ReceiverKind,
}

/// The kinds of receiver.
#[derive(Clone, Debug)]
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

/// `[alerts]`.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    /// Receivers of every message, by name. Default: all.
    pub receivers: Vec<String>,
    /// An outage healed within this time is one info message. Default 30 s; copied into each service's policy.
    pub notify_after: Duration,
}
