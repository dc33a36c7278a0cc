//! What the installed service costs as operators run it: the package's unit, user and sandbox, twenty units of which
//! half are probed over HTTP, every key at its default.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::agent::Agent;
use super::usage::Usage;
use super::{SENTINEL, target, units};
use crate::figures::Figure;

/// Units that are probed, and as many that are only watched.
const EACH: u16 = 10;

/// Where the first of those listens that are probed.
const PORT: u16 = 8101;

/// The default of `interval`.
const INTERVAL: Duration = Duration::from_secs(10);

/// How often memory and CPU are read.
const WINDOW: Duration = Duration::from_secs(60);

/// Measures for `minutes`.
pub fn measure(minutes: usize) -> anyhow::Result<()> {
    let config = make_units()?;
    fs::write("/etc/sentinel/conf.d/10-bench.toml", config).context("is the package installed?")?;
    let agent = Agent::start_installed()?;
    agent.await_healthy()?;

    let mut usage = Usage::of(agent.pid()?);
    let (mut rss, mut anonymous, mut cgroup, mut share) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let probed_before = probes()?;
    let cpu_before = usage.cpu()?;
    let mut cpu = cpu_before;
    for _ in 0..minutes {
        let start = Instant::now();
        std::thread::sleep(WINDOW);
        let now = usage.cpu()?;
        share.push(100.0 * (now - cpu) / start.elapsed().as_secs_f64());
        cpu = now;
        let memory = usage.memory()?;
        rss.push(memory.rss);
        anonymous.push(memory.anonymous);
        cgroup.push(cgroup_memory()?);
    }
    let probes = probes()? - probed_before;
    let peak = usage.memory()?.peak;
    agent.expect_incidents(0)?;
    let wanted = minutes as f64 * f64::from(EACH) * WINDOW.as_secs_f64() / INTERVAL.as_secs_f64();
    ensure!(
        probes as f64 > wanted * 0.9,
        "the agent made {probes} probes of {wanted}"
    );

    let emit = |what: &str, unit: &str, values: Vec<f64>| {
        let what = format!("{what}, installed, {} units, {minutes} min", 2 * EACH);
        Figure::emit(&what, SENTINEL, unit, values)
    };
    emit("RSS", "MB", rss)?;
    emit("anonymous memory", "MB", anonymous)?;
    emit("peak RSS since its start", "MB", vec![peak])?;
    emit("memory of the unit, by systemd", "MB", cgroup)?;
    emit("peak memory of the unit since its start", "MB", vec![cgroup_peak()?])?;
    emit("CPU", "%", share)?;
    emit("CPU in all", "s", vec![cpu - cpu_before])?;
    emit("probes", "probes", vec![probes as f64])
}

/// Makes and starts the units; answers the configuration that watches them.
fn make_units() -> anyhow::Result<String> {
    let this = std::env::current_exe()?;
    // As shipped it only observes; whoever means it heals.
    let mut config = "[agent]\nmode = \"heal\"\n".to_owned();
    let mut names = Vec::new();
    for nth in 0..EACH {
        let (web, plain, port) = (format!("web{nth}"), format!("plain{nth}"), PORT + nth);
        units::write(&web, &format!("{} inside target {port}", this.display()), "")?;
        units::write(&plain, "sleep infinity", "")?;
        writeln!(
            config,
            "[services.{web}]\nunit = \"{web}\"\nhttp = \"http://127.0.0.1:{port}/health\"\n\
             [services.{plain}]\nunit = \"{plain}\""
        )?;
        names.extend([web, plain]);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    units::start(&names)?;
    (0..EACH).try_for_each(|nth| target::await_answer(PORT + nth))?;
    Ok(config)
}

/// How often all of them were probed so far.
fn probes() -> anyhow::Result<u64> {
    (0..EACH).map(|nth| target::count(PORT + nth)).sum()
}

/// `MemoryCurrent` of the agent's unit, in millions of bytes: the page cache of its files counts too.
fn cgroup_memory() -> anyhow::Result<f64> {
    let said = units::systemctl(&["show", "--property=MemoryCurrent", "--value", "sentinel"])?;
    let bytes: f64 = said
        .trim()
        .parse()
        .with_context(|| format!("systemd does not count the memory of the unit: {said}"))?;
    Ok(bytes / 1e6)
}

/// The most there was of it. systemd reports that from version 254 on; until then the kernel does.
fn cgroup_peak() -> anyhow::Result<f64> {
    let group = units::systemctl(&["show", "--property=ControlGroup", "--value", "sentinel"])?;
    let group = group.trim();
    let bytes = [
        format!("/sys/fs/cgroup{group}/memory.peak"),
        format!("/sys/fs/cgroup/memory{group}/memory.max_usage_in_bytes"),
    ]
    .iter()
    .find_map(|path| fs::read_to_string(path).ok()?.trim().parse::<f64>().ok());
    Ok(bytes.context("this kernel does not tell the most memory of a control group")? / 1e6)
}
