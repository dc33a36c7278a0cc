//! From the act to its proof: what the adapter answered, and whether the restart helped.

use std::time::Duration;

use sentinel_text::span;

use super::{Context, Machine};
use crate::cause::Cause;
use crate::command::ActionKind;
use crate::event::ActionResult;
use crate::ids::ActionId;
use crate::memory::Attempt;
use crate::outage::Starter;
use crate::probe::{ProbeFailure, ProbePhase};
use crate::report::{ReportKind, Resolution};
use crate::state::{Hold, State};
use crate::time::Time;
use crate::timers::Timer;

/// When nothing was done for a reason outside the service, the next look comes after this.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// When acting would hurt others, or a condition is not met, that is asked again this much later. An operator has been
/// notified by then; this is for what needs none, such as a job that happened to run, and each time is an entry in the
/// timeline.
const LOOK_AROUND_AGAIN: Duration = Duration::from_secs(10 * 60);

/// The longest time that a process which lives and accepts no connection has to prove itself, where its own
/// `TimeoutStartSec=` is not longer: more would only be a longer outage.
const SLOW_START_MAX: Duration = Duration::from_secs(10 * 60);

/// Whether a probe found nobody who accepts its connection: so it is while a process starts, and not when it hangs.
fn refuses(failure: &ProbeFailure) -> bool {
    failure.phase == ProbePhase::Connect
}

impl Machine {
    /// Goes on after a restart of the agent. An attempt that was under way counts as spent and is judged by what is
    /// seen; it is never issued again.
    pub(super) fn resume(&mut self, cx: &mut Context<'_>) {
        if let Some(incident) = &self.memory.incident {
            self.announced.up = Some(false);
            if matches!(incident.cause, Cause::CrashLoop { .. }) {
                self.supervision.crash_loop.resume(cx.now);
            }
        }
        self.resume_outage();
        // What was assumed because memory was lost must not be forgotten at the next start.
        self.unsaved |= self.memory.gave_up;
        self.resume_dry_run(cx.now);
        self.resume_passed();
        // The agent did not watch meanwhile: good minutes are counted again.
        self.memory.healthy_since = None;
        let Some(attempt) = self
            .memory
            .attempt
            .as_mut()
            .filter(|attempt| attempt.ended_at.is_none())
        else {
            return;
        };
        attempt.ended_at = Some(cx.now);
        let action = attempt.action;
        self.unsaved = true;
        let result = ActionResult::Unknown("the agent itself was restarted meanwhile".into());
        self.report(ReportKind::ActionEnded { action, result }, cx);
    }

    /// The adapter answered.
    pub(crate) fn action_finished(&mut self, action: ActionId, result: ActionResult, cx: &mut Context<'_>) {
        if self.in_flight() == Some(action) {
            self.land(cx);
        }
        if !matches!(result, ActionResult::Done | ActionResult::Unknown(_)) {
            self.target.acted_on = None;
        }
        if self
            .memory
            .attempt
            .as_ref()
            .is_none_or(|attempt| attempt.action != action)
        {
            if let Some((_, at)) = self.actions.withdrawn.take_if(|(withdrawn, _)| *withdrawn == action)
                && result.nothing_done()
            {
                self.refund(at, cx);
            }
            return;
        }
        self.report(
            ReportKind::ActionEnded {
                action,
                result: result.clone(),
            },
            cx,
        );
        self.unsaved = true;
        // Unless it is known that nothing will be done, what probes have said is history.
        if !result.is_refusal() {
            self.restart_health();
        }
        let unanswered = std::mem::take(&mut self.refusals.unanswered);
        if !result.is_refusal() {
            self.refusals.reported = None;
        }
        match result {
            ActionResult::Done | ActionResult::Unknown(_) => self.await_proof(cx.now),
            ActionResult::Failed(reason) => self.fail_attempt(reason, cx),
            ActionResult::Cancelled(_) => {
                // Another party is at it, and will be seen to be.
                self.memory.attempt = None;
                self.memory.next_attempt = self.memory.next_attempt.max(Some(cx.now + LOOK_AGAIN));
            }
            ActionResult::Outdated(_) | ActionResult::Conflict(_) | ActionResult::NotRecorded(_) => {
                self.take_back(cx);
            }
            ActionResult::Refused(reason) => {
                self.take_back(cx);
                self.refusals.refused(reason, cx.now);
            }
            ActionResult::Unanswered(reason) => {
                self.take_back(cx);
                self.refusals.was_unanswered(reason, unanswered, cx.now);
            }
            ActionResult::CalledOff(reason) => {
                self.take_back(cx);
                self.refusals.hold = Some(Hold::Condition { reason });
                self.memory.next_attempt = Some(cx.now + LOOK_AROUND_AGAIN);
            }
            ActionResult::TooWide(radius) => {
                self.take_back(cx);
                self.refusals.hold = Some(Hold::BlastRadius(radius));
                self.memory.next_attempt = Some(cx.now + LOOK_AROUND_AGAIN);
            }
        }
    }

