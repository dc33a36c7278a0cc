//! Configuration: what the user wrote, checked and turned into settings.
//!
//! It goes through stages. Files and variables of the environment become layers (`layer`), each checked against the one
//! table of keys (`keys`, public as [`ROOT`]) while lines and columns are at hand. The `config` crate merges them,
//! tables deeply and the later winning: the main file, `conf.d/*.toml` beside it by name, then the environment. The
//! result is read into `inputs`, and `validate` turns those into [`Settings`]. Problems are collected all the way, and
//! reported together.

mod alertmanager;
mod checked;
mod configured;
pub mod discovery;
mod document;
mod email;
mod environment;
mod files;
mod findings;
#[cfg(test)]
mod fuzz;
mod inputs;
mod keys;
mod labels;
mod layer;
mod lines;
mod overlay;
mod pattern;
mod problem;
pub mod question;
mod reading;
mod referenced;
mod rules;
mod scalar;
mod schema;
mod secret;
mod settings;
mod slips;
mod target;
pub mod template;
mod validate;
mod web;

use std::path::Path;

use self::checked::merge;

pub use alertmanager::{AlertmanagerSettings, HttpLogin};
pub use checked::{Checked, Loaded, Sources};
pub use discovery::{DiscoveredKey, DiscoveredService, Origin, OriginKind, Rejected, service_name};
pub use document::document;
pub use email::{EmailSettings, MailLogin, MailSecurity, MailServer};
pub use environment::environment;
pub use files::sources;
pub use findings::{Findings, join};
pub use keys::{MAX_RECEIVERS, MAX_SERVICES, ROOT};
pub use labels::LabelProblem;
pub use labels::{Meaning, meaning, quote, service_keys};
pub use overlay::MAX_DISCOVERED;
pub use pattern::matches;
pub use problem::{ConfigErrors, Fault, Place, Problem};
pub use reading::{FileError, read_text};
pub use rules::{
    alert_pattern, compose, container, is_this_host, label_name, label_value, name, parse_duration, protected, unit,
};
pub use schema::nearest;
pub use schema::{Bounds, Key, Kind, Rule, Section};
pub use secret::SIGNING_BASE64;
pub use secret::{CONTROL_GROUP, SECRETS_DIRECTORY, SECRETS_GROUP, Secret, Secrets};
pub use settings::{
    AgentSettings, AlertSettings, CommandProbe, CommandSettings, HeartbeatSettings, HostWatch, HttpProbe, LogFormat,
    MaintenanceEnd, MaintenanceSettings, ProbeSettings, ReceiverKind, ReceiverSettings, ServiceSettings, Settings,
    SlackSettings, SlackStyle, TcpProbe, WebhookSettings,
};
pub use target::{ContainerTarget, DockerAddress, ProcessTarget, Reach, Target};
pub use validate::{GROUP_WAIT, REPEAT_INTERVAL};
pub use web::{Listen, WebSettings};

/// Where the configuration is read from unless `--config` names another file.
pub const DEFAULT_PATH: &str = "/etc/sentinel/sentinel.toml";

/// Reads and checks the configuration at `path`, what stands in `conf.d` beside it, and `env`.
///
/// `env` holds names and values as [`environment()`] gives them; names without the prefix `SENTINEL__` are passed over.
/// Files that the configuration names (secrets, certificates) are read too, since they belong to it.
pub fn load(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigErrors> {
    read(path, env, Secrets::All).map(|checked| checked.alone)
}

/// The same for a command that only looks at the configuration: credentials that systemd shows to the agent alone need
/// not be there.
pub fn look(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigErrors> {
    read(path, env, Secrets::AtHand).map(|checked| checked.alone)
}

/// The same, to be laid over services that are found on the host. No file is read twice, and none again later.
pub fn read(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
    secrets: Secrets,
) -> Result<Checked, ConfigErrors> {
    Sources::read(path, env, secrets)
}
