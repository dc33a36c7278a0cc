//! What the agent has of its own: its user, its configuration, its secrets, its state.

use super::Level::{Failure, Warning};
use super::*;

fn problem(key: &str, text: &str) -> ConfigProblem {
    ConfigProblem {
        key: key.to_owned(),
        text: text.to_owned(),
        denied: None,
    }
}

fn denied(key: &str, text: &str, path: &str) -> ConfigProblem {
    ConfigProblem {
        denied: Some(path.into()),
        ..problem(key, text)
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table, a row for each lack")]
fn each_lack_of_its_own_is_named_with_its_fix() {
    each_is_found(&[
        (
            "no user to look as",
            |f| f.not_judged = Some(wrong()),
            &[("user", Failure, "because", "User=")],
        ),
        (
            "root",
            |f| f.is_root = true,
            &[("user", Warning, "owns the host", "user of its own")],
        ),
        (
            "a wrong key",
            |f| f.config.problems = vec![problem("services.a.unit", &wrong())],
            &[
                ("configuration", Failure, "because", "sentinel check"),
                ("receivers", Warning, "not known", "first"),
            ],
        ),
        (
            "a secret that cannot be read",
            |f| {
                let words =
                    "a.toml:1:1: receivers.team.slack.token_file: `/root/slack` cannot be read: permission denied";
                f.config.problems = vec![denied("receivers.team.slack.token_file", words, "/root/slack")];
            },
            &[(
                "receivers",
                Failure,
                "`/root/slack`",
                "`install -g sentinel-secrets -m 0640 /root/slack /etc/sentinel/secrets/`",
            )],
        ),
        (
            "a secret at its place that cannot be read",
            |f| {
                let words = "`/etc/sentinel/secrets/slack` cannot be read: permission denied";
                f.config.problems = vec![denied(
                    "receivers.team.slack.token_file",
                    words,
                    "/etc/sentinel/secrets/slack",
                )];
            },
            &[(
                "receivers",
                Failure,
                "secrets/slack",
                "`chgrp sentinel-secrets /etc/sentinel/secrets/slack`, `chmod g+rX /etc/sentinel/secrets/slack`",
            )],
        ),
        (
            "a secret that is not there, in a directory of a misleading name",
            |f| {
                let words = "`/root/x cannot be read: permission denied/slack` does not exist";
                f.config.problems = vec![problem("receivers.team.slack.token_file", words)];
            },
            &[("receivers", Failure, "does not exist", "fix the file")],
        ),
        (
            "secrets that the control group may read",
            |f| secrets(f).group = "sentinel".to_owned(),
            &[(
                "secrets",
                Warning,
                "members of the group `sentinel` may read",
                "systemd-tmpfiles --create /usr/lib/tmpfiles.d/sentinel.conf",
            )],
        ),
        (
            "secrets that everybody may read",
            |f| secrets(f).mode = 0o42751,
            &[("secrets", Warning, "every user", "systemd-tmpfiles")],
        ),
        (
            "an own rule that keeps the old group",
            |f| secrets(f).own_rule = Some("/etc/tmpfiles.d/mine.conf".to_owned()),
            &[(
                "secrets",
                Warning,
                "by `/etc/tmpfiles.d/mine.conf`",
                "`systemd-tmpfiles --create /etc/tmpfiles.d/mine.conf`",
            )],
        ),
        (
            "a receiver that is misspelt",
            |f| f.config.problems = vec![problem("receivers.team.slak", &wrong())],
            &[("receivers", Failure, "because", "fix the file")],
        ),
        (
            "a credential that nobody but the agent is shown",
            |f| f.config.unread = vec![wrong(), wrong()],
            &[("receivers", Warning, "because; and 1 more", "systemctl start sentinel")],
        ),
        (
            "a file that the agent cannot read",
            |f| {
                let words = "/etc/sentinel/conf.d/a.toml: cannot be read: permission denied";
                f.config.problems = vec![denied("", words, "/etc/sentinel/conf.d/a.toml")];
            },
            &[
                (
                    "configuration",
                    Failure,
                    "denied",
                    "`chgrp sentinel /etc/sentinel/conf.d/a.toml`, `chmod g+rX /etc/sentinel/conf.d/a.toml`",
                ),
                ("receivers", Warning, "not known", "first"),
            ],
        ),
        (
            "a directory that the agent cannot list",
            |f| {
                let words = "/etc/sentinel/conf.d: cannot be listed: permission denied";
                f.config.problems = vec![denied("", words, "/etc/sentinel/conf.d")];
            },
            &[
                (
                    "configuration",
                    Failure,
                    "denied",
                    "`chgrp sentinel /etc/sentinel/conf.d`",
                ),
                ("receivers", Warning, "not known", "first"),
            ],
        ),
        (
            "a warning of the configuration",
            |f| f.config.warnings = vec![wrong()],
            &[("configuration", Warning, "because", "sentinel check")],
        ),
        (
            "nobody to tell",
            |f| f.config.receivers.clear(),
            &[("receivers", Warning, "no alert is sent", "[receivers")],
        ),
        (
            "no agent",
            |f| f.agent = Err(unknown()),
            &[("agent", Failure, "because", "systemctl start")],
        ),
        (
            "an old agent runs on",
            |f| agent(f).version = "0.0.1".to_owned(),
            &[("agent", Warning, "0.0.1", "restart")],
        ),
        (
            "not reloaded",
            |f| agent(f).configured = 3,
            &[("agent", Warning, "reload pending", "reload")],
        ),
        ("watches what merely runs, too", |f| agent(f).services = 30, &[]),
        (
            "a service that cannot be seen",
            |f| agent(f).unobservable = vec!["a".to_owned()],
            &[("agent", Failure, "cannot see `a`", "status")],
        ),
        (
            "refused",
            |f| agent(f).refused = vec![("a".to_owned(), wrong())],
            &[("agent", Failure, "`a` is down, and because", "again by itself")],
        ),
        (
            "nowhere to serve metrics",
            |f| agent(f).not_served = Some(("127.0.0.1:9464".to_owned(), wrong())),
            &[("agent", Warning, "`127.0.0.1:9464`: because", "`listen`")],
        ),
        (
            "no state directory",
            |f| store(f).exists = false,
            &[("store", Failure, "there is no", "StateDirectory")],
        ),
        (
            "not writable",
            |f| store(f).writable = false,
            &[("store", Failure, "may not write", "chown")],
        ),
        (
            "little room",
            |f| store(f).free = Some(50 << 20),
            &[("store", Warning, "50 MiB", "room")],
        ),
        (
            "no room",
            |f| store(f).free = Some(1000),
            &[("store", Failure, "0 MiB", "room")],
        ),
        (
            "damaged",
            |f| store(f).store = Err(StoreError::Damaged(wrong())),
            &[("store", Failure, "because", "newer agent")],
        ),
        (
            "neither to be written nor looked at",
            |f| {
                store(f).writable = false;
                store(f).store = Err(StoreError::Damaged(wrong()));
            },
            &[("store", Failure, "may not write", "chown")],
        ),
        (
            "an old schema",
            |f| {
                store(f).store = Ok(Some(Inspection {
                    schema: 3,
                    known: 4,
                    anchor: None,
                }));
            },
            &[("store", Warning, "schema 3", "restarted")],
        ),
        ("no store yet", |f| store(f).store = Ok(None), &[]),
    ]);
}
