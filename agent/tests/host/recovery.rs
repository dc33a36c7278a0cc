//! What breaks is noticed, restarted, proved and told.

use crate::harness::Lab;

const SLEEPER: &str = "ExecStart=/bin/sleep infinity";

const DEMO: &str = "ExecStart=/usr/bin/demo-service --listen 127.0.0.1:8080 --chaos";

const DEMO_CONFIG: &str = r#"
[services.demo]
unit = "demo"
http = "http://127.0.0.1:8080/health"
"#;

#[test]
fn a_slow_start_holds_no_other_restart() {
    // It says that it is ready once nothing holds it up.
    let slow = "Type=notify\nNotifyAccess=all\nTimeoutStartSec=300\nExecStart=/bin/sh -c 'while test -e /var/tmp/slow; do \
                sleep 0.1; done; systemd-notify --ready; exec sleep infinity'";
    let lab = Lab::new(
        &[("db", slow), ("shop", SLEEPER)],
        "[services.db]\nunit = \"db\"\n[services.shop]\nunit = \"shop\"\n",
    );
    lab.await_state("db", "healthy");
    lab.await_state("shop", "healthy");
    lab.host.sh("touch /var/tmp/slow");
    lab.kill("db");
    lab.wait("systemd starts it", || {
        lab.host.sh("systemctl show -P ActiveState db") == "activating"
    });
    lab.kill("shop");
    lab.wait("the other is started", || lab.starts("shop") == 2);
    lab.await_state("shop", "healthy");
    assert_eq!(lab.host.sh("systemctl show -P ActiveState db"), "activating");
    assert_eq!(lab.state("db"), "restarting", "its outcome is waited for");

    lab.host.sh("rm /var/tmp/slow");
    lab.await_state("db", "healthy");
    assert_eq!(lab.starts("db"), 2);
    let healed = lab.incidents();
    assert!(
        healed.iter().all(|incident| incident["resolution"] == "healed"),
        "{healed:#?}"
    );
}

#[test]
fn killed_unit_is_restarted_proved_and_reported_with_its_cause() {
    let lab = Lab::new(
        &[("shop", SLEEPER)],
        "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n[services.shop]\nunit = \"shop\"\n",
    );
    lab.await_state("shop", "healthy");
    lab.kill("shop");
    assert_eq!(lab.await_messages(2), ["fired", "resolved"]);

    let incidents = lab.incidents();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0]["cause"], "killed by signal KILL");
    assert_eq!(incidents[0]["resolution"], "healed");
    assert_eq!(incidents[0]["attempts"], 1);
    assert_eq!(
        lab.timeline(1),
        [
            "incident_opened",
            "restart",
            "restart_ended",
            "verified",
            "healthy",
            "incident_closed"
        ]
    );
    assert_eq!(lab.starts("shop"), 2);
    assert_eq!(lab.host.sh("systemctl is-active shop"), "active");

    let (_, fired) = &lab.received()[0];
    assert_eq!(fired["data"]["summary"], "lab: shop is down: killed by signal KILL");
    // It was down until it ran again, and proved only by having lived.
    let (_, resolved) = &lab.received()[1];
    for reported in [&incidents[0], &resolved["data"]] {
        let seconds = |name: &str| {
            reported[name]
                .as_f64()
                .unwrap_or_else(|| panic!("no {name}: {reported:#}"))
        };
        let (down, proved) = (seconds("down_seconds"), seconds("proved_after_seconds"));
        assert!(down > 0.0 && down <= proved, "{reported:#}");
        assert!(proved >= 0.5, "it proves itself for `min_uptime`: {reported:#}");
    }
    assert_eq!(resolved["data"]["started_by"], "agent");
    let summary = resolved["data"]["summary"].as_str().expect("words");
    assert!(
        summary.starts_with("lab: shop is healthy again, the agent's restart helped, down "),
        "{summary}"
    );
    lab.await_log(&["event=incident_closed"]);
    for line in [
        "event=started msg=\"Sentinel monitor started\"",
        "service=shop status=down status_code=na event=died cause=\"killed by signal KILL\"",
        "service=shop event=restart incident=1 attempt=1 action_kind=start",
        "service=shop status=up status_code=na recoveries_total=1 event=healthy",
    ] {
        assert!(lab.log().contains(line), "`{line}` is not in\n{}", lab.log());
    }
    // In the journal the same words are fields of their own.
    let entry = lab
        .host
        .sh("journalctl -u sentinel SENTINEL_SERVICE=shop SENTINEL_EVENT=died -o json | tail -n 1");
    let entry: serde_json::Value = serde_json::from_str(&entry).expect("an entry");
    assert_eq!(entry["SENTINEL_CAUSE"], "killed by signal KILL");
    assert_eq!(entry["PRIORITY"], "4");
    assert_eq!(entry["MESSAGE_ID"].as_str().map(str::len), Some(32), "{entry:#}");
    // The same for operators.
    let reported = lab.host.sh("sentinel incidents 1");
    assert!(
        reported.contains("killed by signal KILL") && reported.contains("the restart helped"),
        "{reported}"
    );
    assert!(
        reported.starts_with("incident 1: shop was down ") && reported.contains(", proved after "),
        "{reported}"
    );
}

