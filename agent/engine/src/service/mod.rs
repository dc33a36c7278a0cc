//! One service's state machine.
//!
//! It is level-triggered: every event changes what is known ([`Machine::sight`], [`Machine::health`],
//! [`Machine::memory`]), and [`Machine::evaluate`] then asks a fixed list of questions about it; the first that
//! applies names the state. There are no transitions to forget, and a lost event costs time, never correctness.
//!
//! | file | what |
//! | --- | --- |
//! | `judge.rs` | the questions, in order |
//! | `sight.rs` | takes in observations; tells runs apart |
//! | `supervised.rs` | what the target's supervisor restarts at once |
//! | `dependency.rs` | what others have to wait for |
//! | `asked.rs` | what was asked to end, and has not |
//! | `bound.rs` | what goes down with something else |
//! | `left_behind.rs` | what is still down when that is back |
//! | `trigger.rs` | what starts it when it is needed, and has failed |
//! | `busy.rs` | what something else is busy with, and for how long |
//! | `probing.rs` | when to probe; takes in outcomes |
//! | `first_pass.rs` | what has ever passed, and what failures may restart |
//! | `refusal.rs` | what was refused, and when it is asked for again |
//! | `recovery.rs` | down for certain: every reason not to act, then the act |
//! | `flight.rs` | the action under way, and the slot it holds |
//! | `attempt.rs` | from the act to its proof |
//! | `outage.rs` | how long it was down, and on whose account it is back |
//! | `incident.rs` | opening, closing, and what people are told |
//! | `inhibition.rs` | why nothing more should be said of it now |
//! | `flapping.rs` | what they are told of a service that goes down over and over |
//! | `observe.rs` | what would have been done |
//! | `operator.rs` | what operators ask for |
//! | `repair.rs` | what they do behind the agent's back |
//! | `maintenance.rs` | pauses, deploys and windows |
//! | `reload.rs` | another configuration meanwhile |

mod asked;
mod attempt;
mod bound;
mod busy;
mod context;
mod dependency;
mod first_pass;
mod flapping;
mod flight;
mod incident;
mod inhibition;
mod judge;
mod left_behind;
mod maintenance;
mod observe;
mod operator;
mod outage;
mod probing;
mod recovery;
mod refusal;
mod reload;
mod repair;
mod sight;
mod supervised;
mod trigger;
mod view;

pub use self::asked::DRAIN_MAX;
pub(crate) use self::context::{Context, Decision, DependencyDown};
use self::first_pass::Pass;
pub(crate) use self::incident::SUPPRESSION_MAX;
pub(crate) use self::left_behind::Companion;

use self::flight::Flight;
use crate::command::Command;
use crate::crash_loop::CrashLoop;
use crate::event::Window;
use crate::health::Health;
use crate::ids::{ActionId, ProbeRound, RunId};
use crate::memory::Memory;
use crate::notification::Failing;
use crate::observation::Observation;
use crate::policy::Service;
use crate::probe::ProbeOutcome;
use crate::proof::Proof;
use crate::report::{Report, ReportKind};
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
    /// When it was last called healthy.
    healthy_until: Option<Time>,
    /// When the last run was seen to end.
    left: Option<Time>,
    /// When it last went down by itself, unless it was stopped since.
    fell: Option<Time>,
    /// The run that the agent last acted on: what follows it is the agent's doing.
    acted_on: Option<RunId>,
    /// The run before this one, until it is known who began this one.
    unattributed: Option<RunBefore>,
    /// A signal that asked for the end of the run.
    asked: Option<asked::Asked>,
    /// Whether the end of the last run was left to the target's supervisor.
    left_to_supervisor: bool,
    /// What the target is busy with.
    occupied: Option<busy::Busy>,
    /// Since when it has been busy with one thing or another, or ran too shortly to count.
    away_since: Option<Time>,
    /// Whether that lasted for too long.
    was_overdue: bool,
    /// Restarts by the target's supervisor.
    crash_loop: CrashLoop,
    /// Health by probes of the present instance.
    health: Health,
    /// What of that may lead to a restart.
    proof: Proof,
    /// Since when probes have failed without a pass, and the status of the pass before that.
    failing: Option<Failing>,
    /// What the last round said that passed.
    last_pass: Option<Pass>,
    /// The awaited probe round.
    awaited: Option<ProbeRound>,
    /// From when on places in the interval are counted: when this service came to be watched.
    places_from: Time,
    /// When the last round was due.
    round_due: Option<Time>,
    /// When the last round was asked for.
    asked_at: Option<Time>,
    /// Since when every probe of the present run has passed.
    answers_since: Option<Time>,
    /// Since when the present run has been one that does its work, as far as its target tells.
    serves_since: Option<Time>,
    /// Since when it has failed without a break, by target or probes.
    fails_since: Option<Time>,
    last_probe: Option<(Time, ProbeOutcome)>,
    /// Since when no probe has told anything, while probes are due: since the last that passed or failed.
    unprobed_since: Option<Time>,
    /// Whether the log last said up or down.
    said_up: Option<bool>,
    /// The run that it last said is down, if that has a name.
    said_down_of: Option<RunId>,
    /// Why the target cannot be acted on, until it changes.
    refused: Option<Hold>,
    /// When what was refused is asked for again.
    ask_again: Option<Time>,
    /// How often in a row nobody answered who decides what the agent may do.
    unanswered: u32,
    /// The refusal that was last reported: one that is given again is no news.
    said_refusal: Option<Hold>,
    /// The action under way.
    in_flight: Option<Flight>,
    /// A counted attempt that was given up before its answer came, and when it was spent.
    withdrawn: Option<(ActionId, Time)>,
    /// The action in flight is about a target that is no longer the service's.
    outlived: bool,
    /// No longer configured; waits only for the action in flight.
    leaving: bool,
    /// The maintenance window that is open.
    window: Option<Window>,
    /// What those that depend on this service were last let wait for.
    as_dependency: Option<DependencyDown>,
    /// Whether another alert last spoke for this service.
    spoken_for: bool,
    state: State,
    since: Time,
    hold: Option<Hold>,
    timers: Timers,
}

