//! A host with the agent, services to fail, and a receiver to notify.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::host::Host;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Quick, so that tests do not wait for defaults.
const QUICK: &str = r#"
[agent]
name = "lab"

[defaults]
interval = "300ms"
timeout = "300ms"
start_grace = "5s"
recovery = { backoff = "500ms", backoff_max = "2s", jitter = 0.0, verify = "10s", min_uptime = "500ms" }

[recovery]
tokens = 1000
storm_services = 1000
boot_grace = "0s"

[alerts]
notify_after = "0s"
group_wait = "0s"
"#;

/// A host under test.
pub(crate) struct Lab {
    pub(crate) host: Host,
}

impl Lab {
    /// Boots a host with the agent installed, not running yet, and `units` that sleep. The agent has the user and the sandbox
    /// of the package: whoever it tells, it tells from there.
    pub(crate) fn new(units: &[&str], config: &str) -> Self {
        let host = Host::start_variant("mail", &[]);
        host.install_agent(Path::new(env!("CARGO_BIN_EXE_sentinel")), "0");
        host.write("/etc/sentinel/sentinel.toml", format!("{QUICK}\n{config}").as_bytes());
        for name in units {
            let path = format!("/etc/systemd/system/{name}.service");
            host.write(&path, b"[Service]\nExecStart=/bin/sleep infinity\n");
        }
        host.confine_agent();
        for name in units {
            host.sh(&format!("systemctl start {name}"));
        }
        Self { host }
    }

    pub(crate) fn kill(&self, unit: &str) {
        self.host.sh(&format!("kill -9 $(systemctl show -P MainPID {unit})"));
    }

    /// Waits until `holds`; says what was logged if it never does.
    pub(crate) fn wait(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(
                start.elapsed() < PATIENCE,
                "not within {PATIENCE:?}: {what}\n{}",
                self.host
                    .sh("journalctl --no-pager --lines 80 --output short-iso-precise")
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn await_state(&self, service: &str, state: &str) {
        self.wait(&format!("`{service}` is {state}"), || {
            self.json(&format!("sentinel status {service} --json"))["services"][0]["state"] == state
        });
    }

    /// What a command prints, as JSON; null when it fails.
    pub(crate) fn json(&self, command: &str) -> Value {
        let output = self.host.try_sh(command);
        if output.status.success() {
            serde_json::from_slice(&output.stdout).unwrap_or_default()
        } else {
            Value::Null
        }
    }

    /// The messages about an incident to one receiver: state and last error, in order.
    pub(crate) fn messages(&self, incident: u64, receiver: &str) -> Vec<(String, String)> {
        let incident = self.json(&format!("sentinel incidents {incident} --json"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        incident["messages"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|message| message["receiver"] == receiver)
            .map(|message| (text(&message["state"]), text(&message["last_error"])))
            .collect()
    }
}
