//! What goes down together with what it is bound to: part of that one's outage, or stopped by whoever stopped that one.
//!
//! systemd takes a unit along (`BindsTo=`, `Requires=`, `PartOf=`) without a word about why, and does not bring it back.
//! Only the other one's own end tells: when it fell by itself at the same time, this is one outage, and both are brought
//! back. Otherwise an operator stopped both, and that is remembered for the run that was stopped: what the other one does
//! later, when it has been started again, is another story.
//!
//! Of what no operator configured the engine sees nothing. So the watcher tells with what the target went down, whether
//! that one went down by itself, and whether it runs again; nothing is started before that.

use std::time::Duration;

use super::{Context, Machine, Target};
use crate::cause::Cause;
use crate::observation::{Activity, Intent, TargetState};
use crate::time::Time;
use crate::timers::Timer;

/// How far apart two ends may be seen, in either order, to belong together. Jobs of one transaction follow each other
/// within milliseconds; what takes long to stop began to stop then.
pub(super) const TOGETHER: Duration = Duration::from_secs(2);

/// What became of a target that was taken along.
pub(super) enum Bound {
    /// It is part of an outage.
    Fell,
    /// The news of the other one may still be on its way.
    Unsure,
    /// It was stopped on purpose.
    Stopped,
}

/// When runs of the target ended.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// When the last run was seen to end; `None` while one is there.
    pub(super) left: Option<Time>,
    /// When it last went down by itself, or was taken down by the agent, unless it was stopped since.
    pub(super) fell: Option<Time>,
}

impl Ends {
    /// Notes when the target ceased to run: whether it did just before, and does now.
    pub(super) fn note_end(&mut self, ran: bool, runs: bool, now: Time) {
        if runs {
            self.left = None;
        } else if ran {
            self.left = Some(now);
        }
    }

    /// Notes when the target last went down by itself. That stays so when it runs again: what was bound to it may take
    /// longer to go down than it takes to come back.
    pub(super) fn note_fall(&mut self, target: &Target, now: Time) {
        match target.state() {
            Some(
                TargetState::Busy(Activity::AutoRestart)
                | TargetState::Down {
                    intent: Intent::Crash | Intent::CleanExit | Intent::Unclear | Intent::OneshotFailed,
                    ..
                },
            ) => {
                let since = self.left.or(target.down_since).or(self.fell);
                self.fell = since.or(Some(now));
            }
            // That one was taken along itself: see `judge_bound`.
            Some(TargetState::Down {
                intent: Intent::DependencyStop | Intent::ConditionNotMet,
                ..
            }) => {}
            Some(TargetState::Down { .. }) => self.fell = None,
            _ => {}
        }
    }
}

impl Machine {
    /// When it last went down by itself, or was taken down by the agent.
    pub(crate) fn fell(&self) -> Option<Time> {
        self.ends.fell
    }

    /// Whether what took the target along had failed.
    pub(super) fn judge_bound(&mut self, cx: &Context<'_>) -> Bound {
        let stopped = cx.dependency.as_ref().is_some_and(|dependency| dependency.stopped);
        let fell = !stopped
            && if self.start_was_refused() {
                self.memory.incident.is_some() || cx.dependency_failed()
            } else {
                self.fell_along(cx)
            };
        // What it comes after may be what it fell with, and would speak for it.
        let sure = self.target.down_since.unwrap_or(cx.now) + TOGETHER;
        if !fell && !stopped && !self.service.after.is_empty() && cx.now < sure {
            self.ends.fell = None;
            self.timers.set(Timer::Settle, sure);
            return Bound::Unsure;
        }
        let failed = self.target.fell_with().is_some_and(|other| other.failed);
        if fell || (failed && !stopped) {
            self.ends.fell = self.ends.left.or(self.ends.fell).or(Some(cx.now));
            return Bound::Fell;
        }
        self.ends.fell = None;
        Bound::Stopped
    }

    /// An operator asked for its start, and what it needs could not be started.
    pub(super) fn start_was_refused(&self) -> bool {
        matches!(self.target_down(), Some((Intent::DependencyStop, Cause::Dependency)))
    }

    fn fell_along(&self, cx: &Context<'_>) -> bool {
        let incident = self.memory.incident.as_ref();
        if incident.is_some_and(|incident| incident.cause == Cause::Dependency) {
            return true;
        }
        let Some(left) = self.ends.left else {
            // The agent did not see it go.
            return cx.dependency_failed();
        };
        cx.fell
            .iter()
            .any(|fell| fell.since(left).max(left.since(*fell)) <= TOGETHER)
    }
}
