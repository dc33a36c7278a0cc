//! Nothing configured: whatever runs on the host is observed, by an agent without privileges.

use crate::harness::Lab;

#[test]
fn with_nothing_configured_the_host_is_observed_and_nothing_restarted() {
    let lab = Lab::new(
        &[
            ("web", "ExecStart=/bin/sleep infinity"),
            ("calm", "ExecStart=/bin/sleep infinity"),
            ("broken", "ExecStart=/bin/false"),
            ("wrecked", "ExecStart=/bin/false"),
            ("job", "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true"),
        ],
        "[alerts]\nnotify_after = \"1s\"\n",
    );
    lab.host.confine_agent();
    // As a new one.
    lab.host
        .sh("systemctl stop sentinel && rm -rf /var/lib/sentinel && : >/var/tmp/received");
    lab.wait("both have failed", || {
        lab.host.try_sh("systemctl is-failed broken wrecked").status.success()
    });
    lab.host.sh("systemctl start sentinel");
    assert_eq!(lab.host.sh("ps -o user= -C sentinel"), "sentinel");
    lab.await_state("web", "healthy");
    assert_eq!(lab.status("web")["origin"], "host");
    assert_eq!(lab.status("web")["mode"], "observe");
    for left_alone in ["broken", "job", "dbus", "systemd-journald"] {
        assert!(lab.status(left_alone).is_null(), "{left_alone}");
    }

    // What had failed before is one message, and no incident.
    let notices = || {
        let all = lab.received().into_iter().map(|(_, body)| body);
        let notices = all.filter(|body| body["type"] == "alerts.notice");
        notices
            .map(|body| body["data"]["summary"].to_string())
            .collect::<Vec<_>>()
    };
    lab.wait("what had failed is told", || !notices().is_empty());
    assert!(
        notices()[0].contains("2 services had failed before the agent was started: broken.service, wrecked.service"),
        "{:?}",
        notices()
    );
    assert!(lab.incidents().is_empty());

    // A stop on purpose is nothing; a service that dies is an incident, and stays down.
    lab.host.sh("systemctl stop calm");
    lab.kill("web");
    lab.wait("people are told", || lab.received_kinds().contains(&"fired".to_owned()));
    let incidents = lab.incidents();
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert_eq!(
        (&incidents[0]["service"], &incidents[0]["cause"]),
        (&"web".into(), &"killed by signal KILL".into())
    );
    lab.wait("who was stopped is not there", || lab.status("calm").is_null());
    assert_eq!(lab.starts("web"), 1);

    // What is installed later, and what runs again, is observed too.
    lab.host.write(
        "/etc/systemd/system/late.service",
        b"[Service]\nExecStart=/bin/sleep infinity\n",
    );
    lab.host.sh("systemctl daemon-reload && systemctl start late");
    lab.await_state("late", "healthy");
    assert_eq!(lab.incidents().len(), 1);
    assert_eq!(notices().len(), 1);
    assert_eq!(lab.starts("web"), 1);

    // Each failure is reported once, however often the agent is started; one that fails again meanwhile is another one.
    let looked = || {
        lab.host
            .sh("journalctl --no-pager -o cat -u sentinel SENTINEL_EVENT=preexisting_failure | wc -l")
    };
    let before = looked();
    lab.host.sh("systemctl restart sentinel");
    lab.wait("the agent has looked", || looked() != before);
    lab.host.sh("systemctl stop sentinel && systemctl start wrecked");
    lab.wait("it has failed again", || {
        lab.host.try_sh("systemctl is-failed wrecked").status.success()
    });
    lab.host.sh("systemctl start sentinel");
    lab.wait("what failed anew is told", || notices().len() > 1);
    assert_eq!(notices().len(), 2, "{:?}", notices());
    assert!(
        notices()[1].contains("1 service had failed before the agent was started: wrecked.service"),
        "{:?}",
        notices()
    );
}

#[test]
fn who_may_not_ask_docker_says_so_wherever_it_looks() {
    let lab = Lab::new(&[("web", "ExecStart=/bin/sleep infinity")], "");
    lab.host.confine_agent();
    // As Docker's own package has it, and as far as the agent gets: a socket of root's.
    lab.host.write(
        "/etc/systemd/system/docker.socket",
        b"[Socket]\nListenStream=/run/docker.sock\nSocketMode=0660\nAccept=yes\n",
    );
    lab.host.write(
        "/etc/systemd/system/docker@.service",
        b"[Service]\nExecStart=/bin/true\nStandardInput=socket\n",
    );
    lab.host
        .sh("systemctl daemon-reload && systemctl start docker.socket && systemctl restart sentinel");
    lab.await_state("web", "healthy");
    lab.await_log(&["event=cannot_look", "labels of containers", "level=warn"]);
    let status = lab.host.sh("sentinel status");
    let line = status
        .lines()
        .find(|line| line.starts_with("cannot be seen: "))
        .unwrap_or_default();
    assert!(
        line.starts_with("cannot be seen: labels of containers, containers (") && line.contains("Permission denied"),
        "{status}"
    );
    let doctor = lab.host.try_sh("sentinel doctor");
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(
        doctor.contains("whether containers ask to be watched cannot be seen"),
        "{doctor}"
    );

    // Once it may, nothing is out of sight, without a restart.
    lab.host
        .sh("systemctl stop docker.socket && rm -f /run/docker.sock && sentinel status --json >/dev/null");
    lab.wait("there is no Docker any more", || {
        !lab.host.sh("sentinel status").contains("cannot be seen")
    });
}
