//! Keys that several sections have, each with one kind, default and line of documentation.

use super::values::{HEADERS as HEADER_MAP, PATH, SECRET, SECRET_FILE};
use crate::schema::Key;

pub(super) const HEADERS: Key = Key {
    name: "headers",
    kind: HEADER_MAP,
    default: "{}",
    doc: "Sent along",
};

pub(super) const HEADERS_FILE: Key = Key {
    name: "headers_file",
    kind: SECRET_FILE,
    default: "",
    doc: "A file that holds more of them, a line each as `Name: value`: for those that are secret",
};

pub(super) const CA_FILE: Key = Key {
    name: "ca_file",
    kind: PATH,
    default: "the host's",
    doc: "Trust the certificates in this file (PEM) instead",
};

pub(super) const PASSWORD: Key = Key {
    name: "password",
    kind: SECRET,
    default: "",
    doc: "The password",
};

pub(super) const PASSWORD_FILE: Key = Key {
    name: "password_file",
    kind: PATH,
    default: "",
    doc: "A file that holds the password",
};
