//! Services that were found on the host: in labels of containers, in unit files, or because they run there.
//!
//! They lie beneath the files: a key that a file or the environment sets wins, and a service that a file switches off stays
//! off. Each stands for itself. One that is wrong is refused and told; neither the files nor the others suffer from it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::{kind_at, parse};
use super::findings::{Blamed, Findings, join};
use super::inputs::{Inputs, ServiceInput};
use super::keys::MAX_SERVICES;
use super::layer::Layer;
use super::problem::{Place, Problem};
use super::referenced::ReferencedFiles;
use super::secret::Secrets;
use super::settings::Settings;
use super::validate::overlap;
use super::{Checked, Loaded, merge, rules, validate};

/// Services found on one host, at most: many times what one host runs, and few enough that looking at all of them anew
/// takes no time to speak of. What exceeds it is refused and told.
pub const MAX_FOUND: usize = 1000;

/// The keys that name a target.
const TARGETS: [&str; 3] = ["unit", "container", "compose"];

/// Where a service comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginKind {
    /// A file of the configuration, or the environment.
    #[default]
    File,
    /// Labels of a container.
    Label,
    /// A section of a unit file.
    UnitFile,
    /// It runs on the host, and nobody said anything of it.
    Host,
}

impl OriginKind {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Label => "label",
            Self::UnitFile => "unit file",
            Self::Host => "host",
        }
    }
}

/// Where a service comes from, and where that stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Where it comes from.
    pub kind: OriginKind,
    /// `container web`, or the path of a unit file; empty for the files of the configuration.
    pub place: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        match self.place.as_str() {
            "" => Ok(()),
            place => write!(f, " ({place})"),
        }
    }
}

/// A service that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name, which need not be free.
    pub name: String,
    /// Where it comes from, with the place that stands for all of it.
    pub origin: Origin,
    /// What is said of it. One of the keys names its target, or a probe.
    pub keys: Vec<FoundKey>,
    /// Other names of the same target, as `container web`: a file that watches one of them watches this.
    pub aliases: Vec<String>,
}

/// One key of a service that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundKey {
    /// Within `[services.NAME]`, its parts separated by dots: `interval`, `http.status`.
    pub key: String,
    /// Its value as a variable of the environment would have it: `5s`, `200, 204`, `[1, 2]`.
    pub text: String,
    /// Where it stands, for messages.
    pub place: Place,
}

impl FoundKey {
    /// `key` with the value `text`, which stands at `place`.
    pub fn new(key: impl Into<String>, text: impl Into<String>, place: Place) -> Self {
        Self {
            key: key.into(),
            text: text.into(),
            place,
        }
    }
}

/// A service that was found and is not watched, or not as it asks, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// The name it would have; empty when it has none.
    pub service: String,
    /// Where it comes from.
    pub kind: OriginKind,
    /// What is wrong, and where.
    pub problem: Problem,
    /// Whether that is left out and the service watched all the same: a warning.
    pub watched: bool,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl Refused {
    /// Something wrong at `place`.
    pub fn new(service: &str, kind: OriginKind, place: Place, message: impl Into<String>) -> Self {
        let problem = Problem {
            place,
            key: String::new(),
            message: message.into(),
            suggestion: None,
            excerpt: None,
        };
        Self {
            service: service.to_owned(),
            kind,
            problem,
            watched: false,
        }
    }
}

/// What the files say of a service, as far as it decides about one that was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Configured {
    switched_off: bool,
    /// As `unit NAME`, `container NAME` or `compose PROJECT/SERVICE`.
    target: Option<String>,
    has_process: bool,
}

/// What the files say of every service.
pub(super) fn configured(inputs: &Inputs) -> BTreeMap<String, Configured> {
    let of = |input: &ServiceInput| Configured {
        switched_off: input.enabled == Some(false),
        target: target_of(input),
        has_process: input.process.is_some(),
    };
    let services = inputs.services.iter();
    services.map(|(name, input)| (name.clone(), of(input))).collect()
}

fn target_of(input: &ServiceInput) -> Option<String> {
    let unit = input.unit.as_ref().and_then(|unit| rules::unit(unit).ok());
    let unit = unit.map(|unit| format!("unit {unit}"));
    let container = input.container.as_ref().map(|name| format!("container {name}"));
    let compose = input.compose.as_ref().map(|name| format!("compose {name}"));
    unit.or(container).or(compose)
}

/// Lays `found` beneath what the files say, which is right by itself; the first of two that cannot both be has its way.
pub(super) fn lay_beneath(files: &Checked, found: &[Found]) -> Loaded {
    let mut chosen = Chosen::new(files);
    // Whoever was asked for by name comes before what merely runs.
    for kind in [OriginKind::Label, OriginKind::UnitFile, OriginKind::Host] {
        for one in found.iter().filter(|one| one.origin.kind == kind) {
            chosen.consider(one);
        }
    }
    loop {
        if chosen.accepted.is_empty() {
            return Loaded {
                refused: chosen.refused(),
                ..files.alone.clone()
            };
        }
        match files.validated_over(chosen.accepted.values(), &mut chosen.referenced) {
            Ok(mut loaded) => {
                chosen.mark(&mut loaded.settings);
                loaded.warnings.retain(|warning| !chosen.merely_runs(&warning.key));
                loaded.refused = chosen.refused();
                return loaded;
            }
            Err(problems) => chosen.refuse_culprits(problems),
        }
    }
}

