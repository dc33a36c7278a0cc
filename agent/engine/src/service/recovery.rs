//! Down for certain: every reason not to act, in order, and then the act.

use std::time::Duration;

use super::judge::Judgement;
use super::{Context, Machine};
use crate::backoff;
use crate::cause::Cause;
use crate::command::{Action, ActionKind, Command};
use crate::memory::{Attempt, GivenUp};
use crate::notification::NotificationKind;
use crate::observation::{Intent, Supervisor};
use crate::policy::{Mode, OnCleanExit, OnDependencyReturn};
use crate::report::ReportKind;
use crate::state::{Hold, State};
use crate::time::Time;
use crate::timers::Timer;

/// When a supervisor has restarted a target until its own limit, it is known not to be healed by one more restart. So no
/// attempt is made for this long each time the supervisor gives up, be it before the first attempt or after a later one,
/// and `burst` is halved until the service was healthy for `reset_after`. Where `backoff_max` is shorter, that.
const AFTER_SUPERVISOR: Duration = Duration::from_secs(60);

impl Machine {
    /// The service is down for `cause`: opens an incident, then acts or says why not.
    pub(super) fn recover(&mut self, cause: Cause, cx: &mut Context<'_>) -> Judgement {
        self.open_incident(cause, cx);
        self.note_supervisor(cx.now);
        if let Some(judgement) = self.obstacle(cx) {
            return judgement;
        }
        self.act(cx);
        State::Restarting.into()
    }

    /// The first reason not to act now.
    fn obstacle(&mut self, cx: &mut Context<'_>) -> Option<Judgement> {
        if !self.service.has_target {
            return Some(Judgement::held(State::Held, Hold::NoTarget));
        }
        if self.is_unobservable() {
            // What cannot be observed together with what it depends on waits for that, like everything else that does.
            return self
                .wait_for_dependency(cx)
                .or(Some(Judgement::held(State::Held, Hold::Unobservable)));
        }
        if let Some(hold) = self.refusal(cx) {
            return Some(Judgement::held(State::Held, hold));
        }
        let policy = &self.service.policy;
        if self.is_prevented() {
            return Some(Judgement::held(State::Held, Hold::RestartPrevented));
        }
        match self.target_down() {
            Some((Intent::OneshotFailed, _)) if !policy.retry_oneshot => {
                return Some(Judgement::held(State::Held, Hold::Oneshot));
            }
            Some((Intent::Unclear, _)) => return Some(Judgement::held(State::Held, Hold::Unclear)),
            Some((Intent::CleanExit, _)) if policy.on_clean_exit == OnCleanExit::Alert => {
                return Some(Judgement::held(State::Held, Hold::CleanExit));
            }
            Some((Intent::DependencyStop, _)) if policy.on_dependency_return == OnDependencyReturn::Alert => {
                if let Some(with) = self.left_behind(cx) {
                    let name = with.name.to_string();
                    return Some(Judgement::held(State::Held, Hold::StoppedWith { name }));
                }
            }
            _ => {}
        }
        if let Some(hold) = self.what_restarts_nothing() {
            return Some(Judgement::held(State::Held, hold));
        }
        if let Some(until) = cx.host.storm_until(cx.now) {
            self.timers.set(Timer::Attempt, until);
            return Some(Judgement::held(State::Throttled, Hold::Storm));
        }
        if let Some(until) = cx.host.boot_grace_until(cx.now) {
            self.timers.set(Timer::Attempt, until);
            return Some(Judgement::held(State::Throttled, Hold::BootGrace));
        }
        if let Some(suppressed) = self.wait_for_dependency(cx) {
            return Some(suppressed);
        }
        let window = self.service.policy.window;
        if !self.memory.gave_up && self.memory.budget.left(self.burst(), window, cx.now) == 0 {
            self.give_up(cx);
        }
        if self.memory.gave_up && !self.half_open(cx) {
            return Some(Judgement::held(State::GaveUp, Hold::GaveUp));
        }
        if !cx.host.store_writable {
            return Some(Judgement::held(State::Held, Hold::Store));
        }
        if let Some(at) = self.rested_at().filter(|at| *at > cx.now) {
            self.timers.set(Timer::Attempt, at);
            return Some(Judgement::held(State::Backoff, Hold::AfterSupervisor));
        }
        if let Some(at) = self.memory.next_attempt.filter(|at| *at > cx.now) {
            self.timers.set(Timer::Attempt, at);
            return Some(Judgement::held(State::Backoff, Hold::Backoff));
        }
        if self.service.policy.mode == Mode::Observe {
            self.would_restart(cx.now);
            return Some(Judgement::held(State::Held, Hold::Observe));
        }
        // An action whose attempt was ended early, by a stop say, may still be under way.
        if self.actions.in_flight.is_some() || !cx.host.slot_free() {
            return Some(Judgement::held(State::Throttled, Hold::InFlight));
        }
        if let Some(at) = cx.host.token_at(cx.now) {
            self.timers.set(Timer::Attempt, at);
            return Some(Judgement::held(State::Throttled, Hold::Throttled));
        }
        None
    }

    /// Waits for what it comes after, or fell with, if that is down.
    fn wait_for_dependency(&mut self, cx: &Context<'_>) -> Option<Judgement> {
        let Some(dependency) = cx.dependency.as_ref() else {
            let name = self.target.waits_for()?.name.clone();
            return Some(Judgement::held(State::Suppressed, Hold::Dependency { name }));
        };
        let name = dependency.name.to_string();
        if let Some(until) = dependency.until {
            self.timers.set(Timer::Attempt, until);
        }
        let hold = if dependency.suspect {
            Hold::DependencySuspect { name }
        } else {
            Hold::Dependency { name }
        };
        Some(Judgement::held(State::Suppressed, hold))
    }

