//! Whether the wall clock goes steadily. The agent's own time does not depend on it; what it notifies receivers does.

use std::time::Duration;

use jiff::Timestamp;
use sentinel_base::clock::{Anchor, Clock};

use super::facts::ClockFacts;

/// The two clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    wall: Timestamp,
    /// Of the clock that never jumps.
    steady: Duration,
}

impl Reading {
    pub(super) fn now() -> Self {
        Self {
            steady: Clock::start(None).now().since_epoch(),
            wall: sentinel_base::clock::wall(),
        }
    }
}

/// What the clocks did from `before` until `now`, and since the agent last wrote `anchor`, when that was in this boot.
pub(super) fn facts(before: Reading, now: Reading, anchor: Option<&Anchor>) -> ClockFacts {
    let steady = now.steady.saturating_sub(before.steady);
    let since_written = |anchor: &Anchor| {
        let same_boot = Clock::start(None).anchor().boot_id == anchor.boot_id && !anchor.boot_id.is_empty();
        let last = anchor.last.since_epoch();
        let passed = (now.steady + anchor.offset).checked_sub(last).filter(|_| same_boot)?;
        Some(gap(now.wall.duration_since(anchor.wall), passed))
    };
    ClockFacts {
        jumped: gap(now.wall.duration_since(before.wall), steady),
        set_since: anchor.and_then(since_written),
    }
}

/// By how much the two clocks disagree on a time that passed.
fn gap(wall: jiff::SignedDuration, steady: Duration) -> Duration {
    let steady = jiff::SignedDuration::try_from(steady).unwrap_or(jiff::SignedDuration::MAX);
    wall.saturating_sub(steady).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_noticed() {
        let at = |wall: i64, steady: u64| Reading {
            wall: Timestamp::from_second(wall).unwrap(),
            steady: Duration::from_secs(steady),
        };
        for (wall, steady, jumped) in [(1001, 51, 0), (1100, 51, 99), (900, 51, 101)] {
            let facts = facts(at(1000, 50), at(wall, steady), None);
            assert_eq!(facts.jumped, Duration::from_secs(jumped), "{wall}");
        }
        let mut anchor = Clock::start(None).anchor();
        let now = Reading::now();
        assert!(facts(now, now, Some(&anchor)).set_since < Some(Duration::from_secs(1)));
        anchor.wall = anchor.wall.checked_sub(jiff::SignedDuration::from_hours(1)).unwrap();
        assert!(facts(now, now, Some(&anchor)).set_since > Some(Duration::from_secs(3000)));
        anchor.boot_id = "another".to_owned();
        assert_eq!(facts(now, now, Some(&anchor)).set_since, None);
    }
}
