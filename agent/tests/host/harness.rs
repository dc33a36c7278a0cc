//! A host with the agent, something to watch, and a receiver to notify.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::host::Host;
use crate::receiver::{ADDRESS, RECEIVED};

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What every lab's configuration begins with: quick, so that tests do not wait for defaults.
const QUICK: &str = r#"
[agent]
name = "lab"

[defaults]
interval = "300ms"
timeout = "300ms"
start_grace = "5s"
recovery = { backoff = "500ms", backoff_max = "2s", jitter = 0.0, verify = "10s", min_uptime = "500ms" }

# Tests restart more than a host should.
[recovery]
tokens = 1000
storm_services = 1000
boot_grace = "0s"

[receivers.hook]
webhook = { url = "http://127.0.0.1:9100/" }
"#;

/// A host under test.
pub struct Lab {
    pub host: Host,
    receiver: Option<Child>,
}

impl Lab {
    /// Boots a host with the agent installed, the `units` (name and `[Service]` lines) running, and a receiver listening.
    pub fn new(units: &[(&str, &str)], config: &str) -> Self {
        let host = Host::start();
        host.install_agent(Path::new(env!("CARGO_BIN_EXE_sentinel")), "0");
        let demo = Path::new(env!("CARGO_BIN_EXE_sentinel")).with_file_name("demo-service");
        assert!(
            demo.exists(),
            "{} is missing: run `cargo build --workspace` first",
            demo.display()
        );
        host.install(&demo, "/usr/bin/demo-service");
        host.install_tests();
        host.write("/etc/sentinel/sentinel.toml", format!("{QUICK}\n{config}").as_bytes());
        for (name, service) in units {
            // Every start of the unit leaves a line, whoever started it.
            let text = format!("[Service]\nExecStartPre=/bin/sh -c 'echo start >>/var/tmp/{name}.starts'\n{service}\n");
            host.write(&format!("/etc/systemd/system/{name}.service"), text.as_bytes());
        }
        host.sh("systemctl daemon-reload");
        for (name, _) in units {
            host.sh(&format!("systemctl start {name}"));
        }
        let mut lab = Self { host, receiver: None };
        lab.start_receiver();
        lab.host.sh("systemctl start sentinel");
        lab
    }

    pub fn start_receiver(&mut self) {
        self.receiver = Some(self.run_inside("receiver::serve_webhooks"));
        self.wait("the receiver listens", || {
            self.host.try_sh(&format!("curl -s http://{ADDRESS}/")).status.success()
        });
    }

    /// Runs one of the servers of this suite inside the host, until it is killed.
    pub fn run_inside(&self, server: &str) -> Child {
        let mut command = self
            .host
            .command(["/usr/local/bin/sentinel-test", "--ignored", "--exact", server]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("docker exec can be run")
    }

    /// Powers the host off in order, and on again.
    pub fn reboot(&mut self) {
        self.host.reboot();
        if let Some(mut receiver) = self.receiver.take() {
            receiver.wait().expect("it can be waited for");
        }
        self.start_receiver();
    }

    pub fn stop_receiver(&mut self) {
        self.host.sh("kill -9 $(pidof sentinel-test)");
        if let Some(mut receiver) = self.receiver.take() {
            receiver.wait().expect("it can be waited for");
        }
    }

    /// Waits until the service is in `state`.
    pub fn await_state(&self, service: &str, state: &str) {
        self.wait(&format!("`{service}` is {state}"), || self.state(service) == state);
    }

    /// Waits until `holds`; says what the agent logged if it never does.
    pub fn wait(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(
                start.elapsed() < PATIENCE,
                "not within {PATIENCE:?}: {what}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The state of a service, or nothing while no agent answers.
    pub fn state(&self, service: &str) -> String {
        self.status(service)["state"].as_str().unwrap_or_default().to_owned()
    }

    /// What `sentinel status` says of a service.
    pub fn status(&self, service: &str) -> Value {
        let output = self.host.try_sh(&format!("sentinel status {service} --json"));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        answer["services"][0].clone()
    }

    /// Every incident, oldest first.
    pub fn incidents(&self) -> Vec<Value> {
        let answer: Value =
            serde_json::from_str(&self.host.sh("sentinel incidents --limit 100 --json")).expect("it is JSON");
        let mut incidents = answer["incidents"].as_array().expect("a list").clone();
        incidents.reverse();
        incidents
    }

    /// One incident with its story.
    pub fn incident(&self, id: u64) -> Value {
        serde_json::from_str(&self.host.sh(&format!("sentinel incidents {id} --json"))).expect("it is JSON")
    }

    /// The kinds of an incident's timeline.
    pub fn timeline(&self, id: u64) -> Vec<String> {
        let incident = self.incident(id);
        let entries = incident["timeline"].as_array().expect("a list");
        entries
            .iter()
            .map(|entry| entry["kind"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// What the receiver got: idempotency key and body, in order.
    pub fn received(&self) -> Vec<(String, Value)> {
        let text = self.host.sh(&format!("cat {RECEIVED} 2>/dev/null || true"));
        text.lines()
            .map(|line| {
                let (id, body) = line.split_once(' ').expect("an id and a body");
                (id.to_owned(), serde_json::from_str(body).expect("the body is JSON"))
            })
            .collect()
    }

    /// The kinds of the messages received, in order. One that comes again, as after a death of the agent, is the same one.
    pub fn received_kinds(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        self.received()
            .iter()
            .filter(|(key, _)| seen.insert(key.clone()))
            .map(|(_, body)| body["data"]["kind"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Waits until the receiver got `count` messages, and answers their kinds.
    pub fn await_messages(&self, count: usize) -> Vec<String> {
        self.wait(&format!("{count} messages arrive"), || {
            self.received_kinds().len() >= count
        });
        self.received_kinds()
    }

    /// How often a unit was started.
    pub fn starts(&self, unit: &str) -> usize {
        self.host
            .sh(&format!("wc -l </var/tmp/{unit}.starts"))
            .trim()
            .parse()
            .expect("a number")
    }

    pub fn main_pid(&self, unit: &str) -> String {
        self.host.sh(&format!("systemctl show -P MainPID {unit}"))
    }

    pub fn kill(&self, unit: &str) {
        self.host.sh(&format!("kill -9 {}", self.main_pid(unit)));
    }

    /// What `systemctl status sentinel` tells in one line.
    pub fn status_text(&self) -> String {
        self.host.sh("systemctl show -P StatusText sentinel")
    }

    /// What the agent logged.
    pub fn log(&self) -> String {
        self.host.sh("journalctl --no-pager -u sentinel -o cat")
    }

    /// Waits until the log has a line with all of `words`.
    pub fn await_log(&self, words: &[&str]) {
        self.wait(&format!("a line with {words:?}"), || {
            self.log()
                .lines()
                .any(|line| words.iter().all(|word| line.contains(word)))
        });
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            let _ = receiver.kill();
            let _ = receiver.wait();
        }
    }
}
