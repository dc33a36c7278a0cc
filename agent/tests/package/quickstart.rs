//! The quick start of the README, as it is typed, on a host with a real nginx and a real Redis; then each of them is broken
//! in every way that is different to the agent.

use serde_json::Value;

use crate::built::OLD;
use crate::harness::Lab;

/// What a reader is asked to type.
const README: &str = include_str!("../../../README.md");

/// The test host has no sudo, and needs none: everybody there is root.
const SUDO: &str = "sudo() { \"$@\"; }\nset -e\n";

/// What is done to a service, and what the agent then makes of it.
struct Fault {
    service: &'static str,
    how: &'static str,
    cause: &'static str,
}

const FAULTS: [Fault; 5] = [
    Fault {
        service: "nginx",
        how: "systemctl kill --signal KILL nginx",
        cause: "killed by signal KILL",
    },
    Fault {
        service: "redis",
        how: "systemctl kill --signal STOP redis-server",
        cause: "runs but does not answer",
    },
    Fault {
        service: "nginx",
        how: "systemctl kill --signal STOP nginx",
        cause: "runs but does not answer",
    },
    Fault {
        service: "redis",
        how: "redis-cli config set requirepass forgotten",
        cause: "exited with code 1",
    },
    Fault {
        service: "nginx",
        how: "nginx -s quit",
        cause: "exited with code 0",
    },
];

/// The lines under `<!-- tested: NAME -->`.
fn block(name: &str) -> String {
    let mark = format!("<!-- tested: {name} -->\n\n");
    let (_, rest) = README.split_once(&mark).expect("the README has the block");
    let lines = rest
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "));
    let lines: Vec<&str> = lines.map(|line| line.get(4..).unwrap_or_default()).collect();
    let text = lines.join("\n");
    assert!(!text.trim().is_empty(), "{name} is empty");
    text
}

fn typed(lab: &Lab, name: &str) -> String {
    lab.host.sh(&format!("{SUDO}{}", block(name)))
}

/// Incidents of a service that are over, the newest first.
fn ended(lab: &Lab, service: &str) -> Vec<Value> {
    let mut incidents = lab.incidents();
    incidents.retain(|incident| incident["service"] == service && incident["resolution"].is_string());
    incidents
}

#[test]
fn quick_start_of_the_readme_heals_what_is_broken() {
    let lab = Lab::new();
    lab.host.sh("systemctl start nginx redis-server");
    lab.install(OLD);
    lab.await_active();
    typed(&lab, "configure");
    for service in ["nginx", "redis"] {
        lab.await_state(service, "healthy");
    }

    typed(&lab, "break");
    lab.wait("the first incident is over", || ended(&lab, "nginx").len() == 1);
    let reported = typed(&lab, "read");
    println!("{reported}");
    for part in ["killed by signal KILL", "event=verified", "2 services: 2 healthy"] {
        assert!(reported.contains(part), "{part:?} is not in\n{reported}");
    }

    for fault in &FAULTS {
        let before = ended(&lab, fault.service).len();
        lab.host.sh(fault.how);
        lab.wait(fault.how, || ended(&lab, fault.service).len() > before);
        let incident = &ended(&lab, fault.service)[0];
        println!("{}: {incident}", fault.how);
        let cause = incident["cause"].as_str().unwrap_or_default();
        assert!(cause.contains(fault.cause), "{}: {incident}", fault.how);
        assert_eq!(incident["resolution"], "healed", "{}: {incident}", fault.how);
        lab.await_state(fault.service, "healthy");
    }

    // Debian's unit says `Restart=always`: the supervisor goes first, and nothing is left to heal.
    let before = lab.incidents().len();
    lab.host.sh("systemctl kill --signal KILL redis-server");
    lab.wait("systemd has restarted redis", || {
        lab.host.sh("systemctl show -P NRestarts redis-server") == "1"
    });
    lab.await_state("redis", "healthy");
    assert_eq!(lab.incidents().len(), before);
}
