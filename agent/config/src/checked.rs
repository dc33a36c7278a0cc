//! From files to a configuration that is free of errors, and on to one that is laid over what is found on the host.
//!
//! Each file is read once. [`Checked`] holds what was made of the files, and is laid over whatever is found (`overlay`)
//! without a second look at any of them; [`Sources`] is what an agent keeps of it, to do the same again when something
//! else is found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::config::builder::DefaultState;
use sentinel_engine::{Mode, ServiceName};
use serde::de::DeserializeOwned;

use super::configured::{Configured, configured};
use super::discovery::{DiscoveredService, Rejected};
use super::files::{self, Fragment};
use super::findings::{Blamed, Findings, join};
use super::inputs::Inputs;
use super::keys::ROOT;
use super::layer::Layer;
use super::problem::{ConfigErrors, Place, Problem};
use super::referenced::ReferencedFiles;
use super::secret::Secrets;
use super::settings::{ServiceSettings, Settings};
use super::{environment, validate};

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
    pub rejected: Vec<Rejected>,
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

/// Files and variables as they were read, with what the files hold that they name: enough to check them again without
/// reading anything. Cheap to clone, but for its secrets.
#[derive(Clone, Debug)]
pub struct Sources {
    texts: Arc<Texts>,
    referenced: ReferencedFiles,
}

#[derive(Debug)]
struct Texts {
    main: Place,
    fragments: Vec<Fragment>,
    /// What stands beside the files, was probably meant to be read, and was not.
    passed_over: Vec<Place>,
    env: Vec<(String, String)>,
    secrets: Secrets,
}

/// Files and variables that are free of errors by themselves, ready to be laid over services that are found on the
/// host.
#[derive(Debug)]
pub struct Checked {
    /// What they say, key by key.
    inputs: Vec<Layer>,
    /// Where each key stands.
    findings: Findings,
    /// What they say of each service, as far as it decides about one that is found.
    configured: BTreeMap<String, Configured>,
    /// What they were read from.
    pub sources: Sources,
    /// What they come to when nothing is found.
    pub alone: Loaded,
}

impl Sources {
    /// Reads the files, and checks them together with `env`.
    pub(super) fn read(
        path: &Path,
        env: impl IntoIterator<Item = (String, String)>,
        secrets: Secrets,
    ) -> Result<Checked, ConfigErrors> {
        let main = Place::source(0, path.to_string_lossy());
        let mut findings = Findings::new(main.clone());
        findings.secrets = secrets;
        let (fragments, passed_over) = files::read_all(path, &mut findings);
        let texts = Texts {
            main,
            fragments,
            passed_over,
            env: env.into_iter().collect(),
            secrets,
        };
        check(Arc::new(texts), findings)
    }

    pub(super) fn secrets(&self) -> Secrets {
        self.texts.secrets
    }

    pub(super) const fn referenced(&self) -> &ReferencedFiles {
        &self.referenced
    }

    /// Checks them again, as they were read.
    ///
    /// # Errors
    ///
    /// When what they say is right no longer although they are the same: a time zone that the host knows no more, say.
    pub fn check(&self) -> Result<Checked, ConfigErrors> {
        let mut findings = self.texts.findings();
        findings.referenced = self.referenced.clone();
        check(Arc::clone(&self.texts), findings)
    }
}

fn check(texts: Arc<Texts>, mut findings: Findings) -> Result<Checked, ConfigErrors> {
    let inputs = texts.layers(&mut findings);
    let merged = merge(inputs.clone(), &mut findings);
    let configured = merged.as_ref().map(configured).unwrap_or_default();
    let valid = validated(merged, &mut findings);
    let warnings = findings.finish()?;
    // Without settings there was a problem, and `finish` has answered it.
    let valid = valid.ok_or_else(ConfigErrors::unexplained)?;
    let alone = texts.loaded(valid, warnings);
    Ok(Checked {
        inputs,
        configured,
        sources: Sources {
            texts,
            referenced: std::mem::take(&mut findings.referenced),
        },
        findings,
        alone,
    })
}

impl Texts {
    fn findings(&self) -> Findings {
        let mut findings = Findings::new(self.main.clone());
        findings.secrets = self.secrets;
        findings
    }

    /// What files and variables say, each a layer above those before.
    fn layers(&self, findings: &mut Findings) -> Vec<Layer> {
        self.note_passed_over(findings);
        let files = self.fragments.iter();
        let mut layers: Vec<Layer> = files
            .filter_map(|fragment| Layer::from_file(&ROOT, fragment, findings))
            .collect();
        layers.extend(environment::layers(self.env.iter().cloned(), findings));
        layers
    }

    fn note_passed_over(&self, findings: &mut Findings) {
        for place in &self.passed_over {
            findings.warn_at(place.clone(), files::NOT_READ);
        }
    }

    fn loaded(&self, valid: Validated, warnings: Vec<Problem>) -> Loaded {
        Loaded {
            settings: valid.settings,
            warnings,
            files: self.fragments.iter().map(|fragment| fragment.path.clone()).collect(),
            rejected: Vec::new(),
            unread: valid.unread,
            observed: valid.observed,
        }
    }
}

impl Checked {
    /// What is kept of it: what it comes to alone, and what it was read from.
    pub fn into_parts(self) -> (Loaded, Sources) {
        (self.alone, self.sources)
    }

    /// Whether files and variables name no service at all.
    pub fn names_no_service(&self) -> bool {
        self.configured.is_empty()
    }

    /// Every service that files and variables name, switched on or not, with its target: `unit NAME`,
    /// `container NAME` or `compose PROJECT/SERVICE`.
    pub fn services(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let services = self.configured.iter();
        services.map(|(name, service)| (name.as_str(), service.target.as_deref()))
    }

    /// What files and variables say of each service, as far as it decides about one that is found.
    pub(super) fn configured(&self) -> &BTreeMap<String, Configured> {
        &self.configured
    }

    /// The configuration over these, each of which is right by itself; or what is wrong with the whole.
    pub(super) fn validated_over<'a>(
        &self,
        found: impl Iterator<Item = &'a DiscoveredService>,
        referenced: &mut ReferencedFiles,
    ) -> Result<Loaded, Vec<Blamed>> {
        let texts = &self.sources.texts;
        let mut findings = texts.findings();
        findings.referenced = std::mem::take(referenced);
        let mut layers: Vec<Layer> = Vec::new();
        for found in found {
            layers.extend(found.layers(&mut findings));
        }
        layers.extend(self.inputs.iter().cloned());
        findings.add_places(&self.findings);
        texts.note_passed_over(&mut findings);
        let merged = merge(layers, &mut findings);
        let valid = validated(merged, &mut findings);
        *referenced = std::mem::take(&mut findings.referenced);
        let warnings = findings.finish_blamed()?;
        // Without settings there was a problem, and that has been answered.
        Ok(texts.loaded(valid.ok_or_else(Vec::new)?, warnings))
    }
}

/// What inputs come to.
struct Validated {
    settings: Settings,
    unread: Vec<String>,
    observed: BTreeMap<ServiceName, Place>,
}

/// Compares what is said with itself. The answer is only good when no problem was found.
fn validated(inputs: Option<Inputs>, findings: &mut Findings) -> Option<Validated> {
    let settings = validate::settings(inputs?, findings);
    Some(Validated {
        unread: std::mem::take(&mut findings.unread),
        observed: observed(&settings, findings),
        settings,
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
pub(super) fn merge<T: DeserializeOwned>(layers: Vec<Layer>, findings: &mut Findings) -> Option<T> {
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
