//! The questions, in order. The first that applies names the state.

use super::bound::Bound;
use super::{Context, Machine};
use crate::cause::Cause;
use crate::crash_loop;
use crate::observation::{Activity, Intent, TargetState};
use crate::policy::OnCleanExit;
use crate::report::{ReportKind, Resolution};
use crate::state::{Hold, State};
use crate::time::Time;
use crate::timers::Timer;

/// What a service is doing now, and why nothing is done about it, if there is a reason.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) state: State,
    pub(super) hold: Option<Hold>,
}

impl Judgement {
    /// Nothing is done now because of `hold`.
    pub(super) fn held(state: State, hold: Hold) -> Self {
        Self {
            state,
            hold: Some(hold),
        }
    }
}

impl From<State> for Judgement {
    fn from(state: State) -> Self {
        Self { state, hold: None }
    }
}

impl Machine {
    /// The questions, in order. The first that applies decides.
    pub(super) fn judge(&mut self, cx: &mut Context<'_>) -> Judgement {
        self.prove_trigger(cx);
        if let Some(state) = self.judge_stopped(cx) {
            return state.into();
        }
        if cx.host.going_down || self.target_down().is_some_and(|(intent, _)| intent == Intent::Shutdown) {
            return State::Shutdown.into();
        }
        if self.in_maintenance() {
            self.await_end_of_maintenance();
            return self.judge_paused(cx).into();
        }
        if let Some(judgement) = self.judge_asked(cx) {
            return judgement;
        }
        let requested = self.awaits_requested_run();
        if let Some(state) = self.judge_action(cx) {
            return state.into();
        }
        // While an operator's restart is under way, the stop it undoes is history. It is not once that has failed.
        if requested {
            if let Some(state) = self.judge_stopped(cx) {
                return state.into();
            }
            if let Some(judgement) = self.judge_asked(cx) {
                return judgement;
            }
        }
        if let Some(until) = self.crash_loops(cx.now) {
            return self.judge_crash_loop(until, cx);
        }
        if let Some(activity) = self.busy() {
            return self.judge_busy(activity, cx);
        }
        let down = self.judge_down(cx);
        if let Some(reason) = self.judge_unchecked(&down, cx) {
            return Judgement::held(State::Held, reason);
        }
        match down {
            Down::No => self.judge_running(cx),
            Down::Settling => Judgement::held(State::Settling, Hold::Settling),
            Down::Confirmed(cause) => self.recover(cause, cx),
        }
    }

    /// A deliberate stop ends everything: it is never undone, whoever made it.
    fn judge_stopped(&mut self, cx: &mut Context<'_>) -> Option<State> {
        let (intent, _) = self.target_down()?;
        if self.left_behind(cx).is_some() || self.idles_in_vain() {
            return None;
        }
        if intent == Intent::OperatorStop && self.standing.state != State::Unknown {
            // By itself, whatever it was stopped with before.
            self.forget_stopped_with();
        }
        let run = self.target.run().cloned();
        let latched = run.is_some() && self.memory.stopped == run;
        let reason = match intent {
            Intent::OperatorStop if self.standing.state == State::Unknown => {
                "not running when first seen, so left alone"
            }
            Intent::OperatorStop => "stopped by an operator",
            Intent::AskedToStop => "ended, as it had been asked to",
            Intent::ConflictStop => "stopped because something that conflicts with it was started",
            Intent::NotApplicable => "it has nothing to do now",
            // Whoever asked for that start will see it. But when it was to end an outage, that goes on.
            Intent::ConditionNotMet if !self.is_missed() => "its start conditions are not met",
            Intent::DependencyStop if !latched => match self.judge_bound(cx) {
                Bound::Fell => return None,
                Bound::Unsure => return Some(State::Settling),
                Bound::Stopped => {
                    self.note_stopped_with(cx);
                    "stopped together with something it is bound to"
                }
            },
            Intent::CleanExit if self.service.policy.on_clean_exit == OnCleanExit::Ignore => "ended by itself",
            // The same run that was stopped on purpose may show as failed afterwards.
            _ if latched => "stopped on purpose",
            _ => return None,
        };
        // That includes what ended by itself and was left so: other settings count from its next run on. A default changed
        // for all services must not start every job that ended since.
        if !self.start_was_refused() && self.memory.stopped != run {
            self.memory.stopped = run;
            self.unsaved = true;
        }
        if self.awaits_requested_run() {
            return None;
        }
        self.supervision.crash_loop.clear();
        self.occupation.forget();
        let resolution = if self.did_its_work() || self.waits_again() {
            match self.memory.attempt {
                Some(_) => Resolution::Healed,
                None => Resolution::Recovered,
            }
        } else {
            Resolution::Stopped
        };
        self.cut_short(reason.to_owned(), cx);
        if let Some(after) = self.take_late_end(cx.now).filter(|_| !self.in_maintenance()) {
            self.open_incident(Cause::AskedToStop { after: Some(after) }, cx);
        }
        self.close_incident(resolution, cx);
        if self.memory.healthy_since.take().is_some() {
            self.unsaved = true;
        }
        if self.standing.state != State::Stopped {
            self.report(ReportKind::StoppedOnPurpose { reason: reason.into() }, cx);
        }
        self.announced.up = None;
        // What probes said before is of no use for the run to come.
        self.probes.failing = None;
        if let Some(at) = self.missed_at(cx).filter(|at| *at > cx.now) {
            self.timers.set(Timer::Settle, at);
        }
        Some(State::Stopped)
    }

