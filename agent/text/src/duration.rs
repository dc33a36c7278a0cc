//! Durations as users read them, everywhere in one format.

use std::fmt::Write as _;
use std::time::Duration;

/// A duration that was measured: `12ms`, `0.4s`, `12s`, `3m5s`, `30m`, `2h10m`, `3d4h`. Two units at most, and none that is
/// zero; one digit after the point below ten seconds.
pub fn span(duration: Duration) -> String {
    let milliseconds = duration
        .as_millis()
        .saturating_add(u128::from(duration.subsec_micros() % 1000 >= 500));
    if (1..100).contains(&milliseconds) {
        return format!("{milliseconds}ms");
    }
    let tenths = milliseconds.saturating_add(50) / 100;
    if tenths < 100 && tenths % 10 > 0 {
        return format!("{}.{}s", tenths / 10, tenths % 10);
    }
    let seconds = milliseconds.saturating_add(500) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => parts(&[(seconds / 60, "m"), (seconds % 60, "s")]),
        3600..86400 => parts(&[(seconds / 3600, "h"), (seconds / 60 % 60, "m")]),
        _ => parts(&[(seconds / 86400, "d"), (seconds / 3600 % 24, "h")]),
    }
}

/// So many seconds, as every duration is written; none that is negative.
pub fn span_secs(seconds: f64) -> String {
    let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
    span(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// A duration that was configured, exactly, as a configuration may write it: `500ms`, `1m30s`, `1h`, `7d`.
pub fn exact_span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let milliseconds = duration.subsec_millis().into();
    if duration.is_zero() {
        return "0s".to_owned();
    }
    parts(&[
        ((seconds / 86400).into(), "d"),
        ((seconds / 3600 % 24).into(), "h"),
        ((seconds / 60 % 60).into(), "m"),
        ((seconds % 60).into(), "s"),
        (milliseconds, "ms"),
    ])
}

/// Those parts that are not zero, without a space between them.
fn parts(parts: &[(u128, &str)]) -> String {
    let mut text = String::new();
    for (number, unit) in parts.iter().filter(|(number, _)| *number > 0) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{number}{unit}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_name_two_units_at_most_and_none_that_is_zero() {
        for (milliseconds, expected) in [
            (0, "0s"),
            (3, "3ms"),
            (99, "99ms"),
            (200, "0.2s"),
            (960, "1s"),
            (1_240, "1.2s"),
            (9_000, "9s"),
            (9_960, "10s"),
            (20_250, "20s"),
            (42_400, "42s"),
            (45_000, "45s"),
            (59_999, "1m"),
            (60_000, "1m"),
            (132_000, "2m12s"),
            (185_000, "3m5s"),
            (1_800_000, "30m"),
            (3_600_000, "1h"),
            (7_859_000, "2h10m"),
            (86_400_000, "1d"),
            (273_600_000, "3d4h"),
        ] {
            assert_eq!(span(Duration::from_millis(milliseconds)), expected, "{milliseconds} ms");
        }
        assert_eq!(span(Duration::from_micros(300)), "0s");
        assert!(span(Duration::MAX).ends_with('h'));
    }

    #[test]
    fn what_is_configured_is_said_exactly() {
        for (milliseconds, expected) in [
            (0, "0s"),
            (250, "250ms"),
            (1_500, "1s500ms"),
            (90_000, "1m30s"),
            (3_600_000, "1h"),
            (604_800_000, "7d"),
            (90_061_000, "1d1h1m1s"),
        ] {
            assert_eq!(
                exact_span(Duration::from_millis(milliseconds)),
                expected,
                "{milliseconds} ms"
            );
        }
    }

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
            assert_eq!(span_secs(seconds), expected, "{seconds}");
        }
        assert!(span_secs(f64::MAX).ends_with('h'));
    }
}
