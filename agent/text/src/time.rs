//! Times as users read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time by the clocks of `zone` and by UTC: `2026-11-22 18:00:05 CET (17:00:05 UTC)`.
pub fn moment(at: Timestamp, zone: &TimeZone) -> String {
    let utc = at.to_zoned(TimeZone::UTC);
    let local = at.to_zoned(zone.clone());
    if local.offset() == utc.offset() {
        return utc.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    }
    let format = if local.date() == utc.date() {
        "%H:%M:%S"
    } else {
        "%Y-%m-%d %H:%M:%S"
    };
    format!(
        "{} ({} UTC)",
        local.strftime("%Y-%m-%d %H:%M:%S %Z"),
        utc.strftime(format)
    )
}

/// A moment where the reader is, with its offset from UTC: `2026-03-01 12:58:20 +01:00`.
pub fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// The same, to the millisecond.
pub fn local_millis(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S.%3f %:z")
        .to_string()
}

/// Seconds from `earlier` to `later`; negative when they are the other way round.
pub fn between(earlier: Timestamp, later: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_local_and_say_how_far_from_utc() {
        let at = "2026-03-01T11:58:20.0675Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        assert_eq!(local(at, &zone), "2026-03-01 08:58:20 -03:00");
        assert_eq!(local_millis(at, &zone), "2026-03-01 08:58:20.067 -03:00");
    }
}
