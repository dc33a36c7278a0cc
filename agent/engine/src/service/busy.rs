//! Whatever a supervisor, or an operator's job, is busy with is left to it, and is told when it lasts.
//!
//! Nothing is done about it: a job that is under way has its own end, and whoever began it may be watching. But a start, a
//! stop or a reload that never ends is an outage that no probe shows, as probes say nothing meanwhile.

use std::time::Duration;

use super::{Context, Machine};
use crate::cause::Cause;
use crate::observation::{Activity, Limits, Observation};
use crate::probe::ProbeFailure;
use crate::state::{Hold, State};
use crate::time::Time;
use crate::timers::Timer;

/// Killing what did not stop in time takes a moment.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// A pause is the supervisor's turn for at least as long as a dead target is left to it.
const PAUSE_MIN: Duration = Duration::from_secs(5);

/// One activity may follow the other, with runs in between that are too short to count, each within its own time. All of
/// them together have this long: as long as restarts count for a crash loop.
const AWAY_MAX: Duration = Duration::from_secs(10 * 60);

/// What the target is busy with.
#[derive(Debug)]
pub(super) struct Busy {
    activity: Activity,
    since: Time,
    /// How long it had been busy when that was found to be too long.
    overdue: Option<Duration>,
}

impl Machine {
    /// Notes what the target is busy with, and since when. `lived` says that a run just ended, or goes on, that lasted.
    pub(super) fn note_busy(&mut self, lived: bool, age: Option<Duration>, now: Time) {
        if self.is_blind() {
            return;
        }
        if lived {
            self.away_since = None;
        }
        let activity = self.busy();
        if self.occupied.as_ref().map(|busy| busy.activity) == activity {
            return;
        }
        self.occupied = activity.map(|activity| Busy {
            activity,
            since: now.back(age.unwrap_or_default()),
            overdue: None,
        });
        if let Some(busy) = &self.occupied {
            self.away_since.get_or_insert(busy.since);
        }
    }

    /// An action, or a stop, begins another story.
    pub(super) fn forget_busy(&mut self) {
        self.away_since = None;
        self.was_overdue = false;
    }

    /// Something else is busy with the target.
    pub(super) fn judge_busy(&mut self, activity: Activity, cx: &mut Context<'_>, hold: &mut Option<Hold>) -> State {
        if self.memory.attempt.is_some() {
            return State::Restarting;
        }
        if let Some(failure) = self.hangs_in_reload(activity, cx.now) {
            let (state, reason) = self.recover(Cause::Probe(failure), cx);
            *hold = reason;
            return state;
        }
        let longer_than = self.overdue(activity, cx);
        if let Some(longer_than) = longer_than.filter(|_| self.memory.incident.is_none()) {
            let ended = self.sight.as_ref().and_then(|sight| sight.details.ended.clone());
            let cause = ended
                .filter(|_| activity == Activity::AutoRestart)
                .unwrap_or(Cause::Busy { activity, longer_than });
            self.went_down(&cause, None, cx);
            self.open_incident(cause, cx);
            // What is let pass without a word has passed.
            if let Some(incident) = &mut self.memory.incident {
                incident.own_since = cx.now.back(self.service.policy.notify_after);
            }
        }
        if self.memory.incident.is_some() || activity == Activity::AutoRestart {
            *hold = Some(Hold::Busy { activity, longer_than });
        }
        if activity == Activity::Starting {
            State::Starting
        } else {
            State::SupervisorBusy
        }
    }

    /// How long it had been busy when it was found to be so for too long, if it was.
    fn overdue(&mut self, activity: Activity, cx: &Context<'_>) -> Option<Duration> {
        let bound = self.bound_of(activity);
        let notify_after = self.service.policy.notify_after;
        let away_since = self.away_since;
        let busy = self.occupied.as_mut()?;
        if busy.overdue.is_none() {
            let alone = busy.since + bound + notify_after;
            let together = away_since.map(|since| since + bound + notify_after.max(AWAY_MAX));
            let due = together.map_or(alone, |together| together.min(alone));
            if due > cx.now {
                self.timers.set(Timer::Busy, due);
                return None;
            }
            busy.overdue = Some(cx.now.since(busy.since));
            self.was_overdue = true;
        }
        busy.overdue
    }

    /// How long it may take before anything is said of it, beside `notify_after`.
    fn bound_of(&self, activity: Activity) -> Duration {
        let sight = self.sight.as_ref();
        let limits = sight.map_or_else(Limits::default, |sight| sight.limits);
        let policy = &self.service.policy;
        match activity {
            Activity::Starting => {
                let within = sight.and_then(|sight| sight.details.starts_within);
                policy.start_grace.max(within.unwrap_or_default())
            }
            Activity::AutoRestart => PAUSE_MIN.saturating_sub(policy.notify_after),
            Activity::Stopping => limits.stop_or_usual() + AFTER_KILL,
            Activity::Reloading => limits.start_or_usual(),
            Activity::Job | Activity::Frozen => Limits::USUAL,
        }
    }

    /// `reloading` can outlast the reload: systemd before 262 shows it without an end when the service never says that it
    /// is done. When no job is under way either, and probes that passed before now fail, it hangs like any other.
    fn hangs_in_reload(&mut self, activity: Activity, now: Time) -> Option<ProbeFailure> {
        let has_job = |sight: &Observation| sight.details.has_job;
        if activity != Activity::Reloading || self.sight.as_ref().is_some_and(has_job) || !self.health.was_up() {
            return None;
        }
        let due = self.occupied.as_ref()?.since + self.bound_of(activity);
        if due > now {
            self.timers.set(Timer::Grace, due);
            return None;
        }
        self.health.down().cloned()
    }

    /// Whether the run is too young to end an outage that was told while its supervisor, or a job, was busy.
    pub(super) fn must_last(&self, now: Time) -> Option<Time> {
        let lasted = self.instance_since + self.service.policy.min_uptime;
        (self.was_overdue && self.memory.incident.is_some() && lasted > now).then_some(lasted)
    }

    /// Whether probes say something of a target that is busy: it runs all the while.
    pub(super) fn is_probed_while_busy(&self) -> bool {
        matches!(self.busy(), Some(Activity::Reloading | Activity::Frozen))
    }
}
