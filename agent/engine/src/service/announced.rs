//! What the log last said of the service: up or down. Each is said once.

use super::{Context, Machine};
use crate::cause::Cause;
use crate::ids::RunId;
use crate::report::ReportKind;

/// What the log last said.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// Up or down; `None` while it has said neither.
    pub(super) up: Option<bool>,
    /// The run that it last said is down, if that has a name.
    pub(super) down_of: Option<RunId>,
}

impl Machine {
    /// Says once that the service is down.
    pub(super) fn went_down(&mut self, cause: &Cause, status_code: Option<u16>, cx: &mut Context<'_>) {
        if self.announced.up != Some(false) {
            self.announced.up = Some(false);
            self.announced.down_of = self.target.run().cloned();
            self.report(
                ReportKind::WentDown {
                    cause: cause.clone(),
                    status_code,
                },
                cx,
            );
        }
    }

    /// Says once that it is up.
    pub(super) fn say_up(&mut self, cx: &mut Context<'_>) {
        if self.announced.up != Some(true) {
            let by_supervisor = self.supervisor_began_run();
            if self.announced.up == Some(false) {
                self.memory.recoveries += 1;
            }
            self.announced.up = Some(true);
            self.unsaved = true;
            let status_code = self.probes.last.as_ref().and_then(|(_, outcome)| outcome.status_code);
            let recoveries_total = self.memory.recoveries;
            self.report(
                ReportKind::BecameHealthy {
                    status_code,
                    recoveries_total,
                    by_supervisor,
                },
                cx,
            );
        }
    }
}
