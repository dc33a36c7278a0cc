//! One service's state machine.
//!
//! It is level-triggered: every event changes what is known ([`Machine::target`], [`Machine::probes`],
//! [`Machine::memory`]), and [`Machine::evaluate`] then asks a fixed list of questions about it; the first that
//! applies names the state. There are no transitions to forget, and a lost event costs time, never correctness.
//!
//! | file | what |
//! | --- | --- |
//! | `judge.rs` | the questions, in order |
//! | `standing.rs` | the state that the last judgement named |
//! | `announced.rs` | what the log last said: up or down |
//! | `target.rs` | takes in observations; tells runs apart |
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
//! | `incident.rs` | opening, closing, and what receivers are sent |
//! | `inhibition.rs` | why nothing more should be said of it now |
//! | `flapping.rs` | what they are notified of a service that goes down over and over |
//! | `observe.rs` | what would have been done |
//! | `operator.rs` | what operators ask for |
//! | `repair.rs` | what they do behind the agent's back |
//! | `maintenance.rs` | pauses, deploys and windows |
//! | `reload.rs` | another configuration meanwhile |

mod announced;
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
mod standing;
mod supervised;
mod target;
mod trigger;
mod view;

pub use self::asked::DRAIN_MAX;
pub(crate) use self::context::{Context, Decision, DependencyDown};
pub(crate) use self::incident::SUPPRESSION_MAX;
pub(crate) use self::left_behind::Companion;

use self::announced::Announced;
use self::asked::Asked;
use self::bound::Ends;
use self::busy::Occupation;
use self::first_pass::ProbeResults;
use self::flight::Actions;
use self::outage::OutageClock;
use self::probing::ProbeRounds;
use self::refusal::Refusals;
use self::standing::Standing;
use self::supervised::Supervision;
use self::target::Target;
use crate::command::Command;
use crate::event::Window;
use crate::memory::Memory;
use crate::policy::Service;
use crate::report::{Report, ReportKind};
use crate::time::Time;
use crate::timers::{Timer, Timers};

/// One service: what is wanted of it, what is remembered, what is known, and what follows from it. What belongs to one
/// concern is kept together, in the file of that concern.
#[derive(Debug)]
pub(crate) struct Machine {
    service: Service,
    /// What outlives the agent.
    memory: Memory,
    /// Whether `memory` changed since it was last saved.
    unsaved: bool,
    target: Target,
    ends: Ends,
    supervision: Supervision,
    occupation: Occupation,
    /// A signal that asked for the end of the run.
    asked: Option<Asked>,
    rounds: ProbeRounds,
    probes: ProbeResults,
    outage: OutageClock,
    announced: Announced,
    refusals: Refusals,
    actions: Actions,
    /// The maintenance window that is open.
    window: Option<Window>,
    /// What those that depend on this service were last let wait for.
    as_dependency: Option<DependencyDown>,
    /// Whether another alert last spoke for this service.
    spoken_for: bool,
    /// No longer configured; waits only for the action in flight.
    leaving: bool,
    standing: Standing,
    timers: Timers,
}

impl Machine {
    /// A machine for `service`, going on from `memory`.
    pub(crate) fn new(service: Service, memory: Memory, cx: &mut Context<'_>) -> Self {
        let mut machine = Self {
            service,
            memory,
            unsaved: false,
            target: Target::new(cx.now),
            ends: Ends::default(),
            supervision: Supervision::default(),
            occupation: Occupation::default(),
            asked: None,
            rounds: ProbeRounds::new(cx.now),
            probes: ProbeResults::default(),
            outage: OutageClock::default(),
            announced: Announced::default(),
            refusals: Refusals::default(),
            actions: Actions::default(),
            window: None,
            as_dependency: None,
            spoken_for: false,
            leaving: false,
            standing: Standing::new(cx.now),
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
        self.ends.note_fall(&self.target, cx.now);
        // Probes decide whether `frozen` counts.
        self.note_busy(false, None, cx.now);
        self.note_outage(cx.now);
        let judgement = self.judge(cx);
        self.await_reset();
        self.enter(judgement, cx);
        self.own(cx);
        self.judge_dry_run();
        self.end_flapping(cx);
        self.notify_outage(cx);
        self.schedule_probe(cx);
        self.as_dependency = self.blocks(cx);
        self.save(cx);
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
