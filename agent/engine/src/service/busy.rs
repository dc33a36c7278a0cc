//! Whatever a supervisor, or an operator's job, is busy with is left to it, and is reported when it lasts.
//!
//! Nothing is done about it: a job that is under way has its own end, and whoever began it may be watching. But a start, a
//! stop or a reload that never ends is an outage that no probe shows, as probes say nothing meanwhile.

use std::time::Duration;

use super::judge::Judgement;
use super::{Context, Machine};
use crate::cause::Cause;
use crate::observation::{Activity, Limits};
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
struct Busy {
    activity: Activity,
    since: Time,
    /// How long it had been busy when that was found to be too long.
    overdue: Option<Duration>,
}

/// What keeps the target from running for long.
#[derive(Debug, Default)]
pub(super) struct Occupation {
    /// What it is busy with.
    busy: Option<Busy>,
    /// Since when it has been busy with one thing or another, or ran too shortly to count.
    away_since: Option<Time>,
    /// Whether that lasted for too long.
    pub(super) was_overdue: bool,
}

impl Occupation {
    /// An action, or a stop, begins another story.
    pub(super) fn forget(&mut self) {
        self.away_since = None;
        self.was_overdue = false;
    }
}

impl Machine {
    /// Notes what the target is busy with, and since when. `lived` says that a run just ended, or goes on, that lasted.
    pub(super) fn note_busy(&mut self, lived: bool, age: Option<Duration>, now: Time) {
        if self.is_unobservable() {
            return;
        }
        if lived {
            self.occupation.away_since = None;
        }
        let activity = self.busy();
        if self.occupation.busy.as_ref().map(|busy| busy.activity) == activity {
            return;
        }
        self.occupation.busy = activity.map(|activity| Busy {
            activity,
            since: now.back(age.unwrap_or_default()),
            overdue: None,
        });
        if let Some(busy) = &self.occupation.busy {
            self.occupation.away_since.get_or_insert(busy.since);
        }
    }

    /// Something else is busy with the target.
    pub(super) fn judge_busy(&mut self, activity: Activity, cx: &mut Context<'_>) -> Judgement {
        if self.memory.attempt.is_some() {
            return State::Restarting.into();
        }
        if let Some(failure) = self.hangs_in_reload(activity, cx.now) {
            return self.recover(Cause::Probe(failure), cx);
        }
        let longer_than = self.overdue(activity, cx);
        if let Some(longer_than) = longer_than.filter(|_| self.memory.incident.is_none()) {
            let ended = self
                .target
                .observation
                .as_ref()
                .and_then(|observation| observation.details.ended.clone());
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
        let is_news = self.memory.incident.is_some() || activity == Activity::AutoRestart;
        let state = if activity == Activity::Starting {
            State::Starting
        } else {
            State::SupervisorBusy
        };
        Judgement {
            state,
            hold: is_news.then_some(Hold::Busy { activity, longer_than }),
        }
    }

    /// How long it had been busy when it was found to be so for too long, if it was.
    fn overdue(&mut self, activity: Activity, cx: &Context<'_>) -> Option<Duration> {
        let bound = self.bound_of(activity);
        let notify_after = self.service.policy.notify_after;
        let away_since = self.occupation.away_since;
        let busy = self.occupation.busy.as_mut()?;
        if busy.overdue.is_none() {
            let alone = busy.since + bound + notify_after;
            let together = away_since.map(|since| since + bound + notify_after.max(AWAY_MAX));
            let due = together.map_or(alone, |together| together.min(alone));
            if due > cx.now {
                self.timers.set(Timer::Busy, due);
                return None;
            }
            busy.overdue = Some(cx.now.since(busy.since));
            self.occupation.was_overdue = true;
        }
        busy.overdue
    }

    /// How long it may take before anything is said of it, beside `notify_after`.
    fn bound_of(&self, activity: Activity) -> Duration {
        let observation = self.target.observation.as_ref();
        let limits = observation.map_or_else(Limits::default, |observation| observation.limits);
        let policy = &self.service.policy;
        match activity {
            Activity::Starting => {
                let within = observation.and_then(|observation| observation.details.starts_within);
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
        let has_job = self.target.has_job();
        if activity != Activity::Reloading || has_job || !self.probes.health.was_up() {
            return None;
        }
        let due = self.occupation.busy.as_ref()?.since + self.bound_of(activity);
        if due > now {
            self.timers.set(Timer::Grace, due);
            return None;
        }
        self.probes.health.down().cloned()
    }

    /// Whether the run is too young to end an outage that was reported while its supervisor, or a job, was busy.
    pub(super) fn must_last(&self, now: Time) -> Option<Time> {
        let lasted = self.target.run_since + self.service.policy.min_uptime;
        (self.occupation.was_overdue && self.memory.incident.is_some() && lasted > now).then_some(lasted)
    }

    /// Whether probes say something of a target that is busy: it runs all the while.
    pub(super) fn is_probed_while_busy(&self) -> bool {
        matches!(self.busy(), Some(Activity::Reloading | Activity::Frozen))
    }
}
