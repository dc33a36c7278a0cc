//! The agent in a container, on the bus of a host.
//!
//! The host is a test host, whose bus is in a volume; its polkit decides, as on any host.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::docker::{Container, docker, images, output, root, run, said};

use crate::host::{Host, wait_until};

const BOUND: Duration = Duration::from_secs(60);

/// The user on the host. No other has this number there.
const UID: &str = "990";

const CONFIG: &str = r#"
[defaults.recovery]
backoff = "1s"
min_uptime = "1s"

[recovery]
boot_grace = "0s"

[services.granted]
unit = "granted.service"

[services.other]
unit = "other.service"
"#;

/// A host with two units, of which polkit grants one, and its bus in a volume.
struct Bus {
    host: Host,
    volume: String,
    config: tempfile::TempDir,
}

impl Bus {
    fn new() -> Self {
        images();
        let volume =
            format!("compose-bus-{}-{:?}", std::process::id(), std::thread::current().id()).replace(['(', ')'], "-");
        let host = Host::start_with(&["--volume", &format!("{volume}:/run/dbus")]);
        host.sh(&format!("useradd --system --uid {UID} sentinel"));
        for unit in ["granted", "other"] {
            host.sh(&format!("systemd-run --quiet --unit {unit} sleep infinity"));
        }
        let rules = fs::read_to_string(root().join("deploy/dbus/60-sentinel.rules")).expect("the rules are there");
        let example = "[\"nginx.service\"]";
        assert!(rules.contains(example));
        let rules = rules.replace(example, "[\"granted.service\"]");
        host.write("/etc/polkit-1/rules.d/60-sentinel.rules", rules.as_bytes());
        let config = tempfile::tempdir().expect("a folder");
        fs::write(config.path().join("sentinel.toml"), CONFIG).expect("the folder can be written to");
        // Other users have to read it.
        run(std::process::Command::new("chmod")
            .args(["-R", "a+rX"])
            .arg(config.path()));
        Self { host, volume, config }
    }

    /// How the agent is run, as compose.dbus.yaml has it.
    fn options(&self, user: &str) -> Vec<String> {
        vec![
            format!("--user={user}"),
            "--read-only".into(),
            "--cap-drop=ALL".into(),
            "--security-opt=no-new-privileges:true".into(),
            "--tmpfs=/run/sentinel:mode=1777".into(),
            format!("--volume={}:/run/dbus", self.volume),
            format!("--volume={}:/etc/sentinel:ro", self.config.path().display()),
            "--env=DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/dbus/system_bus_socket".into(),
            "sentinel-monitor:demo".into(),
        ]
    }

    fn agent(&self, user: &str, arguments: &[&str]) -> Container {
        let options = self.options(user);
        let mut all: Vec<&str> = options.iter().map(String::as_str).collect();
        all.extend(arguments);
        Container::start(&all)
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = docker(["rm", "--force", "--volumes", self.host.id()])
            .stdout(Stdio::null())
            .status();
        let _ = docker(["volume", "rm", &self.volume]).stdout(Stdio::null()).status();
    }
}

fn wait_for_line(agent: &Container, parts: &[&str]) {
    wait_until(&format!("{parts:?}"), BOUND, || {
        agent
            .logs()
            .lines()
            .any(|line| parts.iter().all(|part| line.contains(part)))
    });
}

#[test]
fn agent_in_a_container_heals_the_units_that_the_host_grants() {
    let bus = Bus::new();
    let agent = bus.agent(&format!("{UID}:{UID}"), &["run"]);
    for unit in ["granted", "other"] {
        wait_for_line(&agent, &[&format!("service={unit}"), "event=healthy"]);
    }
    bus.host.sh("systemctl kill --signal KILL granted");
    wait_for_line(
        &agent,
        &["service=granted", "event=incident_closed", "resolution=healed"],
    );
    assert_eq!(bus.host.sh("systemctl is-active granted"), "active");

    bus.host.sh("systemctl kill --signal KILL other");
    wait_for_line(&agent, &["service=other", "event=restart_ended", "result=refused"]);
    let state = bus.host.try_sh("systemctl is-active other");
    assert!(!state.status.success(), "{}", said(&state));
}

#[test]
fn root_with_the_bus_of_the_host_is_refused_unless_it_is_forced() {
    let bus = Bus::new();
    let options = bus.options("0:0");
    let refused = output(docker(["run", "--rm"]).args(&options).arg("run"));
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let why = "refused to run as root in a container that has the host's bus (`/run/dbus/system_bus_socket`)";
    assert!(said(&refused).contains(why), "{}", said(&refused));

    let agent = bus.agent("0:0", &["run", "--root-on-host-bus"]);
    wait_for_line(&agent, &["service=other", "event=healthy"]);
    assert_eq!(agent.exec(&["sentinel", "health"]).status.code(), Some(0));
}
