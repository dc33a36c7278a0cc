//! The keys of `[services.NAME.recovery]`.

use std::time::Duration;

use super::values::{DAY, MILLISECOND, SECOND, TENTH, WEEK, bounds};
use crate::schema::{Key, Kind, Section};

pub(super) static RECOVERY: Section = Section {
    path: "services.NAME.recovery",
    doc: "How often, and how fast, to restart",
    keys: &[&[
        Key {
            name: "backoff",
            kind: Kind::Duration(bounds(MILLISECOND, DAY)),
            default: "10s",
            doc: "Gap before the second attempt; doubles from there. The first comes at once",
        },
        Key {
            name: "backoff_max",
            kind: Kind::Duration(bounds(MILLISECOND, DAY)),
            default: "5m",
            doc: "The longest gap between attempts",
        },
        Key {
            name: "jitter",
            kind: Kind::Share { max: 0.5 },
            default: "0.2",
            doc: "Share by which gaps vary, so that hosts do not restart in step",
        },
        Key {
            name: "burst",
            kind: Kind::Integer { min: 1, max: 100 },
            default: "5",
            doc: "Attempts allowed within `window` before giving up",
        },
        Key {
            name: "window",
            kind: Kind::Duration(bounds(SECOND, WEEK)),
            default: "30m",
            doc: "The sliding window of `burst`",
        },
        Key {
            name: "half_open",
            kind: Kind::Duration(bounds(Duration::ZERO, WEEK)),
            default: "1h",
            doc: "After giving up, one attempt each so often; `0s` is never",
        },
        Key {
            name: "verify",
            kind: Kind::Duration(bounds(TENTH, DAY)),
            default: "60s",
            doc: "Time a restarted service has to prove itself; longer than `min_uptime`",
        },
        Key {
            name: "min_uptime",
            kind: Kind::Duration(bounds(Duration::ZERO, DAY)),
            default: "20s",
            doc: "What was restarted must have lived this long before it counts as healed",
        },
        Key {
            name: "reset_after",
            kind: Kind::Duration(bounds(SECOND, WEEK)),
            default: "10m",
            doc: "Health without a break after which attempts and giving up are forgotten",
        },
        Key {
            name: "before_first_pass",
            kind: Kind::Word(&["hold", "restart"]),
            default: "hold",
            doc: "Whether a probe that has never passed since it was configured may restart it; `hold` only alerts, as it may be \
                  the wrong question",
        },
        Key {
            name: "on_clean_exit",
            kind: Kind::Word(&["restart", "alert", "ignore"]),
            default: "restart",
            doc: "What to do when it ended by itself and reported success",
        },
        Key {
            name: "on_dependency_return",
            kind: Kind::Word(&["alert", "start", "ignore"]),
            default: "alert",
            doc: "What to do when it was stopped together with a service it comes `after`, and that one is healthy again",
        },
        Key {
            name: "retry_oneshot",
            kind: Kind::Bool,
            default: "false",
            doc: "Whether a unit with Type=oneshot that failed is run again; otherwise that is an alert",
        },
    ]],
};
