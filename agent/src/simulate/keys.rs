//! Every key of a scenario, in one table, as `config` has one for the configuration.

use std::time::Duration;

use sentinel_config::{Bounds, Key, Kind, Section};

/// More services than this are no story that anybody reads.
const MAX_SERVICES: usize = 100;
/// More events than this were not written by hand; `every` and `times` repeat one.
const MAX_EVENTS: usize = 1000;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Four weeks of one service take a few seconds to simulate.
const LONGEST: Duration = Duration::from_secs(28 * 24 * 60 * 60);

const MOMENT: Kind = Kind::Duration(Bounds {
    min: Duration::ZERO,
    max: LONGEST,
});
const SPAN: Kind = Kind::Duration(Bounds {
    min: MILLISECOND,
    max: DAY,
});
const NAME: Kind = Kind::Text {
    what: "the name of a service",
    rule: sentinel_config::name,
};
const NAMES: Kind = Kind::OneOrMore {
    of: &NAME,
    max: MAX_SERVICES,
};

const fn key(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        doc,
    }
}

/// The whole file.
pub(super) static ROOT: Section = Section {
    path: "scenario",
    doc: "The whole file",
    keys: &[&[
        key("about", line(), "", "What this shows, in a sentence"),
        key(
            "duration",
            Kind::Duration(Bounds {
                min: SECOND,
                max: LONGEST,
            }),
            "",
            "How much time to simulate. Required",
        ),
        key(
            "services",
            Kind::Named {
                section: &SERVICE,
                max: MAX_SERVICES,
            },
            "",
            "What runs on the host; at the beginning all of it runs and is healthy",
        ),
        key(
            "events",
            Kind::List {
                of: &Kind::Table {
                    section: &EVENT,
                    short: None,
                },
                max: MAX_EVENTS,
            },
            "[]",
            "What happens, and when",
        ),
        key(
            "expect",
            Kind::Table {
                section: &EXPECT,
                short: None,
            },
            "",
            "What must hold at the end",
        ),
    ]],
};

static SERVICE: Section = Section {
    path: "services.NAME",
    doc: "One service and how it behaves",
    keys: &[&[
        key(
            "after",
            Kind::List {
                of: &NAME,
                max: MAX_SERVICES,
            },
            "[]",
            "What it needs: while one of these does not answer, it answers 503",
        ),
        key(
            "starts",
            Kind::Table {
                section: &STARTS,
                short: Some("how"),
            },
            "well",
            "What becomes of each later start of it",
        ),
        key(
            "supervisor",
            Kind::Table {
                section: &SUPERVISOR,
                short: None,
            },
            "",
            "Its own supervisor restarts it after a failure, like systemd with `Restart=on-failure`",
        ),
        key("probes", Kind::Bool, "true", "Whether it is probed"),
        key(
            "target",
            Kind::Bool,
            "true",
            "Whether the agent can restart it; otherwise it is only probed",
        ),
    ]],
};

static STARTS: Section = Section {
    path: "services.NAME.starts",
    doc: "What becomes of a start",
    keys: &[WAYS],
};

/// How a start goes: one of these.
const WAYS: &[Key] = &[
    key(
        "how",
        Kind::Word(&["well", "deaf", "refused"]),
        "well",
        "`deaf` runs and never answers; `refused` does not even start",
    ),
    key("slowly", SPAN, "", "It answers only after this long"),
    key("dies_after", SPAN, "", "It exits with code 1 after this long"),
];

static LATER_STARTS: Section = Section {
    path: "events.starts",
    doc: "Later starts go another way",
    keys: &[&[key("service", NAME, "", "Whose. Required")], WAYS],
};

static SUPERVISOR: Section = Section {
    path: "services.NAME.supervisor",
    doc: "The service's own supervisor",
    keys: &[&[
        key(
            "restarts",
            Kind::Integer { min: 1, max: 1000 },
            "4",
            "So many restarts in a row, each of a run shorter than 10s, and then it gives up (systemd's start limit)",
        ),
        key(
            "delay",
            SPAN,
            "100ms",
            "From the end of a run to the next start (systemd's `RestartSec=`)",
        ),
    ]],
};

/// What can happen. Each event has `at` and one more key.
static EVENT: Section = Section {
    path: "events",
    doc: "Something that happens",
    keys: &[
        &[
            key("at", MOMENT, "", "When, from the beginning. Required"),
            key(
                "every",
                Kind::Duration(Bounds {
                    min: MILLISECOND,
                    max: LONGEST,
                }),
                "",
                "Again each so often",
            ),
            key(
                "times",
                Kind::Integer { min: 1, max: 10_000 },
                "to the end",
                "How often in all, with `every`",
            ),
        ],
        EFFECTS,
    ],
};

