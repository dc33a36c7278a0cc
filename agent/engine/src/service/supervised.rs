//! What its supervisor restarts at once was down all the same: the log says so, and who brought it back.
//!
//! Nothing is done about it and no receiver is notified, unless it is a crash loop. But an end and the next start may be
//! milliseconds apart, so that no probe ever fails: without this a service that crashes every hour would look like one
//! that never does.

use super::target::RunBefore;
use super::{Context, Machine};
use crate::cause::Cause;
use crate::crash_loop::CrashLoop;
use crate::observation::{Activity, StartedBy, TargetState};

/// What the target's supervisor does by itself.
#[derive(Debug, Default)]
pub(super) struct Supervision {
    /// Restarts by it.
    pub(super) crash_loop: CrashLoop,
    /// Whether the end of the last run was left to it.
    pub(super) left_to_supervisor: bool,
}

impl Machine {
    /// Says that the last run went down when its supervisor is about to restart it, or already has.
    pub(super) fn note_end_left_to_supervisor(&mut self, cx: &mut Context<'_>) {
        let Some(observation) = &self.target.observation else {
            return;
        };
        let before = match (&observation.state, &self.target.run_before) {
            (TargetState::Busy(Activity::AutoRestart), _) => observation.run.clone(),
            // What is down by now tells its own story.
            (TargetState::Down { .. } | TargetState::Unknown(_), _) => return,
            (_, Some(RunBefore(before))) if observation.started_by == StartedBy::Supervisor => {
                let before = before.clone();
                if before.is_some() && !self.in_maintenance() {
                    // Where its end was seen as well, it is counted already.
                    self.supervision.crash_loop.record(before.as_ref(), false, cx.now);
                }
                before
            }
            _ => return,
        };
        if self.announced.up != Some(true) {
            return;
        }
        let ended = self
            .target
            .observation
            .as_ref()
            .and_then(|observation| observation.details.ended.clone());
        let cause = ended.unwrap_or(Cause::Unknown);
        self.went_down(&cause, None, cx);
        self.announced.down_of = before;
    }

    /// Whether its supervisor began the present run, and another one was said to be down. What probes called down and up
    /// again within one run, whoever began that, is nobody's doing.
    pub(super) fn supervisor_began_run(&self) -> bool {
        let by_supervisor = |observation: &crate::Observation| observation.started_by == StartedBy::Supervisor;
        self.announced.up == Some(false)
            && self.target.observation.as_ref().is_some_and(by_supervisor)
            && self.announced.down_of.is_some()
            && self.announced.down_of.as_ref() != self.target.run()
    }
}
