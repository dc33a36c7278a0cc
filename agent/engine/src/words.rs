//! Durations in sentences for people.

use std::time::Duration;

/// A duration as people say it: `0.4 s`, `12 s`, `3 min 5 s`, `30 min`, `2 h 10 min`, `3 d 4 h`. Two units at most, and none
/// that is zero.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let two = |large: u64, unit: &str, small: u64, smaller: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {smaller}"),
    };
    match seconds {
        0..10 if duration.subsec_millis() > 0 => format!("{:.1} s", duration.as_secs_f64()),
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86400 => two(seconds / 3600, "h", seconds / 60 % 60, "min"),
        _ => two(seconds / 86400, "d", seconds / 3600 % 24, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_name_two_units_at_most_and_none_that_is_zero() {
        for (milliseconds, expected) in [
            (0, "0 s"),
            (400, "0.4 s"),
            (9_000, "9 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (185_000, "3 min 5 s"),
            (1_800_000, "30 min"),
            (3_600_000, "1 h"),
            (7_859_000, "2 h 10 min"),
            (86_400_000, "1 d"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(span(Duration::from_millis(milliseconds)), expected, "{milliseconds} ms");
        }
    }
}
