//! How many restarts the whole host may see: a token bucket.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A token is put back only by the answer to the action that it was taken for, and no answer is waited for any longer than
/// this.
const PUT_BACK_MAX: Duration = Duration::from_secs(10 * 60);

/// A token bucket. Kept in the store, so a restart of the agent does not fill it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Bucket {
    #[serde(flatten)]
    level: Level,
    /// What it was before the first of `taken`.
    before: Level,
    /// When tokens were taken that may still be put back, oldest first.
    taken: Vec<Time>,
}

/// How full a bucket is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Level {
    /// Tokens spent and not refilled yet; counted this way round, so that a larger bucket takes effect at once.
    spent: u32,
    /// Since when the next one is being refilled.
    since: Time,
}

impl Level {
    fn refill(&mut self, refill: Duration, now: Time) {
        let back = now.since(self.since).as_nanos() / refill.as_nanos().max(1);
        let back = u32::try_from(back).unwrap_or(u32::MAX);
        if back >= self.spent {
            *self = Self { spent: 0, since: now };
        } else {
            self.spent -= back;
            self.since = self.since + refill * back;
        }
    }

    fn take(&mut self, refill: Duration, now: Time) {
        self.refill(refill, now);
        self.spent = self.spent.saturating_add(1);
    }
}

impl Bucket {
    /// Brings the bucket up to `now`: one token comes back every `refill`.
    pub(crate) fn refill(&mut self, refill: Duration, now: Time) {
        self.level.refill(refill, now);
    }

    /// Takes a token; one comes back every `refill`.
    pub(crate) fn take(&mut self, refill: Duration, now: Time) {
        let late = self.taken.iter().take_while(|at| now.since(**at) >= PUT_BACK_MAX);
        for at in self.taken.drain(..late.count()) {
            self.before.take(refill, at);
        }
        self.level.take(refill, now);
        self.taken.push(now);
    }

    /// Puts the token back that was taken `at` that moment and not needed, as if it had never been taken: it must not have
    /// begun the wait for the next one, nor give anything back when that has come already.
    pub(crate) fn put_back(&mut self, at: Time, refill: Duration) {
        let Some(index) = self.taken.iter().position(|taken| *taken == at) else {
            return;
        };
        self.taken.remove(index);
        self.level = self.before;
        for at in &self.taken {
            self.level.take(refill, *at);
        }
    }

    /// The bucket holds no more than `tokens`, and owes no more: what was spent while it was larger is no debt for hours.
    pub(crate) fn limit(&mut self, tokens: u32) {
        for level in [&mut self.level, &mut self.before] {
            level.spent = level.spent.min(tokens);
        }
    }

    /// When a token is there: `None` now, else the time to wait for. The bucket was brought up to now.
    pub(crate) fn wait(&self, tokens: u32, refill: Duration) -> Option<Time> {
        let Level { spent, since } = self.level;
        let missing = (spent + 1).checked_sub(tokens).filter(|missing| *missing > 0)?;
        Some(since + refill * missing)
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
    fn a_bucket_that_was_made_smaller_owes_no_more_than_it_holds() {
        let mut bucket = Bucket::default();
        for _ in 0..900 {
            bucket.take(MINUTE, at(0));
        }
        bucket.refill(MINUTE, at(30));
        bucket.limit(3);
        assert_eq!(
            bucket.wait(3, MINUTE),
            Some(at(60)),
            "one comes back after a minute, not after fifteen hours"
        );
        bucket.refill(MINUTE, at(60));
        assert_eq!(bucket.wait(3, MINUTE), None);
        // Made larger, it is full of what is new.
        bucket.take(MINUTE, at(60));
        assert_eq!(bucket.wait(5, MINUTE), None);
    }

    #[test]
    fn three_at_once_and_then_one_a_minute() {
        let mut bucket = Bucket::default();
        let mut taken = Vec::new();
        for second in 0..600 {
            bucket.refill(MINUTE, at(second));
            if bucket.wait(3, MINUTE).is_none() {
                bucket.take(MINUTE, at(second));
                taken.push(second);
            }
        }
        assert_eq!(taken, [0, 1, 2, 60, 120, 180, 240, 300, 360, 420, 480, 540]);
    }

    #[test]
    fn an_empty_bucket_says_when_it_has_a_token() {
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            bucket.take(MINUTE, at(10));
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
            bucket.take(MINUTE, at(100_000));
        }
        assert_eq!(bucket.wait(3, MINUTE), Some(at(100_060)));
    }

    #[test]
    fn a_token_that_is_put_back_leaves_no_trace() {
        // When tokens were taken, which of them is put back, and when the bucket is full again.
        let table: [(&[u64], u64, u64); 4] = [
            (&[0, 5], 0, 65),
            (&[0, 5], 5, 60),
            // It was back before it was put back.
            (&[0, 70], 0, 130),
            (&[0, 70], 70, 60),
        ];
        for (taken, put_back, expected) in table {
            let mut bucket = Bucket::default();
            for second in taken {
                bucket.take(MINUTE, at(*second));
            }
            bucket.put_back(at(put_back), MINUTE);
            assert_eq!(bucket.wait(1, MINUTE), Some(at(expected)), "{taken:?}, {put_back}");
            bucket.put_back(at(put_back), MINUTE);
            assert_eq!(bucket.wait(1, MINUTE), Some(at(expected)), "only once");
        }
    }

    #[test]
    fn tokens_of_long_ago_are_not_kept() {
        let mut bucket = Bucket::default();
        for hour in 0..100 {
            bucket.take(MINUTE, at(hour * 3600));
        }
        assert_eq!(bucket.taken, [at(99 * 3600)]);
        assert_eq!(bucket.before.spent, 1);
    }
}
