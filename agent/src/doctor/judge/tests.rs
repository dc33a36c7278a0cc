use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sentinel_config::discovery::Source;
use sentinel_store::{Inspection, StoreError};

use super::super::error::FactError;
use super::super::facts::{
    AgentFacts, ClockFacts, ConfigFacts, DockerFacts, Facts, RuleFacts, SecretsFacts, StoreFacts,
};
use super::{Level, judge};
use crate::docker::Answers;
use crate::systemd::{Survey, SurveyError};

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A host on which nothing is wrong.
fn well() -> Facts {
    Facts {
        user: "sentinel".to_owned(),
        is_root: false,
        not_judged: None,
        config: ConfigFacts {
            units: names(&["a.service"]),
            healed: names(&["a.service"]),
            services: 1,
            receivers: vec!["team".to_owned()],
            ..ConfigFacts::default()
        },
        secrets: Some(SecretsFacts {
            group: "sentinel-secrets".to_owned(),
            mode: 0o42750,
            own_rule: None,
        }),
        survey: Ok(Survey {
            version: Ok("252".to_owned()),
            subscribed: Ok(()),
            unusable: Vec::new(),
            polkit: Ok("122".to_owned()),
            synchronised: Some(true),
        }),
        rule: RuleFacts::Same,
        denied: Ok(BTreeMap::new()),
        denied_triggers: Ok(BTreeMap::new()),
        beyond: Some(false),
        journal: Ok(true),
        docker: DockerFacts::default(),
        clock: ClockFacts::default(),
        store: Ok(StoreFacts {
            directory: "/var/lib/sentinel".to_owned(),
            exists: true,
            writable: true,
            free: Some(1 << 30),
            store: Ok(Some(Inspection {
                schema: 5,
                known: 4,
                anchor: None,
            })),
        }),
        agent: Ok(AgentFacts {
            version: crate::version::VERSION.to_owned(),
            services: 1,
            configured: 1,
            ..AgentFacts::default()
        }),
    }
}

#[test]
fn a_host_that_is_well_has_nothing_to_mend() {
    let findings = judge(&well());
    assert!(
        findings.iter().all(|finding| finding.level == Level::Ok),
        "{findings:#?}"
    );
    let checks: Vec<&str> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(
        checks,
        [
            "user",
            "configuration",
            "receivers",
            "secrets",
            "agent",
            "store",
            "bus",
            "systemd",
            "units",
            "polkit",
            "rule",
            "restart",
            "journal",
            "docker",
            "clock"
        ]
    );
}

/// Changes one thing about a host that is well, and names the findings that are not `ok`, with their level and a word of
/// their text and of their mend.
type Row = (
    &'static str,
    fn(&mut Facts),
    &'static [(&'static str, Level, &'static str, &'static str)],
);

fn survey(facts: &mut Facts) -> &mut Survey {
    facts.survey.as_mut().expect("it is there")
}

fn store(facts: &mut Facts) -> &mut StoreFacts {
    facts.store.as_mut().expect("it is there")
}

fn secrets(facts: &mut Facts) -> &mut SecretsFacts {
    facts.secrets.as_mut().expect("it is there")
}

fn agent(facts: &mut Facts) -> &mut AgentFacts {
    facts.agent.as_mut().expect("it is there")
}

fn wrong() -> String {
    "because".to_owned()
}

fn unanswered() -> SurveyError {
    SurveyError::Call(zbus::Error::Failure(wrong()))
}

