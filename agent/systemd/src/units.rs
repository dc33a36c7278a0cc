//! The watched units and what is known of them; [`reporting`] judges them and says what is news. Outlives connections.

mod reporting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sentinel_engine::{Event, Observation, ServiceName, Trigger};
use tokio::sync::mpsc;

use super::facts::{ActiveState, Facts, JobId, Properties};
use super::names::unit_path;
use super::neighbours::Neighbours;
use super::outbox::Outbox;
use super::peers::Collecting;
use super::started::Jobs;
use super::tracker::Tracker;
use super::triggers::{self, TRIGGERS_MAX};
use super::watcher::Watched;

/// Own jobs remembered. Each is needed until the news of its end, and a few are in flight at most.
const OWN_JOBS_KEPT: usize = 64;

/// One watched unit.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// Who is notified of it. Nobody, when it is only watched as it triggers another.
    pub(super) services: Vec<ServiceName>,
    /// The path of its configured name.
    pub(super) path: String,
    /// The path of its canonical name, when that is another one.
    pub(super) canonical_path: Option<String>,
    pub(super) tracker: Tracker,
    /// What is known may be out of date: nothing is concluded until it has been read.
    pub(super) stale: bool,
    /// A read is queued or under way.
    pub(super) reading: bool,
    /// Something happened after the read under way was asked for.
    pub(super) read_again: bool,
    /// The units that may have taken it down are being asked.
    pub(super) collecting: Option<Collecting>,
    /// The journal is being asked, about this generation of the tracker.
    pub(super) journal_asked: Option<u64>,
    /// What was reported last.
    reported: Option<Observation>,
}

impl Unit {
    /// With what it went down, or for want of what it was not started.
    fn fell_with(&self) -> Option<&str> {
        let concluded = self.tracker.concluded.as_ref()?;
        concluded.fell_with.as_ref().map(|other| other.name.as_str())
    }
}

/// What has to be done before a unit can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Todo {
    /// Nothing: it was judged, or cannot be now.
    Nothing,
    /// Read it, to see whether it stays as it is.
    Read,
    /// Ask the units around it.
    AskPeers,
    /// Ask the journal.
    AskJournal,
}

/// All watched units.
pub(super) struct Units {
    pub(super) by_name: BTreeMap<String, Unit>,
    neighbours: Neighbours,
    own_jobs: VecDeque<JobId>,
    jobs: Jobs,
    /// Units to be judged again, as what triggers them has changed.
    touched: BTreeSet<String>,
    pub(super) host_stopping: bool,
    outbox: Outbox,
}