    /// Whether the settings of the target itself say that it must not be restarted after this end.
    pub(super) fn is_prevented(&self) -> bool {
        self.target_down().is_some() && self.target.supervisor() == Supervisor::Forbids
    }

    /// Attempts allowed within the window.
    pub(super) fn burst(&self) -> u32 {
        let burst = self.service.policy.burst;
        if self.memory.supervisor_gave_up.is_some() {
            burst.div_ceil(2)
        } else {
            burst
        }
    }

    /// Notes, once for each run, that the target's supervisor has given up.
    fn note_supervisor(&mut self, now: Time) {
        let seen = self.target_down().is_some() && self.target.supervisor() == Supervisor::GaveUp;
        let known = self.memory.supervisor_gave_up.as_ref().map(|known| known.run.as_ref());
        if let Some(incident) = self
            .memory
            .incident
            .as_mut()
            .filter(|incident| seen && !incident.limited)
        {
            incident.limited = true;
            self.unsaved = true;
        }
        if seen && known != Some(self.target.run()) {
            let run = self.target.run().cloned();
            self.memory.supervisor_gave_up = Some(GivenUp { at: now, run });
            self.unsaved = true;
        }
    }

    /// When a target whose supervisor has given up has rested.
    fn rested_at(&self) -> Option<Time> {
        let since = self.memory.supervisor_gave_up.as_ref()?.at;
        Some(since + AFTER_SUPERVISOR.min(self.service.policy.backoff_max))
    }

    /// When the first attempt of a new incident is due.
    pub(super) fn first_attempt(&self, cx: &Context<'_>) -> Time {
        cx.now + self.gap()
    }

    /// The gap before the next attempt.
    fn gap(&self) -> Duration {
        let incident = self.memory.incident.as_ref().map_or(0, |incident| incident.id.0);
        let attempts = self.memory.attempts;
        let seed = backoff::seed(self.service.name.as_str(), incident, u64::from(attempts));
        backoff::gap(&self.service.policy, attempts, seed)
    }

    /// Begins an attempt: spends it, remembers it, asks for it.
    fn act(&mut self, cx: &mut Context<'_>) {
        cx.host.take_token(cx.now);
        // The next one after giving up is as far away as this one was.
        self.memory.half_open_at = None;
        self.memory.attempts += 1;
        self.memory.budget.spend(self.service.policy.window, cx.now);
        self.memory.next_attempt = Some(cx.now + self.gap());
        let ordinal = self.memory.incident.as_mut().map(|incident| {
            incident.attempts += 1;
            incident.attempts
        });
        self.begin(ordinal, cx);
    }

    /// Asks for a recovery action: an attempt with its `ordinal` in the incident, or what an operator requested.
    pub(super) fn begin(&mut self, ordinal: Option<u32>, cx: &mut Context<'_>) {
        let kind = if ordinal.is_some() && self.idles_in_vain() {
            ActionKind::StartTrigger
        } else if self.target_down().is_some() {
            ActionKind::Start
        } else {
            ActionKind::Restart
        };
        if kind == ActionKind::Restart {
            // What is bound to it goes down with it.
            self.ends.fell = Some(cx.now);
        }
        self.supervision.crash_loop.clear();
        self.occupation.forget();
        let expected = self.target.run().cloned();
        self.target.acted_on.clone_from(&expected);
        let id = cx.host.new_action();
        self.take_off(id, cx);
        self.memory.attempt = Some(Attempt {
            action: id,
            kind,
            requested: ordinal.is_none(),
            expected: expected.clone(),
            started_at: cx.now,
            ended_at: None,
        });
        self.unsaved = true;
        // What is asked now says nothing of the run to come. What is known stays, should nothing be done.
        self.rounds.pending = None;
        let incident = self.memory.incident.as_ref().map(|incident| incident.id);
        let attempt = ordinal.unwrap_or(0);
        let action = Action {
            id,
            service: self.service.name.clone(),
            incident,
            attempt,
            kind,
            expected,
        };
        let again = ordinal.is_some() && self.refusals.reported.is_some();
        self.report(
            ReportKind::ActionStarted {
                action: action.clone(),
                again,
            },
            cx,
        );
        cx.command(Command::RestartTarget(action));
    }

    /// Whether, after giving up, one more attempt is due.
    fn half_open(&mut self, cx: &Context<'_>) -> bool {
        let every = self.service.policy.half_open;
        if every.is_zero() {
            return false;
        }
        let at = *self.memory.half_open_at.get_or_insert_with(|| {
            self.unsaved = true;
            cx.now + every
        });
        if at > cx.now {
            self.timers.set(Timer::Attempt, at);
        }
        at <= cx.now
    }

    fn give_up(&mut self, cx: &mut Context<'_>) {
        self.memory.gave_up = true;
        self.unsaved = true;
        let window = self.service.policy.window;
        let attempts = self.memory.budget.spent(window, cx.now);
        let halved = self.burst() < self.service.policy.burst;
        let cause = self.incident_cause().cloned().unwrap_or(Cause::Unknown);
        self.report(
            ReportKind::GaveUp {
                attempts,
                window,
                halved,
                cause,
            },
            cx,
        );
        let kind = NotificationKind::GaveUp {
            restarts: attempts,
            window,
        };
        self.notify(kind, "manual action needed", cx);
    }
}
