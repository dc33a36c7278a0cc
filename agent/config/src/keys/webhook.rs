//! The keys of `[receivers.NAME.webhook]`.

use super::shared::{HEADERS, HEADERS_FILE};
use super::values::{SECRET, SECRET_FILE, URL};
use crate::schema::{Key, Kind, Section};

/// At most this many signing secrets: the old one and the new one, and some to spare.
const MAX_SIGNING: usize = 8;

pub(super) static WEBHOOK: Section = Section {
    path: "receivers.NAME.webhook",
    doc: "Where to POST",
    keys: &[&[
        Key {
            name: "url",
            kind: URL,
            default: "",
            doc: "Where to POST. Either this or `url_file` is required",
        },
        Key {
            name: "url_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file that holds the URL",
        },
        Key {
            name: "secret",
            kind: Kind::OneOrMore {
                of: &SECRET,
                max: MAX_SIGNING,
            },
            default: "",
            doc: "Signs messages: `whsec_` and base64 of 24 to 64 random bytes; other text is the key as it stands. Of several each signs, so that they can be rotated",
        },
        Key {
            name: "secret_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file that holds the secret, or several, a line each",
        },
        HEADERS,
        HEADERS_FILE,
    ]],
};
