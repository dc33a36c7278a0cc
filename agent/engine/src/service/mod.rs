//! One service's state machine.
//!
//! It is level-triggered: every event changes what is known ([`Machine::sight`], [`Machine::health`],
//! [`Machine::memory`]), and [`Machine::evaluate`] then asks a fixed list of questions about it; the first that
//! applies names the state. There are no transitions to forget, and a lost event costs time, never correctness.
//!
//! | file | what |
//! | --- | --- |
//! | `sight.rs` | takes in observations; tells runs apart |
//! | `bound.rs` | what goes down with something else |
//! | `probing.rs` | when to probe; takes in outcomes |
//! | `recovery.rs` | down for certain: every reason not to act, then the act |
//! | `attempt.rs` | from the act to its proof |
//! | `incident.rs` | opening, closing, and what people are told |
//! | `operator.rs` | what operators ask for |
//! | `maintenance.rs` | pauses, deploys and windows |
//! | `reload.rs` | another configuration meanwhile |

mod attempt;
mod bound;
mod incident;
mod maintenance;
mod operator;
mod probing;
mod recovery;
mod reload;
mod sight;

use std::collections::VecDeque;

use self::bound::Bound;

use crate::cause::Cause;
use crate::command::Command;
use crate::event::Window;
use crate::health::Health;
use crate::host::Host;
use crate::ids::{ActionId, ProbeRound, ServiceName};
use crate::memory::Memory;
use crate::observation::{Activity, Intent, Observation, TargetState};
use crate::policy::{OnCleanExit, Service};
use crate::probe::ProbeOutcome;
use crate::report::{Happening, Report, Resolution};
use crate::snapshot::ServiceSnapshot;
use crate::state::{Hold, State};
use crate::time::Time;
use crate::timers::{Timer, Timers};

/// One service: what was asked for, what is remembered, what is seen, and what follows from it.
#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own; the state is `state`"
)]
pub(crate) struct Machine {
    service: Service,
    /// What outlives the agent.
    memory: Memory,
    /// Whether `memory` changed since it was last saved.
    unsaved: bool,
    /// The target as last observed; `None` before the first observation.
    sight: Option<Observation>,
    /// When the present instance began to run, as far as known.
    instance_since: Time,
    /// Failed probes do not count before this: the host was suspended a moment ago.
    calm_until: Option<Time>,
    /// Since when the target has been down.
    down_since: Option<Time>,
    /// When the last run was seen to end.
    left: Option<Time>,
    /// When it last went down by itself, unless it was stopped since.
    fell: Option<Time>,
    /// Health by probes of the present instance.
    health: Health,
    /// The awaited probe round.
    awaited: Option<ProbeRound>,
    rounds: u64,
    last_probe: Option<(Time, ProbeOutcome)>,
    /// Whether the log last said up or down.
    said_up: Option<bool>,
    /// Why the target cannot be acted on, until it changes.
    refused: Option<Hold>,
    /// The action that holds one of the host's slots, and since when.
    in_flight: Option<(ActionId, Time)>,
    /// A counted attempt that was given up before its answer came.
    withdrawn: Option<ActionId>,
    /// The action in flight is about a target that is no longer the service's.
    outlived: bool,
    /// No longer configured; waits only for the action in flight.
    leaving: bool,
    /// The maintenance window that is open.
    window: Option<Window>,
    /// Whether those that depend on this service were last let wait for it.
    blocks_dependents: bool,
    /// Whether another alert last spoke for this service.
    spoken_for: bool,
    state: State,
    since: Time,
    hold: Option<Hold>,
    timers: Timers,
}

/// What an evaluation may read and write besides the machine itself.
pub(crate) struct Context<'a> {
    pub(crate) now: Time,
    pub(crate) host: &'a mut Host,
    /// The first of `after` that is down.
    pub(crate) dependency: Option<DependencyDown>,
    /// When those of `after` last went down by themselves.
    pub(crate) fell: Vec<Time>,
    pub(crate) out: &'a mut VecDeque<Command>,
}

/// A dependency that is down.
#[derive(Clone, Debug)]
pub(crate) struct DependencyDown {
    pub(crate) name: ServiceName,
    /// Whether it failed.
    pub(crate) failed: bool,
    /// Whether somebody stopped it.
    pub(crate) stopped: bool,
}