#[test]
fn outage_healed_at_once_is_one_message() {
    let lab = Lab::new(&[("shop", SLEEPER)], "[services.shop]\nunit = \"shop\"\n");
    lab.await_state("shop", "healthy");
    lab.kill("shop");
    assert_eq!(lab.await_messages(1), ["healed"]);
    let (_, healed) = &lab.received()[0];
    assert_eq!(healed["data"]["severity"], "info");
}

#[test]
fn living_process_that_hangs_or_answers_500_is_restarted() {
    let lab = Lab::new(&[("demo", DEMO)], DEMO_CONFIG);
    for (nth, (fault, cause)) in [("hang", "hung"), ("status?code=500", "probe_status")]
        .into_iter()
        .enumerate()
    {
        lab.await_state("demo", "healthy");
        let before = lab.main_pid("demo");
        lab.host
            .sh(&format!("curl -sf -X POST 'http://127.0.0.1:8080/chaos/{fault}'"));
        lab.await_messages(nth + 1);
        let incident = lab.incident(nth as u64 + 1);
        assert_eq!(incident["cause_kind"], cause);
        assert_eq!(incident["resolution"], "healed");
        assert_eq!(incident["actions"][0]["kind"], "restart");
        assert_ne!(lab.main_pid("demo"), before);
        assert_eq!(lab.starts("demo"), nth + 2);
    }
}

#[test]
fn unit_that_never_comes_back_is_given_up_with_one_critical_alert() {
    let config = r#"
[alerts]
notify_after = "0s"
group_wait = "0s"
[services.shop]
unit = "shop"
recovery = { burst = 3 }
"#;
    let lab = Lab::new(
        &[(
            "shop",
            "ExecStart=/bin/sh -c 'test ! -e /var/tmp/broken && exec sleep infinity'",
        )],
        config,
    );
    lab.await_state("shop", "healthy");
    lab.host.sh("touch /var/tmp/broken");
    lab.kill("shop");
    lab.await_state("shop", "gave_up");
    assert_eq!(lab.await_messages(2), ["fired", "gave_up"]);
    let (_, gave_up) = &lab.received()[1];
    assert_eq!(gave_up["data"]["severity"], "critical");

    let incident = lab.incident(1);
    let actions = incident["actions"].as_array().expect("a list");
    assert_eq!(actions.len(), 3);
    let began: Vec<jiff::Timestamp> = actions
        .iter()
        .map(|action| action["started_at"].as_str().expect("a time").parse().expect("a time"))
        .collect();
    // Spaced by the backoff of 0.5 s, doubled.
    assert!(began[1].duration_since(began[0]).as_secs_f64() >= 0.5, "{began:?}");
    assert!(began[2].duration_since(began[1]).as_secs_f64() >= 1.0, "{began:?}");
    assert_eq!(lab.starts("shop"), 4);

    // An operator fixes it; the incident ends, and every receiver that was notified hears of it.
    lab.host.sh("rm /var/tmp/broken && systemctl start shop");
    assert_eq!(lab.await_messages(3)[2], "resolved");
    lab.await_state("shop", "healthy");
    assert_eq!(lab.starts("shop"), 5);
}

