//! What its supervisor restarts at once was down all the same: the log says so, and who brought it back.
//!
//! Nothing is done about it and nobody is told, unless it is a crash loop. But an end and the next start may be milliseconds apart, so that no probe
//! ever fails: without this a service that crashes every hour would look like one that never does.

use super::{Context, Machine, RunBefore};
use crate::cause::Cause;
use crate::observation::{Activity, StartedBy, TargetState};

impl Machine {
    /// Says that the last run went down when its supervisor is about to restart it, or already has.
    pub(super) fn note_end_left_to_supervisor(&mut self, cx: &mut Context<'_>) {
        let Some(sight) = &self.sight else { return };
        let before = match (&sight.state, &self.unattributed) {
            (TargetState::Busy(Activity::AutoRestart), _) => sight.instance.clone(),
            // What is down by now tells its own story.
            (TargetState::Down { .. } | TargetState::Unknown(_), _) => return,
            (_, Some(RunBefore(before))) if sight.started_by == StartedBy::Supervisor => {
                let before = before.clone();
                if before.is_some() && !self.in_maintenance() {
                    // Where its end was seen as well, it is counted already.
                    self.crash_loop.record(before.as_ref(), false, cx.now);
                }
                before
            }
            _ => return,
        };
        if self.said_up != Some(true) {
            return;
        }
        let ended = self.sight.as_ref().and_then(|sight| sight.details.ended.clone());
        let cause = ended.unwrap_or(Cause::Unknown);
        self.went_down(&cause, None, cx);
        self.said_down_of = before;
    }

    /// Whether its supervisor began the present run, and another one was said to be down. What probes called down and up
    /// again within one run, whoever began that, is nobody's doing.
    pub(super) fn supervisor_began_run(&self) -> bool {
        let by_supervisor = |sight: &crate::Observation| sight.started_by == StartedBy::Supervisor;
        self.said_up == Some(false)
            && self.sight.as_ref().is_some_and(by_supervisor)
            && self.said_down_of.is_some()
            && self.said_down_of.as_ref() != self.instance()
    }
}
