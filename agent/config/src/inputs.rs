//! The merged configuration as it is written: everything optional, nothing yet compared with anything else.
//!
//! Every value has already been checked against the table of keys, so reading into these cannot fail.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use sentinel_engine::{BeforeFirstPass, Mode, OnCleanExit, OnDependencyReturn, Settle, Severity};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::rules;
use super::secret::Secret;
use super::settings::{HostWatch, LogFormat};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Inputs {
    pub(super) agent: AgentInput,
    pub(super) defaults: ServiceInput,
    pub(super) services: BTreeMap<String, ServiceInput>,
    pub(super) receivers: BTreeMap<String, ReceiverInput>,
    pub(super) alerts: AlertsInput,
    pub(super) recovery: HostInput,
    pub(super) maintenance: BTreeMap<String, MaintenanceInput>,
    pub(super) heartbeat: Option<HeartbeatInput>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AgentInput {
    pub name: Option<String>,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) control_socket: Option<PathBuf>,
    pub(super) docker: Option<String>,
    pub(super) unit_files: Option<bool>,
    pub(super) labels: Option<bool>,
    pub(super) host: HostWatch,
    #[serde(deserialize_with = "log_format")]
    pub(super) log: LogFormat,
    pub(super) emoji: bool,
    pub(super) listen: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) listen_insecure: bool,
    #[serde(deserialize_with = "mode")]
    pub(super) mode: Option<Mode>,
}

