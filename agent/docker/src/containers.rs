//! The watched containers, what is known of them, and what has been reported. Outlives connections.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use sentinel_config::ContainerTarget;
use sentinel_engine::{Event, Observation, RunId, TargetState};
use tokio::sync::mpsc;

use super::cgroup_fallback::CgroupScopes;
use super::classify::{Verdict, World, classify};
use super::client::Seen;
use super::events::{Heard, History, Mark};
use super::facts::{Facts, short};
use super::identity::{Identity, is_id};
use super::outbox::Outbox;
use super::service::{Service, departure, worst};
use super::tracker::{Happened, Tracker};
use super::watcher::Watched;

/// Containers kept track of: every service has one, scaled ones some more. Beyond that, new ones are not seen.
const CONTAINERS_MAX: usize = 4096;

/// One container that some service means.
#[derive(Debug, Default)]
pub(super) struct Container {
    pub(super) identity: Identity,
    pub(super) tracker: Tracker,
    /// What is known may be out of date: nothing is concluded until it has been read.
    pub(super) stale: bool,
    /// A read is queued or under way.
    pub(super) reading: bool,
    /// Something happened after the read under way was asked for.
    pub(super) read_again: bool,
}

/// All watched containers.
#[derive(Debug)]
pub(super) struct Containers {
    services: BTreeMap<ContainerTarget, Service>,
    by_id: HashMap<String, Container>,
    /// Everything there is has been listed on this connection.
    listed: bool,
    /// The last event known of, by which to say whether the Engine is still the same.
    last_heard: Option<Mark>,
    /// Since when events reach the agent without a gap.
    watched_since: Timestamp,
    /// When sight was lost last, and from when to when the Engine was away.
    lost_at: Option<Timestamp>,
    away: Option<(Timestamp, Timestamp)>,
    /// Whether it is podman that is asked.
    podman: bool,
    outbox: Outbox,
}

