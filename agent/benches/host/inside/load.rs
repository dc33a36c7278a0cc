//! What watching costs: memory and CPU with a few and with many HTTP services, all contestants at the same time.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::agent::Agent;
use super::driven::Driving;
use super::rivals::Rival;
use super::usage::Usage;
use super::{SENTINEL, http};
use crate::figures::Figure;

/// Memory with few services.
pub const RSS_FEW: &str = "RSS, 5 services";
/// Memory with many services.
pub const RSS_MANY: &str = "RSS, 1,000 services";
/// CPU of probing.
pub const CPU_PER_PROBES: &str = "CPU per 1,000 probes, 1,000 services";
/// CPU of waiting.
pub const CPU_IDLE: &str = "CPU, 5 services every 10 s";

const ANONYMOUS_FEW: &str = "anonymous memory, 5 services";
const ANONYMOUS_MANY: &str = "anonymous memory, 1,000 services";
const PROBES_FEW: &str = "probes per interval of 5";
const PROBES_MANY: &str = "probes per interval of 1,000";

/// Whose targets listen where.
const CONTESTANTS: [(&str, u16); 3] = [(SENTINEL, 8091), ("monit", 8092), ("blackbox exporter", 8093)];

/// How many services, how often they are probed, and for how many intervals.
struct Scene {
    services: usize,
    interval: Duration,
    windows: usize,
    rss: &'static str,
    anonymous: &'static str,
    probes: &'static str,
}

/// Ten seconds is what operators use. For a thousand it is halved, so that twenty windows do not take all day.
const SCENES: [Scene; 2] = [
    Scene {
        services: 5,
        interval: Duration::from_secs(10),
        windows: 12,
        rss: RSS_FEW,
        anonymous: ANONYMOUS_FEW,
        probes: PROBES_FEW,
    },
    Scene {
        services: 1000,
        interval: Duration::from_secs(5),
        windows: 20,
        rss: RSS_MANY,
        anonymous: ANONYMOUS_MANY,
        probes: PROBES_MANY,
    },
];

/// What was measured of one contestant.
struct Entry {
    who: &'static str,
    probed: Arc<AtomicU64>,
    usage: Usage,
    /// CPU and probes when the window began.
    before: (f64, u64),
    rss: Vec<f64>,
    anonymous: Vec<f64>,
    probes: Vec<f64>,
    cpu_share: Vec<f64>,
    cpu_per_probes: Vec<f64>,
}

/// Measures every scene.
pub fn measure() -> anyhow::Result<()> {
    let counters = CONTESTANTS.map(|(_, port)| count_probes(port));
    SCENES.iter().try_for_each(|scene| scene.measure(&counters))
}

/// Answers every probe with 200, and counts them.
fn count_probes(port: u16) -> Arc<AtomicU64> {
    let counter = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&counter);
    std::thread::spawn(move || {
        let ended = http::serve(port, move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            (200, "well".to_owned())
        });
        eprintln!("the targets ended: {ended:?}");
    });
    counter
}

impl Scene {
    fn measure(&self, counters: &[Arc<AtomicU64>; 3]) -> anyhow::Result<()> {
        let seconds = self.interval.as_secs();
        let agent = Agent::start(&self.config())?;
        let monit = Rival::monit(u32::try_from(seconds)?, &self.checks())?;
        let blackbox = Rival::blackbox()?;
        let [_, _, (_, port)] = CONTESTANTS;
        let _driving = Driving::start(port, self.services, self.interval)?;
        agent.await_healthy()?;
        // All have been probed, and the memory is what it will be.
        std::thread::sleep(2 * self.interval);

        let pids = [agent.pid()?, monit.pid()?, blackbox.pid()?];
        let mut entries: Vec<Entry> = CONTESTANTS
            .iter()
            .zip(counters)
            .zip(pids)
            .map(|(((who, _), counter), pid)| Entry::new(who, counter, pid))
            .collect();
        entries.iter_mut().try_for_each(Entry::begin)?;
        for _ in 0..self.windows {
            let start = Instant::now();
            std::thread::sleep(self.interval);
            entries.iter_mut().try_for_each(|entry| entry.end(start.elapsed()))?;
        }
        agent.expect_incidents(0)?;
        for entry in &entries {
            self.emit(entry)?;
        }
        Ok(())
    }

    fn emit(&self, entry: &Entry) -> anyhow::Result<()> {
        let probes: f64 = entry.probes.iter().sum();
        let wanted = (self.services * self.windows) as f64;
        ensure!(probes > wanted * 0.8, "{} made {probes} probes of {wanted}", entry.who);
        Figure::emit(self.rss, entry.who, "MB", entry.rss.clone())?;
        Figure::emit(self.anonymous, entry.who, "MB", entry.anonymous.clone())?;
        Figure::emit(self.probes, entry.who, "probes", entry.probes.clone())?;
        if self.services < 100 {
            Figure::emit(CPU_IDLE, entry.who, "%", entry.cpu_share.clone())
        } else {
            Figure::emit(CPU_PER_PROBES, entry.who, "s", entry.cpu_per_probes.clone())
        }
    }

    fn config(&self) -> String {
        let [(_, port), ..] = CONTESTANTS;
        let mut text = format!("[defaults]\ninterval = \"{}s\"\n", self.interval.as_secs());
        for nth in 0..self.services {
            let _ = writeln!(text, "[services.s{nth}]\nhttp = \"http://127.0.0.1:{port}/{nth}\"");
        }
        text
    }

    fn checks(&self) -> String {
        let [_, (_, port), _] = CONTESTANTS;
        let mut text = String::new();
        for nth in 0..self.services {
            let _ = writeln!(
                text,
                "check host s{nth} with address 127.0.0.1\n  \
                 if failed port {port} protocol http request \"/{nth}\" then alert"
            );
        }
        text
    }
}

impl Entry {
    fn new(who: &'static str, probed: &Arc<AtomicU64>, pid: i32) -> Self {
        Self {
            who,
            probed: Arc::clone(probed),
            usage: Usage::of(pid),
            before: (0.0, 0),
            rss: Vec::new(),
            anonymous: Vec::new(),
            probes: Vec::new(),
            cpu_share: Vec::new(),
            cpu_per_probes: Vec::new(),
        }
    }

    fn begin(&mut self) -> anyhow::Result<()> {
        self.before = (self.usage.cpu()?, self.probed.load(Ordering::Relaxed));
        Ok(())
    }

    fn end(&mut self, window: Duration) -> anyhow::Result<()> {
        let (cpu_before, probes_before) = self.before;
        self.begin()?;
        let (cpu, probes) = self.before;
        let (cpu, probes) = (cpu - cpu_before, (probes - probes_before) as f64);
        let memory = self.usage.memory()?;
        self.rss.push(memory.rss);
        self.anonymous.push(memory.anonymous);
        self.probes.push(probes);
        self.cpu_share.push(100.0 * cpu / window.as_secs_f64());
        self.cpu_per_probes.push(1000.0 * cpu / probes);
        Ok(())
    }
}
