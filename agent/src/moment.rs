//! Times for people.

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
