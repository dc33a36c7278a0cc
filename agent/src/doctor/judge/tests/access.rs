//! What the agent's user may see and do on the host.

use super::Level::{Failure, Warning};
use super::*;

#[test]
#[allow(clippy::too_many_lines, reason = "a table, a row for each lack")]
fn each_lack_of_access_is_named_with_its_fix() {
    each_is_found(&[
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
    ]);
}
