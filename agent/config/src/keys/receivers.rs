//! The keys of `[receivers.NAME]`.

use super::alertmanager::ALERTMANAGER;
use super::command::COMMAND_RECEIVER;
use super::email::EMAIL;
use super::slack::SLACK;
use super::values::PATH;
use super::webhook::WEBHOOK;
use crate::rules;
use crate::schema::{Key, Kind, Section};

pub(super) static RECEIVER: Section = Section {
    path: "receivers.NAME",
    doc: "Where messages go",
    keys: &[&[
        Key {
            name: "slack",
            kind: Kind::Table {
                section: &SLACK,
                short: None,
            },
            default: "",
            doc: "Slack: an incoming webhook, or a bot that keeps each incident in one thread",
        },
        Key {
            name: "webhook",
            kind: Kind::Table {
                section: &WEBHOOK,
                short: None,
            },
            default: "",
            doc: "POST a JSON document, signed as in Standard Webhooks when there is a secret",
        },
        Key {
            name: "email",
            kind: Kind::Table {
                section: &EMAIL,
                short: None,
            },
            default: "",
            doc: "Send mail through a server",
        },
        Key {
            name: "alertmanager",
            kind: Kind::Table {
                section: &ALERTMANAGER,
                short: None,
            },
            default: "",
            doc: "Send what fires to the replicas of a Prometheus Alertmanager",
        },
        Key {
            name: "command",
            kind: Kind::Table {
                section: &COMMAND_RECEIVER,
                short: None,
            },
            default: "",
            doc: "Run a program with the message as JSON on stdin and `SENTINEL_*` in its environment",
        },
        Key {
            name: "template",
            kind: Kind::Text {
                what: "text",
                rule: rules::template,
            },
            default: "the built-in text",
            doc: "Other words, as a Jinja template: its first line is the title, the rest the body; of a webhook all of it",
        },
        Key {
            name: "template_file",
            kind: PATH,
            default: "",
            doc: "A file that holds the template",
        },
    ]],
};
