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
mod found;
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
mod slips;
mod target;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ::config::builder::DefaultState;

use sentinel_engine::{Mode, ServiceName};
use serde::de::DeserializeOwned;

use self::files::Fragment;
use self::inputs::Inputs;
use self::layer::Layer;

pub use alertmanager::{AlertmanagerSettings, HttpLogin};
pub(crate) use document::{document, read_text};
pub use email::{EmailSettings, MailLogin, MailSecurity, MailServer};
pub use environment::environment;
pub(crate) use files::sources;
pub(crate) use findings::{Findings, join};
pub use found::{Found, FoundKey, MAX_FOUND, Origin, OriginKind, Refused, service_name};
pub use keys::{MAX_RECEIVERS, MAX_SERVICES, ROOT};
pub use labels::LabelProblem;
pub(crate) use labels::{Meaning, meaning, quote, service_keys};
pub use pattern::matches;
pub use problem::{ConfigErrors, Place, Problem};
pub(crate) use rules::{
    alert_pattern, compose, container, is_this_host, label_name, label_value, name, parse_duration, protected, unit,
};
pub(crate) use schema::nearest;
pub use schema::{Bounds, Key, Kind, Rule, Section};
pub(crate) use secret::SIGNING_BASE64;
pub use secret::{CONTROL_GROUP, SECRETS_DIRECTORY, SECRETS_GROUP, Secret, Secrets};
pub use settings::{
    AgentSettings, AlertSettings, CommandProbe, CommandSettings, HeartbeatSettings, HostWatch, HttpProbe, LogFormat,
    MaintenanceEnd, MaintenanceSettings, ProbeSettings, ReceiverKind, ReceiverSettings, ServiceSettings, Settings,
    SlackSettings, SlackStyle, TcpProbe, WebhookSettings,
};
pub use target::{ContainerTarget, DockerAddress, ProcessTarget, Reach, Target};
pub(crate) use validate::{GROUP_WAIT, REPEAT_INTERVAL};

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
    /// Services that were found on the host and are not watched, with the reasons.
    pub refused: Vec<Refused>,
    /// The keys whose secrets were not read.
    pub unread: Vec<String>,
    /// Services that are only observed, and what makes them so.
    pub observed: BTreeMap<ServiceName, Place>,
}

impl Loaded {
    /// Services that `before` healed and this only observes, or another service of the same target does: each with the
    /// place that makes it so.
    pub fn no_longer_healed<'a>(&'a self, before: &'a Settings) -> impl Iterator<Item = (&'a ServiceName, &'a Place)> {
        let healed = |service: &&ServiceSettings| service.service.policy.mode == Mode::Heal;
        let healed: Vec<_> = before.services.iter().filter(healed).collect();
        let names: BTreeSet<_> = healed.iter().map(|service| &service.service.name).collect();
        let services = self.settings.services.iter();
        services.filter_map(move |service| {
            let place = self.observed.get(&service.service.name)?;
            let same_target = || {
                let target = service.target.as_ref()?;
                healed.iter().find(|before| before.target.as_ref() == Some(target))
            };
            let name = &service.service.name;
            (names.contains(name) || same_target().is_some()).then_some((name, place))
        })
    }
}

/// Files and variables as they were read, to be laid over other services that are found on the host.
#[derive(Clone, Debug)]
pub struct Sources {
    fragments: Vec<Fragment>,
    /// What stands beside the files, was probably meant to be read, and was not.
    passed_over: Vec<Place>,
    env: Vec<(String, String)>,
    secrets: Secrets,
    /// What they say of each service.
    configured: BTreeMap<String, found::Configured>,
}

