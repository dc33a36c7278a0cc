//! What is left to others, or cannot be helped by a restart, is told within its bound and nothing is done about it.

use crate::harness::Lab;

/// Tells at once; the bounds of each kind come before that.
const ALERTS: &str = "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n";

const SLEEPER: &str = "ExecStart=/bin/sleep infinity";

/// Services of these names, each its unit.
fn services(names: &[&str]) -> String {
    let one = |name: &&str| format!("[services.{name}]\nunit = \"{name}\"\n");
    names.iter().map(one).collect()
}

/// Waits for the first message about a service, and answers its `data`.
fn reported(lab: &Lab, service: &str) -> serde_json::Value {
    let mut found = None;
    lab.wait(&format!("something is told of `{service}`"), || {
        found = lab
            .received()
            .into_iter()
            .map(|(_, body)| body["data"].clone())
            .find(|data| data["service"] == service);
        found.is_some()
    });
    found.expect("just seen")
}

#[test]
fn a_pause_and_a_start_without_end_are_reported_and_left_to_systemd() {
    let units = [
        (
            "pausing",
            "ExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=20min",
        ),
        (
            "starting",
            "ExecStartPre=/bin/sh -c 'test ! -e /var/tmp/gate || cat /var/tmp/gate'\nExecStart=/bin/sleep infinity\nTimeoutStartSec=infinity",
        ),
    ];
    let config = format!("{ALERTS}{}", services(&["pausing", "starting"]));
    let lab = Lab::new(&units, &config);
    for service in ["pausing", "starting"] {
        lab.await_state(service, "healthy");
    }
    lab.kill("pausing");
    lab.host
        .sh("mkfifo /var/tmp/gate; systemctl restart --no-block starting");
    for service in ["pausing", "starting"] {
        let fired = reported(&lab, service);
        assert_eq!(fired["kind"], "fired", "{fired:#}");
        lab.wait("why nothing is done", || lab.status(service)["hold"]["kind"] == "busy");
    }
    assert_eq!(reported(&lab, "pausing")["cause"]["text"], "killed by signal KILL");
    assert_eq!(lab.starts("pausing"), 1);
    assert_eq!(lab.starts("starting"), 2);
    // It ends by itself, one incident each. (A start would wait for the end of the pause, which a restart cuts short.)
    lab.host.sh("echo >/var/tmp/gate; systemctl restart pausing");
    for service in ["pausing", "starting"] {
        lab.await_state(service, "healthy");
    }
    lab.wait("both are over", || {
        lab.incidents()
            .iter()
            .all(|incident| incident["resolution"].is_string())
    });
    assert_eq!(lab.incidents().len(), 2);
    assert!(!lab.log().contains("event=restart "), "{}", lab.log());
}

#[test]
fn what_its_unit_or_its_kind_forbids_to_restart_is_reported_at_once() {
    let units = [
        (
            "prevented",
            "ExecStart=/bin/sh -c 'trap \"exit 42\" USR1; while :; do sleep 0.1; done'\nRestart=always\nRestartPreventExitStatus=42",
        ),
        (
            "conditioned",
            "ExecStart=/bin/sleep infinity\n[Unit]\nConditionPathExists=!/var/tmp/closed",
        ),
        ("once", "Type=oneshot\nExecStart=/bin/sh -c 'test ! -e /var/tmp/closed'"),
    ];
    let names = ["prevented", "conditioned", "once"];
    let lab = Lab::new(&units, &format!("{ALERTS}{}", services(&names)));
    for service in ["prevented", "conditioned"] {
        lab.await_state(service, "healthy");
    }
    lab.host.sh("touch /var/tmp/closed");
    lab.host.sh("systemctl kill --signal=USR1 prevented");
    lab.kill("conditioned");
    // As its timer does it.
    lab.host.sh("! systemctl start once");
    for (service, hold, reason) in [
        (
            "prevented",
            "restart_prevented",
            "not restarted: RestartPreventExitStatus= lists how it ended",
        ),
        (
            "conditioned",
            "condition",
            "not started: ConditionPathExists=!/var/tmp/closed is not met",
        ),
        (
            "once",
            "oneshot",
            "not restarted: it is a oneshot; retry_oneshot = true runs it again",
        ),
    ] {
        assert_eq!(reported(&lab, service)["kind"], "fired");
        lab.wait(&format!("`{service}`: {reason}"), || {
            let status = lab.status(service);
            status["hold"]["kind"] == hold && status["hold"]["text"] == reason
        });
        assert_eq!(lab.status(service)["attempts_left"], 5, "{service}");
    }
    let fired = reported(&lab, "prevented");
    assert_eq!(fired["severity"], "warning");
    assert_eq!(
        fired["doing"],
        "not restarted: RestartPreventExitStatus= lists how it ended"
    );
    assert_eq!(lab.starts("prevented"), 1);
    assert_eq!(lab.starts("conditioned"), 1);
    // Whatever an operator does then ends it, and is no work of the agent's.
    lab.host
        .sh("rm /var/tmp/closed; systemctl start prevented conditioned once");
    lab.wait("all are over", || {
        lab.incidents()
            .iter()
            .all(|incident| incident["resolution"].is_string())
    });
    for incident in lab.incidents() {
        assert_ne!(incident["resolution"], "restarted", "{incident:#}");
    }
}

