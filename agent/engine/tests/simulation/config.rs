//! Other configurations while the agent runs, or while it does not: services come, go, change and are renamed.

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_engine::{
    ActionResult, Cause, Changed, Event, OperatorRequest, Reload, Service, ServiceName, Time, Window,
};

use sentinel_simulation::ended;

use super::host::{ScheduledEvent, Sim};
use super::setup::{self, NAMES};
use super::tape::Entry;
use super::target::{self, Lie, Target};

/// What a renamed service is called; renamed once more it has its old name.
const RENAMED: &str = "-2";

impl Sim {
    /// The configuration becomes another, in one way or several.
    pub fn reconfigure(&mut self) {
        let before = self.services.clone();
        let mut changed = BTreeMap::new();
        for _ in 0..self.rng.pick(&[1, 1, 2]) {
            self.change_something(&mut changed);
        }
        self.take_on(&before, &changed);
    }

    /// Whoever was removed is back.
    pub fn all_return(&mut self) {
        let before = self.services.clone();
        let absent = std::mem::take(&mut self.absent);
        self.services.extend(absent);
        self.take_on(&before, &BTreeMap::new());
    }

    fn change_something(&mut self, changed: &mut BTreeMap<ServiceName, Changed>) {
        let kind = self.rng.below(12);
        let chosen = self.rng.below(6);
        let Some(index) = usize::try_from(chosen)
            .ok()
            .filter(|index| *index < self.services.len())
        else {
            return self.a_service_returns();
        };
        let name = self.services[index].name.clone();
        match kind {
            0 | 1 => self.services[index].policy = setup::policy(&mut self.rng, self.weather.pace),
            2 => {
                self.services[index].policy.interval = Duration::from_secs(7) * self.weather.pace;
                changed.entry(name).or_default().probes = true;
            }
            3 => {
                if self.services[index].has_target {
                    changed.entry(name.clone()).or_default().target = true;
                    self.replace_target(&name);
                }
            }
            4 | 5 => {
                let gone = self.services.remove(index);
                self.absent.push(gone);
            }
            // A pattern that finds nothing.
            6 => self.absent.append(&mut self.services),
            7 | 8 => self.a_service_returns(),
            9 => self.rename(index),
            10 => self.policy = setup::host_policy(&mut self.rng),
            _ => {
                let earlier = self.services.iter().filter(|other| rank(&other.name) < rank(&name));
                let earlier: Vec<_> = earlier.map(|other| other.name.clone()).collect();
                let upon = self.rng.below(2);
                self.services[index].after = earlier.into_iter().take(usize::try_from(upon).unwrap_or(0)).collect();
            }
        }
    }

    fn a_service_returns(&mut self) {
        if !self.absent.is_empty() {
            let back = self.absent.remove(0);
            self.services.push(back);
        }
    }

    /// What is removed under one name and added under another is another service: so it is for the agent.
    fn rename(&mut self, index: usize) {
        let from = self.services[index].name.clone();
        let to: ServiceName = match from.as_str().strip_suffix(RENAMED) {
            Some(name) => name.into(),
            None => format!("{from}{RENAMED}").as_str().into(),
        };
        for service in self.services.iter_mut().chain(&mut self.absent) {
            for name in service.after.iter_mut().filter(|name| **name == from) {
                name.clone_from(&to);
            }
        }
        self.services[index].name.clone_from(&to);
        if let Some(target) = self.targets.remove(&from) {
            self.targets.insert(to.clone(), target);
        }
        self.rename_future(&from, &to);
        self.windows.remove(&from);
    }

    /// Another unit under the same name. The job of the old one goes on.
    fn replace_target(&mut self, name: &ServiceName) {
        let after = self.rng.millis(0, 20_000);
        let (down, hangs) = (self.rng.permille(300), self.rng.permille(200));
        let wrong_question = self.rng.permille(target::WRONG_QUESTIONS);
        let now = self.now;
        let old = self.target(name);
        let mut new = Target::new(format!("{}'", old.unit.id), now);
        new.wrong_question = wrong_question;
        new.epoch = old.epoch + 1;
        new.witnessed = false;
        new.supervised = old.supervised;
        new.unit.shows_age = old.unit.shows_age;
        if down {
            new.unit.state = ended(Cause::Exited { code: 1 });
        }
        new.answers_from = new.answers_from.filter(|_| !down && !hangs);
        let job = std::mem::replace(old, new).job;
        if let Some(job) = job
            && !self.abandoned.contains(&job.action.0)
            && job.lie != Some(Lie::Silence)
        {
            let event = Event::ActionFinished {
                action: job.action,
                service: job.service,
                result: ActionResult::Done,
            };
            self.later(after, ScheduledEvent::Deliver(job.life, event));
        }
    }

