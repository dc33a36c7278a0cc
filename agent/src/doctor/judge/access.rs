//! What the agent's user may see and do on the host.

use std::time::Duration;

use sentinel_config::discovery::Source;
use sentinel_docker::Answers;
use sentinel_systemd::SurveyError;
use sentinel_text::chain;

use super::super::facts::{DockerFacts, Facts, RuleFacts};
use super::{Finding, some};
use crate::polkit::RULE_FILE;

/// Rules in JavaScript, which are asked about units and verbs, came with this version; before it `.pkla` files had no word for
/// them. Versions of before 121 have a zero before.
const POLKIT_MIN: u32 = 106;

/// How far the wall clock may be from the steady one without anybody having set it: time servers slew it by less.
const JUMP: Duration = Duration::from_secs(2);

/// The way to a rule.
const INSTALL: &str = "`sentinel polkit-rules --install`, as root; `systemctl reload sentinel` does it too";

pub(super) fn bus(facts: &Facts) -> Vec<Finding> {
    let needs = !facts.config.units.is_empty();
    let survey = match &facts.survey {
        Ok(survey) => survey,
        Err(error) => {
            let fix = "`systemctl start dbus`; in a container, mount /run/dbus/system_bus_socket";
            return vec![Finding::failure_if(needs, "bus", chain(error), fix)];
        }
    };
    let mut findings = vec![Finding::ok("bus", "the system bus answers")];
    match (&survey.version, &survey.subscribed) {
        (Ok(version), Ok(())) => findings.push(Finding::ok("systemd", format!("version {version} tells of changes"))),
        (Err(error), _) | (_, Err(error)) => {
            let text = format!("systemd does not answer: {}", chain(error));
            let fix = "is systemd PID 1, and the bus the host's?";
            findings.push(Finding::failure_if(needs, "systemd", text, fix));
        }
    }
    for (unit, state) in &survey.unusable {
        let text = format!("the unit `{unit}` cannot be used: {state}");
        findings.push(Finding::failure(
            "units",
            text,
            "correct its name in the configuration, or install it",
        ));
    }
    if survey.unusable.is_empty() && needs && survey.version.is_ok() {
        findings.push(Finding::ok("units", format!("{} are loaded", facts.config.units.len())));
    }
    if !facts.is_root {
        findings.push(polkit(facts, &survey.polkit));
    }
    findings
}

/// `0.105` is 105, and so is `105`.
fn number(version: &str) -> Option<u32> {
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    let digits = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text.get(..end)?.parse::<u32>().ok()
    };
    match digits(major)? {
        0 => digits(minor),
        major => Some(major),
    }
}

fn polkit(facts: &Facts, version: &Result<String, SurveyError>) -> Finding {
    const CHECK: &str = "polkit";
    let needs = !facts.config.healed.is_empty();
    match version {
        Ok(version) if number(version).is_some_and(|number| number < POLKIT_MIN) => {
            let text = format!("version {version} knows no rules about single units");
            let fix = "install polkit 0.106 or later (Debian 12, Ubuntu 24.04), or only observe: `mode = \"observe\"`";
            Finding::failure_if(needs, CHECK, text, fix)
        }
        Ok(version) => Finding::ok(CHECK, format!("version {version}")),
        Err(error) => {
            let text = format!(
                "polkit does not answer, so that systemd refuses whatever is not root: {}",
                chain(error)
            );
            Finding::failure_if(
                needs,
                CHECK,
                text,
                "`apt install polkitd`; `systemctl unmask polkit`, which is started when it is asked",
            )
        }
    }
}

