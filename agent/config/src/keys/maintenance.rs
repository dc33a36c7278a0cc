//! The keys of `[maintenance.NAME]`.

use super::values::{MAX_ENTRIES, MINUTE, WEEK, ZONE, bounds};
use crate::rules;
use crate::schema::{DAYS, Key, Kind, Section};

const TIME_OF_DAY: Kind = Kind::Text {
    what: "a time of day such as \"02:00\"",
    rule: |text| rules::time_of_day(text).map(drop),
};

pub(super) static MAINTENANCE: Section = Section {
    path: "maintenance.NAME",
    doc: "A window in which services are watched and otherwise left alone, as by `sentinel pause`",
    keys: &[&[
        Key {
            name: "services",
            kind: Kind::List {
                of: &Kind::Text {
                    what: "a name, or a pattern such as \"db-*\"",
                    rule: rules::pattern,
                },
                max: MAX_ENTRIES,
            },
            default: "[\"*\"]",
            doc: "Names of services; `*` stands for any characters, `?` for one",
        },
        Key {
            name: "start",
            kind: TIME_OF_DAY,
            default: "",
            doc: "When it opens. One that does not exist on a day is the first moment after; one that occurs twice, the first. Required",
        },
        Key {
            name: "duration",
            kind: Kind::Duration(bounds(MINUTE, WEEK)),
            default: "",
            doc: "How long it stays open. Either this or `end` is required",
        },
        Key {
            name: "end",
            kind: TIME_OF_DAY,
            default: "",
            doc: "When it ends, the next day when that is not after `start`",
        },
        Key {
            name: "days",
            kind: Kind::List {
                of: &Kind::Word(&DAYS),
                max: DAYS.len(),
            },
            default: "every day",
            doc: "The days on which it opens",
        },
        Key {
            name: "zone",
            kind: ZONE,
            default: "the host's",
            doc: "Whose clocks count",
        },
        Key {
            name: "reason",
            kind: Kind::Text {
                what: "text",
                rule: rules::label_value,
            },
            default: "",
            doc: "Why; shown by `sentinel status`",
        },
    ]],
};
