//! The engine's time, carried on over crashes and reboots, and the wall clock for operators.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use rustix::time::{ClockId, clock_gettime};
use sentinel_engine::Time;

/// The longest absence believed. A wall clock that claims more was wrong before or is wrong now, and one that is
/// wrong by more than a life of a host must not make the engine's time overflow.
const LONGEST_ABSENCE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What the store keeps of the clock, with every commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The kernel's id of the boot in which this was written; empty when it could not be read.
    pub boot_id: String,
    /// What that boot's `CLOCK_BOOTTIME` lacked to the engine's time.
    pub offset: Duration,
    /// The engine's time when this was written.
    pub last: Time,
    /// The wall clock when this was written.
    pub wall: Timestamp,
}

/// What the wall clock shows. It may jump: for what users read and other hosts compare, never to measure how long something
/// took.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// Gives the engine's [`Time`]: `CLOCK_BOOTTIME`, which also advances in suspend and never jumps, plus an offset that
/// makes up for earlier boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    boot_id: String,
    offset: Duration,
}

impl Clock {
    /// The clock of this process, going on from what the store remembers.
    pub fn start(anchor: Option<&Anchor>) -> Self {
        // Without /proc there is no way to tell boots apart; then the wall clock decides at every start.
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self::carry_on(anchor, boot_id.trim(), boottime(), wall())
    }

    /// The clock that goes on from `anchor` in the boot `boot_id`, `boottime` after it began, at `wall`.
    ///
    /// In the same boot the offset stays. In another one the time between is taken from the wall clock, the only one
    /// that saw it; but never less than this boot has lasted, for that has passed for certain. Time never runs
    /// backwards: should it, in what claims to be the same boot (a restored snapshot), the wall clock decides too.
    pub fn carry_on(anchor: Option<&Anchor>, boot_id: &str, boottime: Duration, wall: Timestamp) -> Self {
        let offset = anchor.map_or(Duration::ZERO, |anchor| {
            let known = !boot_id.is_empty() && !anchor.boot_id.is_empty();
            let same_boot = known && anchor.boot_id == boot_id;
            if same_boot && Time::from_epoch(boottime + anchor.offset) >= anchor.last {
                return anchor.offset;
            }
            let absent = Duration::try_from(wall.duration_since(anchor.wall)).unwrap_or_default();
            let surely = if known && !same_boot { boottime } else { Duration::ZERO };
            let passed = absent.min(LONGEST_ABSENCE).max(surely);
            (anchor.last.since_epoch() + passed).saturating_sub(boottime)
        });
        Self {
            boot_id: boot_id.to_owned(),
            offset,
        }
    }

    /// The engine's time now.
    pub fn now(&self) -> Time {
        Time::from_epoch(boottime() + self.offset)
    }

    /// When the host booted.
    pub fn booted_at(&self) -> Time {
        Time::from_epoch(self.offset)
    }

    /// The wall clock's reading at `at`, by what it says now: right for display even after it was set. In milliseconds: the
    /// two clocks are read one after the other, and the same moment should be reported as the same each time.
    pub fn wall(&self, at: Time) -> Timestamp {
        let wall = wall_of(at, self.now(), wall());
        wall.round(Unit::Millisecond).unwrap_or(wall)
    }

    /// What to store so that a later process can go on from here.
    pub fn anchor(&self) -> Anchor {
        Anchor {
            boot_id: self.boot_id.clone(),
            offset: self.offset,
            last: self.now(),
            wall: wall(),
        }
    }
}

/// Wall clock at `at`, when it shows `wall` at `now`; the nearest one that can be expressed.
fn wall_of(at: Time, now: Time, wall: Timestamp) -> Timestamp {
    let signed = |span: Duration| SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    if at <= now {
        wall.checked_sub(signed(now.since(at))).unwrap_or(Timestamp::MIN)
    } else {
        wall.checked_add(signed(at.since(now))).unwrap_or(Timestamp::MAX)
    }
}

/// Time since boot, suspend included.
fn boottime() -> Duration {
    // The kernel never answers with a negative time since boot.
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn wall(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    /// An anchor written in boot `a`, which began when the engine's time was 1,000 s, 500 s after that.
    fn anchor() -> Anchor {
        Anchor {
            boot_id: "a".to_owned(),
            offset: secs(1000),
            last: Time::from_epoch(secs(1500)),
            wall: wall(0),
        }
    }

    #[test]
    fn time_goes_on_where_it_stopped() {
        #[rustfmt::skip]
        let table = [
            // sentence, anchor, boot, seconds since boot, wall since the anchor, expected time
            ("a new store begins with the boot's own time", None, "a", 77, 0, 77),
            ("the agent restarted in the same boot", Some(anchor()), "a", 501, 1, 1501),
            ("the wall clock jumped a year ahead in the same boot", Some(anchor()), "a", 501, 365 * 86400, 1501),
            ("the wall clock jumped a year back in the same boot", Some(anchor()), "a", 501, -365 * 86400, 1501),
            ("the host rebooted, an hour later", Some(anchor()), "b", 20, 3600, 1500 + HOUR),
            ("the wall clock went back over a reboot: at least this boot has passed", Some(anchor()), "b", 20, -3600, 1520),
            ("the wall clock was wrong and this boot lasts longer than it says", Some(anchor()), "b", 900, 30, 2400),
            ("a wall clock beyond reason is clamped to ten years", Some(anchor()), "b", 20, 50 * 365 * 86400, 1500 + 10 * 365 * 86400),
            ("a snapshot of the same boot was restored without its disk", Some(anchor()), "a", 100, 60, 1560),
            ("boots cannot be told apart: only the wall clock knows", Some(Anchor { boot_id: String::new(), ..anchor() }), "", 501, 10, 1510),
        ];
        for (sentence, anchor, boot, boottime, since, expected) in table {
            let clock = Clock::carry_on(anchor.as_ref(), boot, secs(boottime), wall(since));
            assert_eq!(clock.offset + secs(boottime), secs(expected), "{sentence}");
            assert_eq!(clock.boot_id, boot, "{sentence}");
        }
    }

    #[test]
    fn wall_times_lie_as_far_back_as_the_moment_does() {
        let now = Time::from_epoch(secs(1000));
        let table = [(1000, 0), (940, -60), (1060, 60), (0, -1000)];
        for (at, expected) in table {
            assert_eq!(
                wall_of(Time::from_epoch(secs(at)), now, wall(0)),
                wall(expected),
                "{at}"
            );
        }
    }

    #[test]
    fn a_moment_is_reported_in_milliseconds() {
        let clock = Clock::start(None);
        let reported = clock.wall(clock.now());
        assert_eq!(reported.subsec_nanosecond() % 1_000_000, 0, "{reported}");
    }

    #[test]
    fn moments_beyond_the_calendar_end_with_it() {
        let end = Time::from_epoch(Duration::MAX);
        assert_eq!(wall_of(end, Time::ZERO, wall(0)), Timestamp::MAX);
        assert_eq!(wall_of(Time::ZERO, end, wall(0)), Timestamp::MIN);
    }

    #[test]
    fn a_second_process_goes_on_from_the_first_ones_anchor() {
        let first = Clock::start(None);
        let before = first.now();
        let second = Clock::start(Some(&first.anchor()));
        assert_eq!(first, second, "the same boot keeps its offset");
        assert!(second.now() >= before);
    }
}
