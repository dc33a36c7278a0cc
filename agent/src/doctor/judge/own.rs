//! The agent itself: its user, its configuration, its store, and whether it runs.

use std::path::Path;

use sentinel_config::{CONTROL_GROUP, SECRETS_DIRECTORY, SECRETS_GROUP};
use sentinel_text::chain;

use super::super::facts::Facts;
use super::{Finding, some};

/// Less than this is no longer enough for a store and a full outbox, in bytes.
const SPACE_LOW: u64 = 100 << 20;

/// Less than this is as good as none.
const SPACE_NONE: u64 = 1 << 20;

pub(super) fn user(facts: &Facts) -> Finding {
    const CHECK: &str = "user";
    if let Some(why) = &facts.not_judged {
        let fix = "`apt install --reinstall sentinel` makes the user of the package; `systemctl edit sentinel` changes what `User=`, \
                    `Group=` and `SupplementaryGroups=` name";
        return Finding::failure(CHECK, why, fix);
    }
    if facts.is_root {
        return Finding::warning(
            CHECK,
            "the agent runs as root, of whom nothing is asked: whoever takes it over owns the host",
            "run it as a user of its own, as the unit of the package does",
        );
    }
    Finding::ok(CHECK, format!("looked at as `{}`", facts.user))
}

/// What to do about most errors.
const FIX_FILE: &str = "fix the file; `sentinel check` shows every error";

/// Below this the agent's user gets everywhere.
const OWN_FILES: &str = "/etc/sentinel/";

/// What lets the agent's user read a file, or list a directory.
fn may_read(file: &Path, facts: &Facts) -> String {
    let group = if file.starts_with(SECRETS_DIRECTORY) {
        SECRETS_GROUP
    } else {
        &facts.user
    };
    let file = file.display();
    format!("`chgrp {group} {file}`, `chmod g+rX {file}`")
}

/// Keys of the configuration that are about receivers.
fn is_of_receivers(key: &str) -> bool {
    ["receivers", "heartbeat"].iter().any(|table| key.starts_with(table))
}

pub(super) fn configuration(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "configuration";
    let config = &facts.config;
    let problems = config.problems.iter().filter(|problem| !is_of_receivers(&problem.key));
    let fix = |denied: Option<&Path>| match denied {
        Some(file) => may_read(file, facts),
        None => FIX_FILE.to_owned(),
    };
    let mut findings: Vec<Finding> = problems
        .map(|problem| Finding::failure(CHECK, &problem.text, fix(problem.denied.as_deref())))
        .collect();
    findings.extend(
        config
            .warnings
            .iter()
            .map(|words| Finding::warning(CHECK, words, "see `sentinel check`")),
    );
    if findings.is_empty() {
        let text = match config.problems.len() {
            0 => format!("services: {}", config.services),
            _ => "nothing is wrong with it but the receivers".to_owned(),
        };
        findings.push(Finding::ok(CHECK, text));
    }
    findings
}

pub(super) fn receivers(facts: &Facts) -> Finding {
    const CHECK: &str = "receivers";
    let config = &facts.config;
    let problem = config.problems.iter().find(|problem| is_of_receivers(&problem.key));
    if let Some(problem) = problem {
        let fix = match problem.denied.as_deref() {
            Some(file) if file.starts_with(OWN_FILES) => may_read(file, facts),
            Some(file) => format!(
                "`install -g {SECRETS_GROUP} -m 0640 {file} {SECRETS_DIRECTORY}/`, and name that file; or let systemd hand it \
                 over: `systemctl edit sentinel`, `LoadCredential=NAME:{file}` below `[Service]`, `systemctl restart sentinel`, \
                 and `credential:NAME` for the file's name",
                file = file.display()
            ),
            None => FIX_FILE.to_owned(),
        };
        return Finding::failure(CHECK, &problem.text, fix);
    }
    if let Some((first, others)) = config.unread.split_first() {
        let text = match others.len() {
            0 => first.clone(),
            others => format!("{first}; and {others} more"),
        };
        return Finding::warning(CHECK, text, "`systemctl start sentinel`, then `sentinel doctor` again");
    }
    if !config.problems.is_empty() {
        return Finding::warning(
            CHECK,
            "not known, as the configuration is wrong",
            "fix the configuration first",
        );
    }
    if config.receivers.is_empty() {
        return Finding::warning(CHECK, "there is none: no alert is sent", "add `[receivers.NAME]`");
    }
    let text = format!(
        "{}: complete, with readable secrets; nothing was sent",
        some(&config.receivers)
    );
    let mut finding = Finding::ok(CHECK, text);
    finding.fix = Some("`sentinel alerts test` sends a test message through each".to_owned());
    finding
}

