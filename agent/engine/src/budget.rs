//! How many attempts a window allows.
//!
//! The budget is spent by *recoveries that did not last*, not by calls: 5 in 30 min, sliding, forgotten after
//! ten good minutes. So:
//!
//! * An attempt counts when it is decided on, before anybody knows whether it will help: only so does a crash of the agent
//!   in the middle of it refill nothing.
//! * What was not carried out (another run, another party's job, refused, not recorded) is given back at once.
//! * What lasted is given back when the service was healthy for `reset_after` (10 min), as then the whole budget is.
//! * What was verified, and relapsed before that, stays counted. It helped for a moment, and that is what a crash loop looks
//!   like from here: a service that dies two minutes after each start passes every verification (20 s), and is to be
//!   given up all the same. Counting it by half was tried on paper: with the backoff at its cap such a service dies every
//!   seven minutes, four times within the window, so half of that never reaches five; it would be restarted for ever,
//!   and never be an operator's business.
//!
//! What a service can be restarted for ever is therefore once every `window / burst` (6 min) on average, or whenever it
//! was well for ten minutes in between.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A sliding window of attempts. Kept in the store, so a restart of the agent does not refill it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Budget {
    /// When attempts were made, oldest first; at most `burst` of them.
    spent: Vec<Time>,
}

impl Budget {
    /// Attempts left of `burst` within `window` before `now`.
    pub fn left(&self, burst: u32, window: Duration, now: Time) -> u32 {
        burst.saturating_sub(self.spent(window, now))
    }

    /// Attempts spent within `window` before `now`.
    pub fn spent(&self, window: Duration, now: Time) -> u32 {
        let spent = self.spent.iter().filter(|at| now.since(**at) < window).count();
        u32::try_from(spent).unwrap_or(u32::MAX)
    }

    /// Spends one attempt and forgets those that left the window.
    pub fn spend(&mut self, window: Duration, now: Time) {
        self.spent.retain(|at| now.since(*at) < window);
        self.spent.push(now);
    }

    /// Gives back the last attempt, which turned out not to have been made.
    pub fn refund(&mut self) {
        self.spent.pop();
    }

    /// Forgets every attempt.
    pub fn clear(&mut self) {
        self.spent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_counts_until_it_is_as_old_as_the_window() {
        let at = |seconds| Time::from_epoch(Duration::from_secs(seconds));
        let window = Duration::from_secs(60);
        let mut budget = Budget::default();
        budget.spend(window, at(0));
        assert_eq!(budget.left(2, window, at(59)), 1);
        assert_eq!(budget.left(2, window, at(60)), 2);
        budget.spend(window, at(60));
        assert_eq!(budget.spent, [at(60)], "what left the window is not kept");
    }
}
