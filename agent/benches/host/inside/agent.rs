//! The agent as a contestant: its own unit, a configuration, an empty state directory.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::units;

/// Longer than a thousand services need.
const PATIENCE: Duration = Duration::from_secs(60);

/// As quick to go on as it can be told to, so that one sample after another is the first attempt of a new incident.
pub const QUICK: &str = r#"
[defaults]
interval = "1s"
fall = 1
rise = 1
recovery = { backoff = "1ms", backoff_max = "1ms", jitter = 0.0, burst = 100, window = "1s", verify = "10s", min_uptime = "0s", reset_after = "1s" }

# Measuring restarts more than a host should.
[recovery]
tokens = 10000
storm_services = 10000
boot_grace = "0s"

[receivers.hook]
webhook = { url = "http://127.0.0.1:9100/" }
"#;

/// The agent while it runs; ends with the measuring.
pub struct Agent {
    /// Its program and its unit.
    name: &'static str,
}

impl Agent {
    /// Starts it with this configuration, remembering nothing.
    pub fn start(config: &str) -> anyhow::Result<Self> {
        fs::create_dir_all("/etc/sentinel")?;
        fs::write("/etc/sentinel/sentinel.toml", config)?;
        for entry in fs::read_dir("/var/lib/sentinel")? {
            fs::remove_file(entry?.path())?;
        }
        Self::start_installed()
    }

    /// Starts it as it was installed: with the configuration that is there, and what it remembers.
    pub fn start_installed() -> anyhow::Result<Self> {
        let agent = Self { name: "sentinel" };
        units::start(&[agent.name]).context("the agent does not start")?;
        Ok(agent)
    }

    /// Its process.
    pub fn pid(&self) -> anyhow::Result<i32> {
        Ok(units::look(self.name)?.pid)
    }

    /// Waits until every service is healthy, and nothing is left of earlier incidents.
    pub fn await_healthy(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        let mut seen = String::new();
        while start.elapsed() < PATIENCE {
            let output = Command::new(self.name).args(["status", "--json"]).output()?;
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let services = answer
                .get("services")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let well = |service: &Value| service.get("state").is_some_and(|state| state == "healthy");
            if !services.is_empty() && services.iter().all(well) {
                return Ok(());
            }
            seen = format!("{:?}", services.iter().find(|service| !well(service)));
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("not every service was healthy within {PATIENCE:?}: {seen}")
    }

    /// Asserts that it did what it should have: nothing was given up or went wrong unseen.
    pub fn expect_incidents(&self, count: usize) -> anyhow::Result<()> {
        let output = Command::new(self.name)
            .args(["incidents", "--limit", "1", "--json"])
            .output()?;
        let answer: Value = serde_json::from_slice(&output.stdout).context("the history is JSON")?;
        let newest = answer
            .get("incidents")
            .and_then(|incidents| incidents.get(0)?.get("id")?.as_u64())
            .unwrap_or_default();
        ensure!(
            newest == count as u64,
            "{count} failures were made, and the agent knows of {newest} incidents"
        );
        Ok(())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Err(error) = units::stop(&[self.name]) {
            eprintln!("{error:#}");
        }
    }
}
