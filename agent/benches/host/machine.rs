//! The machine, for whoever compares figures.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Serialize;

/// Where and of what the figures are.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// When it began.
    pub date: Timestamp,
    /// The commit, with `-dirty` when there are changes.
    pub revision: String,
    /// The kernel.
    pub kernel: String,
    /// The processor.
    pub processor: String,
    /// Processors that can be used.
    pub cores: usize,
    /// Memory, in millions of bytes.
    pub memory_mb: u64,
    /// The size of the agent's binary, in millions of bytes.
    pub agent_mb: f64,
    /// Processes that wanted to run when it began, over 1, 5 and 15 minutes: other work makes figures worse.
    pub load_before: String,
    /// The same when it ended. The measuring itself is part of it.
    pub load_after: String,
}

impl Machine {
    /// This one.
    pub fn describe(agent: &Path) -> anyhow::Result<Self> {
        let size = fs::metadata(agent)
            .with_context(|| format!("cannot look at {}", agent.display()))?
            .len();
        Ok(Self {
            date: sentinel_base::clock::wall(),
            revision: revision(),
            kernel: read("/proc/sys/kernel/osrelease"),
            processor: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mb: memory_mb(),
            agent_mb: (size / 10_000) as f64 / 100.0,
            load_before: load(),
            load_after: String::new(),
        })
    }

    /// Notes the load again.
    pub fn finish(&mut self) {
        self.load_after = load();
    }
}

fn revision() -> String {
    let output = Command::new("git")
        .args(["describe", "--always", "--dirty", "--exclude=*"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

fn memory_mb() -> u64 {
    let text = field("/proc/meminfo", "MemTotal");
    let kib = text.split(' ').next().and_then(|number| number.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024 / 1_000_000
}

/// Three averages.
fn load() -> String {
    read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// What stands behind `name:` in a file of such lines.
fn field(path: &str, name: &str) -> String {
    let text = read(path);
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    });
    value.unwrap_or_else(|| "unknown".to_owned())
}