/// Whether the directory of secrets is the agent's alone, and stays so.
pub(super) fn secrets(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "secrets";
    /// Search permission, without which no file below is reached.
    const OTHERS: u32 = 0o001;
    /// The same, of its group.
    const GROUP: u32 = 0o010;
    let secrets = facts.secrets.as_ref()?;
    let given = format!("members of the group `{CONTROL_GROUP}` may read the files in `{SECRETS_DIRECTORY}`");
    if let Some(file) = &secrets.own_rule {
        let fix = format!(
            "give it to the group `{SECRETS_GROUP}` in that file, then `systemd-sysusers`, `systemd-tmpfiles --create {file}`"
        );
        return Some(Finding::warning(CHECK, format!("{given}, by `{file}`"), fix));
    }
    let fix = "`systemd-sysusers`, `systemd-tmpfiles --create /usr/lib/tmpfiles.d/sentinel.conf`, `systemctl restart sentinel`";
    Some(if secrets.mode & OTHERS != 0 {
        Finding::warning(
            CHECK,
            format!("every user of this host may enter `{SECRETS_DIRECTORY}`"),
            fix,
        )
    } else if secrets.mode & GROUP != 0 && secrets.group == CONTROL_GROUP {
        Finding::warning(CHECK, given, fix)
    } else {
        let text = format!(
            "only members of the group `{}` enter `{SECRETS_DIRECTORY}`",
            secrets.group
        );
        Finding::ok(CHECK, text)
    })
}

pub(super) fn agent(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "agent";
    const OWN: &str = crate::version::VERSION;
    let agent = match &facts.agent {
        Ok(agent) => agent,
        Err(error) => {
            let fix =
                "`systemctl start sentinel`; `systemctl status sentinel` and `journalctl -u sentinel` say why it ended";
            return vec![Finding::failure(CHECK, chain(error), fix)];
        }
    };
    let mut findings = Vec::new();
    if agent.version != OWN {
        let text = format!("version {} runs, and {OWN} is installed", agent.version);
        findings.push(Finding::warning(CHECK, text, "`systemctl restart sentinel`"));
    }
    // What unit files ask for is not known without the bus.
    let is_known = facts.config.problems.is_empty() && facts.survey.is_ok();
    if is_known && agent.configured != facts.config.services {
        let text = format!(
            "the running agent has {} configured services, the files have {}: reload pending",
            agent.configured, facts.config.services
        );
        findings.push(Finding::warning(CHECK, text, "`systemctl reload sentinel`"));
    }
    if !agent.unobservable.is_empty() {
        let text = format!("the agent cannot see {}", some(&agent.unobservable));
        findings.push(Finding::failure(CHECK, text, "`sentinel status NAME` says why"));
    }
    for (service, reason) in &agent.refused {
        let text = format!("`{service}` is down, and {reason}");
        findings.push(Finding::failure(
            CHECK,
            text,
            "fix what the reason names; the agent tries again by itself",
        ));
    }
    if let Some((address, reason)) = &agent.not_served {
        findings.push(Finding::warning(
            CHECK,
            format!("metrics are not served at `{address}`: {reason}"),
            "free the address, or change `listen` and `systemctl restart sentinel`; the agent tries again by itself",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            CHECK,
            format!("runs, and watches {} services", agent.services),
        ));
    }
    findings
}

pub(super) fn store(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "store";
    let store = match &facts.store {
        Ok(store) => store,
        Err(error) => {
            return vec![Finding::warning(
                CHECK,
                format!("not looked at: {}", chain(error)),
                "see the other findings",
            )];
        }
    };
    let directory = &store.directory;
    if !store.exists {
        let text = format!("there is no `{directory}` yet, or `{}` cannot see it", facts.user);
        let fix = "systemd makes it when the agent starts, with `StateDirectory=sentinel`";
        return vec![Finding::failure_if(facts.agent.is_ok(), CHECK, text, fix)];
    }
    let mut findings = Vec::new();
    if !store.writable {
        let text = format!("`{}` may not write to `{directory}`", facts.user);
        findings.push(Finding::failure(
            CHECK,
            text,
            format!("`chown -R {} {directory}`, `chmod u+rwx {directory}`", facts.user),
        ));
    }
    if let Some(free) = store.free.filter(|free| *free < SPACE_LOW) {
        let text = format!("{} MiB are left on the disk of `{directory}`", free >> 20);
        let fix = "make room: what cannot be recorded is not done";
        findings.push(Finding::failure_if(free < SPACE_NONE, CHECK, text, fix));
    }
    match &store.store {
        // Whoever may not write there may not look either.
        Err(_) if !store.writable => {}
        Err(error) => findings.push(Finding::failure(
            CHECK,
            chain(error),
            "`systemctl restart sentinel`, which moves a damaged store away; one of a newer agent needs that agent",
        )),
        Ok(Some(store)) if store.schema < store.known => {
            let text = format!(
                "the store has schema {}, and {} is the newest known",
                store.schema, store.known
            );
            findings.push(Finding::warning(
                CHECK,
                text,
                "the agent brings it up to date when it is restarted",
            ));
        }
        Ok(None) if findings.is_empty() => findings.push(Finding::ok(CHECK, "there is none yet; the agent makes it")),
        Ok(_) => {}
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, format!("opens, and `{directory}` can be written")));
    }
    findings
}
