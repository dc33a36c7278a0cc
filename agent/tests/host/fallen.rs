//! What falls with a unit that no operator configured, and what cannot be started without it.

use crate::harness::Lab;

const SLEEPER: &str = "ExecStart=/bin/sleep infinity";
const BOUND: &str = "ExecStart=/bin/sleep infinity\n[Unit]\nBindsTo=db.service\nAfter=db.service\n[Install]\nWantedBy=multi-user.target";
const REQUIRING: &str = "ExecStart=/bin/sleep infinity\n[Unit]\nRequires=db.service\nAfter=db.service";
const CONFIG: &str = "[services.app]\nunit = \"app\"\n[services.mail]\nunit = \"mail\"\n\
                      [alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n";

fn kinds_about_app(lab: &Lab) -> Vec<String> {
    let about = |body: &serde_json::Value| body["data"]["service"] == "app";
    let received = lab.received();
    let kinds = received.iter().filter(|(_, body)| about(body));
    kinds
        .map(|(_, body)| body["data"]["kind"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Waits until it is down, held by name, and operators know.
fn await_hold(lab: &Lab) {
    lab.await_state("app", "suppressed");
    let hold = &lab.status("app")["hold"];
    assert_eq!(hold["kind"], "dependency");
    assert_eq!(hold["text"], "waiting for dependency `db.service`, which is down");
    lab.wait("it is told", || kinds_about_app(lab) == ["fired"]);
}

/// Waits until the agent has seen and done something else.
fn await_other_business(lab: &Lab) {
    let before = lab.starts("mail");
    lab.kill("mail");
    lab.wait("mail is back", || lab.starts("mail") > before);
    lab.await_state("mail", "healthy");
}

/// The one incident of the app, over.
fn await_end(lab: &Lab) {
    lab.await_state("app", "healthy");
    lab.wait("its end is told", || kinds_about_app(lab) == ["fired", "resolved"]);
    let incidents = lab.incidents();
    let of_app: Vec<_> = incidents
        .iter()
        .filter(|incident| incident["service"] == "app")
        .collect();
    assert_eq!(of_app.len(), 1, "{incidents:#?}");
    assert_eq!(of_app[0]["cause_kind"], "dependency");
    assert!(of_app[0]["closed_at"].is_string(), "{incidents:#?}");
}

#[test]
fn what_fell_with_a_unit_that_failed_is_started_when_that_one_runs_again() {
    let units = [("db", SLEEPER), ("app", BOUND), ("mail", SLEEPER)];
    let lab = Lab::new(&units, CONFIG);
    // PID 1 forgets the times of what nothing refers to.
    lab.host.sh("systemctl enable app");
    lab.await_state("app", "healthy");
    lab.kill("db");
    await_hold(&lab);
    // Another agent finds the incident, and the unit as it was left.
    lab.host.sh("systemctl restart sentinel");
    await_hold(&lab);
    await_other_business(&lab);
    await_hold(&lab);
    assert_eq!(
        (lab.starts("app"), lab.starts("db")),
        (1, 1),
        "nothing was tried meanwhile"
    );
    lab.host.sh("systemctl start db");
    await_end(&lab);
    assert_eq!((lab.starts("app"), lab.starts("db")), (2, 2));
}

#[test]
fn what_could_not_be_started_with_a_unit_that_failed_is_started_when_that_one_runs_again() {
    let db = "ExecStartPre=/bin/sh -c 'test ! -e /var/tmp/broken'\nExecStart=/bin/sleep infinity\nRestart=on-failure";
    let units = [("db", db), ("app", REQUIRING), ("mail", SLEEPER)];
    let lab = Lab::new(&units, CONFIG);
    lab.await_state("app", "healthy");
    lab.host.sh("touch /var/tmp/broken");
    lab.kill("db");
    await_hold(&lab);
    lab.wait("systemd has given it up", || {
        lab.host.sh("systemctl show -P SubState db") == "failed"
    });
    await_other_business(&lab);
    await_hold(&lab);
    assert_eq!(lab.starts("app"), 1, "nothing was tried meanwhile");
    lab.host
        .sh("rm /var/tmp/broken; systemctl reset-failed db; systemctl start db");
    await_end(&lab);
    assert_eq!(lab.starts("app"), 2);
}

#[test]
fn what_was_stopped_with_another_unit_or_after_it_fell_is_left_alone() {
    let units = [("db", SLEEPER), ("app", BOUND), ("mail", SLEEPER)];
    let lab = Lab::new(&units, CONFIG);
    lab.await_state("app", "healthy");
    lab.host.sh("systemctl stop db");
    lab.await_state("app", "stopped");
    lab.host.sh("systemctl start db");
    await_other_business(&lab);
    assert_eq!((lab.state("app").as_str(), lab.starts("app")), ("stopped", 1));
    assert!(kinds_about_app(&lab).is_empty());

    // It falls, and an operator says that it is to stay so.
    lab.host.sh("systemctl start app");
    lab.await_state("app", "healthy");
    lab.kill("db");
    await_hold(&lab);
    lab.host.sh("systemctl stop app");
    lab.await_state("app", "stopped");
    lab.host.sh("systemctl start db");
    await_other_business(&lab);
    assert_eq!((lab.state("app").as_str(), lab.starts("app")), ("stopped", 2));
}
