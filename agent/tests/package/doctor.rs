//! Each lack that `sentinel doctor` names is fixed by the commands that it names, typed as they stand there.

use serde_json::Value;

use crate::built::OLD;
use crate::harness::Lab;

/// What does the damage, the check that finds it, and a word of what it says.
const LACKS: [(&str, &str, &str); 9] = [
    ("systemctl stop sentinel", "agent", "no agent is listening"),
    ("rm /etc/polkit-1/rules.d/60-sentinel.rules", "rule", "there is no"),
    (
        "echo 'polkit.addRule(function () {});' >/etc/polkit-1/rules.d/60-sentinel.rules",
        "rule",
        "was not made by",
    ),
    ("systemctl mask --now polkit", "polkit", "polkit does not answer"),
    (
        "install -m 600 -g root /dev/null /etc/sentinel/conf.d/mine.toml",
        "configuration",
        "permission denied",
    ),
    (
        "chown root:root /etc/sentinel/conf.d",
        "configuration",
        "cannot be listed",
    ),
    (
        "systemctl stop sentinel && chown -R root /var/lib/sentinel",
        "store",
        "may not write",
    ),
    (
        "install -m 600 -g root /dev/stdin /etc/sentinel/secrets/hook <<'END'
http://127.0.0.1:9100/
END
         printf '[receivers.more]\nwebhook = { url_file = \"/etc/sentinel/secrets/hook\" }\n' >/etc/sentinel/conf.d/more.toml",
        "receivers",
        "permission denied",
    ),
    (
        "chgrp sentinel /etc/sentinel/secrets",
        "secrets",
        "members of the group `sentinel`",
    ),
];

/// The findings that are not as they should be.
fn findings(lab: &Lab) -> Vec<Value> {
    let output = lab.host.try_sh("sentinel doctor --json");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("it says something");
    let mut findings = answer["findings"].as_array().cloned().unwrap_or_default();
    // A host without a network has no time server, and one of the services of the lab has no probe.
    let is_meant = |finding: &Value| finding["check"] == "clock" || word(finding, "text").contains("no probe");
    findings.retain(|finding| finding["level"] != "ok" && !is_meant(finding));
    findings
}

fn word<'a>(finding: &'a Value, name: &str) -> &'a str {
    finding[name].as_str().unwrap_or_default()
}

#[test]
fn what_the_doctor_names_fixes_what_it_found() {
    let lab = Lab::watching(OLD);
    let host = &lab.host;
    lab.wait("nothing is wrong", || findings(&lab).is_empty());
    for (damage, check, words) in LACKS {
        host.sh(damage);
        let found = findings(&lab);
        let lack = found
            .iter()
            .find(|finding| word(finding, "check") == check && word(finding, "text").contains(words));
        let fix = word(lack.unwrap_or_else(|| panic!("{damage}: {found:#?}")), "fix").to_owned();
        println!("{damage}\n    {fix}");
        // Every second piece stands in quotes. What is a command and changes something is typed.
        let typed = fix.split('`').skip(1).step_by(2);
        let changes = |command: &&str| {
            let looks = ["systemctl status", "journalctl", "sentinel check"];
            // Without an archive of Debian's there is nothing to install polkit from.
            let cannot = ["apt install"];
            !looks.iter().chain(&cannot).any(|begin| command.starts_with(begin))
        };
        let typed: Vec<&str> = typed.filter(changes).collect();
        assert!(!typed.is_empty(), "{damage}: {fix}");
        for command in typed {
            host.sh(command);
        }
        // One that did not start for it is tried again by systemd; whoever changed a file reloads.
        host.sh("systemctl start sentinel && systemctl reload sentinel");
        lab.wait(&format!("`{damage}` is fixed"), || findings(&lab).is_empty());
    }
}

#[test]
fn a_host_that_is_only_observed_is_well() {
    let lab = Lab::new();
    lab.host.sh("systemctl start nginx");
    lab.install(OLD);
    lab.await_state("nginx", "healthy");
    let found = findings(&lab);
    let checks: Vec<&str> = found.iter().map(|finding| word(finding, "check")).collect();
    assert_eq!(checks, ["configuration", "receivers"], "{found:#?}");
}

#[test]
fn without_polkit_nothing_may_be_restarted() {
    let lab = Lab::watching(OLD);
    let host = &lab.host;
    host.sh("systemctl mask --now polkit && systemctl restart sentinel");
    let found = findings(&lab);
    let said = |check: &str| {
        let texts = found.iter().filter(|finding| word(finding, "check") == check);
        texts.map(|finding| word(finding, "text")).collect::<Vec<_>>()
    };
    assert_eq!(said("polkit").len(), 1, "{found:#?}");
    let text = "`nginx.service`, `shop.service` may not be restarted: polkit does not answer";
    assert_eq!(said("restart"), [text], "{found:#?}");
    lab.wait("the agent says so", || {
        let log = host.sh("journalctl --no-pager -o cat -u sentinel SENTINEL_EVENT=not_permitted");
        log.contains("unit=shop.service") && log.contains("polkit.service is masked")
    });
}