pub(super) fn restarts(facts: &Facts) -> Vec<Finding> {
    if facts.is_root {
        return Vec::new();
    }
    let mut findings = vec![rule(facts)];
    let healed = facts.config.healed.len();
    let polkit = facts.survey.as_ref().map(|survey| &survey.polkit);
    match &facts.denied {
        // For all of them by one reason, which no rule takes away.
        Ok(denied) if !denied.is_empty() && matches!(polkit, Ok(Err(_))) => {
            let text = format!("{} may not be restarted: polkit does not answer", some(denied.keys()));
            findings.push(Finding::failure("restart", text, "fix polkit first"));
        }
        Ok(denied) => {
            let fix = match facts.rule {
                // polkit goes by another than the one that is there.
                RuleFacts::Same => {
                    "`systemctl restart polkit`; `journalctl -u polkit` says why it did not read the rule"
                }
                _ => INSTALL,
            };
            for (unit, reason) in denied {
                let text = format!("`{unit}` may not be restarted by `{}`: {reason}", facts.user);
                findings.push(Finding::failure("restart", text, fix));
            }
            let triggers = facts.denied_triggers.iter().flatten();
            for (trigger, (unit, reason)) in triggers.clone() {
                let text = format!(
                    "`{trigger}`, which triggers `{unit}`, may not be started by `{}` when it has failed: {reason}",
                    facts.user
                );
                findings.push(Finding::failure("restart", text, fix));
            }
            if denied.is_empty() && triggers.count() == 0 && facts.config.problems.is_empty() {
                findings.push(Finding::ok("restart", format!("{healed} units may be restarted")));
            }
        }
        Err(error) => {
            let text = format!("what may be restarted could not be asked: {}", chain(error));
            findings.push(Finding::failure_if(healed > 0, "restart", text, "fix the bus first"));
        }
    }
    if facts.beyond == Some(true) {
        findings.push(Finding::warning(
            "restart",
            format!("`{}` may restart units that are not configured", facts.user),
            format!(
                "{INSTALL}; if that is in place, a rule whose name comes before it, in /etc/polkit-1/rules.d or \
                 /usr/share/polkit-1/rules.d, grants them"
            ),
        ));
    }
    findings
}

fn rule(facts: &Facts) -> Finding {
    const CHECK: &str = "rule";
    let needs = !facts.config.healed.is_empty();
    match &facts.rule {
        RuleFacts::Same => Finding::ok(CHECK, format!("`{RULE_FILE}` is what the configuration asks for")),
        RuleFacts::Unseen => Finding::ok(CHECK, "only root can compare it; systemd was asked instead"),
        RuleFacts::Unknown(why) => Finding::warning(
            CHECK,
            format!("the rule cannot be compared: {why}"),
            "fix that first, then `systemctl reload sentinel`",
        ),
        RuleFacts::Missing => Finding::failure_if(needs, CHECK, format!("there is no `{RULE_FILE}`"), INSTALL),
        RuleFacts::Foreign => {
            let text = format!("`{RULE_FILE}` was not made by `sentinel polkit-rules`");
            Finding::warning(CHECK, text, INSTALL)
        }
        RuleFacts::Differs { lacks, exceeds } if lacks.is_empty() && exceeds.is_empty() => Finding::warning(
            CHECK,
            format!("`{RULE_FILE}` was changed, or made by another version"),
            INSTALL,
        ),
        RuleFacts::Differs { lacks, exceeds } => {
            let part = |what: &str, units: &std::collections::BTreeSet<String>| match units.len() {
                0 => String::new(),
                _ => format!(", {what} {}", some(units)),
            };
            let (lacking, exceeding) = (part("lacks", lacks), part("grants without need", exceeds));
            let text = format!("`{RULE_FILE}` is not what the configuration asks for{lacking}{exceeding}");
            Finding::failure_if(!lacks.is_empty(), CHECK, text, INSTALL)
        }
    }
}

pub(super) fn journal(facts: &Facts) -> Finding {
    const CHECK: &str = "journal";
    let lost = "what happened to a unit while the agent was not watching is not known";
    match &facts.journal {
        Ok(true) => Finding::ok(CHECK, "entries of other units can be read"),
        Ok(false) => Finding::warning(
            CHECK,
            format!("`{}` cannot read entries of other units: {lost}", facts.user),
            "`systemctl edit sentinel`, `SupplementaryGroups=systemd-journal` below `[Service]`, `systemctl restart sentinel`",
        ),
        Err(error) => Finding::warning(
            CHECK,
            format!("{}: {lost}", chain(error)),
            "is systemd-journald running?",
        ),
    }
}

