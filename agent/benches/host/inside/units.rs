//! Units: making them, killing them, and what systemd says of them.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::clock;

/// systemd is not asked before this, so that asking is no part of what is measured, and not more often. What it
/// answers is the moment itself, so nothing is lost by asking late.
const ASK_EVERY: Duration = Duration::from_millis(150);

/// A contestant that needs longer is taken for broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A run of a unit.
#[derive(Clone, Debug)]
pub struct Run {
    /// The main process.
    pub pid: i32,
    /// Which run it is.
    pub invocation: String,
    /// When it became active, by [`clock::now`].
    pub active_since: u64,
    active: bool,
}

/// Writes a unit that runs `command`, and leaves its pid where Monit finds it.
pub fn write(name: &str, command: &str, more: &str) -> anyhow::Result<()> {
    let text = format!(
        "[Unit]\nStartLimitIntervalSec=0\n\
         [Service]\nExecStart=/bin/sh -c 'echo $$$$ >/run/{name}.pid; exec {command}'\n{more}\n"
    );
    fs::write(format!("/etc/systemd/system/{name}.service"), text).context("a unit cannot be written")
}

/// Runs `systemctl`.
pub fn systemctl(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("systemctl").args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "systemctl {} failed: {said}",
        arguments.join(" ")
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// Starts these units again, as they are written now.
pub fn start(names: &[&str]) -> anyhow::Result<()> {
    systemctl(&["daemon-reload"])?;
    systemctl(&[&["restart"], names].concat()).map(drop)
}

/// Stops these units.
pub fn stop(names: &[&str]) -> anyhow::Result<()> {
    systemctl(&[&["stop"], names].concat()).map(drop)
}

/// The present run of a unit.
pub fn look(name: &str) -> anyhow::Result<Run> {
    let properties = "--property=MainPID,InvocationID,ActiveState,ActiveEnterTimestampMonotonic";
    let text = systemctl(&["show", properties, name])?;
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .with_context(|| format!("systemd does not tell the {key} of {name}"))
    };
    Ok(Run {
        pid: value("MainPID")?.parse()?,
        invocation: value("InvocationID")?.to_owned(),
        active_since: value("ActiveEnterTimestampMonotonic")?.parse()?,
        active: value("ActiveState")? == "active",
    })
}

impl Run {
    /// `kill -9` for its main process. Answers when.
    pub fn kill(&self) -> anyhow::Result<u64> {
        let pid = Pid::from_raw(self.pid).context("it has no main process")?;
        let at = clock::now();
        kill_process(pid, Signal::KILL)?;
        Ok(at)
    }

    /// The next run of the unit, once it is active.
    pub fn next(&self, name: &str) -> anyhow::Result<Self> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            std::thread::sleep(ASK_EVERY);
            let now = look(name)?;
            if now.active && now.invocation != self.invocation {
                return Ok(now);
            }
        }
        bail!("{name} was not active again within {PATIENCE:?}")
    }
}
