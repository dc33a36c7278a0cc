//! From one version to the next and back, also in the middle of an incident.

use crate::built::{NEW, OLD};
use crate::harness::{Lab, said};

#[test]
fn an_upgrade_in_mid_incident_does_nothing_twice() {
    let lab = Lab::watching(OLD);
    let host = &lab.host;
    let starts = || host.sh("wc -l </var/tmp/shop.starts");
    host.sh("mkfifo /var/tmp/gate && systemctl kill --signal KILL shop");
    lab.wait("the agent's restart is under way", || {
        host.sh("systemctl show -P ActiveState shop") == "activating"
    });
    let before = lab.property("InvocationID");
    println!("{}", lab.install(NEW));
    lab.wait("the new version runs", || lab.property("InvocationID") != before);
    lab.wait("it answers", || !lab.incidents().is_empty());
    assert_eq!(lab.incidents().len(), 1);
    host.sh("echo >/var/tmp/gate; rm /var/tmp/gate");
    lab.await_state("shop", "healthy");
    let reported = || {
        let journal = host.sh("journalctl --no-pager -o cat -u receiver");
        ["fired", "resolved"].map(|kind| {
            let line = |line: &&str| line.contains("shop") && line.contains(kind);
            journal.lines().filter(line).count()
        })
    };
    lab.wait("the end is told", || reported()[1] > 0);
    assert_eq!(
        reported(),
        [1, 1],
        "{}",
        host.sh("journalctl --no-pager -o cat -u receiver")
    );
    assert_eq!(starts(), "2");
    assert_eq!(lab.incidents().len(), 1);

    // And back again, as the store is of the same schema.
    host.sh(&format!("apt-get install -y --allow-downgrades sentinel={OLD}"));
    lab.await_state("shop", "healthy");
    assert_eq!(lab.incidents().len(), 1);
    assert_eq!(starts(), "2");
}

#[test]
fn the_store_of_a_newer_agent_keeps_an_older_one_out() {
    let lab = Lab::with(NEW);
    let host = &lab.host;
    lab.await_active();
    // As a later version would leave it.
    host.sh("systemctl stop sentinel
             sqlite3 /var/lib/sentinel/sentinel.db 'PRAGMA user_version = 999; UPDATE state SET schema = 999'
             sha256sum /var/lib/sentinel/sentinel.db >/var/tmp/store");
    let downgrade = host.try_sh(&format!("apt-get install -y --allow-downgrades sentinel={OLD}"));
    assert!(!downgrade.status.success());
    let said = said(&downgrade);
    assert!(said.contains("was written by a newer one (schema 999, this"), "{said}");
    assert_eq!(
        host.sh("dpkg-query -f '${Status} ${Version}' -W sentinel"),
        format!("install ok installed {NEW}")
    );

    // An agent that was put there by other means refuses too, and says so where operators look.
    host.sh("systemctl start --no-block sentinel");
    lab.wait("the unit says why it does not run", || {
        lab.property("StatusText")
            .contains("written by a newer version of the agent (schema 999")
    });
    host.sh("sha256sum --check /var/tmp/store");
}

#[test]
fn an_upgrade_over_a_wrong_configuration_says_that_nothing_is_watched() {
    let lab = Lab::with(OLD);
    let host = &lab.host;
    lab.await_active();
    host.write(
        "/etc/sentinel/conf.d/wrong.toml",
        b"[services.shop]\nunits = \"shop\"\n",
    );
    let reported = lab.install(NEW);
    for words in [
        "sentinel: installed, but the agent does not run, and nothing is watched",
        "/etc/sentinel/conf.d/wrong.toml:2:1: services.shop.units: unknown key; did you mean `unit`?",
        "`sentinel doctor` says how to fix it",
    ] {
        assert!(reported.contains(words), "{words}: {reported}");
    }
    assert_eq!(
        host.sh("dpkg-query -f '${Status} ${Version}' -W sentinel"),
        format!("install ok installed {NEW}")
    );
    // Once it is fixed nobody has to do anything.
    host.sh("rm /etc/sentinel/conf.d/wrong.toml");
    lab.await_active();
    let reported = host.sh("apt-get install -y --reinstall sentinel 2>&1");
    assert!(!reported.contains("does not run"), "{reported}");
}
