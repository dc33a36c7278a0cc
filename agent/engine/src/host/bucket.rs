//! How many restarts the whole host may see: a token bucket.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A token bucket. Kept in the store, so a restart of the agent does not fill it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bucket {
    /// Tokens spent and not refilled yet; counted this way round, so that a larger bucket takes effect at once.
    spent: u32,
    /// Since when the next one is being refilled.
    since: Time,
}

impl Bucket {
    /// Brings the bucket up to `now`: one token comes back every `refill`.
    pub(crate) fn refill(&mut self, refill: Duration, now: Time) {
        let back = now.since(self.since).as_nanos() / refill.as_nanos().max(1);
        let back = u32::try_from(back).unwrap_or(u32::MAX);
        if back >= self.spent {
            *self = Self { spent: 0, since: now };
        } else {
            self.spent -= back;
            self.since = self.since + refill * back;
        }
    }

    /// Takes a token; the bucket was brought up to `now`.
    pub(crate) fn take(&mut self, now: Time) {
        if self.spent == 0 {
            self.since = now;
        }
        self.spent = self.spent.saturating_add(1);
    }

    /// Puts a token back that was not needed.
    pub(crate) fn put_back(&mut self) {
        self.spent = self.spent.saturating_sub(1);
    }

    /// When a token is there: `None` now, else the time to wait for. The bucket was brought up to now.
    pub(crate) fn wait(&self, tokens: u32, refill: Duration) -> Option<Time> {
        let missing = (self.spent + 1).checked_sub(tokens).filter(|missing| *missing > 0)?;
        Some(self.since + refill * missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Time {
        Time::from_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn three_at_once_and_then_one_a_minute() {
        let mut bucket = Bucket::default();
        let mut taken = Vec::new();
        for second in 0..600 {
            bucket.refill(MINUTE, at(second));
            if bucket.wait(3, MINUTE).is_none() {
                bucket.take(at(second));
                taken.push(second);
            }
        }
        assert_eq!(taken, [0, 1, 2, 60, 120, 180, 240, 300, 360, 420, 480, 540]);
    }

    #[test]
    fn an_empty_bucket_says_when_it_has_a_token() {
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            bucket.take(at(10));
        }
        assert_eq!(bucket.wait(3, MINUTE), Some(at(70)));
        bucket.refill(MINUTE, at(70));
        assert_eq!(bucket.wait(3, MINUTE), None);
    }

    #[test]
    fn a_full_bucket_does_not_save_up() {
        let mut bucket = Bucket::default();
        bucket.refill(MINUTE, at(100_000));
        for _ in 0..3 {
            bucket.take(at(100_000));
        }
        assert_eq!(bucket.wait(3, MINUTE), Some(at(100_060)));
    }
}
