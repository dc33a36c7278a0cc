//! What the agent was told and what it did, counted here by rules of their own: nothing is asked of the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sentinel_engine::{
    Action, ActionId, Activity, Command, Event, HostPolicy, Intent, Service, ServiceName, TargetState, Time,
};

use super::known::{Known, Spent};
use super::tape::Entry;

/// An adapter that has not answered for so long is not waited for.
pub const ANSWER_MAX: Duration = Duration::from_secs(300);
/// What was called off is not tried again before this.
pub const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Everything known.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub host: HostPolicy,
    pub services: BTreeMap<ServiceName, Known>,
    pub going_down: bool,
    pub store_writable: bool,
    pub agent_up: bool,
    /// Intents on disk.
    pub intents: BTreeSet<ActionId>,
    undecided_intents: BTreeSet<ActionId>,
    pub acted: BTreeSet<ActionId>,
    /// Wake-ups lately, for the bound on them.
    pub woken: Vec<Time>,
}

impl Ledger {
    pub fn new(host: HostPolicy, services: &[Service]) -> Self {
        let known = |service: &Service| (service.name.clone(), Known::new(service.clone()));
        Self {
            host,
            services: services.iter().map(known).collect(),
            going_down: false,
            store_writable: true,
            agent_up: false,
            intents: BTreeSet::new(),
            undecided_intents: BTreeSet::new(),
            acted: BTreeSet::new(),
            woken: Vec::new(),
        }
    }

    /// Actions on their way.
    pub fn in_flight(&self) -> usize {
        self.services.values().filter(|known| known.flight.is_some()).count()
    }

    /// The first dependency of `known` that is down, as far as was told.
    pub fn dependency_down(&self, known: &Known) -> Option<&Known> {
        let dependencies = known.service.after.iter().filter_map(|name| self.services.get(name));
        dependencies.into_iter().find(|dependency| {
            let absent = match dependency.seen() {
                Some(TargetState::Down { .. } | TargetState::Unusable(_)) => true,
                Some(TargetState::Busy(activity)) => *activity != Activity::Reloading,
                Some(TargetState::Running | TargetState::Unknown(_)) => false,
                None => dependency.service.has_target,
            };
            absent || dependency.keep.incident.is_some()
        })
    }

    /// Takes in what passed.
    pub fn apply(&mut self, now: Time, entry: &Entry) {
        self.pass_time(now);
        match entry {
            Entry::AgentStarted => self.agent_up = true,
            Entry::AgentDied => self.agent_died(now),
            Entry::Told(event) => self.told(now, event),
            Entry::Decided(command) => self.decided(now, command),
            Entry::Recorded => {
                self.intents.append(&mut self.undecided_intents);
                self.keep_all();
            }
            Entry::Acted(action) => self.acted(action),
            Entry::Settled { durable } => {
                self.judge(now);
                // What was not worth a record does not count as lost either.
                if *durable {
                    self.keep_all();
                }
            }
            Entry::Woken => {
                self.woken.retain(|at| now.since(*at) < Duration::from_secs(10));
                self.woken.push(now);
            }
            Entry::Shown(_) => {}
        }
    }

    fn keep_all(&mut self) {
        for known in self.services.values_mut() {
            known.kept = known.keep.clone();
        }
    }

    fn pass_time(&mut self, now: Time) {
        for known in self.services.values_mut() {
            if known.flight.is_some_and(|(_, since)| now.since(since) >= ANSWER_MAX) {
                known.flight = None;
            }
            if known.keep.pause.is_some() && !known.paused(now) {
                known.keep.pause = None;
            }
            let unwell = known.fell || known.down().is_some();
            let policy = &known.service.policy;
            if unwell || !self.agent_up {
                known.bad_at = now;
            } else if known.well() && now.since(known.bad_at) >= policy.reset_after {
                known.keep.attempts.clear();
                known.keep.gave_up = false;
                // Good minutes may be counted from the end of a verification only.
                let late = policy.reset_after + ANSWER_MAX + policy.verify + policy.min_uptime;
                if now.since(known.bad_at) >= late {
                    known.keep.resigned = false;
                }
            }
        }
    }

    fn agent_died(&mut self, now: Time) {
        self.agent_up = false;
        self.going_down = false;
        self.store_writable = true;
        self.undecided_intents.clear();
        self.woken.clear();
        for known in self.services.values_mut() {
            let fresh = Known::new(known.service.clone());
            let kept = std::mem::take(&mut known.kept);
            *known = Known {
                keep: kept.clone(),
                kept,
                bad_at: now,
                run_began: now,
                ..fresh
            };
        }
    }

    fn told(&mut self, now: Time, event: &Event) {
        match event {
            Event::HostShutdownChanged { going_down } => self.going_down = *going_down,
            // Neither happens in the simulation.
            Event::HostResumed | Event::MaintenanceChanged { .. } => {}
            Event::StoreChanged { writable } => self.store_writable = *writable,
            Event::TargetObserved { service, observation } => self.known(service).observed(now, observation),
            Event::ProbeCompleted {
                service,
                round,
                outcome,
            } => self.known(service).probed(now, *round, &outcome.verdict),
            Event::ActionFinished {
                action,
                service,
                result,
            } => self.known(service).answered(now, *action, result),
            Event::OperatorRequested { service, request } => self.known(service).requested(now, request),
        }
    }

    fn decided(&mut self, now: Time, command: &Command) {
        match command {
            Command::RunProbes { service, round } => self.known(service).asked = Some(*round),
            Command::RestartTarget(action) => {
                let known = self.known(&action.service);
                known.flight = Some((action.id, now));
                known.replaced.clone_from(&action.expected);
                // What was asked before the restart is no answer about what comes of it.
                known.asked = None;
                known.due_since = None;
                if action.attempt > 0 {
                    known.keep.ever.push((now, action.id));
                    known.keep.attempts.push(Spent {
                        at: now,
                        action: action.id,
                        incident: action.incident,
                        ordinal: action.attempt,
                    });
                }
            }
            Command::SaveHost(_) => {}
            Command::Save { memory, .. } => {
                self.undecided_intents
                    .extend(memory.attempt.as_ref().map(|attempt| attempt.action));
            }
            Command::Report(report) => {
                self.known(&report.service).reported(report);
            }
            Command::Notify(message) => self.known(&message.service).notified(message),
        }
    }

    fn acted(&mut self, action: &Action) {
        self.acted.insert(action.id);
    }

    /// Notes since when something that must happen has been due.
    fn judge(&mut self, now: Time) {
        let names: Vec<_> = self.services.keys().cloned().collect();
        for name in names {
            let known = &self.services[&name];
            let free = self.agent_up && !self.going_down && self.store_writable;
            let due = free && known.should_be_acted_on(now) && self.dependency_down(known).is_none();
            let untold = self.agent_up
                && !self.going_down
                && !known.paused(now)
                && known.down() != Some(Intent::Shutdown)
                && known.keep.incident.as_ref().is_some_and(|open| !open.fired);
            let fine = self.agent_up
                && !self.going_down
                && known.flight.is_none()
                && known.well()
                && known.fails == 0
                && (known.passes >= known.service.policy.rise || !known.service.has_probes)
                && known.keep.incident.is_some();
            let known = self.known(&name);
            let since = |before: Option<Time>, holds: bool| holds.then(|| before.unwrap_or(now));
            known.due_since = since(known.due_since, due);
            known.untold_since = since(known.untold_since, untold);
            known.fine_since = since(known.fine_since, fine);
        }
    }

    fn known(&mut self, name: &ServiceName) -> &mut Known {
        self.services.get_mut(name).expect("the service is known")
    }
}
