//! kill -9 of the agent at the worst moments: no second restart, the incident goes on, no message lost or doubled.

use std::collections::BTreeMap;

use crate::harness::Lab;

const CONFIG: &str = "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n[services.shop]\nunit = \"shop\"\n";

fn kill_agent(lab: &Lab) {
    lab.kill("sentinel");
}

/// Every message once, in order; the same key never with another body.
fn assert_notified_once(lab: &Lab, incidents: usize) {
    let mut by_key = BTreeMap::new();
    let mut sequences: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (key, body) in lab.received() {
        let data = &body["data"];
        if let Some(before) = by_key.insert(key.clone(), data.clone()) {
            assert_eq!(before, *data, "a message sent again is the same message");
            continue;
        }
        let incident = data["incident"].as_u64().expect("a number");
        sequences
            .entry(incident)
            .or_default()
            .push(data["sequence"].as_u64().expect("a number"));
    }
    assert_eq!(sequences.len(), incidents, "{sequences:?}");
    for (incident, sequence) in sequences {
        assert_eq!(sequence, [1, 2], "incident {incident}");
    }
}

#[test]
fn between_intent_and_call_nothing_is_done_twice() {
    let unit = "ExecStart=/usr/bin/demo-service --listen 127.0.0.1:8080 --chaos";
    let lab = Lab::new(
        &[("shop", unit)],
        &format!("{CONFIG}http = \"http://127.0.0.1:8080/health\"\n"),
    );
    lab.await_state("shop", "healthy");
    // The intent is recorded, and the call cannot be made: the bus stands still.
    lab.host.sh("kill -STOP $(pidof dbus-daemon)");
    lab.host
        .sh("curl -sf -X POST 'http://127.0.0.1:8080/chaos/status?code=500'");
    lab.wait("the intent is on disk", || lab.state("shop") == "restarting");
    // Without the bus systemctl may hang; the pid is enough.
    lab.host.sh("kill -9 $(pidof sentinel)");
    lab.host.sh("kill -CONT $(pidof dbus-daemon)");
    lab.await_state("shop", "healthy");
    lab.wait("the incident is closed", || {
        lab.incidents()[0]["resolution"].is_string()
    });
    assert_notified_once(&lab, 1);
    assert_eq!(lab.incidents().len(), 1);
    let timeline = lab.timeline(1);
    let restarts = timeline.iter().filter(|kind| *kind == "restart").count();
    let starts = lab.starts("shop");
    // The call may have been lost with the agent; what it asked for is never carried out twice.
    assert!((2..=1 + restarts).contains(&starts), "{starts} starts: {timeline:?}");
    assert!(
        restarts <= 2,
        "an attempt of unknown outcome is judged before another: {timeline:?}"
    );
}

#[test]
fn between_call_and_outcome_nothing_is_done_twice() {
    let unit = "ExecStartPre=/bin/sh -c 'test ! -e /var/tmp/gate || cat /var/tmp/gate'\nExecStart=/bin/sleep infinity";
    let lab = Lab::new(&[("shop", unit)], CONFIG);
    lab.await_state("shop", "healthy");
    lab.host.sh("mkfifo /var/tmp/gate");
    lab.kill("shop");
    lab.await_state("shop", "restarting");
    lab.wait("the start is under way", || {
        lab.host.sh("systemctl show -P ActiveState shop") == "activating"
    });
    kill_agent(&lab);
    lab.wait("another agent runs", || lab.state("shop") == "restarting");
    lab.host.sh("echo >/var/tmp/gate; rm /var/tmp/gate");
    lab.await_state("shop", "healthy");
    assert_eq!(lab.await_messages(2), ["fired", "resolved"]);
    assert_eq!(lab.starts("shop"), 2);
    assert_eq!(lab.incidents().len(), 1);
    assert_notified_once(&lab, 1);
}

#[test]
fn at_many_moments_around_a_restart_it_is_made_exactly_once() {
    const ATTEMPTS: usize = 25;
    // A sixth incident of the same one would be flapping, which is told otherwise.
    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
    let units = NAMES.map(|name| (name, "ExecStart=/bin/sleep infinity"));
    let services = NAMES.map(|name| format!("[services.{name}]\nunit = \"{name}\"\n"));
    let alerts = "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n";
    let lab = Lab::new(&units, &format!("{alerts}{}", services.concat()));
    for attempt in 0..ATTEMPTS {
        let (shop, round) = (NAMES[attempt % NAMES.len()], attempt / NAMES.len());
        // Also forgets the attempts of the trials before.
        lab.await_state(shop, "healthy");
        lab.host.sh(&format!("sentinel restart {shop}"));
        lab.wait("the operator's restart is done", || lab.starts(shop) == 2 * round + 2);
        lab.await_state(shop, "healthy");
        let (unit, agent) = (lab.main_pid(shop), lab.main_pid("sentinel"));
        let delay = f64::from(u32::try_from(attempt).expect("small")) / 500.0;
        lab.host.sh(&format!("kill -9 {unit}; sleep {delay}; kill -9 {agent}"));
        lab.wait("the incident is closed", || {
            let output = lab.host.try_sh("sentinel incidents --limit 100 --json").stdout;
            let answer: serde_json::Value = serde_json::from_slice(&output).unwrap_or_default();
            let incidents = answer["incidents"].as_array().map_or(0, Vec::len);
            incidents == attempt + 1 && answer["incidents"][0]["resolution"].is_string()
        });
        assert_eq!(lab.starts(shop), 2 * round + 3, "after {delay} s\n{}", lab.log());
    }
    lab.await_messages(2 * ATTEMPTS);
    assert_notified_once(&lab, ATTEMPTS);
}