/// Reads and checks the configuration at `path`, what stands in `conf.d` beside it, and `env`.
///
/// `env` holds names and values as [`environment()`] gives them; names without the prefix `SENTINEL__` are passed over.
/// Files that the configuration names (secrets, certificates) are read too, since they belong to it.
pub fn load(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigErrors> {
    read(path, env, Secrets::All).map(|(loaded, _)| loaded)
}

/// The same for who only looks at the configuration: credentials that systemd shows to nobody but the agent need not be there.
pub fn look(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigErrors> {
    read(path, env, Secrets::AtHand).map(|(loaded, _)| loaded)
}

/// The same, with what it was read from: [`Sources::with`] lays that over services that are found on the host.
pub fn read(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
    secrets: Secrets,
) -> Result<(Loaded, Sources), ConfigErrors> {
    let mut findings = Findings::new(Place::source(0, path.to_string_lossy()));
    findings.secrets = secrets;
    let (fragments, passed_over) = files::read_all(path, &mut findings);
    let mut sources = Sources {
        fragments,
        passed_over,
        env: env.into_iter().collect(),
        secrets,
        configured: BTreeMap::new(),
    };
    let inputs = sources.inputs(&[], &mut findings);
    sources.configured = inputs.as_ref().map(found::configured).unwrap_or_default();
    let loaded = sources.loaded(finish(inputs, findings)?);
    Ok((loaded, sources))
}

impl Sources {
    /// Whether they name no service at all.
    pub fn name_no_service(&self) -> bool {
        self.configured.is_empty()
    }

    /// The same configuration, laid over services that were `found` on the host. Those that are wrong, or have no place
    /// in it, are refused, each by itself.
    ///
    /// # Errors
    ///
    /// When the configuration itself is no longer right: a file that it names is gone, say.
    pub fn with(&self, found: &[Found]) -> Result<Loaded, ConfigErrors> {
        let files = self.loaded(self.finished(&BTreeMap::new())?);
        Ok(found::add(files, self, found))
    }

    fn loaded(&self, finished: Finished) -> Loaded {
        Loaded {
            settings: finished.settings,
            warnings: finished.warnings,
            files: self.fragments.iter().map(|fragment| fragment.path.clone()).collect(),
            refused: Vec::new(),
            unread: finished.unread,
            observed: finished.observed,
        }
    }

    fn finished(&self, found: &BTreeMap<String, Found>) -> Result<Finished, ConfigErrors> {
        let main = self.fragments.first().map(|fragment| fragment.place.clone());
        let mut findings = Findings::new(main.unwrap_or_else(|| Place::source(0, "configuration")));
        findings.secrets = self.secrets;
        let found: Vec<&Found> = found.values().collect();
        let inputs = self.inputs(&found, &mut findings);
        finish(inputs, findings)
    }

    /// What files and variables say, over what was found.
    fn inputs(&self, found: &[&Found], findings: &mut Findings) -> Option<Inputs> {
        for place in &self.passed_over {
            findings.warn_at(place.clone(), files::NOT_READ);
        }
        let mut layers: Vec<Layer> = Vec::new();
        for found in found {
            layers.extend(found.layers(findings));
        }
        for fragment in &self.fragments {
            layers.extend(Layer::from_file(&ROOT, fragment, findings));
        }
        layers.extend(environment::layers(self.env.iter().cloned(), findings));
        merge(layers, findings)
    }
}

/// What sources come to.
struct Finished {
    settings: Settings,
    warnings: Vec<Problem>,
    unread: Vec<String>,
    observed: BTreeMap<ServiceName, Place>,
}

/// Compares what is said with itself.
fn finish(inputs: Option<Inputs>, mut findings: Findings) -> Result<Finished, ConfigErrors> {
    let settings = inputs.map(|inputs| validate::settings(inputs, &mut findings));
    let unread = std::mem::take(&mut findings.unread);
    let observed = settings.as_ref().map(|settings| observed(settings, &findings));
    let warnings = findings.finish()?;
    // Without settings there was a problem, and `finish` has answered it.
    let settings = settings.ok_or_else(ConfigErrors::unexplained)?;
    Ok(Finished {
        settings,
        warnings,
        unread,
        observed: observed.unwrap_or_default(),
    })
}

/// Which services are only observed, and where that is said. What merely runs on the host never is anything else.
fn observed(settings: &Settings, findings: &Findings) -> BTreeMap<ServiceName, Place> {
    let place = |service: &ServiceSettings| {
        let own = format!("{}.mode", join("services", service.service.name.as_str()));
        let keys = if settings.agent.mode == Mode::Observe {
            ["agent.mode"].map(str::to_owned).to_vec()
        } else {
            vec![own, "defaults.mode".to_owned()]
        };
        let key = keys.into_iter().find(|key| findings.has(key))?;
        Some((service.service.name.clone(), findings.place_of(&key)))
    };
    let services = settings.services.iter();
    let observed = services.filter(|service| service.service.policy.mode == Mode::Observe);
    observed.filter_map(place).collect()
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
