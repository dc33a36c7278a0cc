//! The watched units, what is known of them, and what has been told. Outlives connections.

use std::collections::{BTreeMap, VecDeque};

use sentinel_engine::{Event, Observation, ServiceName, Supervisor, TargetState};
use tokio::sync::mpsc;

use super::classify::{Verdict, World, classify};
use super::facts::JobId;
use super::names::unit_path;
use super::peers::Gathering;
use super::tracker::Tracker;
use super::watcher::Watched;

/// Own jobs remembered. Each is needed until the news of its end, and a few are in flight at most.
const OWN_JOBS_KEPT: usize = 64;

/// One watched unit.
#[derive(Debug, Default)]
pub(super) struct Unit {
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
    pub(super) gathering: Option<Gathering>,
    /// The journal is being asked, about this generation of the tracker.
    pub(super) journal_asked: Option<u64>,
    /// What was told last.
    told: Option<Observation>,
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
    own_jobs: VecDeque<JobId>,
    pub(super) host_stopping: bool,
    /// What could not be handed over yet, at most one observation of each service.
    outbox: VecDeque<Event>,
    events: mpsc::Sender<Event>,
}

impl Units {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self {
            by_name: BTreeMap::new(),
            own_jobs: VecDeque::new(),
            host_stopping: false,
            outbox: VecDeque::new(),
            events,
        }
    }

    /// Makes this the set. Answers the names that are new, and the paths of those that went.
    pub(super) fn set(&mut self, watched: &[Watched]) -> (Vec<String>, Vec<String>) {
        let mut wanted: BTreeMap<&str, Vec<ServiceName>> = BTreeMap::new();
        for Watched { service, unit } in watched {
            wanted.entry(unit).or_default().push(service.clone());
        }
        let mut gone = Vec::new();
        self.by_name.retain(|name, unit| {
            let stays = wanted.contains_key(name.as_str());
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
                // Whoever is new has to be told what the others know.
                unit.told = None;
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

    /// Judges one unit and tells if that is news. Answers what is missing to judge it.
    pub(super) fn evaluate(&mut self, name: &str, now: u64, job_asked: bool) -> Todo {
        let Some(unit) = self.by_name.get_mut(name) else {
            return Todo::Nothing;
        };
        if unit.stale {
            return Todo::Nothing;
        }
        let job = unit.tracker.facts.job;
        let world = World {
            now,
            host_stopping: self.host_stopping,
            own_job: job != 0 && (job_asked || self.own_jobs.contains(&job)),
        };
        match classify(&mut unit.tracker, world) {
            Verdict::AskPeers => Todo::AskPeers,
            Verdict::AskJournal => Todo::AskJournal,
            Verdict::Seen(observation) => {
                let transient = matches!(observation.state, TargetState::Down { .. })
                    && observation.supervisor == Supervisor::Active
                    && !unit.tracker.at_rest;
                self.tell(name, *observation);
                if transient { Todo::Read } else { Todo::Nothing }
            }
        }
    }

    /// Tells that no unit can be seen any more, once.
    pub(super) fn lose_sight(&mut self, reason: &str) {
        let names: Vec<String> = self.by_name.keys().cloned().collect();
        for name in names {
            let Some(unit) = self.by_name.get_mut(&name) else {
                continue;
            };
            unit.stale = true;
            unit.reading = false;
            unit.read_again = false;
            unit.gathering = None;
            unit.journal_asked = None;
            if matches!(&unit.told, Some(told) if matches!(told.state, TargetState::Unknown(_))) {
                continue;
            }
            let unknown = Observation {
                state: TargetState::Unknown(reason.to_owned()),
                instance: unit.tracker.instance.clone(),
                age: None,
                supervisor: Supervisor::Passive,
            };
            self.tell(&name, unknown);
        }
    }

    pub(super) fn host_stopping(&mut self, going_down: bool) {
        if self.host_stopping != going_down {
            self.host_stopping = going_down;
            self.hand_over(Event::HostShutdownChanged { going_down });
        }
    }

    fn tell(&mut self, name: &str, observation: Observation) {
        let Some(unit) = self.by_name.get_mut(name) else {
            return;
        };
        // An age is new every time, and tells nothing that the instance does not.
        let news = unit.told.as_ref().is_none_or(|told| {
            (&told.state, &told.instance, told.supervisor)
                != (&observation.state, &observation.instance, observation.supervisor)
        });
        if !news {
            return;
        }
        tracing::debug!(unit = name, state = ?observation.state, "A unit was observed");
        unit.told = Some(observation.clone());
        for service in unit.services.clone() {
            self.hand_over(Event::TargetObserved {
                service,
                observation: observation.clone(),
            });
        }
    }

    /// Hands an event over, at once if that is possible. An observation replaces one of the same service that still waits.
    fn hand_over(&mut self, event: Event) {
        let event = if self.outbox.is_empty() {
            match self.events.try_send(event) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => return,
                Err(mpsc::error::TrySendError::Full(event)) => event,
            }
        } else {
            event
        };
        self.outbox.retain(|waiting| !replaces(&event, waiting));
        self.outbox.push_back(event);
    }

    /// Waits until one event that waits has been handed over. Never ends when none waits or nobody takes them.
    pub(super) async fn flush_one(&mut self) {
        if self.outbox.is_empty() {
            return std::future::pending().await;
        }
        match self.events.reserve().await {
            Ok(permit) => {
                if let Some(event) = self.outbox.pop_front() {
                    permit.send(event);
                }
            }
            Err(_closed) => self.outbox.clear(),
        }
    }
}

fn replaces(event: &Event, waiting: &Event) -> bool {
    match (event, waiting) {
        (Event::TargetObserved { service: new, .. }, Event::TargetObserved { service: old, .. }) => new == old,
        (Event::HostShutdownChanged { .. }, Event::HostShutdownChanged { .. }) => true,
        _ => false,
    }
}
