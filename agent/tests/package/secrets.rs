//! Who may read the secrets, and who acknowledged: members of the control group are another party than the agent.

use crate::built::{NEW, OLD};
use crate::harness::{CONFIG, Lab, said};

/// What earlier versions left: the directory is the control group's, and there is no other group.
const AS_BEFORE: &str = "chgrp sentinel /etc/sentinel/secrets
    gpasswd --delete sentinel sentinel-secrets && groupdel sentinel-secrets";

/// Has the receiver's address stand in a file, as `tee` and an editor make one.
fn with_secret(lab: &Lab) {
    let url = "url = \"http://127.0.0.1:9100/\"";
    assert!(CONFIG.contains(url), "what is replaced is there");
    let config = CONFIG.replace(url, "url_file = \"/etc/sentinel/secrets/hook\"");
    let host = &lab.host;
    host.write("/etc/sentinel/secrets/hook", b"http://127.0.0.1:9100/\n");
    host.write("/etc/sentinel/sentinel.toml", config.as_bytes());
}

/// Kills `shop`, and waits until the receiver has heard that it is over `count` times in all.
fn report(lab: &Lab, count: usize) {
    lab.host.sh("systemctl kill --signal KILL shop");
    lab.wait("the receiver is told", || {
        let journal = lab.host.sh("journalctl --no-pager -o cat -u receiver");
        let ends = |line: &&str| line.contains("shop") && line.contains("resolved");
        journal.lines().filter(ends).count() >= count
    });
    lab.await_state("shop", "healthy");
}

#[test]
fn no_member_of_the_control_group_reads_a_secret_before_or_after_an_upgrade() {
    let lab = Lab::watching(OLD);
    let host = &lab.host;
    host.sh("useradd --groups sentinel alice");
    let reads = || {
        host.try_sh("runuser -u alice -- cat /etc/sentinel/secrets/hook")
            .status
            .success()
    };
    with_secret(&lab);
    host.sh("systemctl reload sentinel");
    assert!(!reads(), "as it is installed");
    host.sh("runuser -u alice -- sentinel status");
    report(&lab, 1);

    // On a host that had an earlier version, they could.
    host.sh(AS_BEFORE);
    host.sh("chgrp sentinel /etc/sentinel/secrets/hook && chmod 0640 /etc/sentinel/secrets/hook && systemctl restart sentinel");
    lab.await_state("shop", "healthy");
    assert!(reads(), "what the upgrade is to end");
    let check = host.sh("sentinel check");
    assert!(
        check.contains("`/etc/sentinel/secrets/hook` may be read by members of the group `sentinel`"),
        "{check}"
    );
    report(&lab, 2);
    lab.install(NEW);
    lab.await_active();
    lab.await_state("shop", "healthy");
    assert!(!reads(), "after the upgrade");
    assert_eq!(
        host.sh("stat -c '%G' /etc/sentinel/secrets/hook"),
        "sentinel",
        "files keep their group"
    );
    report(&lab, 3);
    let check = host.sh("sentinel check");
    assert!(!check.contains("may be read by"), "{check}");

    // An operator's own rule, as the package's file invites to, may have kept the group.
    host.sh(
        "sed s/sentinel-secrets/sentinel/ /usr/lib/tmpfiles.d/sentinel.conf >/etc/tmpfiles.d/sentinel.conf
             systemd-tmpfiles --create /etc/tmpfiles.d/sentinel.conf",
    );
    assert!(reads());
    let doctor = said(&host.try_sh("sentinel doctor"));
    assert!(doctor.contains("by `/etc/tmpfiles.d/sentinel.conf`"), "{doctor}");
    host.sh("rm /etc/tmpfiles.d/sentinel.conf && systemd-tmpfiles --create sentinel.conf");
    assert!(!reads());

    // Back again: it is read on, also what was made meanwhile.
    host.sh("umask 027; cp /etc/sentinel/secrets/hook /etc/sentinel/secrets/made && mv /etc/sentinel/secrets/made /etc/sentinel/secrets/hook");
    host.sh(&format!("apt-get install -y --allow-downgrades sentinel={OLD}"));
    lab.await_active();
    lab.await_state("shop", "healthy");
    report(&lab, 4);
}

#[test]
fn who_acknowledged_is_named() {
    let lab = Lab::watching(OLD);
    let host = &lab.host;
    host.sh("useradd --groups sentinel alice && useradd --groups sentinel --uid 4711 bob");
    // Its restart does not end while there is a gate.
    host.sh("mkfifo /var/tmp/gate && systemctl kill --signal KILL shop");
    lab.wait("there is an incident", || {
        lab.incidents()
            .first()
            .is_some_and(|incident| incident["resolution"].is_null())
    });
    let id = lab.incidents()[0]["id"].to_string();
    let ack = |user: &str| {
        host.sh(&format!("runuser -u {user} -- sentinel ack {id} 'on it' --json"));
        let status = host.sh("sentinel status shop --json");
        let status: serde_json::Value = serde_json::from_str(&status).expect("it is JSON");
        status["services"][0]["acknowledged"]["by"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(ack("alice"), "alice");
    assert_eq!(ack("root"), "root");
    // One whom this host has no name for.
    let by = host.sh(&format!(
        "setpriv --reuid 4712 --regid nogroup --groups sentinel sentinel ack {id} 'me too' --json >/dev/null
         sentinel status shop --json"
    ));
    assert!(by.contains("\"uid 4712\""), "{by}");
}