/// Those that are good so far, in the making.
struct Chosen<'a> {
    configured: &'a BTreeMap<String, Configured>,
    secrets: Secrets,
    /// What the files hold that are named.
    referenced: ReferencedFiles,
    /// By name.
    accepted: BTreeMap<String, Found>,
    /// Whose each target is: of the files, and of those accepted.
    owners: Vec<(String, String)>,
    refused: BTreeSet<Refused>,
    /// How many were too many.
    omitted: usize,
}

impl<'a> Chosen<'a> {
    fn new(files: &'a Checked) -> Self {
        let configured = files.configured();
        let owners = configured
            .iter()
            .filter_map(|(name, service)| Some((service.target.clone()?, name.clone())));
        Self {
            configured,
            secrets: files.sources.secrets(),
            referenced: files.sources.referenced().clone(),
            accepted: BTreeMap::new(),
            owners: owners.collect(),
            refused: BTreeSet::new(),
            omitted: 0,
        }
    }

    /// Whether `key` is that of a service which nobody said anything of: then nothing of it can be meant otherwise.
    fn merely_runs(&self, key: &str) -> bool {
        let runs = |(name, found): (&String, &Found)| {
            found.origin.kind == OriginKind::Host
                && !self.configured.contains_key(name)
                && join("services", name) == key
        };
        self.accepted.iter().any(runs)
    }

    /// Takes one in, or says why not.
    fn consider(&mut self, found: &Found) {
        let kind = found.origin.kind;
        let of_file = self.configured.get(&found.name);
        if of_file.is_some_and(|service| service.switched_off) {
            return;
        }
        let target = match alone(found, self.secrets, &mut self.referenced) {
            Ok(target) => target,
            Err(problems) => return self.refuse_all(found, problems),
        };
        let owner = self.owner(target.as_ref(), &found.aliases);
        if kind == OriginKind::Host && owner.is_some() {
            // What merely runs is nobody's wish: it is watched already, or a file has switched it off.
            return;
        }
        if let Some(owner) = owner.as_ref().filter(|owner| **owner != found.name) {
            let owner = join("services", owner);
            return self.refuse(found, format!("what it is about already belongs to [{owner}]"));
        }
        let is_other = |service: &Configured| service.has_process || (service.target.is_some() && owner.is_none());
        if of_file.is_some_and(is_other) || self.accepted.contains_key(&found.name) {
            let taken = join("services", &found.name);
            let unit = found.keys.iter().find(|key| key.key == "unit");
            let hint = match unit.filter(|unit| unit.text.contains('@')) {
                Some(unit) => format!(
                    " than `{}`; `%i` in `name=` tells the instances of a template apart",
                    unit.text
                ),
                None => String::new(),
            };
            return self.refuse(
                found,
                format!("the name is taken: [{taken}] is about something else{hint}"),
            );
        }
        if self.accepted.len() >= MAX_FOUND.min(MAX_SERVICES.saturating_sub(self.configured.len())) {
            self.omitted += 1;
            return;
        }
        let mut accepted = found.clone();
        if owner.is_some() {
            accepted.keys.retain(|key| !TARGETS.contains(&key.key.as_str()));
        } else if let Some(target) = target {
            self.owners.push((target, found.name.clone()));
            let aliases = found.aliases.iter();
            self.owners
                .extend(aliases.map(|alias| (alias.clone(), found.name.clone())));
        }
        self.accepted.insert(found.name.clone(), accepted);
    }

    fn owner(&self, target: Option<&String>, aliases: &[String]) -> Option<String> {
        let mut names = target.into_iter().chain(aliases);
        names.find_map(|name| {
            let owner = self.owners.iter().find(|(owned, _)| overlap(owned, name));
            owner.map(|(_, owner)| owner.clone())
        })
    }

    /// Refuses those that the whole has no room for. Of several that cannot be together the first goes, and the others are
    /// looked at again without it.
    fn refuse_culprits(&mut self, problems: Vec<Blamed>) {
        let mut culprits: BTreeMap<String, Vec<Problem>> = BTreeMap::new();
        let mut shared = Vec::new();
        for (problem, about) in problems {
            match about.first().filter(|first| self.accepted.contains_key(*first)) {
                Some(own) => culprits.entry(own.clone()).or_default().push(problem),
                None => shared.push((problem, about)),
            }
        }
        for (problem, about) in shared {
            if about.iter().any(|name| culprits.contains_key(name)) {
                continue;
            }
            // The files are right by themselves, so something that was found is wrong with them.
            let blamed: Vec<String> = match about.iter().find(|name| self.accepted.contains_key(*name)) {
                Some(first) => vec![first.clone()],
                None => self.accepted.keys().cloned().collect(),
            };
            for name in blamed {
                culprits.entry(name).or_default().push(problem.clone());
            }
        }
        if culprits.is_empty() {
            self.accepted.clear();
        }
        for (name, problems) in culprits {
            if let Some(found) = self.accepted.remove(&name) {
                self.refuse_all(&found, problems);
            }
        }
    }

