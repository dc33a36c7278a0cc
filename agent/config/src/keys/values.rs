//! What many keys share: kinds of value, and bounds.

use std::time::Duration;

use sentinel_engine::RestartWord;

use crate::rules;
use crate::schema::{Bounds, Kind};

/// At most this many entries in a list or small table: more is a mistake.
pub(super) const MAX_ENTRIES: usize = 256;

pub(super) const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const TENTH: Duration = Duration::from_millis(100);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
pub(super) const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(super) const fn bounds(min: Duration, max: Duration) -> Bounds {
    Bounds { min, max }
}

pub(super) const PATH: Kind = Kind::Text {
    what: "an absolute path",
    rule: rules::absolute_path,
};
pub(super) const SECRET_FILE: Kind = Kind::Text {
    what: "an absolute path, or \"credential:NAME\"",
    rule: rules::secret_file,
};
pub(super) const SECRET: Kind = Kind::Text {
    what: "text",
    rule: rules::secret,
};
pub(super) const URL: Kind = Kind::Text {
    what: "a URL",
    rule: |text| rules::http_url(text).map(drop),
};
/// What a name is called in messages.
pub(crate) const A_NAME: &str = "a name";

pub(super) const NAME: Kind = Kind::Text {
    what: A_NAME,
    rule: rules::name,
};
/// What an argument of a command is called in messages.
pub(crate) const AN_ARGUMENT: &str = "an argument as text";

pub(super) const ARGUMENT: Kind = Kind::Text {
    what: AN_ARGUMENT,
    rule: rules::argument,
};
pub(super) const COMMAND: Kind = Kind::List {
    of: &ARGUMENT,
    max: MAX_ENTRIES,
};
pub(super) const UNIT_PATTERN: Kind = Kind::Text {
    what: "the name of a unit, or a pattern",
    rule: |text| rules::unit_pattern(text).map(drop),
};
pub(super) const ZONE: Kind = Kind::Text {
    what: "a time zone such as \"Europe/Berlin\"",
    rule: |text| rules::zone(text).map(drop),
};
pub(super) const RESTART_WORD: Kind = Kind::WordOr {
    words: &RestartWord::WORDS,
    rule: |text| RestartWord::parse(text).map(drop).ok_or_else(String::new),
};
pub(super) const MODE: Kind = Kind::Word(&["heal", "observe"]);
pub(super) const HEADER: Kind = Kind::Text {
    what: "text",
    rule: rules::header_value,
};
pub(super) const HEADERS: Kind = Kind::Map {
    key: rules::header_name,
    of: &HEADER,
    max: MAX_ENTRIES,
};
