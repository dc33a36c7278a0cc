//! When to probe, and what the outcomes change.

use std::time::Duration;

use super::first_pass::Pass;
use super::{Context, Machine};
use crate::backoff;
use crate::cause::Cause;
use crate::command::Command;
use crate::ids::ProbeRound;
use crate::probe::{ProbeOutcome, Verdict};
use crate::report::Resolution;
use crate::state::State;
use crate::time::Time;
use crate::timers::Timer;

/// All services are first probed within this time of the agent's start, so that `sentinel status` soon tells something.
const FIRST_ROUND: Duration = Duration::from_secs(1);

/// What a probe may be late because the host is busy.
const PROBE_SLACK: Duration = Duration::from_secs(5);

/// The rounds of probes: which is awaited, and when the next is due.
#[derive(Debug)]
pub(super) struct ProbeRounds {
    /// The round whose outcome is awaited.
    pub(super) pending: Option<ProbeRound>,
    /// From when on places in the interval are counted: when this service came to be watched.
    places_from: Time,
    /// When the last round was due.
    due: Option<Time>,
    /// When the last round was asked for.
    asked_at: Option<Time>,
    /// Since when no probe has passed or failed, while probes are due.
    silent_since: Option<Time>,
}

impl ProbeRounds {
    pub(super) fn new(now: Time) -> Self {
        Self {
            pending: None,
            places_from: now,
            due: None,
            asked_at: None,
            silent_since: None,
        }
    }
}

impl Machine {
    /// Spreads the first probes, so that a thousand services are not asked at the same instant.
    pub(super) fn schedule_first_probe(&mut self, now: Time) {
        if self.service.has_probes {
            let spread = FIRST_ROUND.min(self.service.policy.interval);
            self.timers.set(Timer::Probe, now + spread.mul_f64(self.phase()));
        }
    }

    /// This service's place within an interval, from its name.
    fn phase(&self) -> f64 {
        backoff::fraction(backoff::seed(self.service.name.as_str(), 0, 0))
    }

    /// Asks for a round when one is due, and sets the timer for the next.
    pub(super) fn schedule_probe(&mut self, cx: &mut Context<'_>) {
        if !self.probes_decide() {
            self.timers.clear(Timer::Probe);
            self.rounds.silent_since = None;
            return;
        }
        self.rounds.silent_since.get_or_insert(cx.now);
        let scheduled = self.timers.get(Timer::Probe).unwrap_or(cx.now);
        let due = if scheduled > cx.now {
            self.advanced(scheduled, cx.now)
        } else {
            scheduled
        };
        if due > cx.now {
            self.timers.set(Timer::Probe, due);
            return;
        }
        if self.rounds.pending.is_some() && self.is_urgent() {
            // Its end asks for the next.
            self.timers.set(Timer::Probe, cx.now + self.service.policy.recheck());
            return;
        }
        if self.rounds.pending.is_none() {
            let round = cx.host.new_round();
            self.rounds.pending = Some(round);
            self.rounds.asked_at = Some(cx.now);
            cx.command(Command::RunProbes {
                service: self.service.name.clone(),
                round,
            });
        }
        self.rounds.due = Some(due);
        // Counted from the time it was due, so that delays do not add up; but what was missed is not made up for.
        let next = self.round_after(due);
        let next = if next > cx.now { next } else { self.round_after(cx.now) };
        self.timers.set(Timer::Probe, next);
    }

    /// When to ask next, if `due` was set in another state: one that wants quicker answers does not wait for the slow
    /// schedule, and what no longer wants them goes back to its own place in the interval.
    fn advanced(&self, due: Time, now: Time) -> Time {
        if self.is_urgent() {
            // Counted from the beginning of the last round: one that is due when that ends begins at once.
            let wanted = self.rounds.asked_at.unwrap_or(now) + self.service.policy.recheck();
            return due.min(wanted);
        }
        let planned = self.rounds.due.map(|last| self.round_after(last));
        let planned = planned.filter(|planned| *planned > now);
        // The interval may have become shorter than what has passed since.
        planned.unwrap_or_else(|| due.min(now + self.until_its_place(now)))
    }

    /// When the round after the one at `last` is due.
    ///
    /// While the answer does not matter more than usual, each service is asked at its own place within the interval:
    /// whatever made many be asked at once (the agent's start, a common failure, a suspend, a reload) leaves no crowd
    /// behind. On the way to its place a service is asked sooner than usual, never later, and never at more than
    /// twice the rate.
    fn round_after(&self, last: Time) -> Time {
        let policy = &self.service.policy;
        if self.is_urgent() {
            return last + policy.recheck();
        }
        let ahead = self.until_its_place(last);
        if ahead >= policy.interval / 2 {
            last + ahead
        } else {
            // Two such steps lead to the place one interval later.
            last + (policy.interval + ahead) / 2
        }
    }