#[test]
fn systemd_goes_first_and_the_agent_steps_in_after_the_start_limit() {
    let unit = "ExecStart=/bin/sh -c 'test ! -e /var/tmp/broken && exec sleep infinity'\n\
                Restart=on-failure\nRestartSec=100ms\n[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=60";
    let lab = Lab::new(&[("shop", unit)], "[services.shop]\nunit = \"shop\"\n");
    lab.await_state("shop", "healthy");

    // What holds it back for less than a second is no line of the log.
    lab.kill("shop");
    lab.wait("systemd has started it again", || lab.starts("shop") == 2);
    lab.await_state("shop", "healthy");
    // The log has it all the same, with the cause, and who brought it back.
    let died = [
        "service=shop",
        "status=down",
        "event=died",
        "cause=\"killed by signal KILL\"",
    ];
    lab.await_log(&died);
    let back = [
        "service=shop",
        "status=up",
        "recoveries_total=1",
        "event=healthy",
        "by=systemd",
    ];
    lab.await_log(&back);
    assert!(lab.incidents().is_empty(), "systemd healed it");
    assert_eq!(lab.starts("shop"), 2);

    lab.host.sh("touch /var/tmp/broken");
    lab.kill("shop");
    lab.await_log(&["service=shop", "event=incident_opened"]);
    lab.host.sh("rm /var/tmp/broken");
    lab.await_state("shop", "healthy");
    let incident = lab.incident(1);
    assert_eq!(incident["resolution"], "healed", "{incident:#}");
    assert_eq!(incident["attempts"], 1);
    assert_eq!(lab.host.sh("systemctl is-active shop"), "active");
}

#[test]
fn what_systemd_restarts_without_a_pause_is_logged_as_down_and_up() {
    let unit = "ExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=0";
    let lab = Lab::new(&[("shop", unit)], "[services.shop]\nunit = \"shop\"\n");
    lab.await_state("shop", "healthy");
    for times in 1..=3 {
        lab.kill("shop");
        lab.await_log(&[
            "service=shop",
            "status=up",
            &format!("recoveries_total={times}"),
            "event=healthy",
            "by=systemd",
        ]);
    }
    let log = lab.log();
    assert_eq!(log.matches("event=died").count(), 3, "{log}");
    assert!(!log.contains("event=restart "), "{log}");
    assert!(lab.incidents().is_empty(), "systemd healed it");
}

#[test]
fn operators_start_after_a_give_up_is_a_clean_slate() {
    // It runs only while somebody lets it.
    let unit = "ExecStart=/bin/sh -c 'test -e /var/tmp/fixed && exec sleep infinity; exit 3'";
    let config = "[services.shop]\nunit = \"shop\"\nrecovery.burst = 2\nrecovery.window = \"30m\"\n";
    let lab = Lab::new(&[("shop", unit)], config);
    lab.await_state("shop", "gave_up");
    let given_up = lab.starts("shop");
    lab.host.sh("touch /var/tmp/fixed && systemctl start shop");
    lab.await_state("shop", "healthy");
    assert_eq!(lab.starts("shop"), given_up + 1);
    let ended = lab.incidents();
    assert!(
        ended.iter().all(|incident| incident["resolution"] == "started"),
        "{ended:#?}"
    );
    lab.kill("shop");
    lab.wait("the next crash is healed", || lab.starts("shop") == given_up + 2);
    lab.await_state("shop", "healthy");
}