    /// Whether it went down by itself, or was taken down by the agent, and the start that was to bring it back did nothing.
    fn is_missed(&self) -> bool {
        let fell = self
            .ends
            .fell
            .is_some_and(|fell| self.ends.left.is_none_or(|left| fell >= left));
        self.memory.incident.is_some() || fell
    }

    /// Whether a run after the one that failed ended well: that of a oneshot.
    fn did_its_work(&self) -> bool {
        let failed = self.memory.incident.as_ref().and_then(|incident| incident.run.as_ref());
        let ended = matches!(self.target_down(), Some((Intent::NotApplicable, _)));
        ended && failed.is_some() && failed != self.target.run()
    }

    /// In maintenance nothing is opened and nothing is done, but coming back is still noticed.
    fn judge_paused(&mut self, cx: &mut Context<'_>) -> State {
        match self.must_last_until(cx) {
            Some(until) => self.timers.set(Timer::MinUptime, until),
            None if self.is_healthy(cx.now) && self.failed_trigger().is_none() => {
                self.became_healthy(Resolution::Recovered, cx);
            }
            None => {}
        }
        State::Maintenance
    }

    /// Its supervisor restarts it over and over: told, and left to it. What probes say in the pauses between crashes is
    /// neither health nor a reason to act.
    fn judge_crash_loop(&mut self, until: Time, cx: &mut Context<'_>) -> Judgement {
        let cause = Cause::CrashLoop {
            restarts: crash_loop::RESTARTS,
            within: crash_loop::WINDOW,
        };
        self.went_down(&cause, None, cx);
        self.open_incident(cause, cx);
        self.timers.set(Timer::Quiet, until);
        Judgement::held(State::SupervisorBusy, Hold::CrashLoop)
    }

    /// Reports a check that cannot be run. It says nothing of the target, so what else is known of that decides; unless
    /// whatever is done now would lose it.
    fn judge_unchecked(&mut self, down: &Down, cx: &mut Context<'_>) -> Option<Hold> {
        let (reason, runtime_away) = self.target.unchecked()?;
        let cause = match down {
            Down::Confirmed(cause) => cause.clone(),
            _ => Cause::Unchecked {
                reason: reason.to_owned(),
            },
        };
        if !runtime_away && matches!(down, Down::Confirmed(_)) {
            return None;
        }
        self.open_incident(cause, cx);
        Some(if runtime_away {
            Hold::RuntimeAway
        } else {
            Hold::Unchecked
        })
    }

