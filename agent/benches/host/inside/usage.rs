//! Memory and CPU of a process, from /proc.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context as _;

/// A process that is watched.
pub struct Usage {
    pid: i32,
    /// Nanoseconds that each thread has run; those of ended threads stay.
    threads: BTreeMap<String, u64>,
}

/// Memory, in millions of bytes.
pub struct Memory {
    /// Resident, files included.
    pub rss: f64,
    /// Resident, and its own alone.
    pub anonymous: f64,
    /// The most that was ever resident.
    pub peak: f64,
}

impl Usage {
    /// Watches `pid`.
    pub fn of(pid: i32) -> Self {
        Self {
            pid,
            threads: BTreeMap::new(),
        }
    }

    /// Seconds of CPU so far, user and system, all threads. (The ticks of /proc/PID/stat are too coarse for a process
    /// that mostly sleeps.)
    pub fn cpu(&mut self) -> anyhow::Result<f64> {
        for thread in fs::read_dir(format!("/proc/{}/task", self.pid)).context("the process has ended")? {
            let thread = thread?;
            let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else {
                continue;
            };
            let ran = text.split(' ').next().and_then(|number| number.parse().ok());
            let ran = ran.context("this kernel does not tell how long a thread ran")?;
            self.threads
                .insert(thread.file_name().to_string_lossy().into_owned(), ran);
        }
        Ok(self.threads.values().sum::<u64>() as f64 / 1e9)
    }

    /// Memory now.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid)).context("the process has ended")?;
        let megabytes = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            let kib = line.and_then(|rest| rest.trim().split(' ').next()?.parse::<f64>().ok());
            kib.map(|kib| kib * 1024.0 / 1e6)
                .with_context(|| format!("this kernel does not tell {key}"))
        };
        Ok(Memory {
            rss: megabytes("VmRSS")?,
            anonymous: megabytes("RssAnon")?,
            peak: megabytes("VmHWM")?,
        })
    }
}
