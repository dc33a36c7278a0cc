//! Lays the files over services that are found on the host.
//!
//! A key that a file or the environment sets wins, and a service that a file switches off stays off. Each discovered
//! service is judged alone: a wrong one is rejected and reported, and changes nothing for the files and the other
//! services.

use std::collections::{BTreeMap, BTreeSet};

use super::checked::{Checked, Loaded, merge};
use super::configured::{Configured, target_of};
use super::discovery::{DiscoveredService, OriginKind, Rejected};
use super::findings::{Blamed, Findings, join};
use super::inputs::Inputs;
use super::keys::MAX_SERVICES;
use super::problem::{Place, Problem};
use super::referenced::ReferencedFiles;
use super::secret::Secrets;
use super::settings::Settings;
use super::validate::overlap;
use super::{rules, validate};

/// Services found on one host, at most: many times what one host runs, and few enough that checking all of them again
/// takes no time to speak of. Services beyond the limit are rejected and reported.
pub const MAX_DISCOVERED: usize = 1000;

/// The keys that name a target.
const TARGETS: [&str; 3] = ["unit", "container", "compose"];

impl Checked {
    /// The same configuration, laid over services that were `found` on the host. Those that are wrong, or have no place
    /// in it, are rejected, each by itself; the first of two that cannot both be has its way.
    pub fn over(&self, found: &[DiscoveredService]) -> Loaded {
        let mut chosen = Chosen::new(self);
        // A service that is asked for by name comes before one that merely runs.
        for kind in [OriginKind::Label, OriginKind::UnitFile, OriginKind::Host] {
            for one in found.iter().filter(|one| one.origin.kind == kind) {
                chosen.consider(one);
            }
        }
        loop {
            if chosen.accepted.is_empty() {
                return Loaded {
                    rejected: chosen.rejected(),
                    ..self.alone.clone()
                };
            }
            match self.validated_over(chosen.accepted.values(), &mut chosen.referenced) {
                Ok(mut loaded) => {
                    chosen.mark(&mut loaded.settings);
                    loaded.warnings.retain(|warning| !chosen.merely_runs(&warning.key));
                    loaded.rejected = chosen.rejected();
                    return loaded;
                }
                Err(problems) => chosen.reject_culprits(problems),
            }
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
    accepted: BTreeMap<String, DiscoveredService>,
    /// Whose each target is: of the files, and of those accepted.
    owners: Vec<(String, String)>,
    rejected: BTreeSet<Rejected>,
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
            rejected: BTreeSet::new(),
            omitted: 0,
        }
    }

    /// Whether `key` is that of a service that merely runs: no file, label or section says anything that could be meant
    /// otherwise.
    fn merely_runs(&self, key: &str) -> bool {
        let runs = |(name, found): (&String, &DiscoveredService)| {
            found.origin.kind == OriginKind::Host
                && !self.configured.contains_key(name)
                && join("services", name) == key
        };
        self.accepted.iter().any(runs)
    }

    /// Takes one in, or says why not.
    fn consider(&mut self, found: &DiscoveredService) {
        let kind = found.origin.kind;
        let of_file = self.configured.get(&found.name);
        if of_file.is_some_and(|service| service.switched_off) {
            return;
        }
        let target = match alone(found, self.secrets, &mut self.referenced) {
            Ok(target) => target,
            Err(problems) => return self.reject_all(found, problems),
        };
        let owner = self.owner(target.as_ref(), &found.aliases);
        if kind == OriginKind::Host && owner.is_some() {
            // Nothing asks for what merely runs: it is watched already, or a file has switched it off.
            return;
        }
        if let Some(owner) = owner.as_ref().filter(|owner| **owner != found.name) {
            let owner = join("services", owner);
            return self.reject(found, format!("what it is about already belongs to [{owner}]"));
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
            return self.reject(
                found,
                format!("the name is taken: [{taken}] is about something else{hint}"),
            );
        }
        if self.accepted.len() >= MAX_DISCOVERED.min(MAX_SERVICES.saturating_sub(self.configured.len())) {
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

    /// Rejects those that the whole has no room for. Of several that cannot be together the first goes, and the others
    /// are looked at again without it.
    fn reject_culprits(&mut self, problems: Vec<Blamed>) {
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
                self.reject_all(&found, problems);
            }
        }
    }

    fn reject(&mut self, found: &DiscoveredService, message: String) {
        let rejected = Rejected::new(&found.name, found.origin.kind, found.place(), message);
        self.rejected.insert(rejected);
    }

    fn reject_all(&mut self, found: &DiscoveredService, problems: Vec<Problem>) {
        for mut problem in problems {
            // The place names the label, in the operator's words; the place of a line of a file does not name the key.
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
            self.rejected.insert(Rejected {
                service: found.name.clone(),
                kind: found.origin.kind,
                problem,
                watched: false,
            });
        }
    }

    fn rejected(&self) -> Vec<Rejected> {
        let mut rejected: Vec<Rejected> = self.rejected.iter().cloned().collect();
        if self.omitted > 0 {
            let message = format!(
                "{} services were found beyond the {MAX_DISCOVERED} there is room for",
                self.omitted
            );
            let place = Place::named("this host");
            rejected.push(Rejected::new("", OriginKind::Host, place, message));
        }
        rejected
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

/// Checks what is said of one service, but for its relation to others. Answers its target.
fn alone(
    found: &DiscoveredService,
    secrets: Secrets,
    referenced: &mut ReferencedFiles,
) -> Result<Option<String>, Vec<Problem>> {
    let mut findings = Findings::new(found.place());
    findings.secrets = secrets;
    findings.referenced = std::mem::take(referenced);
    if let Err(reason) = rules::name(&found.name) {
        let rejected = Rejected::new(&found.name, found.origin.kind, found.place(), reason);
        return Err(vec![rejected.problem]);
    }
    let others = || found.keys.iter().filter(|key| key.key != "after");
    if !others().any(|key| is_watched_by(&key.key)) {
        let message = "there is nothing to watch; it names neither what runs it nor a probe";
        findings.wrong_at(found.place(), "", message, None);
    }
    // What `after` says is looked at, and left out: whether there are such services depends on all the others.
    found.layers(&mut findings);
    let layers = DiscoveredService {
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

#[cfg(test)]
mod tests;
