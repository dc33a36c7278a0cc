//! The calendar: when a window occurs, whatever the clocks of its zone do.
//!
//! A time of day that does not exist on a day, because the clocks go forward, is taken for the first moment after the
//! gap. One that occurs twice, because they go back, is taken for its first occurrence. `duration` is time that passes,
//! not what clocks show; an `end` is a time of day like `start`.

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use sentinel_config::{MaintenanceEnd, MaintenanceSettings};

/// A time that a window is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The first moment.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
}

/// Days before `now` on which a window may have begun that is still open: the longest `duration`, and one for the zone.
const LOOK_BACK: i64 = 8;

/// The next `count` occurrences that are not over at `now`, soonest first; fewer only at the end of the calendar.
pub fn upcoming(window: &MaintenanceSettings, now: Timestamp, count: usize) -> Vec<Occurrence> {
    let today = now.to_zoned(window.zone.clone()).date();
    let Ok(mut date) = today.checked_sub(LOOK_BACK.days()) else {
        return Vec::new();
    };
    // A window occurs once a week at least, but for one that falls into a gap; those lie half a year apart.
    let days = 7 * (count + 2);
    let mut found = Vec::new();
    for _ in 0..days + 2 * usize::try_from(LOOK_BACK).unwrap_or_default() {
        found.extend(on(window, date).filter(|occurrence| occurrence.end > now));
        let Ok(next) = date.tomorrow() else { break };
        if found.len() >= count {
            break;
        }
        date = next;
    }
    found
}

/// The occurrence that begins on `date`, if there is one.
fn on(window: &MaintenanceSettings, date: Date) -> Option<Occurrence> {
    if !window.days.is_empty() && !window.days.contains(&date.weekday()) {
        return None;
    }
    let start = moment(&window.zone, date, window.start)?;
    let end = match window.end {
        MaintenanceEnd::After(duration) => start
            .checked_add(SignedDuration::try_from(duration).ok()?)
            .unwrap_or(Timestamp::MAX),
        MaintenanceEnd::At(end) if end > window.start => moment(&window.zone, date, end)?,
        MaintenanceEnd::At(end) => moment(&window.zone, date.tomorrow().ok()?, end)?,
    };
    // It lies wholly within an hour that does not exist.
    (start < end).then_some(Occurrence { start, end })
}