/// What an event can do: these keys, of which it has one.
pub(super) const EFFECTS: &[Key] = &[
    key("kill", NAMES, "", "The process is killed (SIGKILL)"),
    key(
        "exit",
        Kind::Table {
            section: &EXIT,
            short: Some("service"),
        },
        "",
        "The process ends by itself, with this exit code",
    ),
    key("hang", NAMES, "", "It runs and does not answer any more"),
    key(
        "fail",
        Kind::Table {
            section: &FAIL,
            short: Some("service"),
        },
        "",
        "It answers with this status from now on",
    ),
    key("answer", NAMES, "", "It answers again, by itself"),
    key(
        "fix",
        NAMES,
        "",
        "An operator fixes what was wrong: from now on it starts well",
    ),
    key(
        "starts",
        Kind::Table {
            section: &LATER_STARTS,
            short: None,
        },
        "",
        "From now on its starts go like this",
    ),
    key("stop", NAMES, "", "An operator stops it (`systemctl stop`)"),
    key("start", NAMES, "", "An operator starts it (`systemctl start`)"),
    key(
        "restart",
        NAMES,
        "",
        "An operator asks the agent for a restart (`sentinel restart`)",
    ),
    key(
        "pause",
        Kind::Table {
            section: &PAUSE,
            short: Some("service"),
        },
        "",
        "An operator pauses it (`sentinel pause`)",
    ),
    key("resume", NAMES, "", "An operator ends the pause (`sentinel resume`)"),
    key(
        "silence",
        Kind::Table {
            section: &SILENCE,
            short: None,
        },
        "",
        "An operator silences its messages (`sentinel silence add`)",
    ),
    key(
        "acknowledge",
        NAMES,
        "",
        "An operator acknowledges its incident (`sentinel ack`)",
    ),
    key(
        "lose_connection",
        SPAN,
        "",
        "The agent cannot see any target (no bus) for this long",
    ),
    key(
        "kill_agent",
        SPAN,
        "",
        "The agent is killed, and starts again after this long",
    ),
    key(
        "reboot",
        SPAN,
        "",
        "The host reboots and is off for this long; then everything starts",
    ),
    key("suspend", SPAN, "", "The host sleeps for this long"),
];

static EXIT: Section = Section {
    path: "events.exit",
    doc: "A process ends by itself",
    keys: &[&[
        key("service", NAME, "", "Whose. Required"),
        key(
            "code",
            Kind::Integer { min: 0, max: 255 },
            "1",
            "The exit code; 0 is a clean exit",
        ),
    ]],
};

static FAIL: Section = Section {
    path: "events.fail",
    doc: "A service answers wrongly",
    keys: &[&[
        key("service", NAME, "", "Which. Required"),
        key("status", Kind::Integer { min: 300, max: 599 }, "500", "The HTTP status"),
    ]],
};

static PAUSE: Section = Section {
    path: "events.pause",
    doc: "Maintenance",
    keys: &[&[
        key("service", NAME, "", "Which. Required"),
        key(
            "for",
            Kind::Duration(Bounds {
                min: SECOND,
                max: LONGEST,
            }),
            "until resumed",
            "How long",
        ),
    ]],
};

static SILENCE: Section = Section {
    path: "events.silence",
    doc: "Messages that are not sent",
    keys: &[&[
        key("service", NAME, "all services", "Whose"),
        key(
            "for",
            Kind::Duration(Bounds {
                min: SECOND,
                max: LONGEST,
            }),
            "",
            "How long. Required",
        ),
    ]],
};

static EXPECT: Section = Section {
    path: "expect",
    doc: "What must hold at the end",
    keys: &[&[
        key(
            "max_restarts",
            count(),
            "",
            "At most so many restarts by the agent, of all services together",
        ),
        key(
            "max_messages",
            count(),
            "",
            "At most so many messages, of all services together",
        ),
        key(
            "max_downtime",
            MOMENT,
            "",
            "No service is down for longer than this in all",
        ),
        key(
            "end",
            Kind::Map {
                key: sentinel_config::name,
                of: &Kind::Word(STATES),
                max: MAX_SERVICES,
            },
            "",
            "The state of these services at the end",
        ),
    ]],
};

/// The states of a service, as the engine calls them.
const STATES: &[&str] = &[
    "unknown",
    "stopped",
    "shutdown",
    "starting",
    "healthy",
    "suspect",
    "settling",
    "supervisor_busy",
    "down",
    "suppressed",
    "backoff",
    "throttled",
    "restarting",
    "verifying",
    "gave_up",
    "held",
    "maintenance",
];

const fn count() -> Kind {
    Kind::Integer { min: 0, max: 100_000 }
}

const fn line() -> Kind {
    Kind::Text {
        what: "a sentence",
        rule: |text| {
            let fits = text.chars().count() <= 200 && !text.chars().any(char::is_control);
            if fits {
                Ok(())
            } else {
                Err("must be one line of at most 200 characters".to_owned())
            }
        },
    }
}