impl Containers {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self {
            services: BTreeMap::new(),
            by_id: HashMap::new(),
            listed: false,
            last_heard: None,
            watched_since: sentinel_base::clock::wall(),
            lost_at: None,
            away: None,
            podman: false,
            outbox: Outbox::new(events),
        }
    }

    /// Makes this the set of services.
    pub(super) fn set(&mut self, watched: &[Watched]) {
        let mut before = std::mem::take(&mut self.services);
        for Watched {
            service,
            target,
            probed,
        } in watched
        {
            let kept = before
                .remove(target)
                .filter(|kept| kept.name == *service && kept.probed == *probed);
            let mut wanted = kept.unwrap_or_else(|| Service::new(service.clone(), *probed));
            wanted.members = self.ids_of(target);
            self.services.insert(target.clone(), wanted);
        }
        let services = &self.services;
        self.by_id
            .retain(|_, container| services.keys().any(|target| container.identity.is(target)));
    }

    fn ids_of(&self, target: &ContainerTarget) -> std::collections::BTreeSet<String> {
        self.by_id
            .iter()
            .filter(|(_, container)| container.identity.is(target))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// A connection is there: everything has to be looked at again, and events come from `since` on.
    ///
    /// An Engine that was started again remembers nothing. So when the last event heard is not among all that it remembers,
    /// it is another one. That the connection was lost proves nothing: the host may just be busy.
    pub(super) fn connected(&mut self, since: Timestamp, history: &History, podman: bool) {
        self.podman = podman;
        let lost = self.lost_at.take();
        if let (Some(lost), Some(last)) = (lost, &self.last_heard)
            && history.is_whole()
            && !history.marks.contains(last)
        {
            tracing::info!("The Docker daemon was restarted");
            self.away = Some((lost, since));
            self.last_heard = None;
        }
        self.watched_since = since;
        self.listed = false;
        for container in self.by_id.values_mut() {
            container.stale = true;
            container.reading = false;
            container.read_again = false;
            container.tracker.lost_action |= std::mem::take(&mut container.tracker.acting);
        }
        let known = self.last_heard.as_ref().map(|(at, _)| *at);
        for heard in history.heard.iter().filter(|heard| Some(heard.at) > known) {
            self.heard(heard);
        }
        self.last_heard = history.marks.last().cloned().or(self.last_heard.take());
    }

    /// Reports that no container can be seen any more, once.
    pub(super) fn lose_connection(&mut self, reason: &str) {
        self.listed = false;
        self.lost_at.get_or_insert_with(sentinel_base::clock::wall);
        for service in self.services.values_mut() {
            service.again = None;
            if !matches!(&service.reported, Some(reported) if matches!(reported.state, TargetState::Unknown(_))) {
                let unknown = service.unobservable(reason);
                service.reported = Some(unknown.clone());
                self.outbox.hand_over(&service.name, unknown);
            }
        }
    }

    /// While no container can be seen: what systemd shows of them all the same.
    pub(super) fn glimpse(&mut self, reason: &str, scopes: &CgroupScopes) {
        for (target, service) in &mut self.services {
            let only = service.members.iter().next().filter(|_| service.members.len() == 1);
            let id = match target {
                ContainerTarget::Named(id) if is_id(id) => Some(id.as_str()),
                _ => only.map(String::as_str),
            };
            let shown = scopes.of(id).map(|shown| format!("{reason}; {shown}"));
            let unknown = service.unobservable(shown.as_deref().unwrap_or(reason));
            if is_news(service.reported.as_ref(), &unknown) {
                service.reported = Some(unknown.clone());
                self.outbox.hand_over(&service.name, unknown);
            }
        }
    }

    /// Something happened to a container. Answers whether it has to be read.
    pub(super) fn heard(&mut self, heard: &Heard) -> bool {
        if self.last_heard.as_ref().is_none_or(|(at, _)| *at <= heard.at) {
            self.last_heard = Some((heard.at, heard.id.clone()));
        }
        let known = self.by_id.contains_key(&heard.id);
        if !known && !self.is_meant(&heard.identity) {
            return false;
        }
        if !known && (self.by_id.len() >= CONTAINERS_MAX || heard.happened == Happened::Destroy) {
            return false;
        }
        let container = self.by_id.entry(heard.id.clone()).or_default();
        container.tracker.happened(&heard.happened, heard.at);
        container.stale = true;
        if heard.happened == Happened::Destroy {
            self.gone(&heard.id);
            return false;
        }
        self.identify(&heard.id, &heard.identity);
        self.by_id.contains_key(&heard.id)
    }

    /// Everything there is, by id. Answers what has to be read.
    pub(super) fn list(&mut self, all: &[(String, Identity)]) -> Vec<String> {
        self.listed = true;
        let there: HashSet<&str> = all.iter().map(|(id, _)| id.as_str()).collect();
        let missing: Vec<String> = self
            .by_id
            .keys()
            .filter(|id| !there.contains(id.as_str()))
            .cloned()
            .collect();
        for id in missing {
            self.gone(&id);
        }
        let mut to_read = Vec::new();
        for (id, identity) in all {
            if !self.by_id.contains_key(id) {
                if !self.is_meant(identity) || self.by_id.len() >= CONTAINERS_MAX {
                    continue;
                }
                self.by_id.entry(id.clone()).or_default();
            }
            self.identify(id, identity);
            if let Some(container) = self.by_id.get_mut(id) {
                container.stale = true;
                to_read.push(id.clone());
            }
        }
        self.evaluate_all();
        to_read
    }

    /// The Engine was asked about a container, and answered.
    pub(super) fn read(&mut self, id: &str, seen: Option<Seen>) {
        let Some(seen) = seen else {
            self.gone(id);
            return;
        };
        if let Some(container) = self.by_id.get_mut(id) {
            container.tracker.read(seen.facts);
            container.stale = container.reading;
        }
        self.identify(id, &seen.identity);
        self.evaluate_of(id);
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Container> {
        self.by_id.get_mut(id)
    }

    /// The container of a service that is, or was, at this run; and whether the service was asked to be unhealthy.
    pub(super) fn find(&self, target: &ContainerTarget, expected: Option<&RunId>) -> Option<(String, bool)> {
        let service = self.services.get(target)?;
        let at = |id: &&String| {
            let container = self.by_id.get(id.as_str());
            container.is_some_and(|container| container.tracker.facts.run_id().as_ref() == expected)
        };
        let id = service.members.iter().find(at)?;
        let unhealthy =
            matches!(&service.reported, Some(reported) if matches!(reported.state, TargetState::Unhealthy(_)));
        Some((id.clone(), unhealthy))
    }

    /// The container that made this run, which may have been started again since, and which part of its log is of that run
    /// when it was seen to fail at `failed`.
    pub(super) fn part_of_log(&self, run: &RunId, failed: Timestamp) -> Option<(&Facts, (Timestamp, Timestamp))> {
        let (id, started) = run.as_str().split_once('@')?;
        let container = self
            .by_id
            .values()
            .find(|container| short(&container.tracker.facts.id) == id)?;
        let part = container.tracker.ends.part(started.parse().ok()?, failed);
        Some((&container.tracker.facts, part))
    }

    /// When some service has to be judged again although nothing happens.
    pub(super) fn next_look(&self) -> Option<Timestamp> {
        self.services.values().filter_map(|service| service.again).min()
    }

    /// Judges again those whose time has come.
    pub(super) fn look_again(&mut self) {
        let now = sentinel_base::clock::wall();
        let due: Vec<ContainerTarget> = self
            .services
            .iter()
            .filter(|(_, service)| service.again.is_some_and(|again| again <= now))
            .map(|(target, _)| target.clone())
            .collect();
        for target in due {
            self.evaluate(&target);
        }
    }

    pub(super) fn evaluate_all(&mut self) {
        let targets: Vec<ContainerTarget> = self.services.keys().cloned().collect();
        for target in targets {
            self.evaluate(&target);
        }
    }

    pub(super) fn evaluate_of(&mut self, id: &str) {
        for target in self.targets_of(id) {
            self.evaluate(&target);
        }
    }

    /// Waits until one observation that waits has been handed over.
    pub(super) async fn flush_one(&mut self) {
        self.outbox.flush_one().await;
    }

    fn is_meant(&self, identity: &Identity) -> bool {
        self.services.keys().any(|target| identity.is(target))
    }

    fn targets_of(&self, id: &str) -> Vec<ContainerTarget> {
        let having = self.services.iter().filter(|(_, service)| service.members.contains(id));
        having.map(|(target, _)| target.clone()).collect()
    }

    /// Takes note of whose container it is now. A new name makes it another's, or nobody's.
    fn identify(&mut self, id: &str, identity: &Identity) {
        let Some(container) = self.by_id.get_mut(id) else {
            return;
        };
        if container.identity == *identity {
            return;
        }
        container.identity = identity.clone();
        let mut left = Vec::new();
        let mut meant = false;
        for (target, service) in &mut self.services {
            if identity.is(target) {
                meant = true;
                service.members.insert(id.to_owned());
            } else if service.members.remove(id) {
                service.departed = Some(departure(&container.tracker));
                left.push(target.clone());
            }
        }
        if !meant {
            self.by_id.remove(id);
        }
        for target in left {
            self.evaluate(&target);
        }
    }

    fn gone(&mut self, id: &str) {
        let targets = self.targets_of(id);
        let Some(container) = self.by_id.remove(id) else {
            return;
        };
        for target in targets {
            if let Some(service) = self.services.get_mut(&target) {
                service.members.remove(id);
                service.departed = Some(departure(&container.tracker));
            }
            self.evaluate(&target);
        }
    }

    /// Judges one service and says if that is news.
    fn evaluate(&mut self, target: &ContainerTarget) {
        let Some(service) = self.services.get_mut(target) else {
            return;
        };
        service.again = None;
        if !self.listed {
            return;
        }
        let world = World {
            now: sentinel_base::clock::wall(),
            watched_since: self.watched_since,
            away: self.away,
            probed: service.probed,
            podman: self.podman,
        };
        let mut seen = Vec::new();
        for id in &service.members {
            let Some(container) = self.by_id.get_mut(id) else {
                continue;
            };
            if container.stale {
                return;
            }
            match classify(&mut container.tracker, world) {
                Verdict::Wait(again) => {
                    service.again = Some(again);
                    return;
                }
                Verdict::Seen(observation, again) => {
                    service.again = service.again.into_iter().chain(again).min();
                    seen.push(*observation);
                }
            }
        }
        let observation = worst(seen).unwrap_or_else(|| service.absent());
        if is_news(service.reported.as_ref(), &observation) {
            tracing::debug!(container = %target, state = ?observation.state, "A container was observed");
            service.reported = Some(observation.clone());
            self.outbox.hand_over(&service.name, observation);
        }
    }
}

/// An age is new every time, and says nothing that the run does not.
fn is_news(reported: Option<&Observation>, seen: &Observation) -> bool {
    reported.is_none_or(|reported| {
        // A signal that was sent less long ago is another one.
        let asked = match (reported.asked_to_stop, seen.asked_to_stop) {
            (Some(reported), Some(seen)) => seen.ago < reported.ago,
            (reported, seen) => reported.is_some() != seen.is_some(),
        };
        asked || (&reported.state, &reported.run, reported.supervisor) != (&seen.state, &seen.run, seen.supervisor)
    })
}