pub(super) fn docker(facts: &Facts) -> Finding {
    const CHECK: &str = "docker";
    let docker = &facts.docker;
    let agent = facts.agent.as_ref().ok();
    let found = agent.map_or(0, |agent| agent.containers);
    let unseen = agent.and_then(|agent| {
        let is_docker = |source: &Source| matches!(source, Source::Labels | Source::HostContainers);
        agent.unseen.iter().find(|(source, _)| is_docker(source))
    });
    if docker.answer.is_none()
        && let Some((_, why)) = unseen
    {
        return Finding::warning(
            CHECK,
            format!("whether containers ask to be watched cannot be seen: {why}"),
            format!("{}; or `labels = false` in `[agent]`, if none does", reach(docker)),
        );
    }
    match &docker.answer {
        None if found > 0 => Finding::ok(CHECK, format!("containers that were found and are watched: {found}")),
        None if docker.in_group && !facts.is_root => Finding::warning(
            CHECK,
            format!(
                "no container is watched, yet `{}` is in the group `docker`, which is as good as root",
                facts.user
            ),
            format!(
                "`gpasswd -d {} docker`, and no `SupplementaryGroups=docker`",
                facts.user
            ),
        ),
        None => Finding::ok(CHECK, "not asked: no container is watched"),
        Some(Err(error)) => Finding::failure(
            CHECK,
            format!(
                "{} containers are watched, and the Engine cannot be asked: {}",
                docker.services + found,
                chain(error)
            ),
            reach(docker),
        ),
        Some(Ok(Answers::Podman)) => Finding::warning(
            CHECK,
            "podman answers: its containers are shown and alerted, and none is restarted",
            "name the unit of a container's quadlet with `unit =` to have it healed",
        ),
        Some(Ok(Answers::WithoutRuntime)) => Finding::failure(
            CHECK,
            "the Engine answers, and containerd does not: no container can be started, and a restart loses it",
            "`systemctl start containerd`; `journalctl -u containerd` says what is wrong with it",
        ),
        Some(Ok(Answers::Docker)) if docker.is_socket && !facts.is_root => Finding::warning(
            CHECK,
            "the Engine answers on its socket, and whoever may use that is as good as root",
            "a proxy grants less: deploy/docker-proxy, and its address as `[agent] docker`",
        ),
        Some(Ok(Answers::Docker)) => Finding::ok(CHECK, "the Engine answers what the agent asks"),
    }
}

/// What lets the agent ask the Engine. Without Docker there is no such group either, and with it in the unit the agent would
/// not start.
fn reach(docker: &DockerFacts) -> &'static str {
    match (docker.is_socket, docker.is_missing, docker.in_group) {
        (false, ..) => "start the proxy that `[agent] docker` names",
        (true, true, _) => {
            "`systemctl start docker`; where it is not installed, take the containers out of the configuration"
        }
        (true, false, true) => "`systemctl restart docker`; `journalctl -u docker` says what is wrong with it",
        (true, false, false) => {
            "`[agent] docker` with the address of a proxy (deploy/docker-proxy in the sources); or `systemctl edit \
             sentinel`, `SupplementaryGroups=docker` below `[Service]`, which makes the agent as good as root, and \
             `systemctl restart sentinel`"
        }
    }
}

pub(super) fn clock(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "clock";
    let mut findings = Vec::new();
    let synchronised = facts.survey.as_ref().ok().and_then(|survey| survey.synchronised);
    let fix = "`timedatectl set-ntp true`; where there is no time service yet, `apt install systemd-timesyncd` first";
    match synchronised {
        Some(true) => {}
        Some(false) => findings.push(Finding::warning(CHECK, "the clock follows no time server", fix)),
        None => findings.push(Finding::warning(
            CHECK,
            "whether it follows a time server cannot be found out, without systemd-timedated",
            fix,
        )),
    }
    let jumped = facts.clock.jumped.max(facts.clock.set_since.unwrap_or_default());
    if jumped > JUMP {
        let span = sentinel_text::exact_span(Duration::from_secs(jumped.as_secs()));
        let text = format!(
            "the clock was set by {span} recently; the agent counts by another clock, but the times it shows are off"
        );
        findings.push(Finding::warning(
            CHECK,
            text,
            "let one time service set the clock, and nothing else",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "follows a time server"));
    }
    findings
}
