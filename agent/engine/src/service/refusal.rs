//! What was refused, and when it is asked for again.
//!
//! A refusal that is an answer (no permission, no such unit) stands until something changes, and is asked about again every
//! ten minutes, as not every change can be seen. A refusal because whoever decides does not answer passes by itself: it is
//! asked again soon. Neither spends an attempt, and given again neither is news.

use std::time::Duration;

use super::{Context, Machine};
use crate::state::Hold;
use crate::time::Time;
use crate::timers::Timer;

/// When an answer that was no is asked for again. What changes it is seen in most cases; this is for the others.
const ANSWERED_AGAIN: Duration = Duration::from_secs(10 * 60);

/// After how long the question is put again when nothing answers, at first, and at most.
const UNANSWERED_AGAIN: Duration = Duration::from_secs(10);
const UNANSWERED_MAX: Duration = Duration::from_secs(300);

/// How long to wait before the next question, after so many in a row to which nothing answered.
fn gap(unanswered: u32) -> Duration {
    let factor = 2_u32.checked_pow(unanswered).unwrap_or(u32::MAX);
    UNANSWERED_AGAIN.saturating_mul(factor).min(UNANSWERED_MAX)
}

/// What the target's side answered last, when that was no.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Why the target cannot be acted on, until it changes.
    pub(super) hold: Option<Hold>,
    /// When what was refused is asked for again.
    pub(super) ask_again: Option<Time>,
    /// How often in a row nothing answered who decides what the agent may do.
    pub(super) unanswered: u32,
    /// The refusal that was last reported: one that is given again is no news.
    pub(super) reported: Option<Hold>,
}

impl Refusals {
    /// It was refused for good, until something changes.
    pub(super) fn refused(&mut self, reason: String, now: Time) {
        self.hold = Some(Hold::Refused { reason });
        self.ask_again = Some(now + ANSWERED_AGAIN);
    }

    /// There was no answer, `before` that as often in a row.
    pub(super) fn was_unanswered(&mut self, reason: String, before: u32, now: Time) {
        self.hold = Some(Hold::Unanswered { reason });
        self.ask_again = Some(now + gap(before));
        self.unanswered = before.saturating_add(1);
    }

    /// Whether a hold is worth a line: the same refusal, given again after it was asked for again, is not.
    pub(super) fn is_news(&mut self, hold: &Hold) -> bool {
        if !matches!(hold, Hold::Refused { .. } | Hold::Unanswered { .. }) {
            return true;
        }
        let news = self.reported.as_ref() != Some(hold);
        self.reported = Some(hold.clone());
        news
    }
}

impl Machine {
    /// Why the target cannot be acted on. What a restart would hurt may end by itself, and so may what refused it: that is
    /// asked again later.
    pub(super) fn refusal(&mut self, cx: &Context<'_>) -> Option<Hold> {
        let again = match &self.refusals.hold {
            Some(Hold::BlastRadius(_) | Hold::Condition { .. }) => self.memory.next_attempt,
            // As long as it is seen to be unusable there is nothing to ask.
            Some(Hold::Refused { .. }) if self.target.unusable().is_some() => return self.refusals.hold.clone(),
            Some(Hold::Refused { .. } | Hold::Unanswered { .. }) => self.refusals.ask_again,
            _ => return self.refusals.hold.clone(),
        };
        match again.filter(|at| *at > cx.now) {
            Some(at) => self.timers.set(Timer::Attempt, at),
            None => self.refusals.hold = None,
        }
        self.refusals.hold.clone()
    }

    /// What was refused may be allowed by now: a permission was granted, a unit unmasked, polkit is back.
    pub(crate) fn reconsider(&mut self) {
        self.refusals.hold = None;
    }
}
