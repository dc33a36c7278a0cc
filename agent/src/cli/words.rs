//! Moments and spans for people.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A span to the two units that matter: `300ms`, `1.5s`, `42s`, `3m 20s`, `2h 3m`, `5d 1h`.
pub(crate) fn span(seconds: f64) -> String {
    let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
    if seconds > 0.0 && seconds < 0.9995 {
        return format!("{:.0}ms", seconds * 1000.0);
    }
    if seconds > 0.0 && seconds < 9.95 {
        let text = format!("{seconds:.1}");
        return format!("{}s", text.trim_end_matches('0').trim_end_matches('.'));
    }
    // Saturates far beyond the age of anything.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and saturating is right"
    )]
    let whole = seconds.round() as u64;
    let (unit, name, part, part_name) = match whole {
        0..MINUTE => return format!("{whole}s"),
        MINUTE..HOUR => (MINUTE, 'm', 1, 's'),
        HOUR..DAY => (HOUR, 'h', MINUTE, 'm'),
        _ => (DAY, 'd', HOUR, 'h'),
    };
    format!("{}{name} {}{part_name}", whole / unit, whole % unit / part)
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
    fn spans_read_as_people_say_them() {
        for (seconds, expected) in [
            (0.0, "0s"),
            (-3.0, "0s"),
            (0.25, "250ms"),
            (0.003, "3ms"),
            (0.9996, "1s"),
            (1.25, "1.2s"),
            (3.0, "3s"),
            (9.96, "10s"),
            (42.4, "42s"),
            (59.7, "1m 0s"),
            (200.0, "3m 20s"),
            (7380.0, "2h 3m"),
            (437_000.0, "5d 1h"),
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
