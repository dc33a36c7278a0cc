//! A run that was asked to end and has not: it may be draining, and for longer than its own timeout.
//!
//! How long whoever asked is going to wait (`docker stop -t 60`) is reported by nothing. So for [`DRAIN_MAX`] nothing
//! is done about what fails, and an end is the stop that was asked for. It is reported, as it may have been asked in vain.

use std::time::Duration;

use sentinel_text::span;

use super::judge::Judgement;
use super::{Context, Machine};
use crate::cause::Cause;
use crate::ids::RunId;
use crate::observation::{AskedToStop, Intent, TargetState};
use crate::state::{Hold, State};
use crate::time::Time;
use crate::timers::Timer;

/// How long a run that was asked to end may take. Longer than anything drains; then the signal is forgotten, and what hangs
/// is restarted.
pub const DRAIN_MAX: Duration = Duration::from_secs(10 * 60);

/// Two observations of one signal may be dated so far apart, as each has its own way to the engine.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// A signal that asked for the end of a run.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    run: Option<RunId>,
    at: Time,
    /// By its own settings it should have ended this long after it was asked.
    patience: Duration,
    /// A probe of it, or its supervisor's check, has failed since.
    failed: bool,
    unhealthy: bool,
    /// It failed and was well again: the signal asked for something else, or was called off.
    over: bool,
}

impl Asked {
    fn of(run: Option<RunId>, at: Time, patience: Duration) -> Self {
        Self {
            run,
            at,
            patience,
            failed: false,
            unhealthy: false,
            over: false,
        }
    }
}

impl Machine {
    /// Takes in what the last observation says of such a signal. One without a connection says nothing.
    pub(super) fn note_asked(&mut self, now: Time) {
        let Some(observation) = self.target.observation.as_ref() else {
            return;
        };
        if matches!(observation.state, TargetState::Unknown(_)) {
            return;
        }
        let known = self.asked.take().filter(|known| known.run == observation.run);
        self.asked = match observation.asked_to_stop {
            Some(AskedToStop { ago, patience }) => {
                let at = now.back(ago);
                let same = known.filter(|known| at.since(known.at) < SAME_SIGNAL);
                Some(same.unwrap_or_else(|| Asked::of(observation.run.clone(), at, patience)))
            }
            // What has ended is not asked any more, and was.
            None => known.filter(|_| !self.runs()),
        };
        let unhealthy = self.target.unhealthy().is_some();
        let runs = self.runs();
        if let Some(asked) = &mut self.asked {
            asked.over |= asked.unhealthy && runs && !unhealthy;
            asked.unhealthy |= unhealthy;
        }
    }

    /// A probe round of it has counted. One failure and then health again is the end of it: whatever drains does not return.
    pub(super) fn note_probe_of_asked(&mut self, passed: bool) {
        let well = passed && self.probes.health.is_up();
        if let Some(asked) = &mut self.asked {
            asked.over |= asked.failed && well;
            asked.failed |= !passed;
        }
    }

    /// Since when the run has been asked to end, while that explains what is seen of it.
    pub(super) fn asked_since(&self, now: Time) -> Option<Time> {
        let asked = self.asked.as_ref().filter(|asked| !asked.over && self.runs())?;
        (now < asked.at + DRAIN_MAX).then_some(asked.at)
    }

    /// Leaves alone what was asked to end. It is reported when that takes longer than it may by its own settings, or
    /// when it fails meanwhile.
    pub(super) fn judge_asked(&mut self, cx: &mut Context<'_>) -> Option<Judgement> {
        let since = self.asked_since(cx.now)?;
        let attempt = self.memory.attempt.as_ref();
        if attempt.is_some_and(|attempt| attempt.requested || attempt.ended_at.is_none()) {
            return None;
        }
        self.cut_short("it was asked to stop".to_owned(), cx);
        let failure = match self.target.unhealthy() {
            Some(output) => Some(Cause::Unhealthy {
                output: output.to_owned(),
            }),
            None => self.probes.health.down().cloned().map(Cause::Probe),
        };
        if let Some(cause) = &failure {
            self.went_down(cause, None, cx);
        }
        let late = since + self.asked.as_ref().map_or(Duration::ZERO, |asked| asked.patience);
        if failure.is_none() && self.memory.incident.is_none() && cx.now < late {
            self.timers.set(Timer::Drain, late);
            return Some(State::SupervisorBusy.into());
        }
        self.timers.set(Timer::Drain, since + DRAIN_MAX);
        self.open_incident(failure.unwrap_or(Cause::AskedToStop { after: None }), cx);
        Some(Judgement::held(State::SupervisorBusy, Hold::AskedToStop))
    }

    /// How the last run went down, `seen` so by a watcher that cannot know whether a signal still counted.
    pub(super) fn intent_of_end(&self, seen: Intent) -> Intent {
        let over = self.asked.as_ref().is_some_and(|asked| asked.over);
        if seen == Intent::AskedToStop && over {
            Intent::Crash
        } else {
            seen
        }
    }

    /// How long after it was asked the run has ended, once, when that was later than it should have been.
    pub(super) fn take_late_end(&mut self, now: Time) -> Option<Duration> {
        let asked = self.asked.take_if(|asked| !asked.over)?;
        let after = self.target.down_since.unwrap_or(now).since(asked.at);
        (after > asked.patience).then_some(after)
    }

    /// What is being done about it, for operators.
    pub(super) fn describe_asked(&self, now: Time) -> String {
        let ago = self.asked.as_ref().map(|asked| now.since(asked.at)).unwrap_or_default();
        // Of hours and days nothing is said here, and halves of seconds say nothing.
        format!(
            "asked to stop {} ago, still running",
            span(Duration::from_secs(ago.as_secs()))
        )
    }
}
