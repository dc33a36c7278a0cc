//! A service that is probed, and fails at a moment of one's choice.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::{clock, http};

/// Probes that came in the last seconds are looked at with this pause.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Who probes every second does so with gaps longer than this, unless it looks closer for some reason.
const STEADY_GAP: u64 = 800_000;

/// When it was probed last, and what it answers.
#[derive(Default)]
struct State {
    /// The last three probes, oldest first.
    probes: Mutex<[u64; 3]>,
    /// All of them.
    count: AtomicU64,
    failing: AtomicBool,
}

/// Serves until killed.
///
/// * `/health` answers 200, or 500 while failing
/// * `/fail/SHARE` waits until it has been probed once a second for a while, fails from `SHARE` of a second after the
///   last probe, and answers that moment
/// * `/fix` ends that
/// * `/count` answers how often it was probed
pub fn serve(port: u16) -> anyhow::Result<()> {
    let state = Arc::new(State::default());
    match http::serve(port, move |request| state.answer(&request.line))? {}
}

impl State {
    fn answer(&self, line: &str) -> (u16, String) {
        match line {
            "GET /health" => self.probed(),
            "GET /count" => (200, self.count.load(Ordering::SeqCst).to_string()),
            "GET /fix" => {
                self.failing.store(false, Ordering::SeqCst);
                (200, String::new())
            }
            _ => match line.strip_prefix("GET /fail/").and_then(|share| share.parse().ok()) {
                Some(share) => (200, self.fail_at(share).to_string()),
                None => (404, String::new()),
            },
        }
    }

    fn probed(&self) -> (u16, String) {
        self.count.fetch_add(1, Ordering::SeqCst);
        let mut probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        *probes = [probes[1], probes[2], clock::now()];
        if self.failing.load(Ordering::SeqCst) {
            (500, "failing".to_owned())
        } else {
            (200, "well".to_owned())
        }
    }

    fn fail_at(&self, share: f64) -> u64 {
        let after = Duration::from_secs(1).mul_f64(share);
        loop {
            {
                // Held, so that no probe comes between the look and the fault.
                let [first, second, last] = *self.probes.lock().unwrap_or_else(PoisonError::into_inner);
                let now = clock::now();
                let steady = first > 0 && second - first > STEADY_GAP && last - second > STEADY_GAP;
                let since = Duration::from_micros(now.saturating_sub(last));
                if steady && since >= after && since < after + 5 * LOOK_EVERY {
                    self.failing.store(true, Ordering::SeqCst);
                    return now;
                }
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Has the target at `port` fail at this share of the gap between two probes. Answers when.
pub fn fail(port: u16, share: f64) -> anyhow::Result<u64> {
    http::get(port, &format!("/fail/{share:.3}"))?
        .parse()
        .context("the moment is a number")
}

/// Has the target at `port` work again.
pub fn fix(port: u16) -> anyhow::Result<()> {
    http::get(port, "/fix").map(drop)
}

/// How often the target at `port` was probed.
pub fn count(port: u16) -> anyhow::Result<u64> {
    http::get(port, "/count")?.parse().context("the count is a number")
}

/// Waits until the target at `port` answers.
pub fn await_answer(port: u16) -> anyhow::Result<()> {
    let start = Instant::now();
    while let Err(error) = fix(port) {
        if start.elapsed() > Duration::from_secs(10) {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