    /// The agent goes on with what is configured now. One that does not run finds it when it starts.
    fn take_on(&mut self, before: &[Service], changed: &BTreeMap<ServiceName, Changed>) {
        // Names of what is not there are refused before the engine hears of them.
        let names: Vec<_> = self.services.iter().map(|service| service.name.clone()).collect();
        for service in &mut self.services {
            service.after.retain(|name| names.contains(name));
        }
        if self.agent.is_none() {
            return;
        }
        let mut reload = self.difference(before, changed);
        let changed = reload
            .changed
            .iter()
            .map(|(service, changed)| (service.name.clone(), *changed));
        let changed: BTreeMap<_, _> = changed.collect();
        self.turn();
        if self.agent.is_none() {
            return;
        }
        self.show();
        self.tape.push(
            self.now,
            Entry::Reloaded(self.policy.clone(), self.services.clone(), changed.clone()),
        );
        let added: Vec<_> = reload.added.iter().map(|(service, _)| service.name.clone()).collect();
        reload.host = Some(self.policy.clone());
        let now = self.now;
        if let Some(agent) = &mut self.agent {
            agent.engine.reload(now, reload);
        }
        self.poll();
        for name in &added {
            if self.windows.contains(name) {
                self.open_window(name, true);
            }
        }
        self.show();
        self.carry_out();
        self.turn();
        let retargeted = changed
            .iter()
            .filter(|(_, changed)| changed.target)
            .map(|(name, _)| name);
        for name in added.iter().chain(retargeted) {
            self.look(name);
        }
    }

    fn difference(&self, before: &[Service], changed: &BTreeMap<ServiceName, Changed>) -> Reload {
        let named = |services: &[Service], name: &ServiceName| services.iter().any(|service| service.name == *name);
        let mut reload = Reload::default();
        for service in before {
            if !named(&self.services, &service.name) {
                reload.removed.push(service.name.clone());
            }
        }
        for service in &self.services {
            let what = changed.get(&service.name).copied().unwrap_or_default();
            if !named(before, &service.name) {
                reload.added.push((service.clone(), self.unknown.clone()));
            } else if what != Changed::default() || !before.contains(service) {
                reload.changed.push((service.clone(), what));
            }
        }
        reload
    }

    /// The calendar opens or ends a window.
    pub fn set_window(&mut self, name: &ServiceName, open: bool) {
        let differs = if open {
            self.windows.insert(name.clone())
        } else {
            self.windows.remove(name)
        };
        if differs && self.agent.is_some() {
            self.open_window(name, open);
            self.turn();
        }
    }

    pub fn open_window(&mut self, name: &ServiceName, open: bool) {
        let window = open.then(|| Window {
            reason: "a night of the calendar".to_owned(),
            until: self.wall,
        });
        let service = name.clone();
        self.deliver_to_engine(Event::MaintenanceChanged { service, window });
    }

    /// Somebody sets the wall clock: the calendar says again when the windows end, and that is all that changes.
    pub fn wall_jumps(&mut self) {
        let ago = self.wall.since(Time::ZERO);
        self.wall = if self.wall > self.now {
            self.now.back(ago / 3)
        } else {
            self.now + ago
        };
        for name in self.windows.clone() {
            if self.agent.is_some() {
                self.open_window(&name, true);
            }
        }
        self.turn();
    }

    /// A deploy begins. Its end is reported, or whoever deploys dies first.
    pub fn deploy(&mut self, name: &ServiceName) {
        self.deploys += 1;
        let id = self.deploys;
        let duration = self.rng.millis(1_000, 900_000);
        let takes = self.rng.millis(500, 1_200_000);
        self.ask(name, OperatorRequest::BeginDeploy { id, duration });
        self.later(takes, ScheduledEvent::DeployEnds(name.clone(), id));
    }
}

/// Where a name comes in the order in which services depend on each other.
fn rank(name: &ServiceName) -> Option<usize> {
    let name = name.as_str().trim_end_matches(RENAMED);
    NAMES.iter().position(|known| *known == name)
}
