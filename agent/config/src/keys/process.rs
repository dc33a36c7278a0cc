//! The keys of `[services.NAME.process]`.

use super::values::{COMMAND, HOUR, PATH, TENTH, bounds};
use crate::schema::{Key, Kind, Section};

pub(super) static PROCESS: Section = Section {
    path: "services.NAME.process",
    doc: "A process known by its pid file",
    keys: &[&[
        Key {
            name: "pid_file",
            kind: PATH,
            default: "",
            doc: "Holds the pid while it runs. Required",
        },
        Key {
            name: "start",
            kind: COMMAND,
            default: "",
            doc: "Starts it: a program, given by its absolute path, with arguments and no shell. Required",
        },
        Key {
            name: "stop",
            kind: COMMAND,
            default: "SIGTERM, then SIGKILL",
            doc: "Stops it",
        },
        Key {
            name: "timeout",
            kind: Kind::Duration(bounds(TENTH, HOUR)),
            default: "30s",
            doc: "How long `start` and `stop` may each take",
        },
    ]],
};
