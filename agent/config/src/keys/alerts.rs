//! The keys of `[alerts]`.

use std::time::Duration;

use super::MAX_RECEIVERS;
use super::values::{DAY, HOUR, MAX_ENTRIES, NAME, SECOND, WEEK, ZONE, bounds};
use crate::rules;
use crate::schema::{Key, Kind, Section};

/// At most this many routes: each may be asked about every message.
const MAX_ROUTES: usize = 100;
/// At most this many escalations.
const MAX_ESCALATIONS: usize = 20;

const RECEIVERS: Kind = Kind::List {
    of: &NAME,
    max: MAX_RECEIVERS,
};

pub(super) static ALERTS: Section = Section {
    path: "alerts",
    doc: "Who is notified, and when",
    keys: &[&[
        Key {
            name: "receivers",
            kind: RECEIVERS,
            default: "all",
            doc: "Receivers of every message that no route matches",
        },
        Key {
            name: "notify_after",
            kind: Kind::Duration(bounds(Duration::ZERO, DAY)),
            default: "30s",
            doc: "An outage healed within this time is one message, as information",
        },
        Key {
            name: "group_wait",
            kind: Kind::Duration(bounds(Duration::ZERO, HOUR)),
            default: "10s",
            doc: "How long the first message of an incident waits for others, to be sent as one; giving up never waits",
        },
        Key {
            name: "repeat_interval",
            kind: Kind::OffOrDuration(bounds(SECOND, WEEK)),
            default: "4h",
            doc: "How often a reminder is sent of what is still down and not acknowledged; or `off`",
        },
        Key {
            name: "time_zone",
            kind: ZONE,
            default: "the host's",
            doc: "The time zone of times in messages, such as \"Europe/Berlin\"; UTC stands beside it",
        },
        Key {
            name: "link",
            kind: Kind::Text {
                what: "the address of a page, as a Jinja template",
                rule: rules::template,
            },
            default: "",
            doc: "Where to read more, sent with every message about one incident: a template of an http or https URL",
        },
        Key {
            name: "routes",
            kind: Kind::Tables {
                section: &ROUTE,
                max: MAX_ROUTES,
            },
            default: "",
            doc: "Who gets which messages; the first that fits decides. Those of later files come after",
        },
        Key {
            name: "escalations",
            kind: Kind::Tables {
                section: &ESCALATION,
                max: MAX_ESCALATIONS,
            },
            default: "",
            doc: "Who else is notified when an incident is not acknowledged",
        },
    ]],
};

static ROUTE: Section = Section {
    path: "alerts.routes",
    doc: "Some messages, and who gets them",
    keys: &[&[
        Key {
            name: "match",
            kind: Kind::Table {
                section: &ROUTE_MATCH,
                short: None,
            },
            default: "everything",
            doc: "Which messages; every key that is there must fit",
        },
        Key {
            name: "receivers",
            kind: RECEIVERS,
            default: "",
            doc: "Who gets them; `[]` is no receiver. Required",
        },
        Key {
            name: "continue",
            kind: Kind::Bool,
            default: "false",
            doc: "Ask the routes after it as well",
        },
    ]],
};

static ESCALATION: Section = Section {
    path: "alerts.escalations",
    doc: "Who else is notified when an incident is not acknowledged",
    keys: &[&[
        Key {
            name: "match",
            kind: Kind::Table {
                section: &ESCALATION_MATCH,
                short: None,
            },
            default: "everything",
            doc: "Which incidents; every key that is there must fit",
        },
        Key {
            name: "after",
            kind: Kind::Duration(bounds(SECOND, WEEK)),
            default: "",
            doc: "How long after the first message. Required",
        },
        Key {
            name: "receivers",
            kind: RECEIVERS,
            default: "",
            doc: "Who is notified then. Required",
        },
    ]],
};

static ROUTE_MATCH: Section = Section {
    path: "alerts.routes.match",
    doc: "Which messages",
    keys: &[MATCH, MATCH_KIND],
};

static ESCALATION_MATCH: Section = Section {
    path: "alerts.escalations.match",
    doc: "Which incidents",
    keys: &[MATCH],
};

const MATCH: &[Key] = &[
    Key {
        name: "service",
        kind: Kind::OneOrMore {
            of: &Kind::Text {
                what: "a name, or a pattern such as \"db-*\"",
                rule: rules::alert_pattern,
            },
            max: MAX_ENTRIES,
        },
        default: "",
        doc: "Names of services, or patterns; `(host)` is the host itself",
    },
    Key {
        name: "severity",
        kind: Kind::OneOrMore {
            of: &Kind::Word(&["info", "warning", "critical"]),
            max: 3,
        },
        default: "",
        doc: "Severities, each exactly",
    },
    Key {
        name: "label",
        kind: Kind::Map {
            key: rules::label_name,
            of: &Kind::Text {
                what: "text",
                rule: rules::label_value,
            },
            max: MAX_ENTRIES,
        },
        default: "",
        doc: "Labels the service must have, with values or patterns of values",
    },
];

const MATCH_KIND: &[Key] = &[Key {
    name: "kind",
    kind: Kind::OneOrMore {
        of: &Kind::Word(&["fired", "gave_up", "healed", "flapping"]),
        max: 4,
    },
    default: "",
    doc: "Kinds of message. Other kinds go to the receivers that were notified before, without a route",
}];