impl Context<'_> {
    pub(crate) fn dependency_failed(&self) -> bool {
        self.dependency.as_ref().is_some_and(|dependency| dependency.failed)
    }
}

impl Machine {
    /// A machine for `service`, going on from `memory`.
    pub(crate) fn new(service: Service, memory: Memory, cx: &mut Context<'_>) -> Self {
        let mut machine = Self {
            service,
            memory,
            unsaved: false,
            sight: None,
            instance_since: cx.now,
            calm_until: None,
            down_since: None,
            left: None,
            fell: None,
            health: Health::default(),
            awaited: None,
            rounds: 0,
            last_probe: None,
            said_up: None,
            refused: None,
            in_flight: None,
            withdrawn: None,
            blocks_dependents: false,
            spoken_for: false,
            outlived: false,
            leaving: false,
            window: None,
            state: State::Unknown,
            since: cx.now,
            hold: None,
            timers: Timers::default(),
        };
        machine.resume(cx);
        machine.schedule_first_probe(cx.now);
        machine.evaluate(cx);
        machine
    }

    /// Asks what state the service is in now, acts on it, and sets every timer that could change the answer.
    pub(crate) fn evaluate(&mut self, cx: &mut Context<'_>) {
        if self.leaving {
            return self.evaluate_leaving(cx);
        }
        self.timers.clear_derived();
        self.close_outlived(cx);
        self.expire(cx);
        self.note_fall(cx.now);
        let mut hold = None;
        let state = self.judge(cx, &mut hold);
        self.enter(state, hold, cx);
        self.own(cx);
        self.tell(cx);
        self.schedule_probe(cx);
        self.blocks_dependents = self.is_away();
        self.save(cx);
    }

    /// The questions, in order. The first that applies decides.
    fn judge(&mut self, cx: &mut Context<'_>, hold: &mut Option<Hold>) -> State {
        if let Some(state) = self.judge_stopped(cx) {
            return state;
        }
        if cx.host.going_down || self.target_down().is_some_and(|(intent, _)| intent == Intent::Shutdown) {
            return State::Shutdown;
        }
        if self.in_maintenance() {
            self.await_end_of_maintenance();
            return self.judge_paused(cx);
        }
        let requested = self.awaits_requested_run();
        if let Some(state) = self.judge_action(cx) {
            return state;
        }
        // While an operator's restart is under way, the stop it undoes is history. It is not once that has failed.
        if requested && let Some(state) = self.judge_stopped(cx) {
            return state;
        }
        if let Some(activity) = self.busy() {
            return self.judge_busy(activity, hold);
        }
        match self.judge_down(cx) {
            Down::No => self.judge_running(cx),
            Down::Settling => {
                *hold = Some(Hold::Settling);
                State::Settling
            }
            Down::Confirmed(cause) => {
                let (state, reason) = self.recover(cause, cx);
                *hold = reason;
                state
            }
        }
    }

    /// A deliberate stop ends everything: it is never undone, whoever made it.
    fn judge_stopped(&mut self, cx: &mut Context<'_>) -> Option<State> {
        let (intent, _) = self.target_down()?;
        let instance = self.instance().cloned();
        let latched = instance.is_some() && self.memory.stopped == instance;
        let reason = match intent {
            Intent::OperatorStop if self.state == State::Unknown => "not running when first seen, so left alone",
            Intent::OperatorStop => "stopped by an operator",
            Intent::ConflictStop => "stopped because something that conflicts with it was started",
            Intent::NotApplicable => "its start conditions are not met",
            Intent::DependencyStop if !latched => match self.judge_bound(cx) {
                Bound::Fell => return None,
                Bound::Unsure => return Some(State::Settling),
                Bound::Stopped => "stopped together with something it is bound to",
            },
            Intent::CleanExit if self.service.policy.on_clean_exit == OnCleanExit::Ignore => "ended by itself",
            // The same run that was stopped on purpose may show as failed afterwards.
            _ if latched => "stopped on purpose",
            _ => return None,
        };
        if !self.start_was_refused() && self.memory.stopped != instance {
            self.memory.stopped = instance;
            self.unsaved = true;
        }
        if self.awaits_requested_run() {
            return None;
        }
        self.fail_attempt(reason.to_owned(), cx);
        self.close_incident(Resolution::Stopped, cx);
        if self.memory.healthy_since.take().is_some() {
            self.unsaved = true;
        }
        if self.state != State::Stopped {
            self.report(Happening::StoppedOnPurpose { reason: reason.into() }, cx);
        }
        self.said_up = None;
        Some(State::Stopped)
    }

