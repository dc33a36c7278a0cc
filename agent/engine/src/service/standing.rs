//! The state that the last judgement named, and since when.

use super::judge::Judgement;
use super::{Context, Machine};
use crate::report::ReportKind;
use crate::state::{Hold, State};
use crate::time::Time;
use crate::timers::Timer;

/// The state of a service as it was last judged.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) state: State,
    /// Since when it has been in that state.
    pub(super) since: Time,
    /// Why nothing is done, if there is a reason.
    pub(super) hold: Option<Hold>,
    /// When it was last called healthy.
    pub(super) healthy_until: Option<Time>,
}

impl Standing {
    pub(super) fn new(now: Time) -> Self {
        Self {
            state: State::Unknown,
            since: now,
            hold: None,
            healthy_until: None,
        }
    }
}

impl Machine {
    /// Enters the state of `judgement`, and reports it when it is another.
    pub(super) fn enter(&mut self, judgement: Judgement, cx: &mut Context<'_>) {
        let Judgement { state, hold } = judgement;
        if state != self.standing.state {
            let from = std::mem::replace(&mut self.standing.state, state);
            if from == State::Healthy {
                self.standing.healthy_until = Some(cx.now);
            }
            self.standing.since = cx.now;
            self.report(ReportKind::StateChanged { from, to: state }, cx);
        }
        if hold != self.standing.hold {
            self.standing.hold.clone_from(&hold);
            if let Some(hold) = hold.filter(|hold| self.refusals.is_news(hold)) {
                let remaining = match hold {
                    Hold::Backoff | Hold::AfterSupervisor | Hold::Throttled | Hold::Storm | Hold::BootGrace => {
                        self.timers.get(Timer::Attempt)
                    }
                    Hold::Settling => self.timers.get(Timer::Settle),
                    _ => None,
                };
                let remaining = remaining.map(|at| at.since(cx.now));
                self.report(ReportKind::ActionHeld { hold, remaining }, cx);
            }
        }
    }
}
