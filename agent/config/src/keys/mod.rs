//! Every key of the configuration, in one table: name, values, default, meaning. A file for each table of the
//! configuration.
//!
//! What is not here is an unknown key. Checks, suggestions and the documentation of the keys come from this table. A
//! walk over all keys begins at [`ROOT`] and follows the kinds.

mod agent;
mod alertmanager;
mod alerts;
mod command;
mod email;
mod heartbeat;
mod host;
mod http;
mod maintenance;
mod process;
mod receivers;
mod recovery;
mod service;
mod shared;
mod slack;
mod values;
mod webhook;

use agent::AGENT;
use alerts::ALERTS;
use heartbeat::HEARTBEAT;
use host::HOST;
use maintenance::MAINTENANCE;
use receivers::RECEIVER;
use service::{DEFAULTS, SERVICE};

pub(super) use values::{A_NAME, AN_ARGUMENT};

use super::schema::{Key, Kind, Section};

/// At most this many services: what one host is measured to carry.
pub const MAX_SERVICES: usize = 10_000;
/// At most this many receivers; each has a queue of its own.
pub const MAX_RECEIVERS: usize = 100;
/// At most this many maintenance windows: each is looked up in the calendar.
const MAX_WINDOWS: usize = 100;

/// Keys that a later version brings. They are real, so a guess at the nearest word would mislead.
const NOT_YET: &[(&str, &[&str])] = &[("agent", &["public"])];

/// Whether a later version brings this key.
pub(super) fn is_not_yet(section: &Section, name: &str) -> bool {
    NOT_YET
        .iter()
        .any(|(path, names)| *path == section.path && names.contains(&name))
}

/// The whole file.
pub static ROOT: Section = Section {
    path: "",
    doc: "The whole file",
    keys: &[&[
        Key {
            name: "agent",
            kind: Kind::Table {
                section: &AGENT,
                short: None,
            },
            default: "",
            doc: "The agent itself",
        },
        Key {
            name: "defaults",
            kind: Kind::Table {
                section: &DEFAULTS,
                short: None,
            },
            default: "",
            doc: "Set once for all services; what a service says itself wins",
        },
        Key {
            name: "services",
            kind: Kind::Named {
                section: &SERVICE,
                max: MAX_SERVICES,
            },
            default: "",
            doc: "What to keep up",
        },
        Key {
            name: "recovery",
            kind: Kind::Table {
                section: &HOST,
                short: None,
            },
            default: "",
            doc: "Limits of restarting over the whole host",
        },
        Key {
            name: "receivers",
            kind: Kind::Named {
                section: &RECEIVER,
                max: MAX_RECEIVERS,
            },
            default: "",
            doc: "Where alerts go",
        },
        Key {
            name: "alerts",
            kind: Kind::Table {
                section: &ALERTS,
                short: None,
            },
            default: "",
            doc: "Who is notified, and when",
        },
        Key {
            name: "heartbeat",
            kind: Kind::Table {
                section: &HEARTBEAT,
                short: Some("url"),
            },
            default: "",
            doc: "Who is to notice when this agent is gone",
        },
        Key {
            name: "maintenance",
            kind: Kind::Named {
                section: &MAINTENANCE,
                max: MAX_WINDOWS,
            },
            default: "",
            doc: "When services are left alone",
        },
    ]],
};