    fn await_proof(&mut self, now: Time) {
        if let Some(attempt) = &mut self.memory.attempt {
            attempt.ended_at = Some(now);
        }
        self.timers.set(Timer::Probe, now);
    }

    /// Nothing was done, so nothing was spent.
    fn take_back(&mut self, cx: &mut Context<'_>) {
        self.memory.next_attempt = Some(cx.now + LOOK_AGAIN);
        let counted = self.memory.attempt.take().filter(|attempt| !attempt.requested);
        if let Some(attempt) = counted
            && let Some(incident) = &mut self.memory.incident
        {
            incident.attempts = incident.attempts.saturating_sub(1);
            self.refund(attempt.started_at, cx);
        }
    }

    /// Gives back what was spent `at` that moment.
    fn refund(&mut self, at: Time, cx: &mut Context<'_>) {
        self.memory.attempts = self.memory.attempts.saturating_sub(1);
        self.memory.budget.refund();
        cx.host.put_token_back(at);
        self.unsaved = true;
    }

    /// Ends the attempt: it did not help.
    pub(super) fn fail_attempt(&mut self, reason: String, cx: &mut Context<'_>) {
        if let Some(action) = self.end_attempt() {
            self.report(ReportKind::ActionUnverified { action, reason }, cx);
        }
    }

    /// Ends the attempt, which proves nothing: something more important happened.
    pub(super) fn cut_short(&mut self, reason: String, cx: &mut Context<'_>) {
        if let Some(action) = self.end_attempt() {
            self.report(ReportKind::ActionCutShort { action, reason }, cx);
        }
    }

    fn end_attempt(&mut self) -> Option<ActionId> {
        let attempt = self.memory.attempt.take()?;
        self.unsaved = true;
        self.actions.withdrawn =
            (attempt.ended_at.is_none() && !attempt.requested).then_some((attempt.action, attempt.started_at));
        Some(attempt.action)
    }