/// A service, or `[defaults]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ServiceInput {
    pub unit: Option<String>,
    pub container: Option<String>,
    pub compose: Option<String>,
    pub(super) process: Option<ProcessInput>,
    pub(super) http: Option<HttpInput>,
    pub(super) tcp: Option<String>,
    pub(super) command: Option<Vec<String>>,
    pub(super) after: Vec<String>,
    pub(super) may_affect: Option<Vec<String>>,
    #[serde(deserialize_with = "mode")]
    pub(super) mode: Option<Mode>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) severity: Option<Severity>,
    #[serde(deserialize_with = "duration")]
    pub(super) interval: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) timeout: Option<Duration>,
    pub(super) fall: Option<u32>,
    pub(super) fall_of: Option<u32>,
    pub(super) restart_on: Option<Vec<String>>,
    pub(super) rise: Option<u32>,
    #[serde(deserialize_with = "duration")]
    pub(super) start_grace: Option<Duration>,
    #[serde(deserialize_with = "settle")]
    pub(super) settle: Option<Settle>,
    pub(super) log_lines: Option<u32>,
    pub(super) enabled: Option<bool>,
    pub(super) recovery: RecoveryInput,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RecoveryInput {
    #[serde(deserialize_with = "duration")]
    pub(super) backoff: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) backoff_max: Option<Duration>,
    pub(super) jitter: Option<f64>,
    pub(super) burst: Option<u32>,
    #[serde(deserialize_with = "duration")]
    pub(super) window: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) half_open: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) verify: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) min_uptime: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) reset_after: Option<Duration>,
    #[serde(deserialize_with = "before_first_pass")]
    pub(super) before_first_pass: Option<BeforeFirstPass>,
    #[serde(deserialize_with = "on_clean_exit")]
    pub(super) on_clean_exit: Option<OnCleanExit>,
    #[serde(deserialize_with = "on_dependency_return")]
    pub(super) on_dependency_return: Option<OnDependencyReturn>,
    pub(super) retry_oneshot: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HostInput {
    pub(super) max_in_flight: Option<usize>,
    pub(super) tokens: Option<u32>,
    #[serde(deserialize_with = "duration")]
    pub(super) refill: Option<Duration>,
    pub(super) storm_services: Option<usize>,
    #[serde(deserialize_with = "duration")]
    pub(super) storm_window: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) storm_hold: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) boot_grace: Option<Duration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ProcessInput {
    pub(super) pid_file: Option<PathBuf>,
    pub(super) start: Option<Vec<String>>,
    pub(super) stop: Option<Vec<String>>,
    #[serde(deserialize_with = "duration")]
    pub(super) timeout: Option<Duration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HttpInput {
    pub(super) url: Option<String>,
    pub(super) method: Option<String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) headers_file: Option<PathBuf>,
    pub(super) status: Option<Vec<String>>,
    pub(super) body_contains: Option<String>,
    pub(super) json: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "duration")]
    pub(super) max_latency: Option<Duration>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) insecure: bool,
    pub(super) keep_alive: bool,
    pub(super) follow: u8,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ReceiverInput {
    pub(super) slack: Option<SlackInput>,
    pub(super) webhook: Option<WebhookInput>,
    pub(super) command: Option<CommandInput>,
    pub(super) email: Option<EmailInput>,
    pub(super) alertmanager: Option<AlertmanagerInput>,
    pub(super) template: Option<String>,
    pub(super) template_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SlackInput {
    pub(super) webhook_url: Option<Secret>,
    pub(super) webhook_url_file: Option<PathBuf>,
    pub(super) token: Option<Secret>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) channel: Option<String>,
    pub(super) api_url: Option<String>,
    pub(super) style: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EmailInput {
    pub(super) server: Option<String>,
    pub(super) tls: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) from: Option<String>,
    pub(super) to: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AlertmanagerInput {
    pub(super) urls: Option<Vec<String>>,
    #[serde(deserialize_with = "duration")]
    pub(super) resend: Option<Duration>,
    pub(super) headers: BTreeMap<String, Secret>,
    pub(super) headers_file: Option<PathBuf>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) token: Option<Secret>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) ca_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CommandInput {
    pub(super) argv: Option<Vec<String>>,
    pub(super) env: BTreeMap<String, Secret>,
    #[serde(deserialize_with = "duration")]
    pub(super) timeout: Option<Duration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HeartbeatInput {
    pub(super) url: Option<Secret>,
    pub(super) url_file: Option<PathBuf>,
    #[serde(deserialize_with = "duration")]
    pub(super) interval: Option<Duration>,
    pub(super) fail_url: Option<Secret>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WebhookInput {
    pub(super) url: Option<Secret>,
    pub(super) url_file: Option<PathBuf>,
    pub(super) secret: Vec<Secret>,
    pub(super) secret_file: Option<PathBuf>,
    pub(super) headers: BTreeMap<String, Secret>,
    pub(super) headers_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AlertsInput {
    pub(super) receivers: Option<Vec<String>>,
    #[serde(deserialize_with = "duration")]
    pub(super) notify_after: Option<Duration>,
    pub(super) time_zone: Option<String>,
    pub(super) link: Option<String>,
    #[serde(deserialize_with = "duration")]
    pub(super) group_wait: Option<Duration>,
    pub(super) repeat_interval: Option<Repeat>,
    /// By their place among all sources.
    pub(super) routes: BTreeMap<String, RouteInput>,
    pub(super) escalations: BTreeMap<String, EscalationInput>,
}

/// `"off"` or a duration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat(pub(super) Option<Duration>);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RouteInput {
    #[serde(rename = "match")]
    pub(super) matches: MatchInput,
    pub(super) receivers: Option<Vec<String>>,
    #[serde(rename = "continue")]
    pub(super) go_on: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EscalationInput {
    #[serde(rename = "match")]
    pub(super) matches: MatchInput,
    #[serde(deserialize_with = "duration")]
    pub(super) after: Option<Duration>,
    pub(super) receivers: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MatchInput {
    pub(super) service: Option<Vec<String>>,
    pub(super) severity: Option<Vec<Severity>>,
    pub(super) kind: Option<Vec<String>>,
    pub(super) label: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MaintenanceInput {
    pub(super) services: Option<Vec<String>>,
    pub(super) start: Option<String>,
    #[serde(deserialize_with = "duration")]
    pub(super) duration: Option<Duration>,
    pub(super) end: Option<String>,
    pub(super) days: Option<Vec<String>>,
    pub(super) zone: Option<String>,
    pub(super) reason: Option<String>,
}

impl ServiceInput {
    /// Takes from `[defaults]` what the service does not say itself; labels and recovery key by key.
    pub(super) fn inherit(mut self, defaults: &Self) -> Self {
        for (name, value) in &defaults.labels {
            self.labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Self {
            mode: self.mode.or(defaults.mode),
            severity: self.severity.or(defaults.severity),
            interval: self.interval.or(defaults.interval),
            timeout: self.timeout.or(defaults.timeout),
            fall: self.fall.or(defaults.fall),
            fall_of: self.fall_of.or(defaults.fall_of),
            restart_on: self.restart_on.or_else(|| defaults.restart_on.clone()),
            rise: self.rise.or(defaults.rise),
            start_grace: self.start_grace.or(defaults.start_grace),
            settle: self.settle.or(defaults.settle),
            log_lines: self.log_lines.or(defaults.log_lines),
            enabled: self.enabled.or(defaults.enabled),
            may_affect: self.may_affect.or_else(|| defaults.may_affect.clone()),
            recovery: self.recovery.inherit(&defaults.recovery),
            ..self
        }
    }
}

impl RecoveryInput {
    fn inherit(self, defaults: &Self) -> Self {
        Self {
            backoff: self.backoff.or(defaults.backoff),
            backoff_max: self.backoff_max.or(defaults.backoff_max),
            jitter: self.jitter.or(defaults.jitter),
            burst: self.burst.or(defaults.burst),
            window: self.window.or(defaults.window),
            half_open: self.half_open.or(defaults.half_open),
            verify: self.verify.or(defaults.verify),
            min_uptime: self.min_uptime.or(defaults.min_uptime),
            reset_after: self.reset_after.or(defaults.reset_after),
            before_first_pass: self.before_first_pass.or(defaults.before_first_pass),
            on_clean_exit: self.on_clean_exit.or(defaults.on_clean_exit),
            on_dependency_return: self.on_dependency_return.or(defaults.on_dependency_return),
            retry_oneshot: self.retry_oneshot.or(defaults.retry_oneshot),
        }
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    rules::parse_duration(&text).map(Some).map_err(D::Error::custom)
}

impl<'de> Deserialize<'de> for Repeat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "off" => Ok(Self(None)),
            text => rules::parse_duration(text)
                .map(|duration| Self(Some(duration)))
                .map_err(D::Error::custom),
        }
    }
}

fn settle<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Settle>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "auto" => Ok(Some(Settle::Auto)),
        text => rules::parse_duration(text)
            .map(|fixed| Some(Settle::Fixed(fixed)))
            .map_err(D::Error::custom),
    }
}

fn mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mode>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "heal" => Ok(Some(Mode::Heal)),
        "observe" => Ok(Some(Mode::Observe)),
        other => Err(D::Error::unknown_variant(other, &["heal", "observe"])),
    }
}

