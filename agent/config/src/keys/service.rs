//! The keys of `[services.NAME]` and `[defaults]`.

use std::time::Duration;

use super::http::HTTP;
use super::process::PROCESS;
use super::recovery::RECOVERY;
use super::values::{
    COMMAND, DAY, HOUR, MAX_ENTRIES, MILLISECOND, MODE, NAME, RESTART_WORD, TENTH, UNIT_PATTERN, bounds,
};
use crate::rules;
use crate::schema::{Key, Kind, Section};

pub(super) static DEFAULTS: Section = Section {
    path: "defaults",
    doc: "Set once for all services",
    keys: &[COMMON],
};

/// One `[services.NAME]`.
pub(super) static SERVICE: Section = Section {
    path: "services.NAME",
    doc: "One service: what runs it, what is asked of it, how it is healed",
    keys: &[OWN, COMMON],
};

/// What only a service of its own can say.
const OWN: &[Key] = &[
    Key {
        name: "unit",
        kind: Kind::Text {
            what: "the name of a unit",
            rule: |text| rules::unit(text).map(drop),
        },
        default: "",
        doc: "The systemd service that runs it; `.service` may be left out",
    },
    Key {
        name: "container",
        kind: Kind::Text {
            what: "the name of a container",
            rule: rules::container,
        },
        default: "",
        doc: "The Docker container that runs it",
    },
    Key {
        name: "compose",
        kind: Kind::Text {
            what: "text such as \"shop/web\"",
            rule: |text| rules::compose(text).map(drop),
        },
        default: "",
        doc: "The Compose service that runs it, as PROJECT/SERVICE; all of its containers, or one with PROJECT/SERVICE/NUMBER",
    },
    Key {
        name: "process",
        kind: Kind::Table {
            section: &PROCESS,
            short: None,
        },
        default: "",
        doc: "The process that runs it, when neither systemd nor anything else does",
    },
    Key {
        name: "http",
        kind: Kind::Table {
            section: &HTTP,
            short: Some("url"),
        },
        default: "",
        doc: "Ask over HTTP; `http = URL` is short for `http = { url = URL }`",
    },
    Key {
        name: "tcp",
        kind: Kind::Text {
            what: "text such as \"127.0.0.1:5432\"",
            rule: rules::host_port,
        },
        default: "",
        doc: "Connect to HOST:PORT",
    },
    Key {
        name: "command",
        kind: COMMAND,
        default: "",
        doc: "Run a program, given by its absolute path, with arguments and no shell; exit status 0 passes",
    },
    Key {
        name: "after",
        kind: Kind::List {
            of: &NAME,
            max: MAX_ENTRIES,
        },
        default: "[]",
        doc: "Services that must be up before this one is worth restarting",
    },
];

/// What may also stand in `[defaults]`.
const COMMON: &[Key] = &[
    Key {
        name: "mode",
        kind: MODE,
        default: "heal",
        doc: "Restart what failed, or only `observe`",
    },
    Key {
        name: "labels",
        kind: Kind::Map {
            key: rules::label_name,
            of: &Kind::Text {
                what: "text",
                rule: rules::label_value,
            },
            max: MAX_ENTRIES,
        },
        default: "{}",
        doc: "Free labels in messages",
    },
    Key {
        name: "severity",
        kind: Kind::Word(&["info", "warning", "critical"]),
        default: "warning",
        doc: "How bad an outage is that was not healed; giving up is always critical",
    },
    Key {
        name: "interval",
        kind: Kind::Duration(bounds(TENTH, DAY)),
        default: "10s",
        doc: "From the start of one round of probes to the next",
    },
    Key {
        name: "timeout",
        kind: Kind::Duration(bounds(MILLISECOND, HOUR)),
        default: "3s, or `interval` when that is shorter",
        doc: "A probe that takes longer has failed; at most `interval`",
    },
    Key {
        name: "fall",
        kind: Kind::Integer { min: 1, max: 100 },
        default: "3",
        doc: "Failed probes in a row that make it down",
    },
    Key {
        name: "fall_of",
        kind: Kind::Integer { min: 0, max: 64 },
        default: "0",
        doc: "When not 0, `fall` failures among so many of the last probes are enough, also when not in a row",
    },
    Key {
        name: "restart_on",
        kind: Kind::List {
            of: &RESTART_WORD,
            max: MAX_ENTRIES,
        },
        default: "[\"refused\", \"reset\", \"closed\", \"timeout\", \"status-5xx\", \"body\", \"command\", \"health-check\"]",
        doc: "The kinds of failed probes for which it is restarted, after `fall` of them since the last pass, in any order; all \
              else alerts. Also `status-4xx`, a `status-NNN`, `redirect`, `slow`, `dns`, `tls`, `unreachable`, `protocol` and \
              `agent`; `[]` restarts for none",
    },
    Key {
        name: "rise",
        kind: Kind::Integer { min: 1, max: 100 },
        default: "2",
        doc: "Passed probes in a row that make it up again",
    },
    Key {
        name: "start_grace",
        kind: Kind::Duration(bounds(Duration::ZERO, DAY)),
        default: "30s",
        doc: "After a start, failed probes do not count for this long, or until `rise` have passed",
    },
    Key {
        name: "settle",
        kind: Kind::AutoOrDuration(bounds(Duration::ZERO, HOUR)),
        default: "auto",
        doc: "How long to leave what died to its own supervisor; auto looks at what that will do",
    },
    Key {
        name: "may_affect",
        kind: Kind::List {
            of: &UNIT_PATTERN,
            max: MAX_ENTRIES,
        },
        default: "[]",
        doc: "Other units that a restart may restart or stop (`Requires=`, `BindsTo=`, `PartOf=`, `Conflicts=`), such as \
              \"worker-*\"; those of services `after` this one always may. When others run, it is not restarted",
    },
    Key {
        name: "log_lines",
        kind: Kind::Integer { min: 0, max: 50 },
        default: "10",
        doc: "How many of the last lines of its log are kept with an incident and sent in messages, at most; 0 reads none",
    },
    Key {
        name: "enabled",
        kind: Kind::Bool,
        default: "true",
        doc: "`false` leaves it unwatched",
    },
    Key {
        name: "recovery",
        kind: Kind::Table {
            section: &RECOVERY,
            short: None,
        },
        default: "",
        doc: "How often, and how fast, to restart it",
    },
];
