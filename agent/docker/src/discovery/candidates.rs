//! Which containers become services, by their labels or because they run. Pure.

use std::collections::{BTreeMap, BTreeSet};

use sentinel_config::discovery::{PreexistingFailure, SourceSnapshot};
use sentinel_config::{
    DiscoveredKey, DiscoveredService, LabelProblem, Origin, OriginKind, Place, Rejected, service_name,
};

use crate::inventory::RunningContainer;
use crate::labels::{self, PREFIX};

/// How a container is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It runs; what it publishes is known.
    Runs,
    /// Docker is restarting it.
    Restarts,
    /// It ended with an error.
    Failed,
    /// It ended well, or never ran.
    Rests,
}

/// What is seen now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshots {
    pub(super) labelled: SourceSnapshot,
    pub(super) others: SourceSnapshot,
}

/// What is known of containers between looks.
#[derive(Debug)]
pub(super) struct Candidates {
    /// The services of labels, by target, as they were when their container last ran: the ports of one that does not are
    /// not known.
    labelled: BTreeMap<String, DiscoveredService>,
    /// The targets of other containers that have run while somebody looked.
    have_run: BTreeSet<String>,
    preexisting: Vec<PreexistingFailure>,
    continuing: BTreeSet<String>,
    looked: bool,
}

impl Candidates {
    pub(super) const fn new(continuing: BTreeSet<String>) -> Self {
        Self {
            labelled: BTreeMap::new(),
            have_run: BTreeSet::new(),
            preexisting: Vec::new(),
            continuing,
            looked: false,
        }
    }

    pub(super) const fn has_looked(&self) -> bool {
        self.looked
    }

    /// Takes in every container there is.
    pub(super) fn take(&mut self, mut listed: Vec<(RunningContainer, State)>) -> Snapshots {
        listed.retain(|(container, _)| !container.left_alone && sentinel_config::container(&container.name).is_ok());
        // Of several containers of one Compose service, one that runs speaks.
        listed.sort_by_key(|(_, state)| *state != State::Runs);
        let mut seen = Snapshots::default();
        let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (container, _) in &listed {
            let alias = format!("container {}", container.name);
            aliases.entry(id(container)).or_default().push(alias);
        }
        let first_look = !std::mem::replace(&mut self.looked, true);
        let mut done = BTreeSet::new();
        for (container, state) in &listed {
            let id = id(container);
            if !done.insert(id.clone()) {
                continue;
            }
            let ours = container.labels.keys().any(|name| name.starts_with(PREFIX));
            let also = aliases.remove(&id).unwrap_or_default();
            let asked = if ours {
                self.labels(&id, container, also.clone(), &mut seen.labelled)
            } else {
                None
            };
            if asked.is_none() {
                self.other(&id, container, *state, also, first_look, &mut seen.others);
            }
        }
        self.labelled.retain(|id, _| done.contains(id));
        self.have_run.retain(|id| done.contains(id));
        seen.others.preexisting.clone_from(&self.preexisting);
        seen
    }

    /// Takes in a container with labels of ours; `None` when they ask for nothing.
    fn labels(
        &mut self,
        id: &str,
        container: &RunningContainer,
        aliases: Vec<String>,
        seen: &mut SourceSnapshot,
    ) -> Option<()> {
        let (key, value) = container.target();
        match labels::read(container, (key, &value)) {
            Ok(None) => {
                self.labelled.remove(id);
                return None;
            }
            // Where it was last, its port may be again.
            Ok(Some(labelled)) if labelled.waits_for_port && self.labelled.contains_key(id) => {
                seen.services.extend(self.labelled.get(id).cloned());
            }
            Ok(Some(labelled)) => {
                let ignored = labelled.ignored.into_iter().map(|problem| Rejected {
                    watched: true,
                    ..reject(container, problem)
                });
                seen.rejected.extend(ignored);
                let own = container
                    .compose
                    .as_ref()
                    .map_or(&container.name, |(_, service)| service);
                let place = format!("container {}", container.name);
                let target = DiscoveredKey::new(key, value, Place::named(place.as_str()));
                let keys = labelled.texts.iter().map(|(name, text)| {
                    let place = Place::named(format!("{place}, label {PREFIX}{name}"));
                    DiscoveredKey::new(name, text, place)
                });
                let found = DiscoveredService {
                    name: labelled.name.unwrap_or_else(|| service_name(own)),
                    keys: keys.chain([target]).collect(),
                    origin: Origin {
                        kind: OriginKind::Label,
                        place,
                    },
                    aliases,
                };
                if !labelled.waits_for_port {
                    self.labelled.insert(id.to_owned(), found.clone());
                }
                seen.services.push(found);
            }
            Err(problems) => {
                self.labelled.remove(id);
                let rejected = problems.into_iter().map(|problem| reject(container, problem));
                seen.rejected.extend(rejected);
            }
        }
        Some(())
    }