    /// In maintenance nothing is opened and nothing is done, but coming back is still noticed.
    fn judge_paused(&mut self, cx: &mut Context<'_>) -> State {
        if self.is_healthy() {
            self.became_healthy(Resolution::Recovered, cx);
        }
        State::Maintenance
    }

    /// Somebody else is busy with the target; its probes say nothing now.
    fn judge_busy(&mut self, activity: Activity, hold: &mut Option<Hold>) -> State {
        if self.memory.attempt.is_some() {
            return State::Restarting;
        }
        if self.memory.incident.is_some() || activity == Activity::AutoRestart {
            *hold = Some(Hold::Busy { activity });
        }
        if activity == Activity::Starting {
            State::Starting
        } else {
            State::SupervisorBusy
        }
    }

    /// Whether the service is down, and for certain.
    fn judge_down(&mut self, cx: &mut Context<'_>) -> Down {
        if let Some(reason) = self.unusable().map(str::to_owned) {
            self.refused = Some(Hold::Refused { reason: reason.clone() });
            let cause = Cause::Unusable { reason };
            self.went_down(&cause, None, cx);
            return Down::Confirmed(cause);
        }
        if let Some((intent, cause)) = self.target_down() {
            let cause = if intent == Intent::DependencyStop {
                Cause::Dependency
            } else {
                cause.clone()
            };
            self.went_down(&cause, None, cx);
            let settled = self.down_since.unwrap_or(cx.now) + self.settle();
            if cx.now < settled {
                self.timers.set(Timer::Settle, settled);
                return Down::Settling;
            }
            return Down::Confirmed(cause);
        }
        if self.grace(cx.now).is_some() {
            return Down::No;
        }
        match self.health.down().cloned() {
            Some(failure) => Down::Confirmed(Cause::Probe(failure)),
            None => Down::No,
        }
    }

    /// The target runs, or there is none, and probes have not found the service down.
    fn judge_running(&mut self, cx: &mut Context<'_>) -> State {
        if self.is_blind() && !self.health.is_up() {
            return State::Unknown;
        }
        if self.is_healthy() {
            self.became_healthy(Resolution::Recovered, cx);
            return if self.is_blind() {
                State::Unknown
            } else {
                State::Healthy
            };
        }
        if let Some(until) = self.grace(cx.now) {
            self.timers.set(Timer::Grace, until);
            return State::Starting;
        }
        if self.health.is_suspect() {
            State::Suspect
        } else {
            State::Starting
        }
    }

    /// Whether it is down, on its way down or up, or not known yet: nothing that needs it can be healed. What is out of
    /// sight holds nobody up, because it may be out of sight for long.
    fn is_away(&self) -> bool {
        let absent = match self.sight.as_ref().map(|sight| &sight.state) {
            None => self.service.has_target,
            Some(TargetState::Down { .. } | TargetState::Unusable(_)) => true,
            Some(TargetState::Busy(activity)) => *activity != Activity::Reloading,
            Some(TargetState::Running | TargetState::Unknown(_)) => false,
        };
        absent || self.memory.incident.is_some() || self.state == State::Restarting
    }

    /// Whether it counts as healthy: it runs, and probes, if any, have passed often enough.
    fn is_healthy(&self) -> bool {
        let runs = !self.service.has_target || self.runs() || self.is_blind();
        let proved = if self.service.has_probes {
            self.health.is_up() && !self.health.is_suspect()
        } else {
            self.runs()
        };
        runs && proved
    }