impl Units {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self {
            by_name: BTreeMap::new(),
            neighbours: Neighbours::default(),
            own_jobs: VecDeque::new(),
            jobs: Jobs::new(),
            touched: BTreeSet::new(),
            host_stopping: false,
            outbox: Outbox::new(events),
        }
    }

    /// Makes this the set. Answers the names that are new, and the paths of those that went.
    pub(super) fn set(&mut self, watched: &[Watched]) -> (Vec<String>, Vec<String>) {
        let mut wanted: BTreeMap<&str, Vec<ServiceName>> = BTreeMap::new();
        for Watched { service, unit } in watched {
            wanted.entry(unit).or_default().push(service.clone());
        }
        let mut gone = Vec::new();
        let is_wanted = |name: &String| wanted.contains_key(name.as_str());
        let stay = self.by_name.iter().filter(|(name, _)| is_wanted(name));
        let triggers: BTreeSet<String> = stay
            .flat_map(|(_, unit)| unit.tracker.facts.triggered_by.clone())
            .collect();
        self.by_name.retain(|name, unit| {
            let stays = is_wanted(name) || triggers.contains(name);
            if !is_wanted(name) {
                unit.services.clear();
            }
            if !stays {
                gone.push(unit.path.clone());
                gone.extend(unit.canonical_path.clone());
            }
            stays
        });
        let mut new = Vec::new();
        for (name, services) in wanted {
            let unit = self.by_name.entry(name.to_owned()).or_insert_with(|| {
                new.push(name.to_owned());
                Unit {
                    path: unit_path(name),
                    stale: true,
                    ..Unit::default()
                }
            });
            if unit.services != services {
                unit.services = services;
                // Whoever is new has to be informed what the others know.
                unit.reported = None;
            }
        }
        (new, gone)
    }

    /// The units whose changes come from this path. More than one when the configuration uses aliases.
    pub(super) fn at_path(&self, path: &str) -> Vec<String> {
        self.by_name
            .iter()
            .filter(|(_, unit)| unit.path == path || unit.canonical_path.as_deref() == Some(path))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The units with this canonical name.
    pub(super) fn with_id(&self, id: &str) -> Vec<String> {
        self.by_name
            .iter()
            .filter(|(_, unit)| unit.tracker.facts.id == id)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The paths of everything whose changes matter.
    pub(super) fn paths(&self) -> Vec<String> {
        let watched = self
            .by_name
            .values()
            .flat_map(|unit| [Some(&unit.path), unit.canonical_path.as_ref()])
            .flatten();
        let mut paths: Vec<String> = watched.chain(self.neighbours.paths()).cloned().collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Keeps an eye on the units to which this one is bound. Answers the paths that are new.
    pub(super) fn meet_neighbours(&mut self, name: &str) -> Vec<String> {
        let bound_to = self.by_name.get(name).map(|unit| &unit.tracker.facts.bound_to);
        bound_to.map_or_else(Vec::new, |names| self.neighbours.meet(names))
    }

    /// Watches what triggers this unit too. Answers the names that are new.
    pub(super) fn meet_triggers(&mut self, name: &str) -> Vec<String> {
        let of_services = self.by_name.get(name).filter(|unit| !unit.services.is_empty());
        let named = of_services.map_or_else(Vec::new, |unit| unit.tracker.facts.triggered_by.clone());
        let mut triggers = self.by_name.values().filter(|unit| unit.services.is_empty()).count();
        let mut new = Vec::new();
        for trigger in named {
            if triggers < TRIGGERS_MAX && !self.by_name.contains_key(&trigger) {
                triggers += 1;
                let unit = Unit {
                    path: unit_path(&trigger),
                    stale: true,
                    ..Unit::default()
                };
                self.by_name.insert(trigger.clone(), unit);
                new.push(trigger);
            }
        }
        new
    }

    /// A job of a trigger ended that is not watched: it may have begun to trigger a unit that is. Answers which that would be.
    pub(super) fn may_trigger(&self, trigger: &str) -> Option<String> {
        let (stem, kind) = trigger.rsplit_once('.')?;
        let unit = format!("{stem}.service");
        let is_trigger = matches!(kind, "socket" | "path" | "timer") && !self.by_name.contains_key(trigger);
        (is_trigger && self.by_name.contains_key(&unit)).then_some(unit)
    }

    /// The next unit that is to be judged again.
    pub(super) fn take_touched(&mut self) -> Option<String> {
        self.touched.pop_first()
    }

    /// What triggers this unit and does not wait for that now.
    fn triggers_of(&self, facts: &Facts) -> Vec<Trigger> {
        let state = |name: &String| match self.by_name.get(name) {
            Some(unit) => triggers::state_of(&unit.tracker, unit.reported.as_ref(), &facts.id),
            None => None,
        };
        let of = |name: &String| {
            let name = name.clone();
            state(&name).map(|state| Trigger { name, state })
        };
        facts.triggered_by.iter().filter_map(of).collect()
    }

    /// A unit changed that may be a neighbour. Answers those that fell with it, where that may make a difference.
    pub(super) fn neighbour_changed(&mut self, path: &str, properties: &Properties<'_>) -> Vec<String> {
        if self.neighbours.changed(path, properties) {
            self.fallen_with(path)
        } else {
            Vec::new()
        }
    }

    /// A unit was asked for, or listed, that may be a neighbour. Answers those that fell with it.
    pub(super) fn neighbour_is(&mut self, name: &str, state: ActiveState) -> Vec<String> {
        let fallen = self.fallen_with(&unit_path(name));
        self.neighbours.state_is(name, state, !fallen.is_empty());
        fallen
    }

    /// The watched units that fell with the one at this path.
    fn fallen_with(&self, path: &str) -> Vec<String> {
        let with = |unit: &Unit| unit.fell_with().is_some_and(|name| unit_path(name) == path);
        let fallen = self.by_name.iter().filter(|(_, unit)| with(unit));
        fallen.map(|(name, _)| name.clone()).collect()
    }

    /// What a poll asks for: every watched unit, and what one of them fell with.
    pub(super) fn polled(&self) -> Vec<&str> {
        let others = self.by_name.values().filter_map(Unit::fell_with);
        self.by_name.keys().map(String::as_str).chain(others).collect()
    }

    /// What was seen of a neighbour.
    pub(super) fn neighbour(&self, name: &str) -> Option<Facts> {
        self.neighbours.seen(name).cloned()
    }

    /// PID 1 made a job, for whatever unit.
    pub(super) fn job_made(&mut self, id: JobId, unit: &str, now: u64) {
        self.jobs.made(id, unit, now);
    }

    /// A job ended, of whatever unit.
    pub(super) fn job_ended(&mut self, id: JobId, result: &str, now: u64) {
        self.jobs.ended(id, result, now);
    }

    pub(super) fn is_own(&self, job: JobId) -> bool {
        self.own_jobs.contains(&job)
    }

    /// A job turned out to be the agent's.
    pub(super) fn own(&mut self, id: JobId) {
        if self.own_jobs.len() == OWN_JOBS_KEPT {
            self.own_jobs.pop_front();
        }
        self.own_jobs.push_back(id);
    }
}

#[cfg(test)]
mod tests {
    use sentinel_engine::{Cause, Intent, Supervisor};

    use super::super::fallen::Fallen;
    use super::super::tracker::Conclusion;
    use super::*;

    fn watched(pairs: &[(&str, &str)]) -> Vec<Watched> {
        pairs
            .iter()
            .map(|(service, unit)| Watched {
                service: ServiceName::from(*service),
                unit: (*unit).to_owned(),
            })
            .collect()
    }

    fn services(events: &mut mpsc::Receiver<Event>) -> Vec<String> {
        std::iter::from_fn(|| events.try_recv().ok())
            .map(|event| match event {
                Event::TargetObserved { service, observation } => format!("{service} {:?}", observation.state),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_new_set_keeps_what_is_known_of_those_that_stay() {
        let (sender, _events) = mpsc::channel(8);
        let mut units = Units::new(sender);
        assert_eq!(
            units.set(&watched(&[("a", "a.service"), ("b", "b.service")])).0.len(),
            2
        );
        if let Some(unit) = units.by_name.get_mut("a.service") {
            unit.stale = false;
        }
        let (new, gone) = units.set(&watched(&[("a", "a.service"), ("a2", "a.service"), ("c", "c.service")]));
        assert_eq!(new, ["c.service"]);
        assert_eq!(gone, [unit_path("b.service")]);
        assert!(!units.by_name["a.service"].stale);
        assert_eq!(units.by_name["a.service"].services.len(), 2);
    }

    #[test]
    fn lost_connection_is_reported_once_to_every_service() {
        let (sender, mut events) = mpsc::channel(8);
        let mut units = Units::new(sender);
        units.set(&watched(&[("a", "x.service"), ("b", "x.service")]));
        units.lose_connection("no bus");
        units.lose_connection("still no bus");
        assert_eq!(
            services(&mut events),
            ["a Unknown(\"no bus\")", "b Unknown(\"no bus\")"]
        );
    }

    #[test]
    fn who_fell_with_a_neighbour_is_judged_again_when_that_one_changes() {
        let (sender, mut events) = mpsc::channel(8);
        let mut units = Units::new(sender);
        units.set(&watched(&[("app", "app.service"), ("mail", "mail.service")]));
        let app = units.by_name.get_mut("app.service").expect("it is watched");
        app.stale = false;
        app.tracker.facts.bound_to = vec!["db.service".into()];
        app.tracker.concluded = Some(Conclusion {
            intent: Intent::DependencyStop,
            cause: Cause::Unknown,
            supervisor: Supervisor::Passive,
            fell_with: Some(Fallen {
                name: "db.service".into(),
                failed: true,
            }),
        });
        let path = unit_path("db.service");
        assert_eq!(units.meet_neighbours("app.service"), [path.as_str()]);
        assert_eq!(units.polled(), ["app.service", "mail.service", "db.service"]);
        let state = |word: &'static str| Properties::from([("ActiveState", zbus::Variant::from(word))]);
        let is_back = |units: &mut Units, events: &mut mpsc::Receiver<Event>| {
            units.evaluate("app.service", 0, false);
            match events.try_recv() {
                Ok(Event::TargetObserved { observation, .. }) => observation.details.fell_with.map(|db| db.is_back),
                _ => None,
            }
        };
        assert_eq!(is_back(&mut units, &mut events), Some(false));
        let none: [&str; 0] = [];
        assert_eq!(units.neighbour_changed(&path, &state("activating")), none);
        assert_eq!(units.neighbour_changed(&path, &state("active")), ["app.service"]);
        assert_eq!(is_back(&mut units, &mut events), Some(true));
        assert_eq!(units.neighbour_changed(&path, &state("reloading")), none);
        assert_eq!(units.neighbour_changed(&path, &state("failed")), ["app.service"]);
        assert_eq!(is_back(&mut units, &mut events), Some(false));
        // Where no signal came, a poll tells.
        units.neighbours = Neighbours::default();
        assert_eq!(units.neighbour_is("mail.service", ActiveState::Active), none);
        assert_eq!(units.neighbour_is("db.service", ActiveState::Active), ["app.service"]);
        assert_eq!(is_back(&mut units, &mut events), Some(true));
        assert_eq!(is_back(&mut units, &mut events), None, "that is no news");
    }
}