    /// Takes in a container that asks for nothing.
    fn other(
        &mut self,
        id: &str,
        container: &RunningContainer,
        state: State,
        aliases: Vec<String>,
        first_look: bool,
        seen: &mut SourceSnapshot,
    ) {
        let (key, value) = container.target();
        let own = container
            .compose
            .as_ref()
            .map_or(&container.name, |(_, service)| service);
        let name = service_name(own);
        let place = format!("container {}", container.name);
        if state == State::Failed && first_look && !self.continuing.contains(&name) {
            self.preexisting.push(PreexistingFailure {
                what: place,
                which: container.ended.clone(),
            });
            return;
        }
        let goes_on = first_look && self.continuing.contains(&name);
        if matches!(state, State::Runs | State::Restarts) || goes_on {
            self.have_run.insert(id.to_owned());
        }
        if !self.have_run.contains(id) {
            return;
        }
        let at = Place::named(place.as_str());
        seen.services.push(DiscoveredService {
            name,
            origin: Origin {
                kind: OriginKind::Host,
                place,
            },
            keys: [(key, value.as_str())]
                .into_iter()
                .chain(DiscoveredService::OBSERVED)
                .map(|(key, text)| DiscoveredKey::new(key, text, at.clone()))
                .collect(),
            aliases,
        });
    }
}

/// What distinguishes a service of containers from others.
fn id(container: &RunningContainer) -> String {
    let (key, value) = container.target();
    format!("{key} {value}")
}