    /// Whether the service is down, and for certain.
    fn judge_down(&mut self, cx: &mut Context<'_>) -> Down {
        if let Some(reason) = self.target.unusable().map(str::to_owned) {
            self.refusals.hold = Some(Hold::Refused { reason: reason.clone() });
            let cause = Cause::Unusable { reason };
            self.went_down(&cause, None, cx);
            return Down::Confirmed(cause);
        }
        if let Some((intent, cause)) = self.target_down() {
            let cause = match self.left_behind(cx) {
                Some(with) => Cause::StoppedWith {
                    name: with.name.clone(),
                    at: with.at,
                },
                None if intent == Intent::DependencyStop => Cause::Dependency,
                None if intent == Intent::NotApplicable => self.failed_trigger().unwrap_or_else(|| cause.clone()),
                None => cause.clone(),
            };
            self.went_down(&cause, None, cx);
            let settled = self.target.down_since.unwrap_or(cx.now) + self.settle();
            if cx.now < settled {
                self.timers.set(Timer::Settle, settled);
                return Down::Settling;
            }
            return Down::Confirmed(cause);
        }
        // The supervisor has a start grace of its own, and says nothing before that is over.
        if let Some(output) = self.target.unhealthy().map(str::to_owned)
            && (self.check_may_restart() || !self.probes.proof.may_restart(&self.service.policy))
        {
            // A host that was suspended a moment ago makes such checks fail too.
            if let Some(until) = self.probes.calm_until.filter(|until| *until > cx.now) {
                self.timers.set(Timer::Grace, until);
                return Down::No;
            }
            let cause = self.cause_of_check(output);
            self.went_down(&cause, None, cx);
            return Down::Confirmed(cause);
        }
        if self.grace(cx.now).is_some() {
            return Down::No;
        }
        match self.probes.health.down().cloned() {
            Some(failure) => Down::Confirmed(self.cause_of_probes(failure)),
            None => Down::No,
        }
    }

    /// The target runs, or there is none, and probes have not found the service down.
    fn judge_running(&mut self, cx: &mut Context<'_>) -> Judgement {
        if self.is_unobservable() && !self.probes.health.is_up() {
            return State::Unknown.into();
        }
        if self.is_healthy(cx.now) {
            if let Some(until) = self.must_last_until(cx).max(self.must_last(cx.now)) {
                self.timers.set(Timer::MinUptime, until);
                return State::Starting.into();
            }
            if let Some(cause) = self.failed_trigger() {
                return self.judge_failed_trigger(cause, cx);
            }
            self.became_healthy(Resolution::Recovered, cx);
            let state = if self.is_unobservable() {
                State::Unknown
            } else {
                State::Healthy
            };
            return state.into();
        }
        if let Some(until) = self.grace(cx.now) {
            self.timers.set(Timer::Grace, until);
            return State::Starting.into();
        }
        let state = if self.probes.health.is_suspect() {
            State::Suspect
        } else {
            State::Starting
        };
        state.into()
    }

    /// Whether it is down, on its way down or up, or not known yet: nothing that needs it can be healed. What cannot be
    /// observed holds up nothing, because that may last for long.
    pub(super) fn is_away(&self) -> bool {
        let absent = match self.target.state() {
            None => self.service.has_target,
            Some(TargetState::Down { .. } | TargetState::Unusable(_)) => true,
            Some(TargetState::Unhealthy(_)) => self.trusts_check(),
            Some(TargetState::Busy(_)) => self.busy().is_some_and(|activity| activity != Activity::Reloading),
            Some(TargetState::Running | TargetState::Unchecked { .. } | TargetState::Unknown(_)) => false,
        };
        let incident = self.memory.incident.as_ref();
        // Of a check that cannot be run it is unknown how long that will be so, and nothing is known to be down.
        let failed = incident.is_some_and(|incident| !matches!(incident.cause, Cause::Unchecked { .. }));
        // What runs, and only fails a question that may be the wrong one, holds up nothing that needs it.
        let failed = failed && !(self.runs() && (self.is_in_doubt() || self.is_trigger_incident()));
        absent || failed || self.standing.state == State::Restarting
    }

    /// Whether it counts as healthy: it runs, and probes, if any, have passed often enough.
    pub(super) fn is_healthy(&self, now: Time) -> bool {
        let runs =
            !self.service.has_target || (self.runs() && self.target.unhealthy().is_none()) || self.is_unobservable();
        let proved = if self.service.has_probes {
            self.probes.health.is_up() && !self.probes.health.is_suspect()
        } else {
            self.runs() && self.target.unchecked().is_none()
        };
        runs && proved && self.crash_loops(now).is_none()
    }

    /// When the crash loop under its supervisor is over, if there is one and the supervisor has not given up.
    fn crash_loops(&self, now: Time) -> Option<Time> {
        let loops = self.runs() || matches!(self.busy(), Some(Activity::AutoRestart | Activity::Starting));
        self.supervision.crash_loop.until(now).filter(|_| loops)
    }
}

/// Whether a service is down.
enum Down {
    /// It is not, as far as is known.
    No,
    /// It is, and its supervisor gets time to act first.
    Settling,
    /// It is, for certain.
    Confirmed(Cause),
}
