//! The keys of `[receivers.NAME.command]`.

use std::time::Duration;

use super::values::{ARGUMENT, COMMAND, MAX_ENTRIES, TENTH, bounds};
use crate::rules;
use crate::schema::{Key, Kind, Section};

pub(super) static COMMAND_RECEIVER: Section = Section {
    path: "receivers.NAME.command",
    doc: "A program that takes the message on",
    keys: &[&[
        Key {
            name: "argv",
            kind: COMMAND,
            default: "",
            doc: "The program, given by its absolute path, with arguments and no shell. Required",
        },
        Key {
            name: "env",
            kind: Kind::Map {
                key: rules::variable_name,
                of: &ARGUMENT,
                max: MAX_ENTRIES,
            },
            default: "{}",
            doc: "Variables for its environment; their values are never shown, unlike arguments, which every user can read",
        },
        Key {
            name: "timeout",
            kind: Kind::Duration(bounds(TENTH, Duration::from_secs(30))),
            default: "15s",
            doc: "Killed, with its children, after this",
        },
    ]],
};