fn before_first_pass<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BeforeFirstPass>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "hold" => Ok(Some(BeforeFirstPass::Hold)),
        "restart" => Ok(Some(BeforeFirstPass::Restart)),
        other => Err(D::Error::unknown_variant(other, &["hold", "restart"])),
    }
}

fn on_clean_exit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OnCleanExit>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "restart" => Ok(Some(OnCleanExit::Restart)),
        "alert" => Ok(Some(OnCleanExit::Alert)),
        "ignore" => Ok(Some(OnCleanExit::Ignore)),
        other => Err(D::Error::unknown_variant(other, &["restart", "alert", "ignore"])),
    }
}

fn on_dependency_return<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OnDependencyReturn>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "alert" => Ok(Some(OnDependencyReturn::Alert)),
        "start" => Ok(Some(OnDependencyReturn::Start)),
        "ignore" => Ok(Some(OnDependencyReturn::Ignore)),
        other => Err(D::Error::unknown_variant(other, &["alert", "start", "ignore"])),
    }
}

fn log_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogFormat, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "auto" => Ok(LogFormat::Auto),
        "logfmt" => Ok(LogFormat::Logfmt),
        "json" => Ok(LogFormat::Json),
        "journald" => Ok(LogFormat::Journald),
        other => Err(D::Error::unknown_variant(
            other,
            &["auto", "logfmt", "json", "journald"],
        )),
    }
}
