//! The keys of `[services.NAME.http]`.

use super::shared::{CA_FILE, HEADERS, HEADERS_FILE};
use super::values::{HOUR, MAX_ENTRIES, MILLISECOND, URL, bounds};
use crate::rules;
use crate::schema::{Key, Kind, Section};

pub(super) static HTTP: Section = Section {
    path: "services.NAME.http",
    doc: "A question over HTTP, and the answer that is right",
    keys: &[&[
        Key {
            name: "url",
            kind: URL,
            default: "",
            doc: "What to ask; http or https. Required",
        },
        Key {
            name: "method",
            kind: Kind::Word(&["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]),
            default: "GET",
            doc: "How to ask",
        },
        HEADERS,
        HEADERS_FILE,
        Key {
            name: "status",
            kind: Kind::List {
                of: &Kind::Status(|text| rules::status(text).map(drop)),
                max: MAX_ENTRIES,
            },
            default: "[\"200-299\"]",
            doc: "Accepted statuses and ranges of statuses",
        },
        Key {
            name: "body_contains",
            kind: Kind::Text {
                what: "text",
                rule: rules::needle,
            },
            default: "",
            doc: "Must occur in the first 64 KiB of the body",
        },
        Key {
            name: "json",
            kind: Kind::Map {
                key: rules::json_pointer,
                of: &Kind::Json,
                max: MAX_ENTRIES,
            },
            default: "{}",
            doc: "JSON pointers into the body, and the values that must be there",
        },
        Key {
            name: "max_latency",
            kind: Kind::Duration(bounds(MILLISECOND, HOUR)),
            default: "",
            doc: "A right answer slower than this is a failure; at most `timeout`",
        },
        CA_FILE,
        Key {
            name: "insecure",
            kind: Kind::Bool,
            default: "false",
            doc: "Accept any certificate",
        },
        Key {
            name: "keep_alive",
            kind: Kind::Bool,
            default: "false",
            doc: "Keep the connection; a fresh one each time also proves that the service still accepts",
        },
        Key {
            name: "follow",
            kind: Kind::Integer { min: 0, max: 10 },
            default: "0",
            doc: "Redirects to follow; with 0 a redirect is an answer like any other",
        },
    ]],
};