/// A package whose installation lasts until somebody lets it go on.
const INSTALL: &str = r"mkdir -p /var/tmp/package/DEBIAN && mkfifo /var/tmp/go-on
printf 'Package: slowly\nVersion: 1\nArchitecture: all\nMaintainer: A B <a@b.example>\nDescription: x\n' >/var/tmp/package/DEBIAN/control
printf '#!/bin/sh\ntouch /var/tmp/installing; cat /var/tmp/go-on\n' >/var/tmp/package/DEBIAN/postinst
chmod 755 /var/tmp/package/DEBIAN/postinst
dpkg-deb --build /var/tmp/package /var/tmp/slowly.deb >/var/tmp/build.log
setsid dpkg --install /var/tmp/slowly.deb >/var/tmp/install.log 2>&1 </dev/null &
until [ -e /var/tmp/installing ]; do :; done";

#[test]
fn what_was_stopped_with_its_database_is_reported_or_started_when_that_is_back_and_no_package_is_being_installed() {
    let needs = "ExecStart=/bin/sleep infinity\n[Unit]\nRequires=database.service\nAfter=database.service";
    let units = [
        ("database", SLEEPER),
        ("told", needs),
        ("started", needs),
        ("itself", needs),
    ];
    let config = format!(
        "{ALERTS}[services.database]\nunit = \"database\"\n\
         [services.told]\nunit = \"told\"\nafter = [\"database\"]\n\
         [services.itself]\nunit = \"itself\"\nafter = [\"database\"]\n\
         [services.started]\nunit = \"started\"\nafter = [\"database\"]\nrecovery.on_dependency_return = \"start\"\n"
    );
    let lab = Lab::new(&units, &config);
    for (service, _) in units {
        lab.await_state(service, "healthy");
    }
    // An operator stopped this one before, by itself.
    lab.host.sh("systemctl stop itself");
    lab.await_state("itself", "stopped");
    lab.host.sh(INSTALL);
    lab.host.sh("systemctl stop database");
    for (service, _) in units {
        lab.await_state(service, "stopped");
    }
    lab.host.sh("systemctl start database");
    lab.await_state("database", "healthy");
    // The agent sees and heals all the while, only not these.
    lab.kill("database");
    lab.await_log(&["service=database", "event=incident_closed"]);
    for service in ["told", "started"] {
        assert_eq!(lab.starts(service), 1, "{service}");
        assert!(
            !lab.log().contains(&format!("service={service} event=incident_opened")),
            "{}",
            lab.log()
        );
    }
    lab.host.sh("echo >/var/tmp/go-on");
    lab.await_state("started", "healthy");
    assert_eq!(lab.starts("started"), 2);
    let message = reported(&lab, "told");
    let summary = message["summary"].as_str().expect("text");
    assert!(
        summary.contains("told was stopped together with database at ") && summary.contains("`sentinel restart told`"),
        "{summary}"
    );
    assert_eq!(lab.starts("told"), 1);
    assert_eq!(lab.starts("itself"), 1);
    assert_eq!(lab.state("itself"), "stopped");
    lab.host.sh("sentinel restart told");
    lab.await_state("told", "healthy");
    lab.wait("it is over", || {
        lab.incidents()
            .iter()
            .all(|incident| incident["resolution"].is_string())
    });
}