/// The run before the one that is there: which, or that it had no name.
#[derive(Clone, Debug)]
struct RunBefore(Option<RunId>);

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
            healthy_until: None,
            left: None,
            fell: None,
            acted_on: None,
            unattributed: None,
            asked: None,
            left_to_supervisor: false,
            occupied: None,
            away_since: None,
            was_overdue: false,
            crash_loop: CrashLoop::default(),
            health: Health::default(),
            proof: Proof::default(),
            failing: None,
            last_pass: None,
            awaited: None,
            places_from: cx.now,
            round_due: None,
            asked_at: None,
            answers_since: None,
            serves_since: None,
            fails_since: None,
            last_probe: None,
            unprobed_since: None,
            said_up: None,
            said_down_of: None,
            refused: None,
            ask_again: None,
            unanswered: 0,
            said_refusal: None,
            in_flight: None,
            withdrawn: None,
            as_dependency: None,
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
        // Probes decide whether `frozen` counts.
        self.note_busy(false, None, cx.now);
        self.note_outage(cx.now);
        let mut hold = None;
        let state = self.judge(cx, &mut hold);
        self.await_reset();
        self.enter(state, hold, cx);
        self.own(cx);
        self.judge_trial();
        self.end_flapping(cx);
        self.tell(cx);
        self.schedule_probe(cx);
        self.as_dependency = self.blocks(cx);
        self.save(cx);
    }

    /// Enters `state` and says so when it is another.
    fn enter(&mut self, state: State, hold: Option<Hold>, cx: &mut Context<'_>) {
        if state != self.state {
            let from = std::mem::replace(&mut self.state, state);
            if from == State::Healthy {
                self.healthy_until = Some(cx.now);
            }
            self.since = cx.now;
            self.report(ReportKind::StateChanged { from, to: state }, cx);
        }
        if hold != self.hold {
            self.hold.clone_from(&hold);
            if let Some(hold) = hold.filter(|hold| self.is_news(hold)) {
                let remaining = match hold {
                    Hold::Backoff | Hold::AfterSupervisor | Hold::Throttled | Hold::Storm | Hold::BootGrace => {
                        self.timers.get(Timer::Attempt)
                    }
                    Hold::Settling => self.timers.get(Timer::Settle),
                    _ => None,
                };
                let remaining = remaining.map(|at| at.since(cx.now));
                self.report(ReportKind::ActionHeld { hold, remaining }, cx);
            }
        }
    }

    /// What time alone changes.
    fn expire(&mut self, cx: &mut Context<'_>) {
        self.expire_maintenance(cx);
        self.expire_flight(cx);
        if self.reset_at().is_some_and(|reset| reset <= cx.now) {
            self.forget_attempts();
        }
    }

    /// When attempts are forgotten, if it stays healthy.
    fn reset_at(&self) -> Option<Time> {
        let healthy = self.memory.healthy_since;
        let since = healthy.filter(|_| !self.service.has_target || self.runs())?;
        Some(since + self.service.policy.reset_after)
    }

    /// Sets the timer for that: what has no probes is not looked at again otherwise.
    fn await_reset(&mut self) {
        if self.has_slate()
            && let Some(at) = self.reset_at()
        {
            self.timers.set(Timer::Reset, at);
        }
    }

    /// Whether there is anything to be forgotten when it has been healthy for long enough.
    fn has_slate(&self) -> bool {
        self.memory.attempts > 0 || self.memory.gave_up || self.memory.supervisor_gave_up.is_some()
    }

    /// A clean slate: long enough healthy, or an operator took over.
    fn forget_attempts(&mut self) {
        if self.has_slate() {
            self.memory.attempts = 0;
            self.memory.gave_up = false;
            self.memory.supervisor_gave_up = None;
            self.memory.half_open_at = None;
            self.memory.next_attempt = None;
            self.memory.budget.clear();
            self.unsaved = true;
        }
    }

    fn report(&self, what: ReportKind, cx: &mut Context<'_>) {
        let incident = self.memory.incident.as_ref().map(|incident| incident.id);
        cx.command(Command::Report(Report {
            at: cx.now,
            service: self.service.name.clone(),
            incident,
            kind: what,
        }));
    }
}