    /// From `at` until this service's place comes next: something, and at most an interval.
    fn until_its_place(&self, at: Time) -> Duration {
        let interval = self.service.policy.interval;
        // Never before its place first came.
        let past = (at.since(self.rounds.places_from) + interval).saturating_sub(interval.mul_f64(self.phase()));
        let past = past.as_nanos().checked_rem(interval.as_nanos()).unwrap_or(0);
        interval.saturating_sub(Duration::from_nanos(u64::try_from(past).unwrap_or(0)))
    }

    /// For how long no probe has told anything, when that is longer than it should be: the agent itself could not ask, or
    /// not in time.
    pub(super) fn unprobed(&self, now: Time) -> Option<Duration> {
        // From one answer to the next an interval passes, and as much for a probe to take its time.
        let on_time = self.service.policy.interval * 2 + PROBE_SLACK;
        let unprobed = now.since(self.rounds.silent_since?);
        (unprobed > on_time).then_some(unprobed)
    }

    /// Whether an answer would say anything now.
    fn probes_decide(&self) -> bool {
        self.service.has_probes
            && !matches!(self.standing.state, State::Shutdown)
            && (!self.service.has_target || self.runs() || self.is_unobservable() || self.is_probed_while_busy())
    }

    /// Whether answers are wanted more often than usual.
    fn is_urgent(&self) -> bool {
        matches!(
            self.standing.state,
            State::Suspect | State::Starting | State::Verifying | State::Restarting
        ) || (self.is_unobservable() && !self.probes.health.is_up() && self.probes.health.down().is_none())
    }

    /// A round ended.
    pub(crate) fn probed(&mut self, round: ProbeRound, outcome: ProbeOutcome, cx: &mut Context<'_>) {
        if self.rounds.pending != Some(round) {
            return;
        }
        self.rounds.pending = None;
        if !matches!(outcome.verdict, Verdict::Skipped(_)) {
            self.rounds.silent_since = Some(cx.now);
        }
        let round = self.weigh(&outcome);
        match &outcome.verdict {
            Verdict::Passed => self.probes.answers_since = self.probes.answers_since.or(Some(cx.now)),
            Verdict::Failed(failure) => {
                self.probes.answers_since = None;
                // Also where it does not count yet: it is what was seen first.
                self.probes
                    .note_failing(round.failure().unwrap_or(failure), &outcome, cx.now);
            }
            Verdict::Skipped(_) => {}
        }
        let policy = &self.service.policy;
        match &outcome.verdict {
            Verdict::Passed => {
                // What only a question in doubt called down is up when that is answered.
                let rise = if self.is_in_doubt() { 1 } else { policy.rise };
                self.probes.health.record_pass(rise);
                self.probes.proof.record(&round);
                self.probes.last_pass = Some(Pass(outcome.status_code));
                self.probes.failing = None;
                self.note_probe_of_asked(true);
            }
            // It may show a hang later; until then it is no news.
            Verdict::Failed(failure) if self.busy().is_some() => {
                let failure = round.failure().unwrap_or(failure);
                self.probes
                    .health
                    .record_failure(failure.clone(), policy.fall, policy.fall_of);
                self.probes.proof.record(&round);
                if self.probes.health.down().is_some() {
                    self.interrupt_health();
                }
            }
            Verdict::Failed(failure) if self.grace(cx.now).is_some() => {
                // Not counted, but the log of a service that was never up says why.
                let cause = Cause::Probe(round.failure().unwrap_or(failure).clone());
                if self.announced.up.is_none() && !self.is_unseen() {
                    self.went_down(&cause, outcome.status_code, cx);
                }
                self.probes.health.interrupt();
                self.probes.proof.record_in_grace(&round);
            }
            Verdict::Failed(failure) => {
                let failure = round.failure().unwrap_or(failure);
                self.probes
                    .health
                    .record_failure(failure.clone(), policy.fall, policy.fall_of);
                self.probes.proof.record(&round);
                self.note_probe_of_asked(false);
                if self.probes.health.down().is_some() {
                    self.interrupt_health();
                }
                if self.announced.up.is_none() || self.probes.health.down().is_some() {
                    let cause = Cause::Probe(failure.clone());
                    self.went_down(&cause, outcome.status_code, cx);
                }
            }
            Verdict::Skipped(_) => {}
        }
        // What each of them said has been weighed, and is of no use any more.
        self.probes.last = Some((
            cx.now,
            ProbeOutcome {
                answers: Vec::new(),
                ..outcome
            },
        ));
    }

    /// The service is up for certain: says so once, and closes its incident.
    pub(super) fn became_healthy(&mut self, resolution: Resolution, cx: &mut Context<'_>) {
        self.say_up(cx);
        self.close_incident(resolution, cx);
        if self.memory.healthy_since.is_none() {
            self.memory.healthy_since = Some(cx.now);
            self.unsaved = true;
        }
    }
}
