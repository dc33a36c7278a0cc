//! The keys of `[receivers.NAME.slack]`.

use super::values::{SECRET, SECRET_FILE, URL};
use crate::rules;
use crate::schema::{Key, Kind, Section};

pub(super) static SLACK: Section = Section {
    path: "receivers.NAME.slack",
    doc: "Either `webhook_url`, or `token` and `channel`",
    keys: &[&[
        Key {
            name: "webhook_url",
            kind: URL,
            default: "",
            doc: "The URL of an incoming webhook",
        },
        Key {
            name: "webhook_url_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file that holds the URL",
        },
        Key {
            name: "token",
            kind: SECRET,
            default: "",
            doc: "The token of a bot with the scope `chat:write`",
        },
        Key {
            name: "token_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file that holds the token",
        },
        Key {
            name: "channel",
            kind: Kind::Text {
                what: "text",
                rule: rules::label_value,
            },
            default: "",
            doc: "Where the bot writes: the channel's ID, or its name; the bot must be a member",
        },
        Key {
            name: "api_url",
            kind: URL,
            default: "https://slack.com/api/",
            doc: "Where the bot finds Slack, such as https://slack-gov.com/api/",
        },
        Key {
            name: "style",
            kind: Kind::Word(&["auto", "blocks", "attachments"]),
            default: "auto",
            doc: "How a webhook gets its messages: `blocks` for Slack; `attachments` for Mattermost, Rocket.Chat and \
                  Discord's `/slack`, which show no blocks; `auto` goes by the URL's host",
        },
    ]],
};
