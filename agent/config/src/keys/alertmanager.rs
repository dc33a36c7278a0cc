//! The keys of `[receivers.NAME.alertmanager]`.

use super::values::{HEADERS, HOUR, PATH, SECOND, SECRET_FILE, URL, bounds};
use crate::rules;
use crate::schema::{Key, Kind, Section};

/// Replicas of one Alertmanager; a cluster has two or three.
const MAX_REPLICAS: usize = 16;

const SECRET: Kind = Kind::Text {
    what: "text",
    rule: rules::secret,
};

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
        Key {
            name: "headers",
            kind: HEADERS,
            default: "{}",
            doc: "Sent along",
        },
        Key {
            name: "headers_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file that holds more of them, a line each as `Name: value`: for those that are secret",
        },
        Key {
            name: "user",
            kind: Kind::Text {
                what: "text",
                rule: rules::label_value,
            },
            default: "",
            doc: "The name to log in with (`Authorization: Basic`); needs a password",
        },
        Key {
            name: "password",
            kind: SECRET,
            default: "",
            doc: "The password",
        },
        Key {
            name: "password_file",
            kind: PATH,
            default: "",
            doc: "A file that holds the password",
        },
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
        Key {
            name: "ca_file",
            kind: PATH,
            default: "the host's",
            doc: "Trust the certificates in this file (PEM) instead",
        },
    ]],
};
