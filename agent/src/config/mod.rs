//! Configuration: what the user wrote, checked and turned into settings.
//!
//! It goes through stages. Files and variables of the environment become layers (`layer`), each checked against the one
//! table of keys (`keys`, public as [`ROOT`]) while lines and columns are at hand. The `config` crate merges them, tables
//! deeply and the later winning: the main file, `conf.d/*.toml` beside it by name, then the environment. The result is
//! read into `inputs`, and `validate` turns those into [`Settings`]. Problems are collected all the way, and reported
//! together.

mod alertmanager;
mod document;
mod email;
mod environment;
mod files;
mod findings;
mod inputs;
mod keys;
mod labels;
mod layer;
mod lines;
mod pattern;
mod problem;
mod rules;
mod scalar;
mod schema;
mod secret;
mod settings;
mod validate;

use std::path::{Path, PathBuf};

use ::config::builder::DefaultState;

use serde::de::DeserializeOwned;

use self::inputs::Inputs;
use self::layer::Layer;

pub use alertmanager::{AlertmanagerSettings, HttpLogin};
pub(crate) use document::{document, read_text};
pub use email::{EmailSettings, MailLogin, MailSecurity, MailServer};
pub use environment::environment;
pub(crate) use files::sources;
pub(crate) use findings::{Findings, join};
pub use keys::{MAX_RECEIVERS, MAX_SERVICES, ROOT};
pub use labels::LabelProblem;
pub(crate) use labels::{quote, service_keys};
pub use pattern::matches;
pub use problem::{ConfigErrors, Place, Problem};
pub(crate) use rules::{alert_pattern, compose, container, label_name, label_value, name, parse_duration, protected, unit};
pub(crate) use schema::nearest;
pub use schema::{Bounds, Key, Kind, Rule, Section};
pub use secret::Secret;
pub use settings::{
    AgentSettings, AlertSettings, CommandProbe, CommandSettings, ContainerTarget, DockerAddress, HeartbeatSettings,
    HttpProbe, LogFormat, MaintenanceEnd, MaintenanceSettings, ProbeSettings, ProcessTarget, Reach, ReceiverKind,
    ReceiverSettings, ServiceSettings, Settings, SlackSettings, Target, TcpProbe, WebhookSettings,
};

/// Where the configuration is read from unless told otherwise.
pub const DEFAULT_PATH: &str = "/etc/sentinel/sentinel.toml";

/// A configuration that is free of errors.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// What is probably not meant.
    pub warnings: Vec<Problem>,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
}

/// Reads and checks the configuration at `path`, what stands in `conf.d` beside it, and `env`.
///
/// `env` holds names and values as [`environment()`] gives them; names without the prefix `SENTINEL__` are passed over.
/// Files that the configuration names (secrets, certificates) are read too, since they belong to it.
pub fn load(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigErrors> {
    let mut findings = Findings::new(Place::source(0, path.to_string_lossy()));
    let fragments = files::read_all(path, &mut findings);
    let mut layers: Vec<Layer> = fragments
        .iter()
        .filter_map(|fragment| Layer::from_file(&ROOT, fragment, &mut findings))
        .collect();
    layers.extend(environment::layers(env, &mut findings));
    let settings = merge(layers, &mut findings).map(|inputs: Inputs| validate::settings(inputs, &mut findings));
    let warnings = findings.finish()?;
    let files = fragments.into_iter().map(|fragment| fragment.path).collect();
    // Without settings there was a problem, and `finish` has answered it.
    settings
        .map(|settings| Loaded {
            settings,
            warnings,
            files,
        })
        .ok_or_else(ConfigErrors::unexplained)
}

/// Merges the layers. When a source could not be read there is nothing to merge: what it says would seem missing.
fn merge<T: DeserializeOwned>(layers: Vec<Layer>, findings: &mut Findings) -> Option<T> {
    if findings.incomplete {
        return None;
    }
    let builder = layers.into_iter().fold(
        ::config::Config::builder(),
        ::config::ConfigBuilder::<DefaultState>::add_source,
    );
    match builder.build().and_then(::config::Config::try_deserialize) {
        Ok(inputs) => Some(inputs),
        Err(error) => {
            // Every value was checked, so this is a slip in the table of keys; still no reason to panic.
            findings.unreadable(findings.place_of(""), error.to_string(), None);
            None
        }
    }
}
