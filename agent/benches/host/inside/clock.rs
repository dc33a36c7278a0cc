//! The one clock.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Microseconds of `CLOCK_MONOTONIC`, which systemd stamps the states of units with.
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000 + u64::try_from(now.tv_nsec / 1000).unwrap_or_default()
}

/// Milliseconds from `from` to `to`.
pub fn millis(from: u64, to: u64) -> f64 {
    let micros = i64::try_from(to).unwrap_or(i64::MAX) - i64::try_from(from).unwrap_or(i64::MAX);
    micros as f64 / 1000.0
}

/// The `nth` of a row of shares of one that fills it evenly, however many are taken: the golden ratio's multiples.
/// Rivals that look once in a while are so met at every point of their while.
pub fn share(nth: usize) -> f64 {
    (0.5 + nth as f64 * 0.618_033_988_749_895).fract()
}

/// Lets a share of a second pass.
pub fn pass_share_of_a_second(nth: usize) {
    std::thread::sleep(Duration::from_secs(1).mul_f64(share(nth)));
}
