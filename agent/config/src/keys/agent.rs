//! The keys of `[agent]`.

use super::values::{MODE, PATH, SECRET_FILE};
use crate::rules;
use crate::schema::{Key, Kind, Section};

pub(super) static AGENT: Section = Section {
    path: "agent",
    doc: "The agent itself",
    keys: &[&[
        Key {
            name: "name",
            kind: Kind::Text {
                what: "text",
                rule: rules::agent_name,
            },
            default: "the host's name",
            doc: "The host's name in messages",
        },
        Key {
            name: "state_dir",
            kind: PATH,
            default: "/var/lib/sentinel",
            doc: "Where incidents, budgets and undelivered messages are kept",
        },
        Key {
            name: "control_socket",
            kind: Kind::Text {
                what: "an absolute path",
                rule: rules::socket_path,
            },
            default: "/run/sentinel/control.sock",
            doc: "The socket through which commands reach the agent",
        },
        Key {
            name: "docker",
            kind: Kind::Text {
                what: "an address",
                rule: |text| rules::docker(text).map(drop),
            },
            default: "unix:///var/run/docker.sock",
            doc: "The Docker Engine, as `unix:///PATH` or `tcp://HOST:PORT` (a filtering proxy)",
        },
        Key {
            name: "unit_files",
            kind: Kind::Bool,
            default: "true",
            doc: "Watch units whose file, or a drop-in, has a section `[X-Sentinel]`",
        },
        Key {
            name: "labels",
            kind: Kind::Bool,
            default: "true",
            doc: "Watch containers whose labels ask for it: `sentinel.enable=true`",
        },
        Key {
            name: "host",
            kind: Kind::Word(&["auto", "observe", "off"]),
            default: "auto",
            doc: "`observe` watches whatever runs on this host and restarts nothing of it; auto does so when no service is configured",
        },
        Key {
            name: "log",
            kind: Kind::Word(&["auto", "logfmt", "json", "journald"]),
            default: "auto",
            doc: "How to log; auto is journald under systemd, else logfmt",
        },
        Key {
            name: "emoji",
            kind: Kind::Bool,
            default: "false",
            doc: "Begin the most important log lines with a picture",
        },
        Key {
            name: "listen",
            kind: Kind::Text {
                what: "`ADDRESS:PORT`, `unix:PATH` or `off`",
                rule: |text| rules::listen(text).map(drop),
            },
            // Loopback once the page exists.
            default: "off",
            doc: "Serve metrics over HTTP, such as `127.0.0.1:9464`; see [metrics.md](metrics.md)",
        },
        Key {
            name: "token_file",
            kind: SECRET_FILE,
            default: "",
            doc: "A file with the token that clients of `listen` send as `Authorization: Bearer`",
        },
        Key {
            name: "listen_insecure",
            kind: Kind::Bool,
            default: "false",
            doc: "Let `listen` be reached by other hosts without a token",
        },
        Key {
            name: "mode",
            kind: MODE,
            default: "heal",
            doc: "`observe` overrides every service: nothing is restarted",
        },
    ]],
};
