//! How values look in the database.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::ValueRef;
use sentinel_engine::Time;

/// Longest text kept in one column, in bytes: a sentence of a supervisor, not its whole output.
const TEXT_MAX: usize = 4096;

/// The engine's time in whole microseconds; 292,000 years fit.
pub(super) fn from_time(time: Time) -> i64 {
    i64::try_from(time.since_epoch().as_micros()).unwrap_or(i64::MAX)
}

/// The reverse of [`from_time`].
pub(super) fn to_time(micros: i64) -> Time {
    Time::from_epoch(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

/// A span in whole microseconds, as the engine's time is kept.
pub(super) fn from_duration(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// The reverse of [`from_duration`].
pub(super) fn to_duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// The reverse of `Timestamp::as_microsecond`; what lies outside the calendar becomes its end.
pub(super) fn to_wall(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// An id as SQLite can hold it. Ids count up from 1, so the end is never reached.
pub(super) fn from_id(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

/// The reverse of [`from_id`].
pub(super) fn to_id(id: i64) -> u64 {
    u64::try_from(id).unwrap_or(0)
}

/// A text column, read whatever bytes it holds: one damaged letter must not hide a whole history.
pub(super) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    optional_text(row, column).map(Option::unwrap_or_default)
}

/// As [`text`], for a column that may be NULL.
pub(super) fn optional_text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    })
}

/// `text`, cut to what is kept.
pub(super) fn clip(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT_MAX {
        return Cow::Borrowed(text);
    }
    let end = (0..=TEXT_MAX)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    Cow::Owned(format!("{}…", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        let text = "é".repeat(TEXT_MAX);
        let clipped = clip(&text);
        assert!(clipped.len() <= TEXT_MAX + '…'.len_utf8());
        assert!(clipped.ends_with("é…"));
        assert_eq!(clip("short"), "short");
    }
}
