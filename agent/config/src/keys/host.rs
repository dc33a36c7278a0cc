//! The keys of `[recovery]`.

use std::time::Duration;

use super::values::{DAY, HOUR, MILLISECOND, SECOND, bounds};
use crate::schema::{Key, Kind, Section};

pub(super) static HOST: Section = Section {
    path: "recovery",
    doc: "Limits of restarting over the whole host",
    keys: &[&[
        Key {
            name: "max_in_flight",
            kind: Kind::Integer { min: 1, max: 100 },
            default: "1",
            doc: "Restarts whose new run has not begun, at the same time; a start that takes long holds no other",
        },
        Key {
            name: "tokens",
            kind: Kind::Integer { min: 1, max: 10_000 },
            default: "3",
            doc: "Restarts that may follow one another at once",
        },
        Key {
            name: "refill",
            kind: Kind::Duration(bounds(MILLISECOND, DAY)),
            default: "1m",
            doc: "After that, one more each",
        },
        Key {
            name: "storm_services",
            kind: Kind::Integer { min: 2, max: 10_000 },
            default: "3",
            doc: "So many services going down within `storm_window` are a storm: one alert for all, and no restart",
        },
        Key {
            name: "storm_window",
            kind: Kind::Duration(bounds(SECOND, HOUR)),
            default: "1m",
            doc: "See `storm_services`",
        },
        Key {
            name: "storm_hold",
            kind: Kind::Duration(bounds(Duration::ZERO, HOUR)),
            default: "2m",
            doc: "How long a storm stops every restart",
        },
        Key {
            name: "boot_grace",
            kind: Kind::Duration(bounds(Duration::ZERO, HOUR)),
            default: "1m",
            doc: "No restart within this time of the host's boot",
        },
    ]],
};
