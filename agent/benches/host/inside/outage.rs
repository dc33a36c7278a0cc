//! What it takes when everything fails: as many services as one agent watches, all down at once.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::agent::Agent;
use super::usage::Usage;
use super::{SENTINEL, http};
use crate::figures::Figure;

/// Memory while everything fails.
pub const PEAK: &str = "peak RSS, 9,999 services down at once";

const ANONYMOUS: &str = "anonymous memory, 9,999 services down at once";
const BEFORE: &str = "peak RSS, 9,999 services healthy";

/// The most that one agent watches, but for the service that is probed only to see that it was the last.
const SERVICES: usize = 9_999;

/// Where they listen.
const PORT: u16 = 8094;

/// Until all have been found down, the storm is over, and every receiver that is to be notified of each was: what
/// speaks for all does so for ten minutes at most.
const LASTS: Duration = Duration::from_secs(13 * 60);

/// Measures the agent as it is used, with every key at its default.
pub fn measure() -> anyhow::Result<()> {
    let broken = Arc::new(AtomicBool::new(false));
    let is_broken = Arc::clone(&broken);
    std::thread::spawn(move || {
        let ended = http::serve(PORT, move |_| {
            let status = if is_broken.load(Ordering::Relaxed) { 500 } else { 200 };
            (status, "as it is".to_owned())
        });
        eprintln!("the targets ended: {ended:?}");
    });
    // A receiver that takes nothing: every message waits.
    let mut config = "[receivers.dead]\nwebhook = { url = \"http://127.0.0.1:9/\" }\n".to_owned();
    for nth in 0..SERVICES {
        let _ = writeln!(config, "[services.s{nth}]\nhttp = \"http://127.0.0.1:{PORT}/{nth}\"");
    }
    let agent = Agent::start(&config)?;
    agent.await_healthy()?;
    let usage = Usage::of(agent.pid()?);
    Figure::emit(BEFORE, SENTINEL, "MB", vec![usage.memory()?.peak])?;
    broken.store(true, Ordering::Relaxed);
    let start = Instant::now();
    let mut anonymous = Vec::new();
    while start.elapsed() < LASTS {
        std::thread::sleep(Duration::from_secs(10));
        anonymous.push(usage.memory()?.anonymous);
    }
    Figure::emit(ANONYMOUS, SENTINEL, "MB", anonymous)?;
    Figure::emit(PEAK, SENTINEL, "MB", vec![usage.memory()?.peak])
}
