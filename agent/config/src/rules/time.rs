//! Durations, times of day, time zones.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use sentinel_text::exact_span;

use super::shown;
use crate::schema::Bounds;

/// A time of day, `02:00` or `02:00:30`.
pub(crate) fn time_of_day(text: &str) -> Result<Time, String> {
    Time::strptime("%H:%M", text)
        .or_else(|_| Time::strptime("%H:%M:%S", text))
        .map_err(|_| format!("{} is not a time of day from \"00:00\" to \"23:59\"", shown(text)))
}

/// A time zone by its IANA name.
pub(crate) fn zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| {
        format!(
            "this host knows no time zone {}; names are such as \"Europe/Berlin\", and come with the package tzdata",
            shown(text)
        )
    })
}

/// Parses a duration such as `10s` or `1h30m`, within bounds.
pub(crate) fn duration(text: &str, bounds: Bounds) -> Result<Duration, String> {
    let parsed = parse_duration(text)?;
    if parsed < bounds.min {
        return Err(format!("{} is too short: {bounds}", shown(text)));
    }
    if parsed > bounds.max {
        return Err(format!("{} is too long: {bounds}", shown(text)));
    }
    Ok(parsed)
}

/// Parses a duration of any length.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("{} is not a duration such as \"10s\" or \"1h30m\"", shown(text)))
}

/// A duration as the configuration writes it.
pub(crate) fn spell(duration: Duration) -> String {
    exact_span(duration)
}