fn reject(container: &RunningContainer, problem: LabelProblem) -> Rejected {
    let LabelProblem {
        label,
        message,
        suggestion,
    } = problem;
    let place = Place::named(format!("container {}, label {label}", container.name));
    let mut rejected = Rejected::new(&container.name, OriginKind::Label, place, message);
    rejected.problem.suggestion = suggestion;
    rejected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, labels: &[(&str, &str)]) -> RunningContainer {
        let labels = labels
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        RunningContainer {
            name: name.to_owned(),
            labels: labels.collect(),
            ..RunningContainer::default()
        }
    }

    fn of_compose(name: &str, labels: &[(&str, &str)]) -> RunningContainer {
        RunningContainer {
            compose: Some(("shop".to_owned(), "web".to_owned())),
            ..container(name, labels)
        }
    }

    fn names(seen: &SourceSnapshot) -> Vec<&str> {
        seen.services.iter().map(|found| found.name.as_str()).collect()
    }

    const ENABLED: (&str, &str) = ("sentinel.enable", "true");

    #[test]
    fn one_compose_service_is_one_service_however_many_containers_it_has() {
        let mut candidates = Candidates::new(BTreeSet::new());
        let seen = candidates.take(vec![
            (of_compose("shop-web-1", &[ENABLED]), State::Failed),
            (
                of_compose("shop-web-2", &[ENABLED, ("sentinel.fall", "2")]),
                State::Runs,
            ),
            (container("Cache", &[ENABLED]), State::Runs),
            (container("off", &[("sentinel.enable", "false")]), State::Runs),
        ]);
        assert_eq!(names(&seen.labelled), ["web", "cache"]);
        let web = &seen.labelled.services[0];
        assert_eq!(web.origin.to_string(), "label (container shop-web-2)");
        assert_eq!(web.aliases.len(), 2);
        let keys: Vec<&str> = web.keys.iter().map(|key| key.key.as_str()).collect();
        assert_eq!(keys, ["fall", "compose"]);
        // Who says no is still there to be observed.
        assert_eq!(names(&seen.others), ["off"]);
    }

    #[test]
    fn a_container_that_is_stopped_keeps_the_ports_it_had() {
        let labels = [ENABLED, ("sentinel.http", ":80/")];
        let mut candidates = Candidates::new(BTreeSet::new());
        let stopped = || {
            let resting = RunningContainer {
                rests: true,
                chosen_at_start: BTreeSet::from([80]),
                ..container("web", &labels)
            };
            vec![(resting, State::Rests)]
        };
        let keys = |seen: &Snapshots| -> Vec<String> {
            let keys = seen.labelled.services[0].keys.iter();
            keys.map(|key| key.key.clone()).collect()
        };
        // Where its port will be is not known yet; the container is.
        assert_eq!(keys(&candidates.take(stopped())), ["container"]);
        let mut running = container("web", &labels);
        running.shares_network = true;
        let seen = candidates.take(vec![(running, State::Runs)]);
        assert_eq!(keys(&seen), ["http", "container"]);
        assert_eq!(candidates.take(stopped()).labelled, seen.labelled);
        let seen = candidates.take(vec![(container("web", &labels), State::Runs)]);
        let said = seen.labelled.rejected[0].to_string();
        assert!(
            said.starts_with("container web, label sentinel.http: port 80"),
            "{said}"
        );
        assert_eq!(candidates.take(Vec::new()), Snapshots::default());
    }

    #[test]
    fn labels_of_a_container_that_was_only_created_are_read() {
        let mut candidates = Candidates::new(BTreeSet::new());
        let created = |labels: &[(&str, &str)]| RunningContainer {
            rests: true,
            ..container("web", labels)
        };
        let seen = candidates.take(vec![(created(&[ENABLED, ("sentinel.fall", "2")]), State::Rests)]);
        assert_eq!(names(&seen.labelled), ["web"]);
        // A slip is said at once, and not only when it is started.
        let seen = candidates.take(vec![(created(&[ENABLED, ("sentinel.intervall", "2s")]), State::Rests)]);
        assert!(
            seen.labelled.rejected[0].to_string().contains("sentinel.intervall"),
            "{seen:?}"
        );
        assert!(!seen.labelled.rejected[0].watched);
        let seen = candidates.take(vec![(created(&[ENABLED, ("sentinel.team", "a")]), State::Rests)]);
        assert!(
            seen.labelled.rejected[0].watched && names(&seen.labelled) == ["web"],
            "{seen:?}"
        );
        // What is no label of ours does not make it one of ours.
        let seen = candidates.take(vec![(container("other", &[("sentinel.team", "a")]), State::Runs)]);
        assert!(
            seen.labelled.rejected.is_empty() && names(&seen.others) == ["other"],
            "{seen:?}"
        );
    }

    #[test]
    fn what_had_preexisting_is_reported_and_watched_when_it_has_run() {
        let ended = |name, when: &str| RunningContainer {
            ended: when.to_owned(),
            ..container(name, &[])
        };
        let mut candidates = Candidates::new(BTreeSet::from(["known".to_owned()]));
        let seen = candidates.take(vec![
            (container("known", &[]), State::Failed),
            (ended("old", "2026-11-28T22:00:00.5Z"), State::Failed),
            (container("done", &[]), State::Rests),
            (container("web", &[]), State::Runs),
        ]);
        assert_eq!(names(&seen.others), ["web", "known"]);
        assert_eq!(seen.others.preexisting.len(), 1);
        assert_eq!(
            seen.others.preexisting[0].to_string(),
            "container old 2026-11-28T22:00:00.5Z"
        );
        let seen = candidates.take(vec![
            (container("old", &[]), State::Runs),
            (container("web", &[]), State::Failed),
        ]);
        assert_eq!(names(&seen.others), ["old", "web"]);
    }
}
