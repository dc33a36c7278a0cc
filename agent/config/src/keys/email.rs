//! The keys of `[receivers.NAME.email]`.

use super::shared::{CA_FILE, PASSWORD, PASSWORD_FILE};
use super::values::MAX_ENTRIES;
use crate::rules;
use crate::schema::{Key, Kind, Section};

const ADDRESS: Kind = Kind::Text {
    what: "an address such as \"ops@example.com\"",
    rule: |text| rules::mailbox(text).map(drop),
};

pub(super) static EMAIL: Section = Section {
    path: "receivers.NAME.email",
    doc: "Mail, through a server",
    keys: &[&[
        Key {
            name: "server",
            kind: Kind::Text {
                what: "a server such as \"smtp://mail.example.com:587\"",
                rule: |text| rules::mail_server(text).map(drop),
            },
            default: "",
            doc: "`smtp://HOST:PORT`, encrypted by STARTTLS, port 587; or `smtps://HOST:PORT`, encrypted from the first \
                  byte, port 465. Required",
        },
        Key {
            name: "tls",
            kind: Kind::Word(&["required", "off"]),
            default: "required",
            doc: "`off` sends without encryption, as to a relay on this host; there is nothing in between",
        },
        CA_FILE,
        Key {
            name: "user",
            kind: Kind::Text {
                what: "text",
                rule: rules::label_value,
            },
            default: "",
            doc: "The name to log in with; needs a password",
        },
        PASSWORD,
        PASSWORD_FILE,
        Key {
            name: "from",
            kind: ADDRESS,
            default: "",
            doc: "Whom mails are from: `ops@example.com`, or `Name <ops@example.com>`. Required",
        },
        Key {
            name: "to",
            kind: Kind::List {
                of: &ADDRESS,
                max: MAX_ENTRIES,
            },
            default: "",
            doc: "Whom they are for. Required",
        },
    ]],
};
