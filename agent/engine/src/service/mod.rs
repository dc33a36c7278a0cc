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
mod context;
mod incident;
mod judge;
mod maintenance;
mod operator;
mod probing;
mod recovery;
mod reload;
mod sight;
mod view;

pub(crate) use self::context::Context;

use crate::command::Command;
use crate::event::Window;
use crate::health::Health;
use crate::ids::{ActionId, ProbeRound};
use crate::memory::Memory;
use crate::observation::Observation;
use crate::policy::Service;
use crate::probe::ProbeOutcome;
use crate::report::{Happening, Report};
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
}
