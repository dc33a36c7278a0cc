//! What was reported to the agent and what it did, counted here by rules of their own: nothing is asked of the engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use sentinel_engine::{
    Action, ActionId, ActionResult, Activity, Cause, Command, Event, HOST, HostPolicy, Intent, Labels, Policy,
    ReportKind, Service, ServiceName, ServiceSnapshot, TargetState, Time,
};

use super::heard::Audience;
use super::kept::{Left, Spent};
use super::known::Known;
use super::shared::Shared;
use super::tape::Entry;

/// An adapter that has not answered for so long is not waited for.
pub const ANSWER_MAX: Duration = Duration::from_secs(300);
/// What a stop may take beyond its limit before the others no longer wait for it.
pub const STOP_SPARE: Duration = Duration::from_secs(10);
/// A refusal that is an answer is asked again after this.
pub const ANSWERED_AGAIN: Duration = Duration::from_secs(600);
/// One that passes is asked again after this at first, and after this at most.
pub const UNANSWERED_AGAIN: Duration = Duration::from_secs(10);
pub const UNANSWERED_MAX: Duration = Duration::from_secs(300);
/// What was called off is not tried again before this.
pub const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Wake-ups are counted for so long.
const SPINNING: Duration = Duration::from_secs(10);

/// Everything known.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Ledger {
    pub host: Shared,
    /// Who heard what.
    pub audience: Audience,
    /// Every service that was ever configured, and the host itself.
    pub services: BTreeMap<ServiceName, Known>,
    pub going_down: bool,
    pub store_writable: bool,
    pub agent_up: bool,
    /// Whether this life of the agent began without a memory: then it assumes the worst of what it does not know.
    pub(super) store_lost: bool,
    /// Intents on disk.
    pub intents: BTreeSet<ActionId>,
    undecided_intents: BTreeSet<ActionId>,
    pub acted: BTreeSet<ActionId>,
    /// Wake-ups lately, for the bound on them.
    pub woken: VecDeque<Time>,
}

impl Ledger {
    pub fn new(host: HostPolicy) -> Self {
        let mut ledger = Self {
            host: Shared::new(host),
            audience: Audience::new(),
            services: BTreeMap::new(),
            going_down: false,
            store_writable: true,
            agent_up: false,
            store_lost: false,
            intents: BTreeSet::new(),
            undecided_intents: BTreeSet::new(),
            acted: BTreeSet::new(),
            woken: VecDeque::new(),
        };
        let mut itself = Known::new(host_itself());
        itself.configured = false;
        ledger.services.insert(HOST.into(), itself);
        ledger
    }

    /// Those that the configuration names.
    pub fn configured(&self) -> impl Iterator<Item = &Known> {
        self.services.values().filter(|known| known.configured)
    }

    /// Actions that were asked for and whose new run has not begun.
    pub fn in_flight(&self) -> usize {
        self.services.values().filter(|known| known.slot.is_some()).count()
    }

    /// The first dependency of `known` that is down, as far as was reported.
    pub fn dependency_down(&self, known: &Known) -> Option<&Known> {
        let dependencies = known.service.after.iter().filter_map(|name| self.services.get(name));
        let mut dependencies = dependencies.filter(|dependency| dependency.configured);
        dependencies.find(|dependency| {
            let absent = match dependency.seen() {
                Some(TargetState::Down { .. } | TargetState::Unusable(_) | TargetState::Unhealthy(_)) => true,
                // What answers is not frozen.
                Some(TargetState::Busy(Activity::Frozen)) => dependency.passes == 0,
                Some(TargetState::Busy(activity)) => *activity != Activity::Reloading,
                Some(TargetState::Running | TargetState::Unchecked { .. } | TargetState::Unknown(_)) => false,
                None => dependency.service.has_target,
            };
            let doubtful = dependency.keep.in_doubt && dependency.running();
            absent || (dependency.keep.incident.is_some() && !doubtful)
        })
    }

    /// Whether anything that `known` depends on, directly or not, is down.
    fn is_explained(&self, known: &Known) -> bool {
        let below = known.service.after.iter().filter_map(|name| self.services.get(name));
        self.dependency_down(known).is_some() || below.into_iter().any(|dependency| self.is_explained(dependency))
    }