fn unknown() -> FactError {
    unanswered().into()
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table, a row for each lack")]
fn each_lack_is_named_with_its_mend() {
    use Level::{Failure, Warning};
    let rows: Vec<Row> = vec![
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
            |f| f.config.problems = vec![("services.a.unit".to_owned(), wrong())],
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
                f.config.problems = vec![("receivers.team.slack.token_file".to_owned(), words.to_owned())];
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
                f.config.problems = vec![("receivers.team.slack.token_file".to_owned(), words.to_owned())];
            },
            &[(
                "receivers",
                Failure,
                "secrets/slack",
                "`chgrp sentinel-secrets /etc/sentinel/secrets/slack`, `chmod g+rX /etc/sentinel/secrets/slack`",
            )],
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
            |f| f.config.problems = vec![("receivers.team.slak".to_owned(), wrong())],
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
                f.config.problems = vec![(String::new(), words.to_owned())];
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
                f.config.problems = vec![(String::new(), words.to_owned())];
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
            "blind",
            |f| agent(f).blind = vec!["a".to_owned()],
            &[("agent", Failure, "cannot see `a`", "status")],
        ),
        (
            "refused",
            |f| agent(f).refused = vec![("a".to_owned(), wrong())],
            &[("agent", Failure, "`a` is down, and because", "again by itself")],
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
        (
            "no bus",
            |f| {
                f.survey = Err(unknown());
                f.denied = Err(unknown());
                f.beyond = None;
                // Units ask for one more, which nobody can see now.
                agent(f).configured = 2;
            },
            &[
                ("bus", Failure, "because", "start dbus"),
                ("restart", Failure, "could not be asked", "bus"),
                ("clock", Warning, "cannot be found out", "timedatectl"),
            ],
        ),
        (
            "no bus, and none needed",
            |f| {
                f.config.units.clear();
                f.config.healed.clear();
                f.survey = Err(unknown());
                f.denied = Err(unknown());
            },
            &[
                ("bus", Warning, "because", "dbus"),
                ("restart", Warning, "could not be asked", "bus"),
                ("clock", Warning, "cannot", "timedatectl"),
            ],
        ),
        (
            "no systemd",
            |f| survey(f).version = Err(unanswered()),
            &[("systemd", Failure, "because", "PID 1")],
        ),
        (
            "no signals",
            |f| survey(f).subscribed = Err(unanswered()),
            &[("systemd", Failure, "because", "PID 1")],
        ),
        (
            "an unknown unit",
            |f| survey(f).unusable = vec![("a.service".to_owned(), "not-found".to_owned())],
            &[("units", Failure, "not-found", "name")],
        ),
        (
            "no polkit",
            |f| {
                survey(f).polkit = Err(unanswered());
                f.denied = Ok(BTreeMap::from([("a.service".to_owned(), wrong())]));
            },
            &[
                ("polkit", Failure, "because", "apt install"),
                (
                    "restart",
                    Failure,
                    "`a.service` may not be restarted",
                    "fix polkit first",
                ),
            ],
        ),
        (
            "polkit of before the rules",
            |f| survey(f).polkit = Ok("0.105".to_owned()),
            &[("polkit", Failure, "0.105", "0.106")],
        ),
        (
            "polkit's own numbers",
            |f| survey(f).polkit = Ok("0.119".to_owned()),
            &[],
        ),
        (
            "no polkit, and none needed",
            |f| {
                f.config.healed.clear();
                survey(f).polkit = Err(unanswered());
                f.rule = RuleFacts::Missing;
            },
            &[
                ("polkit", Warning, "because", "apt"),
                ("rule", Warning, "there is no", "--install"),
            ],
        ),
        (
            "no rule",
            |f| f.rule = RuleFacts::Missing,
            &[("rule", Failure, "there is no", "--install")],
        ),
        (
            "somebody's rule",
            |f| f.rule = RuleFacts::Foreign,
            &[("rule", Warning, "not made by", "--install")],
        ),
        (
            "no comparison",
            |f| f.rule = RuleFacts::Unknown(wrong()),
            &[("rule", Warning, "because", "first, then `systemctl reload sentinel`")],
        ),
        ("not root", |f| f.rule = RuleFacts::Unseen, &[]),
        (
            "a rule that lacks a unit",
            |f| {
                f.rule = RuleFacts::Differs {
                    lacks: names(&["a.service"]),
                    exceeds: names(&["z.service"]),
                };
            },
            &[(
                "rule",
                Failure,
                "lacks `a.service`, grants without need `z.service`",
                "--install",
            )],
        ),
        (
            "a rule that grants too much",
            |f| {
                f.rule = RuleFacts::Differs {
                    lacks: names(&[]),
                    exceeds: names(&["z.service"]),
                };
            },
            &[(
                "rule",
                Warning,
                "asks for, grants without need `z.service`",
                "--install",
            )],
        ),
        (
            "a rule of other words",
            |f| {
                f.rule = RuleFacts::Differs {
                    lacks: names(&[]),
                    exceeds: names(&[]),
                };
            },
            &[("rule", Warning, "was changed", "--install")],
        ),
        (
            "denied",
            |f| {
                f.denied = Ok(BTreeMap::from([("a.service".to_owned(), wrong())]));
                f.rule = RuleFacts::Unseen;
            },
            &[(
                "restart",
                Failure,
                "`a.service` may not be restarted by `sentinel`: because",
                "--install",
            )],
        ),
        (
            "its socket denied",
            |f| {
                let denied = ("a.service".to_owned(), wrong());
                f.denied_triggers = Ok(BTreeMap::from([("a.socket".to_owned(), denied)]));
                f.rule = RuleFacts::Unseen;
            },
            &[(
                "restart",
                Failure,
                "`a.socket`, which triggers `a.service`, may not be started by `sentinel` when it has failed: because",
                "--install",
            )],
        ),
        (
            "denied, although the rule grants it",
            |f| f.denied = Ok(BTreeMap::from([("a.service".to_owned(), wrong())])),
            &[("restart", Failure, "`a.service` may not", "`systemctl restart polkit`")],
        ),
        (
            "too much allowed",
            |f| f.beyond = Some(true),
            &[("restart", Warning, "not configured", "before it")],
        ),
        (
            "no journal",
            |f| f.journal = Ok(false),
            &[("journal", Warning, "cannot read", "systemd-journal")],
        ),
        (
            "no journalctl",
            |f| f.journal = Err(unknown()),
            &[("journal", Warning, "because", "journald")],
        ),
        (
            "root by Docker's group, for nothing",
            |f| f.docker.in_group = true,
            &[("docker", Warning, "as good as root", "gpasswd")],
        ),
        (
            "in Docker's group for containers that were found",
            |f| {
                f.docker.in_group = true;
                agent(f).containers = 2;
            },
            &[],
        ),
        (
            "Docker's socket is forbidden, and containers may ask to be watched",
            |f| {
                f.docker.is_socket = true;
                agent(f).unseen = vec![(Source::Labels, wrong())];
            },
            &[(
                "docker",
                Warning,
                "cannot be seen: because",
                "`SupplementaryGroups=docker` below",
            )],
        ),
        (
            "unit files cannot be looked at, which is the bus's matter",
            |f| agent(f).unseen = vec![(Source::UnitFiles, wrong())],
            &[],
        ),
        (
            "no Engine",
            |f| {
                f.docker.services = 2;
                f.docker.answer = Some(Err(unknown()));
            },
            &[("docker", Failure, "2 containers", "start the proxy")],
        ),
        (
            "no Docker",
            |f| {
                f.docker.is_socket = true;
                f.docker.is_missing = true;
                f.docker.answer = Some(Err(unknown()));
            },
            &[("docker", Failure, "because", "`systemctl start docker`")],
        ),
        (
            "not in the group of Docker's socket",
            |f| {
                f.docker.is_socket = true;
                f.docker.answer = Some(Err(unknown()));
            },
            &[("docker", Failure, "because", "`SupplementaryGroups=docker` below")],
        ),
        (
            "in the group of a socket that does not answer",
            |f| {
                f.docker.is_socket = true;
                f.docker.in_group = true;
                f.docker.answer = Some(Err(unknown()));
            },
            &[("docker", Failure, "because", "`systemctl restart docker`")],
        ),
        (
            "Docker's socket",
            |f| {
                f.docker.is_socket = true;
                f.docker.answer = Some(Ok(Answers::Docker));
            },
            &[("docker", Warning, "as good as root", "proxy")],
        ),
        (
            "podman",
            |f| f.docker.answer = Some(Ok(Answers::Podman)),
            &[("docker", Warning, "none is restarted", "`unit =`")],
        ),
        (
            "Docker without containerd",
            |f| f.docker.answer = Some(Ok(Answers::WithoutRuntime)),
            &[("docker", Failure, "containerd does not", "systemctl start containerd")],
        ),
        (
            "Docker by a proxy",
            |f| f.docker.answer = Some(Ok(Answers::Docker)),
            &[],
        ),
        (
            "no time server",
            |f| survey(f).synchronised = Some(false),
            &[("clock", Warning, "no time server", "set-ntp")],
        ),
        (
            "a jump",
            |f| f.clock.jumped = Duration::from_secs(3600),
            &[("clock", Warning, "set by 1h", "one time service")],
        ),
        (
            "an earlier jump",
            |f| f.clock.set_since = Some(Duration::from_secs(60)),
            &[("clock", Warning, "set by 1m", "one time service")],
        ),
    ];
    for (what, change, expected) in rows {
        let mut facts = well();
        change(&mut facts);
        let findings = judge(&facts);
        let bad: Vec<_> = findings.iter().filter(|finding| finding.level != Level::Ok).collect();
        assert_eq!(bad.len(), expected.len(), "{what}: {bad:#?}");
        for (finding, (check, level, text, mend)) in bad.iter().zip(expected) {
            assert_eq!((finding.check, finding.level), (*check, *level), "{what}");
            assert!(finding.text.contains(text), "{what}: {finding:?}");
            assert!(
                finding.mend.as_ref().is_some_and(|words| words.contains(mend)),
                "{what}: {finding:?}"
            );
        }
    }
}
