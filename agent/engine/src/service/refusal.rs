//! What was refused, and when it is asked for again.
//!
//! A refusal that is an answer (no permission, no such unit) stands until something changes, and is asked about again every
//! ten minutes, as not every change can be seen. A refusal because whoever decides does not answer passes by itself: it is
//! asked again soon. Neither spends an attempt, and given again neither is news.

use std::time::Duration;

use super::{Context, Machine};
use crate::state::Hold;
use crate::timers::Timer;

/// When an answer that was no is asked for again. What changes it is seen in most cases; this is for the others.
pub(super) const ANSWERED_AGAIN: Duration = Duration::from_secs(10 * 60);

/// After how long the question is put again when nobody answers, at first, and at most.
const UNANSWERED_AGAIN: Duration = Duration::from_secs(10);
const UNANSWERED_MAX: Duration = Duration::from_secs(300);

/// How long to wait before the next question, after so many in a row to which nobody answered.
pub(super) fn gap(unanswered: u32) -> Duration {
    let factor = 2_u32.checked_pow(unanswered).unwrap_or(u32::MAX);
    UNANSWERED_AGAIN.saturating_mul(factor).min(UNANSWERED_MAX)
}

impl Machine {
    /// Why the target cannot be acted on. What a restart would hurt may end by itself, and so may what refused it: that is
    /// asked again later.
    pub(super) fn refusal(&mut self, cx: &Context<'_>) -> Option<Hold> {
        let again = match &self.refused {
            Some(Hold::BlastRadius(_) | Hold::Condition { .. }) => self.memory.next_attempt,
            // As long as it is seen to be unusable there is nothing to ask.
            Some(Hold::Refused { .. }) if self.unusable().is_some() => return self.refused.clone(),
            Some(Hold::Refused { .. } | Hold::Unanswered { .. }) => self.ask_again,
            _ => return self.refused.clone(),
        };
        match again.filter(|at| *at > cx.now) {
            Some(at) => self.timers.set(Timer::Attempt, at),
            None => self.refused = None,
        }
        self.refused.clone()
    }

    /// What was refused may be allowed by now: a permission was granted, a unit unmasked, polkit is back.
    pub(crate) fn reconsider(&mut self) {
        self.refused = None;
    }

    /// Whether a hold is worth a line: the same refusal, given again after it was asked for again, is not.
    pub(super) fn is_news(&mut self, hold: &Hold) -> bool {
        if !matches!(hold, Hold::Refused { .. } | Hold::Unanswered { .. }) {
            return true;
        }
        let news = self.said_refusal.as_ref() != Some(hold);
        self.said_refusal = Some(hold.clone());
        news
    }
}
