//! Moments and spans for people.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// So many seconds, as every duration is written; none that is negative.
pub(crate) fn span(seconds: f64) -> String {
    let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
    sentinel_engine::span(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// A moment where the reader is, with its offset from UTC: `2026-03-01 12:58:20 +01:00`.
pub(super) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// The same, to the millisecond.
pub(super) fn precise_moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S.%3f %:z")
        .to_string()
}

/// Seconds from `earlier` to `later`; negative when they are the other way round.
pub(super) fn between(earlier: Timestamp, later: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64()
}

/// `1 attempt`, `2 attempts`.
pub(super) fn count(number: u32, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_read_as_spans() {
        for (seconds, expected) in [
            (-3.0, "0s"),
            (0.003, "3ms"),
            (59.7, "1m"),
            (132.0, "2m12s"),
            (437_000.0, "5d1h"),
            (f64::NAN, "0s"),
            (f64::INFINITY, "0s"),
        ] {
            assert_eq!(span(seconds), expected, "{seconds}");
        }
        assert!(span(f64::MAX).ends_with('h'));
    }

    #[test]
    fn moments_are_local_and_say_how_far_from_utc() {
        let at = "2026-03-01T11:58:20.0675Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        assert_eq!(moment(at, &zone), "2026-03-01 08:58:20 -03:00");
        assert_eq!(precise_moment(at, &zone), "2026-03-01 08:58:20.067 -03:00");
    }
}
