//! What concerns the whole host: much that fails at once, maintenance and deploys, going down and coming up again.

use std::fmt::Write as _;
use std::process::Child;

use crate::harness::Lab;

const SLEEPER: &str = "ExecStart=/bin/sleep infinity";
const NEVER_AGAIN: &str = "ExecStart=/bin/sh -c 'test ! -e /var/tmp/broken && exec sleep infinity'";

/// The file that tests change while the agent runs; what it says wins over the lab's.
const CHANGES: &str = "/etc/sentinel/conf.d/test.toml";

fn services(names: &[&str]) -> String {
    names.iter().fold(String::new(), |mut text, name| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "[services.{name}]\nunit = \"{name}\"");
        text
    })
}

/// Puts another configuration in force, as an operator does.
fn reload(lab: &Lab, changes: &str) {
    lab.host.write(CHANGES, changes.as_bytes());
    lab.host.sh("systemctl reload sentinel");
}

/// The messages about `service`, by kind.
fn kinds_about(lab: &Lab, service: &str) -> Vec<String> {
    let about = |body: &serde_json::Value| body["data"]["service"] == service;
    let received = lab.received();
    let kinds = received.iter().filter(|(_, body)| about(body));
    kinds
        .map(|(_, body)| body["data"]["kind"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn storm_holds_every_restart_is_reported_once_and_passes() {
    let names = ["a", "b", "c", "d", "e"];
    let units: Vec<_> = names.iter().map(|name| (*name, SLEEPER)).collect();
    let lab = Lab::new(&units, &format!("[alerts]\ngroup_wait = \"0s\"\n{}", services(&names)));
    for name in names {
        lab.await_state(name, "healthy");
    }
    reload(
        &lab,
        "[recovery]\nstorm_services = 3\nstorm_window = \"60s\"\nstorm_hold = \"5s\"\nmax_in_flight = 1\n",
    );
    let pids: Vec<String> = names.iter().map(|name| lab.main_pid(name)).collect();
    lab.host.sh(&format!("kill -9 {}", pids.join(" ")));

    lab.wait("the host has an incident", || !kinds_about(&lab, "(host)").is_empty());
    let incidents = lab.incidents();
    let host = incidents.iter().find(|incident| incident["service"] == "(host)");
    assert_eq!(
        host.map(|incident| &incident["cause_kind"]),
        Some(&"host_wide".into()),
        "{incidents:#?}"
    );
    lab.await_log(&["event=held", "reason_kind=storm"]);
    for name in names {
        lab.await_state(name, "healthy");
        // One may have been restarted before the others were seen to be down; nobody twice.
        assert_eq!(lab.starts(name), 2, "{name}");
    }
    lab.wait("its end is told", || kinds_about(&lab, "(host)").len() >= 2);
    assert_eq!(kinds_about(&lab, "(host)"), ["fired", "resolved"]);
    for name in names {
        let reported = kinds_about(&lab, name);
        assert!(
            !reported.contains(&"fired".to_owned()),
            "{name} rang by itself: {reported:?}"
        );
    }
}

#[test]
fn dependents_wait_for_their_root_and_are_not_restarted() {
    let front = "ExecStart=/usr/bin/demo-service --listen 127.0.0.1:8080 --chaos";
    let config = format!(
        "{}recovery = {{ burst = 20 }}\n[services.front]\nunit = \"front\"\n\
         http = \"http://127.0.0.1:8080/health\"\nafter = [\"db\"]\n[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n",
        services(&["db"])
    );
    let lab = Lab::new(&[("db", NEVER_AGAIN), ("front", front)], &config);
    lab.await_state("front", "healthy");
    lab.host.sh("touch /var/tmp/broken");
    lab.kill("db");
    lab.wait("db is down", || !kinds_about(&lab, "db").is_empty());
    // The front cannot serve without its database.
    lab.host
        .sh("curl -sf -X POST 'http://127.0.0.1:8080/chaos/status?code=503'");
    lab.await_state("front", "suppressed");
    assert_eq!(lab.status("front")["hold"]["kind"], "dependency");
    lab.host.sh("rm /var/tmp/broken");
    lab.await_state("db", "healthy");
    // Only now is the front's own trouble anybody's.
    lab.await_state("front", "healthy");
    let front = lab
        .incidents()
        .into_iter()
        .find(|incident| incident["service"] == "front");
    let front = lab.incident(front.expect("an incident")["id"].as_u64().expect("a number"));
    let began = front["actions"][0]["started_at"]
        .as_str()
        .expect("a restart")
        .to_owned();
    let db = lab.incidents().into_iter().find(|incident| incident["service"] == "db");
    let over = db.expect("an incident")["closed_at"]
        .as_str()
        .expect("it is over")
        .to_owned();
    let [began, over]: [jiff::Timestamp; 2] = [began, over].map(|at| at.parse().expect("a time"));
    assert!(
        began >= over,
        "restarted at {began}, though the root came back at {over}"
    );
    assert_eq!(lab.starts("front"), 2);
}

#[test]
fn maintenance_window_leaves_a_dead_unit_alone_until_it_ends() {
    let lab = Lab::new(&[("shop", SLEEPER), ("mail", SLEEPER)], &services(&["shop", "mail"]));
    lab.await_state("shop", "healthy");
    let start = lab.host.sh("date -u -d '-1 hour' +%H:%M");
    reload(
        &lab,
        &format!(
            "[maintenance.disks]\nservices = [\"shop\"]\nzone = \"UTC\"\nstart = \"{start}\"\nduration = \"3h\"\n"
        ),
    );
    lab.await_state("shop", "maintenance");
    lab.kill("shop");
    // The other one shows that the agent saw both.
    lab.await_state("mail", "healthy");
    lab.kill("mail");
    lab.wait("mail is back", || lab.starts("mail") == 2);
    lab.await_state("mail", "healthy");
    assert_eq!(lab.starts("shop"), 1);
    assert_eq!(lab.incidents().len(), 1, "only that of mail");

    reload(&lab, "");
    lab.await_state("shop", "healthy");
    assert_eq!(lab.starts("shop"), 2, "once the window has gone, it is healed");
}

#[test]
fn deploy_is_not_disturbed_however_it_ends() {
    let lab = Lab::new(&[("shop", SLEEPER)], &services(&["shop"]));
    lab.await_state("shop", "healthy");
    // A deploy that kills what it replaces, looks about for a while, and starts the new one itself.
    let script = "systemctl kill -s KILL shop; until [ -e /var/tmp/go ]; do sleep 0.05; done; systemctl start shop";
    let mut deploy = begin(&lab, &format!("sentinel deploy shop -- sh -c '{script}'"));
    lab.await_state("shop", "maintenance");
    lab.wait("it is down", || {
        lab.host.try_sh("systemctl is-failed shop").status.success()
    });
    assert_eq!(lab.starts("shop"), 1);
    lab.host.sh("touch /var/tmp/go");
    assert!(deploy.wait().expect("it ends").success());
    lab.await_state("shop", "healthy");
    assert_eq!(lab.starts("shop"), 2, "the deploy started it, nobody else");
    assert!(lab.incidents().is_empty());

    // The wrapper is killed: what it left behind is found when its time is over.
    let mut deploy = begin(
        &lab,
        "sentinel deploy shop --for 2s -- sh -c 'systemctl kill -s KILL shop; exec sleep infinity'",
    );
    lab.wait("it is down again", || {
        lab.host.try_sh("systemctl is-failed shop").status.success()
    });
    lab.host
        .sh("pkill -KILL -f '^sentinel deploy'; pkill -f '^sleep infinity' || true");
    let _ = deploy.wait();
    lab.await_state("shop", "healthy");
    assert_eq!(lab.starts("shop"), 3, "the agent healed what the deploy left broken");
}

/// Runs a command on the host beside the test.
fn begin(lab: &Lab, command: &str) -> Child {
    lab.host
        .command(["sh", "-c", command])
        .spawn()
        .expect("docker exec can be run")
}

/// A lab whose services start at boot.
fn permanent(units: &[(&str, &str)], config: &str) -> Lab {
    let lab = Lab::new(units, config);
    let names: Vec<_> = units.iter().map(|(name, _)| format!("{name}.service")).collect();
    lab.host.sh(&format!(
        "systemctl enable sentinel && systemctl add-wants multi-user.target {}",
        names.join(" ")
    ));
    lab
}

#[test]
fn power_off_is_no_outage() {
    let names = ["a", "b", "c"];
    let units: Vec<_> = names.iter().map(|name| (*name, SLEEPER)).collect();
    let mut lab = permanent(&units, &services(&names));
    for name in names {
        lab.await_state(name, "healthy");
    }
    lab.reboot();
    for name in names {
        lab.await_state(name, "healthy");
        assert_eq!(lab.starts(name), 2, "once by each boot: {name}");
    }
    assert!(lab.incidents().is_empty(), "{:#?}", lab.incidents());
    assert!(lab.received().is_empty());
}

#[test]
fn incident_goes_on_after_a_reboot_with_what_is_left_of_its_budget() {
    let config = "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n[services.shop]\nunit = \"shop\"\n\
                  recovery = { burst = 4, backoff = \"3s\", backoff_max = \"20s\" }\n";
    let mut lab = permanent(&[("shop", NEVER_AGAIN)], config);
    lab.await_state("shop", "healthy");
    lab.host.sh("touch /var/tmp/broken");
    lab.kill("shop");
    // One more may be made while that is seen.
    lab.wait("two attempts were made", || {
        lab.status("shop")["attempts_left"]
            .as_u64()
            .is_some_and(|left| left == 2 || left == 1)
    });
    lab.reboot();
    lab.await_state("shop", "gave_up");
    let incidents = lab.incidents();
    assert_eq!(incidents.len(), 1, "it is the same one: {incidents:#?}");
    let incident = lab.incident(1);
    assert_eq!(incident["actions"].as_array().map(Vec::len), Some(4), "{incident:#}");
    lab.wait("it is told", || lab.received().len() >= 2);
    assert_eq!(kinds_about(&lab, "shop"), ["fired", "gave_up"]);

    lab.host.sh("rm /var/tmp/broken && systemctl start shop");
    lab.await_state("shop", "healthy");
    lab.wait("its end is told", || lab.received().len() >= 3);
    assert_eq!(kinds_about(&lab, "shop"), ["fired", "gave_up", "resolved"]);
}