    fn refuse(&mut self, found: &Found, message: String) {
        let refused = Refused::new(&found.name, found.origin.kind, found.place(), message);
        self.refused.insert(refused);
    }

    fn refuse_all(&mut self, found: &Found, problems: Vec<Problem>) {
        for mut problem in problems {
            // The place says it, in words of whoever wrote it; that of a line of a file does not name the key.
            let path = join("services", &found.name);
            let inner = problem.key.strip_prefix(&path);
            let inner = inner.filter(|inner| inner.is_empty() || inner.starts_with(['.', '[']));
            if inner.is_none() {
                // What another service or the defaults say is in the words; this is about what was found.
                problem.place = found.place();
            }
            let inner = inner.unwrap_or_default();
            problem.key = match found.origin.kind {
                OriginKind::UnitFile => inner.trim_start_matches('.').to_owned(),
                _ => String::new(),
            };
            self.refused.insert(Refused {
                service: found.name.clone(),
                kind: found.origin.kind,
                problem,
                watched: false,
            });
        }
    }

    fn refused(&self) -> Vec<Refused> {
        let mut refused: Vec<Refused> = self.refused.iter().cloned().collect();
        if self.omitted > 0 {
            let message = format!(
                "{} services were found beyond the {MAX_FOUND} there is room for",
                self.omitted
            );
            let place = Place::named("this host");
            refused.push(Refused::new("", OriginKind::Host, place, message));
        }
        refused
    }

    /// Notes where each service comes from.
    fn mark(&self, settings: &mut Settings) {
        for service in &mut settings.services {
            if let Some(found) = self.accepted.get(service.service.name.as_str()) {
                service.origin = found.origin.clone();
            }
        }
    }
}

impl Found {
    /// What is said of whatever merely runs: it is never restarted, and may end in peace.
    pub const OBSERVED: [(&'static str, &'static str); 2] = [("mode", "observe"), ("recovery.on_clean_exit", "ignore")];

    fn place(&self) -> Place {
        Place::named(self.origin.place.as_str())
    }

    /// One layer for each key, as variables of the environment are.
    pub(super) fn layers(&self, findings: &mut Findings) -> Vec<Layer> {
        let layers = self.keys.iter().filter_map(|key| {
            let mut path = vec!["services", self.name.as_str()];
            path.extend(key.key.split('.'));
            let value = parse(kind_at(&path), &key.text);
            let table = path.iter().rev().fold(value, |value, name| {
                let mut table = DeTable::new();
                table.insert(Spanned::new(0..0, Cow::Borrowed(*name)), Spanned::new(0..0, value));
                DeValue::Table(table)
            });
            match table {
                DeValue::Table(table) => Some(Layer::from_variable(&table, &key.place, findings)),
                _ => None,
            }
        });
        layers.collect()
    }
}

/// Checks what is said of one service, but for its relation to others. Answers its target.
fn alone(found: &Found, secrets: Secrets, referenced: &mut ReferencedFiles) -> Result<Option<String>, Vec<Problem>> {
    let mut findings = Findings::new(found.place());
    findings.secrets = secrets;
    findings.referenced = std::mem::take(referenced);
    if let Err(reason) = rules::name(&found.name) {
        let refused = Refused::new(&found.name, found.origin.kind, found.place(), reason);
        return Err(vec![refused.problem]);
    }
    let others = || found.keys.iter().filter(|key| key.key != "after");
    if !others().any(|key| is_watched_by(&key.key)) {
        let message = "there is nothing to watch; it names neither what runs it nor a probe";
        findings.wrong_at(found.place(), "", message, None);
    }
    // What `after` says is looked at, and left out: whether there are such services depends on all the others.
    found.layers(&mut findings);
    let layers = Found {
        keys: others().cloned().collect(),
        ..found.clone()
    };
    let layers = layers.layers(&mut findings);
    let target = merge::<Inputs>(layers, &mut findings).and_then(|inputs| {
        let target = inputs.services.get(&found.name).and_then(target_of);
        validate::settings(inputs, &mut findings);
        target
    });
    *referenced = std::mem::take(&mut findings.referenced);
    match findings.finish() {
        Ok(_) => Ok(target),
        Err(errors) => Err(errors.problems),
    }
}

fn is_watched_by(key: &str) -> bool {
    let first = key.split('.').next().unwrap_or_default();
    TARGETS.contains(&first) || matches!(first, "process" | "http" | "tcp" | "command")
}

/// The nearest name that the configuration takes.
pub fn service_name(text: &str) -> String {
    let lower = text.to_lowercase();
    let known = |c: char| {
        if c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = lower.chars().map(known).collect();
    let name: String = name.trim_start_matches(['.', '_', '-']).chars().take(64).collect();
    if name.is_empty() { "service".to_owned() } else { name }
}

#[cfg(test)]
mod tests;
