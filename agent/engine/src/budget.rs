//! How many attempts a window allows.

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
        let spent = self.spent.iter().filter(|at| now.since(**at) < window).count();
        burst.saturating_sub(u32::try_from(spent).unwrap_or(u32::MAX))
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
