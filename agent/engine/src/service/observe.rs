//! `mode = "observe"`: what would have been done, and whether that would have been right.
//!
//! Everything is decided as in `heal`, up to the act. Then the first restart of an incident is counted, and judged when the
//! incident ends: it would have been *right* when a restart by anybody else then helped: an operator's at any time, and any
//! other one, its supervisor's say, after the time that the agent's would have had to prove itself, `verify`, or `start_grace`
//! where that is longer. What came back by itself, in the same run or within that time, needed none. Where nobody can tell,
//! because it was stopped on purpose, or the agent was away, it is not counted at all. Later attempts are not counted: what
//! they would have met depends on the first, which was never made. Budgets and the host's limits are not spent, as services
//! that are healed need them.

use super::{Context, Machine};
use crate::memory::PendingDryRun;
use crate::policy::Mode;
use crate::report::{ReportKind, Resolution};
use crate::time::Time;

impl Machine {
    /// It would be restarted now.
    pub(super) fn would_restart(&mut self, now: Time) {
        let policy = &self.service.policy;
        let run = self.target.run().cloned();
        let Some(incident) = self.memory.incident.as_mut().filter(|incident| !incident.observed) else {
            return;
        };
        incident.observed = true;
        let ledger = &mut self.memory.observed;
        ledger.would_restart = ledger.would_restart.saturating_add(1);
        ledger.dry_run = Some(PendingDryRun {
            began: now,
            until: now + policy.verify.max(policy.start_grace),
            run,
        });
        self.unsaved = true;
    }

    /// A restart that was not made is judged by the end of its incident, and not at all without one.
    pub(super) fn judge_dry_run(&mut self) {
        let judged = self.service.policy.mode == Mode::Observe && self.memory.incident.is_some();
        if !judged {
            self.withdraw_dry_run();
        }
    }

    /// The incident ends.
    pub(super) fn end_dry_run(&mut self, resolution: Resolution, cx: &mut Context<'_>) {
        match resolution {
            Resolution::Recovered => {
                let restarted = self.memory.observed.dry_run.as_ref().is_some_and(|dry_run| {
                    let another = dry_run.run.is_some() && dry_run.run.as_ref() != self.target.run();
                    another && cx.now >= dry_run.until
                });
                self.settle_dry_run(restarted, cx);
            }
            // An operator did what the agent would have done.
            Resolution::Healed | Resolution::Started => self.settle_dry_run(true, cx),
            Resolution::Stopped | Resolution::Unmanaged => self.withdraw_dry_run(),
        }
    }

    /// The agent was away: what it did not see it cannot judge.
    pub(super) fn resume_dry_run(&mut self, now: Time) {
        if self
            .memory
            .observed
            .dry_run
            .as_ref()
            .is_some_and(|dry_run| dry_run.until <= now)
        {
            self.withdraw_dry_run();
        }
    }

    fn settle_dry_run(&mut self, right: bool, cx: &mut Context<'_>) {
        let Some(dry_run) = self.memory.observed.dry_run.take() else {
            return;
        };
        self.memory.observed.right += u64::from(right);
        self.unsaved = true;
        let after = cx.now.since(dry_run.began);
        self.report(ReportKind::ObservationJudged { right, after }, cx);
    }

    fn withdraw_dry_run(&mut self) {
        let ledger = &mut self.memory.observed;
        if ledger.dry_run.take().is_some() {
            ledger.would_restart = ledger.would_restart.saturating_sub(1);
            self.unsaved = true;
        }
    }
}