/// The first moment at which clocks show `time` on `date`, or would have.
fn moment(zone: &TimeZone, date: Date, time: Time) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(date.to_datetime(time));
    let AmbiguousOffset::Gap { .. } = ambiguous.offset() else {
        return ambiguous.earlier().ok();
    };
    // By the clocks of before the gap: at its end, or up to its length after that.
    let beyond = ambiguous.later().ok()?;
    let gap = zone
        .preceding(beyond.checked_add(1.second()).ok()?)
        .next()
        .map(|transition| transition.timestamp());
    Some(gap.unwrap_or(beyond))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::civil::{Weekday, time};

    use super::*;

    /// As in Europe/Berlin, written out: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00.
    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn hours(hours: u64) -> MaintenanceEnd {
        MaintenanceEnd::After(Duration::from_secs(hours * 3600))
    }

    fn until(hour: i8, minute: i8) -> MaintenanceEnd {
        MaintenanceEnd::At(time(hour, minute, 0, 0))
    }

    fn window(start: (i8, i8), end: MaintenanceEnd, days: &[Weekday]) -> MaintenanceSettings {
        MaintenanceSettings {
            name: "night".to_owned(),
            services: vec!["*".to_owned()],
            start: time(start.0, start.1, 0, 0),
            end,
            days: days.to_vec(),
            zone: berlin(),
            reason: None,
        }
    }

    /// The first occurrences as UTC, `29T01:00-29T03:00`, of the month of `now`.
    fn shown(window: &MaintenanceSettings, now: &str, count: usize) -> Vec<String> {
        let utc = |at: Timestamp| at.strftime("%dT%H:%M").to_string();
        upcoming(window, now.parse().unwrap(), count)
            .into_iter()
            .map(|occurrence| format!("{}-{}", utc(occurrence.start), utc(occurrence.end)))
            .collect()
    }

    #[test]
    fn windows_open_and_end_by_the_clocks_of_their_zone() {
        const WINTER: &str = "2026-01-07T12:00:00Z"; // a Wednesday
        const SPRING: &str = "2026-03-28T12:00:00Z";
        const AUTUMN: &str = "2026-10-24T12:00:00Z";
        let weekend = [Weekday::Saturday, Weekday::Sunday];
        #[rustfmt::skip]
        let table: [(&str, MaintenanceSettings, &str, &[&str]); 17] = [
            ("every day", window((2, 0), hours(2), &[]), WINTER, &["08T01:00-08T03:00", "09T01:00-09T03:00"]),
            ("on some days", window((2, 0), hours(2), &weekend), WINTER, &["10T01:00-10T03:00", "11T01:00-11T03:00", "17T01:00-17T03:00"]),
            ("until a time of day", window((22, 0), until(23, 30), &[]), WINTER, &["07T21:00-07T22:30"]),
            ("over midnight", window((23, 0), until(1, 0), &[]), WINTER, &["07T22:00-08T00:00"]),
            ("from a time to the same is a whole day", window((13, 0), until(13, 0), &[]), WINTER, &["07T12:00-08T12:00"]),
            ("one that is open counts", window((12, 0), hours(2), &[]), WINTER, &["07T11:00-07T13:00", "08T11:00-08T13:00"]),
            ("one that ends now does not", window((11, 0), hours(2), &[]), WINTER, &["08T10:00-08T12:00"]),
            ("a week, begun last Wednesday, is just over", window((13, 0), hours(168), &[Weekday::Wednesday]), WINTER, &["07T12:00-14T12:00"]),
            ("a week, begun last Thursday, goes on", window((13, 0), hours(168), &[Weekday::Thursday]), WINTER, &["01T12:00-08T12:00", "08T12:00-15T12:00"]),
            ("a start in the gap is the end of the gap", window((2, 30), hours(2), &[]), SPRING, &["29T01:00-29T03:00", "30T00:30-30T02:30"]),
            ("so is one at its very beginning", window((2, 0), hours(1), &[]), SPRING, &["29T01:00-29T02:00"]),
            ("an hour of the clock may last two", window((1, 30), until(3, 30), &[]), AUTUMN, &["24T23:30-25T02:30"]),
            ("or none", window((1, 30), until(3, 30), &[]), SPRING, &["29T00:30-29T01:30"]),
            ("an end in the gap is the end of the gap", window((1, 0), until(2, 30), &[]), SPRING, &["29T00:00-29T01:00"]),
            ("what lies in the gap alone does not occur", window((2, 10), until(2, 40), &[]), SPRING, &["30T00:10-30T00:40"]),
            ("what occurs twice happens once, at the first", window((2, 30), hours(1), &[]), AUTUMN, &["25T00:30-25T01:30", "26T01:30-26T02:30"]),
            ("an end that occurs twice is the first", window((2, 15), until(2, 45), &[]), AUTUMN, &["25T00:15-25T00:45", "26T01:15-26T01:45"]),
        ];
        for (sentence, window, now, expected) in table {
            assert_eq!(shown(&window, now, expected.len()), expected, "{sentence}");
        }
    }

    #[test]
    fn zones_of_the_host_do_the_same() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let window = MaintenanceSettings {
            zone,
            ..window((2, 30), hours(2), &[])
        };
        assert_eq!(shown(&window, "2026-03-28T12:00:00Z", 1), ["29T01:00-29T03:00"]);
        // Samoa skipped a whole day.
        let window = MaintenanceSettings {
            zone: TimeZone::get("Pacific/Apia").unwrap(),
            ..window
        };
        let expected = ["29T12:30-29T14:30", "30T10:00-30T12:00", "30T12:30-30T14:30"];
        assert_eq!(shown(&window, "2011-12-29T12:00:00Z", 3), expected);
    }

    #[test]
    fn at_the_end_of_the_calendar_there_are_no_more() {
        let window = window((2, 0), hours(24), &[]);
        assert!(upcoming(&window, Timestamp::MAX, 3).len() <= 1);
        assert_eq!(upcoming(&window, Timestamp::MIN, 3).len(), 0);
    }
}