    /// Takes in what passed.
    pub fn apply(&mut self, now: Time, entry: &Entry) {
        if !matches!(entry, Entry::Event(event) if **event == Event::HostResumed) {
            // Of time that the agent did not watch, nothing is known.
            self.pass_time(now);
        }
        self.audience.apply(now, entry);
        match entry {
            Entry::AgentStarted(start) => self.agent_started(now, start),
            Entry::Reloaded(policy, services, changed) => self.reloaded(now, policy, services, changed),
            Entry::AgentDied => self.agent_died(now),
            Entry::Event(event) => self.happened(now, event),
            Entry::RulesChanged(_) | Entry::Silenced { .. } | Entry::Expired(_) | Entry::Acknowledged(_) => {}
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
                while self.woken.front().is_some_and(|at| now.since(*at) >= SPINNING) {
                    self.woken.pop_front();
                }
                self.woken.push_back(now);
            }
            Entry::Shown(services) => self.shown(now, services),
        }
    }

    fn shown(&mut self, now: Time, services: &[ServiceSnapshot]) {
        for shown in services {
            let known = self.known(&shown.name);
            let policy = &known.service.policy;
            known.shown = Some(Left {
                at: now,
                attempts: shown.attempts_left,
                burst: policy.burst,
                window: policy.window,
            });
            known.reloaded = false;
        }
    }

    fn keep_all(&mut self) {
        for known in self.services.values_mut() {
            known.kept.follow(&known.keep);
        }
        self.host.kept.follow(&self.host.keep);
    }

    fn pass_time(&mut self, now: Time) {
        for known in self.services.values_mut() {
            if known.flight.is_some_and(|(_, since)| now.since(since) >= ANSWER_MAX) {
                (known.flight, known.slot) = (None, None);
            }
            known.slot.take_if(|until| *until <= now);
            known.expire_maintenance(now);
            // A run that has not come up, or not proved itself, is not well however long something is busy with it.
            let untried = known.busy().is_some_and(|activity| {
                let comes_up = matches!(activity, Activity::Starting | Activity::AutoRestart);
                comes_up || (known.service.has_probes && !known.was_up)
            });
            let unwell = known.forgiven || untried || known.fell || known.down().is_some();
            let policy = &known.service.policy;
            if unwell || !self.agent_up || !known.configured {
                known.bad_at = now;
            } else if known.keep.has_spent() && known.well() && now.since(known.bad_at) >= policy.reset_after {
                known.keep.attempts.clear();
                known.keep.lately.clear();
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
        self.host.agent_died();
        for known in self.services.values_mut() {
            *known = known.unwatched(now, known.kept.clone());
            (known.flight, known.slot, known.shown) = (None, None, None);
        }
    }

    fn happened(&mut self, now: Time, event: &Event) {
        match event {
            Event::HostShutdownChanged { going_down } => self.going_down = *going_down,
            Event::HostResumed => {
                for known in self.services.values_mut() {
                    known.resumed(now);
                }
            }
            Event::MaintenanceChanged { service, window } => {
                // What never was configured has no window either.
                if let Some(known) = self.services.get_mut(service) {
                    known.window = window.is_some() && known.configured;
                }
            }
            Event::PackagesChange { .. } => {}
            Event::StoreChanged { writable } => self.store_writable = *writable,
            Event::PermissionsChanged => {
                for known in self.services.values_mut() {
                    known.refused_until = None;
                }
            }
            Event::TargetObserved { service, observation } => self.known(service).observed(now, observation),
            Event::ProbeCompleted {
                service,
                round,
                outcome,
            } => self.known(service).probed(now, *round, &outcome.verdict),
            Event::ActionBegun { action, service } => self.known(service).begun(*action),
            Event::ActionFinished {
                action,
                service,
                result,
            } => {
                self.known(service).answered(now, *action, result);
                if is_called_off(result) {
                    self.host.called_off(*action);
                }
            }
            Event::OperatorRequested { service, request } => self.known(service).requested(now, request),
        }
    }

    fn decided(&mut self, now: Time, command: &Command) {
        match command {
            Command::RunProbes { service, round } => self.known(service).asked = Some(*round),
            Command::RestartTarget(action) => {
                let known = self.known(&action.service);
                known.flight = Some((action.id, now));
                known.slot = Some(now + known.limits.stop_or_usual() + STOP_SPARE);
                known.replaced.clone_from(&action.expected);
                // What was asked before the restart is no answer about what comes of it.
                known.asked = None;
                known.due_since = None;
                if action.attempt > 0 {
                    known.keep.ever.push((now, action.id));
                    if !(known.keep.resigned && known.half_open(now)) {
                        known.keep.lately.push((now, action.id));
                    }
                    if known.keep.resigned {
                        known.waits_for_half_open(now);
                    }
                    known.keep.attempts.push(Spent {
                        at: now,
                        action: action.id,
                        incident: action.incident,
                        ordinal: action.attempt,
                    });
                    self.host.acted(now, action.id);
                }
            }
            Command::SaveHost(_) => self.host.unsaved.clear(),
            Command::Save { memory, .. } => {
                self.undecided_intents
                    .extend(memory.attempt.as_ref().map(|attempt| attempt.action));
            }
            Command::Report(report) => {
                let doubted = self.known(&report.service).keep.in_doubt;
                self.known(&report.service).reported(report);
                let doubtful = self.known(&report.service).keep.in_doubt;
                let itself = report.service.as_str() == HOST;
                match report.kind {
                    ReportKind::GaveUp { .. } => self.known(&report.service).gives_up(now),
                    ReportKind::IncidentOpened { .. } if itself => self.host.storm_began(now),
                    ReportKind::IncidentClosed { .. } if itself => self.host.storm_ended(),
                    // A question that never passed makes no storm, until more is wrong.
                    ReportKind::IncidentOpened { .. } if doubtful => {}
                    ReportKind::CauseChanged { .. } if doubtful || !doubted => {}
                    ReportKind::IncidentOpened { ref cause } | ReportKind::CauseChanged { ref cause } => {
                        let asked = matches!(cause, Cause::AskedToStop { .. });
                        let asked = asked || self.services[&report.service].drain.is_some();
                        let explained = asked || self.is_explained(&self.services[&report.service]);
                        self.host.went_down(&report.service, explained, now);
                    }
                    _ => {}
                }
            }
            Command::Notify(outgoing) => {
                let message = &outgoing.notification;
                self.known(&message.service).notified(message);
            }
            Command::SaveNotificationLog(_)
            | Command::ForgetNotificationLog(_)
            | Command::SaveSilence(_)
            | Command::EndSilence { .. } => {}
        }
    }

    fn acted(&mut self, action: &Action) {
        self.acted.insert(action.id);
    }

    /// Notes since when something that must happen has been due.
    fn judge(&mut self, now: Time) {
        let others = || {
            self.services
                .values()
                .filter(|known| known.service.name.as_str() != HOST)
        };
        // What is removed while an action is on its way ends with it.
        let quiet = self.agent_up && others().all(|known| known.keep.incident.is_none());
        let host = self.known(&HOST.into());
        let over = quiet && host.keep.incident.is_some();
        host.fine_since = over.then(|| host.fine_since.unwrap_or(now));
        let watched = self.agent_up && !self.going_down;
        let free = watched && self.store_writable && self.host.is_free(now);
        let due = self.configured().filter(|known| free && known.should_be_acted_on(now));
        let due = due.filter(|known| !self.is_explained(known));
        let due: Vec<_> = due.map(|known| known.service.name.clone()).collect();
        let audience = &self.audience;
        for known in self.services.values_mut().filter(|known| known.configured) {
            let due = due.contains(&known.service.name);
            let open = watched.then_some(()).and(known.keep.incident.as_ref());
            let unreported = open.is_some_and(|open| !open.fired)
                && !known.in_maintenance(now)
                && known.down() != Some(Intent::Shutdown)
                && !audience.is_silenced(&known.service.name, now)
                && audience.has_receivers(&known.service.name);
            let fine = open.is_some()
                && known.flight.is_none()
                && known.well()
                && known.fails == 0
                && !known.may_drain(now)
                && (known.passes >= known.service.policy.rise || !known.service.has_probes)
                && !known.keep.crash_loop;
            let left = known.keep.stopped.is_some() && known.keep.stopped == known.run;
            let fell = known.fell() && !known.was_refused();
            let away = known.busy().is_some() || ((known.down() == Some(Intent::Crash) || fell) && !left);
            let silent = watched && away && open.is_none() && known.flight.is_none() && !known.in_maintenance(now);
            let since = |before: Option<Time>, holds: bool| holds.then(|| before.unwrap_or(now));
            known.due_since = since(known.due_since, due);
            known.unnotified_since = since(known.unnotified_since, unreported);
            known.fine_since = since(known.fine_since, fine);
            known.silent_since = since(known.silent_since, silent);
        }
    }

    pub(super) fn known(&mut self, name: &ServiceName) -> &mut Known {
        self.services.get_mut(name).expect("the service is known")
    }
}

/// The host's own incidents are those of a service that no operator configured.
fn host_itself() -> Service {
    Service {
        name: HOST.into(),
        has_target: false,
        has_probes: false,
        after: Vec::new(),
        labels: Labels::default(),
        policy: Policy::default(),
    }
}

/// Whether an answer says for certain that nothing was done.
pub fn is_called_off(result: &ActionResult) -> bool {
    matches!(
        result,
        ActionResult::Outdated(_)
            | ActionResult::Conflict(_)
            | ActionResult::NotRecorded(_)
            | ActionResult::Refused(_)
            | ActionResult::Unanswered(_)
            | ActionResult::TooWide(_)
            | ActionResult::CalledOff(_)
    )
}