    /// Whether an operator's restart is under way and its new run has not been seen: until then the stop it undoes is
    /// history. It is remembered all the same, for when no new run comes.
    pub(super) fn awaits_requested_run(&self) -> bool {
        self.memory
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.requested && !self.is_fresh(attempt))
    }

    /// Whether what is seen is a new run. Until then the old one is a picture of the past.
    fn is_fresh(&self, attempt: &Attempt) -> bool {
        self.target.run().is_some() && self.target.run() != attempt.expected.as_ref()
    }

    /// While an attempt is open, tells where it stands; `None` when there is none, or it has just failed.
    pub(super) fn judge_action(&mut self, cx: &mut Context<'_>) -> Option<State> {
        let attempt = self.memory.attempt.as_ref()?;
        let Some(ended_at) = attempt.ended_at else {
            let limit = attempt.started_at + self.action_limit();
            if cx.now < limit {
                self.timers.set(Timer::Action, limit);
                return Some(State::Restarting);
            }
            let (action, lost) = (attempt.action, ActionResult::Unknown("the answer never came".into()));
            self.action_finished(action, lost, cx);
            return self.judge_action(cx);
        };
        if attempt.kind == ActionKind::StartTrigger {
            return self.judge_trigger_action(ended_at, cx);
        }
        let fresh = self.is_fresh(attempt);
        let limit = attempt.started_at + self.action_limit();
        if self.busy().is_some() && cx.now < limit {
            self.timers.set(Timer::Action, limit);
            return Some(State::Restarting);
        }
        if fresh {
            if let Some((_, cause)) = self.target_down() {
                let reason = cause.to_string();
                self.fail_attempt(reason, cx);
                return None;
            }
            if let Some(output) = self.target.unhealthy()
                && self.trusts_check()
            {
                let cause = Cause::Unhealthy {
                    output: output.to_owned(),
                };
                self.fail_attempt(cause.to_string(), cx);
                return None;
            }
            if self.grace(cx.now).is_none()
                && self.probes.health.down().is_some_and(|failure| !refuses(failure))
                && let Some(failure) = self.probes.proof.trusted_failure(&self.service.policy)
            {
                let reason = failure.to_string();
                self.fail_attempt(reason, cx);
                return None;
            }
            if self.is_healthy(cx.now) && !self.is_unobservable() {
                let lived = self.target.run_since + self.service.policy.min_uptime;
                if lived <= cx.now {
                    self.prove(cx);
                    return Some(State::Healthy);
                }
                self.timers.set(Timer::MinUptime, lived);
            } else if let Some(cause) = self.only_unproven().filter(|_| !self.is_unobservable()) {
                // Whether it is well cannot be known; that it lives can.
                let lived = self.target.run_since + self.service.policy.min_uptime;
                if lived <= cx.now {
                    self.end_unproven(cause, cx);
                    return None;
                }
                self.timers.set(Timer::MinUptime, lived);
            }
        }
        // A new run has its whole time to prove itself, however long it took to start.
        let began = if fresh {
            ended_at.max(self.target.run_since)
        } else {
            ended_at
        };
        let mut deadline = began + self.time_to_prove(fresh);
        if let Some(grace) = self.grace(cx.now) {
            deadline = deadline.max(grace);
        }
        if cx.now < deadline {
            self.timers.set(Timer::Verify, deadline);
            return Some(State::Verifying);
        }
        if self.is_unobservable() {
            // Time alone changes nothing before the target is seen again.
            return Some(State::Verifying);
        }
        let slow = fresh && self.probes.health.down().is_some_and(refuses);
        let reason = if slow {
            let waited = span(cx.now.since(began));
            format!("no connection was accepted within {waited}; if it starts slowly, raise start_grace")
        } else if fresh {
            "it did not prove itself in time".to_owned()
        } else {
            "no new run was seen in time".to_owned()
        };
        if let Some(incident) = self.memory.incident.as_mut().filter(|_| slow) {
            incident.slow_starts = incident.slow_starts.saturating_add(1);
        }
        self.fail_attempt(reason, cx);
        None
    }

    /// How long a run has to prove itself. A process that lives and accepts no connection may only be slow to start, and
    /// another restart would begin that again: each attempt that ended so doubles the time of the next.
    fn time_to_prove(&self, fresh: bool) -> Duration {
        let verify = self.service.policy.verify;
        let slow = self.memory.incident.as_ref().map_or(0, |incident| incident.slow_starts);
        if !fresh {
            return verify;
        }
        let longest = SLOW_START_MAX
            .max(self.target.limits().start.unwrap_or_default())
            .max(verify);
        let factor = 2_u32.checked_pow(slow).unwrap_or(u32::MAX);
        verify.saturating_mul(factor).min(longest)
    }

    fn prove(&mut self, cx: &mut Context<'_>) {
        // What a restart does not help against was over by itself: to claim it would be false credit.
        let restart_on = &self.service.policy.restart_on;
        let incident = self.memory.incident.as_ref();
        let other = incident.filter(|incident| !incident.cause.restart_can_help(restart_on));
        let other =
            other.map(|incident| format!("healthy again, which a restart does not explain: {}", incident.cause));
        let took = self.probes.answers_since.map(|at| at.since(self.target.run_since));
        let starts_slowly = took.filter(|took| *took > self.service.policy.start_grace);
        if let Some(Attempt { action, requested, .. }) = self.memory.attempt.take() {
            self.note_starter(if requested { Starter::Operator } else { Starter::Agent });
            let what = match &other {
                None => ReportKind::ActionVerified { action, starts_slowly },
                Some(reason) => ReportKind::ActionUnproven {
                    action,
                    reason: reason.clone(),
                },
            };
            self.report(what, cx);
        }
        self.unsaved = true;
        let resolution = if other.is_some() {
            Resolution::Recovered
        } else {
            Resolution::Healed
        };
        self.became_healthy(resolution, cx);
    }
}