    /// Enters `state` and says so when it is another.
    fn enter(&mut self, state: State, hold: Option<Hold>, cx: &mut Context<'_>) {
        if state != self.state {
            let from = std::mem::replace(&mut self.state, state);
            self.since = cx.now;
            self.report(Happening::StateChanged { from, to: state }, cx);
        }
        if hold != self.hold {
            self.hold.clone_from(&hold);
            if let Some(hold) = hold {
                let remaining = match hold {
                    Hold::Backoff | Hold::Throttled | Hold::Storm | Hold::BootGrace => self.timers.get(Timer::Attempt),
                    Hold::Settling => self.timers.get(Timer::Settle),
                    _ => None,
                };
                let remaining = remaining.map(|at| at.since(cx.now));
                self.report(Happening::ActionHeld { hold, remaining }, cx);
            }
        }
    }

    /// What time alone changes.
    fn expire(&mut self, cx: &mut Context<'_>) {
        self.expire_maintenance(cx);
        if let Some((_, since)) = self.in_flight {
            // Whatever else is going on: one lost answer must not keep the others from being restarted.
            let limit = since + attempt::ACTION_LIMIT;
            if limit > cx.now {
                self.timers.set(Timer::Action, limit);
            } else {
                self.free_slot(cx);
            }
        }
        if let Some(since) = self
            .memory
            .healthy_since
            .filter(|_| !self.service.has_target || self.runs())
        {
            let reset = since + self.service.policy.reset_after;
            if reset > cx.now {
                if self.memory.attempts > 0 || self.memory.gave_up {
                    self.timers.set(Timer::Reset, reset);
                }
            } else {
                self.forget_attempts();
            }
        }
    }

    /// A clean slate: long enough healthy, or an operator took over.
    fn forget_attempts(&mut self) {
        if self.memory.attempts > 0 || self.memory.gave_up {
            self.memory.attempts = 0;
            self.memory.gave_up = false;
            self.memory.half_open_at = None;
            self.memory.next_attempt = None;
            self.memory.budget.clear();
            self.unsaved = true;
        }
    }

    fn report(&self, what: Happening, cx: &mut Context<'_>) {
        let incident = self.memory.incident.as_ref().map(|incident| incident.id);
        cx.out.push_back(Command::Report(Report {
            at: cx.now,
            service: self.service.name.clone(),
            incident,
            what,
        }));
    }

    /// When this service next needs [`Machine::evaluate`] without an event.
    pub(crate) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Why it is down, while an incident is open.
    pub(crate) fn incident_cause(&self) -> Option<&Cause> {
        self.memory.incident.as_ref().map(|incident| &incident.cause)
    }

    /// What it depends on.
    pub(crate) fn after(&self) -> &[ServiceName] {
        &self.service.after
    }

    /// Whether services after this one should wait for it, as of the last evaluation.
    pub(crate) fn blocks_dependents(&self) -> bool {
        self.blocks_dependents
    }

    /// This service as those after it see it, when it is down.
    pub(crate) fn as_dependency(&self) -> Option<DependencyDown> {
        self.blocks_dependents().then(|| DependencyDown {
            name: self.service.name.clone(),
            failed: self.memory.incident.is_some(),
            stopped: self.state == State::Stopped,
        })
    }

    /// Whether it waits only for a free slot.
    pub(crate) fn waits_for_slot(&self) -> bool {
        self.hold == Some(Hold::InFlight)
    }

    /// The action that holds one of the host's slots.
    pub(crate) fn in_flight(&self) -> Option<ActionId> {
        self.in_flight.map(|(action, _)| action)
    }

    /// The service as it stands.
    pub(crate) fn snapshot(&self, now: Time) -> ServiceSnapshot {
        let policy = &self.service.policy;
        ServiceSnapshot {
            name: self.service.name.clone(),
            state: self.state,
            since: self.since,
            mode: policy.mode,
            hold: self.hold.clone(),
            waiting: self.timers.waiting(now),
            maintenance: self.maintenance(),
            target: self.describe_target(),
            last_probe: self.last_probe.clone(),
            incident: self.memory.incident.as_ref().map(|incident| incident.id),
            attempts_left: if self.memory.gave_up {
                0
            } else {
                self.memory.budget.left(policy.burst, policy.window, now)
            },
            recoveries: self.memory.recoveries,
        }
    }
}

/// Whether a service is down.
enum Down {
    /// It is not, as far as can be told.
    No,
    /// It is, and its supervisor gets time to act first.
    Settling,
    /// It is, for certain.
    Confirmed(Cause),
}
