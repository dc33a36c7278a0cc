//! The keys of `[heartbeat]`.

use super::values::{DAY, SECOND, SECRET_FILE, URL, bounds};
use crate::schema::{Key, Kind, Section};

pub(super) static HEARTBEAT: Section = Section {
    path: "heartbeat",
    doc: "A dead man's switch: the server asked here raises the alarm when it is no longer asked",
    keys: &[&[
        Key {
            name: "url",
            kind: URL,
            default: "",
            doc: "Asked by GET while all is well. Either this or `url_file` is required",
        },
        Key {
            name: "url_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file that holds the URL",
        },
        Key {
            name: "interval",
            kind: Kind::Duration(bounds(SECOND, DAY)),
            default: "60s",
            doc: "How often; let the other side wait for three times as long",
        },
        Key {
            name: "fail_url",
            kind: URL,
            default: "`url` with /fail",
            doc: "Asked instead while the agent is not well: it sees no units, its store cannot be written, or messages wait",
        },
    ]],
};
