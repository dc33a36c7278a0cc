//! The keys of `[receivers.NAME.alertmanager]`.

use super::shared::{CA_FILE, HEADERS, HEADERS_FILE, PASSWORD, PASSWORD_FILE};
use super::values::{HOUR, PATH, SECOND, SECRET, URL, bounds};
use crate::rules;
use crate::schema::{Key, Kind, Section};

/// Replicas of one Alertmanager; a cluster has two or three.
const MAX_REPLICAS: usize = 16;

pub(super) static ALERTMANAGER: Section = Section {
    path: "receivers.NAME.alertmanager",
    doc: "A Prometheus Alertmanager, which is sent what fires",
    keys: &[&[
        Key {
            name: "urls",
            kind: Kind::List {
                of: &URL,
                max: MAX_REPLICAS,
            },
            default: "",
            doc: "Every replica, such as \"http://am1:9093\"; each is sent every alert, as a cluster expects it. Required",
        },
        Key {
            name: "resend",
            kind: Kind::Duration(bounds(SECOND, HOUR)),
            default: "60s",
            doc: "What fires is sent again each so often; what was not heard of for four times as long ends there",
        },
        HEADERS,
        HEADERS_FILE,
        Key {
            name: "user",
            kind: Kind::Text {
                what: "text",
                rule: rules::label_value,
            },
            default: "",
            doc: "The name to log in with (`Authorization: Basic`); needs a password",
        },
        PASSWORD,
        PASSWORD_FILE,
        Key {
            name: "token",
            kind: SECRET,
            default: "",
            doc: "The token to log in with (`Authorization: Bearer`)",
        },
        Key {
            name: "token_file",
            kind: PATH,
            default: "",
            doc: "A file that holds the token",
        },
        CA_FILE,
    ]],
};
