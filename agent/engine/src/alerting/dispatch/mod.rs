//! Which message goes to a receiver next, and why: a pure function of what waits for it, how it has answered so far, and
//! the time.
//!
//! * `row`: a message that waits, and what is known of its conversation
//! * `plan`: the decision; `expiry`: how long a message is news
//! * `health`: how a receiver has answered, and when it may be asked again (its circuit breaker)

mod expiry;
mod health;
mod plan;
mod row;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use health::{Breaker, Health, News};
pub use plan::{Plan, Stale, Waiting, Why, plan};
pub use row::{Earlier, MessageKind, Row, Standing};

/// The limits of dispatching. `Default` holds the documented ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DispatchPolicy {
    /// Failures in a row that open a receiver's breaker. 5.
    pub open_after: u32,
    /// How long a receiver rests after a first failure, whatever the message; doubles with each further one. 250 ms.
    pub rest: Duration,
    /// Longest such rest while the breaker is closed: other incidents wait no longer for one that fails. 2 s.
    pub rest_max: Duration,
    /// Longest time between two tries while the breaker is open. The first ones come sooner, so that a receiver that was
    /// merely restarted is not left alone for a minute. 60 s.
    pub probe_every: Duration,
    /// After failing this long with something waiting, the other receivers are notified; at once when it is certain that it
    /// will be as long, as the receiver asks to be left alone. 10 min.
    pub stuck_after: Duration,
    /// Refusals for good are sent to the other receivers at most this often. 1 h.
    pub refused_every: Duration,
    /// Time between two messages while what an outage left behind is sent. 1 s.
    pub pace: Duration,
    /// Time between two digests of what was never delivered. 10 min.
    pub digest_every: Duration,
    /// Longest wish of a receiver to be left alone that is granted; beyond it, messages would expire unsent. 1 h.
    pub wish_max: Duration,
    /// The end of what began in a message about several waits so long for the ends of others, as the beginnings did. 10 s.
    pub group_wait: Duration,
    /// Most incidents in one group.
    pub group_max: usize,
    /// An outage shorter than this that no receiver heard of by the time it is over is not reported at all. Zero:
    /// everything that lasted longer than `notify_after` is reported.
    pub least: Duration,
}

impl Default for DispatchPolicy {
    fn default() -> Self {
        Self {
            open_after: 5,
            rest: Duration::from_millis(250),
            rest_max: Duration::from_secs(2),
            probe_every: Duration::from_secs(60),
            stuck_after: Duration::from_secs(10 * 60),
            refused_every: Duration::from_secs(60 * 60),
            pace: Duration::from_secs(1),
            digest_every: Duration::from_secs(10 * 60),
            wish_max: Duration::from_secs(60 * 60),
            group_wait: Duration::from_secs(10),
            group_max: 200,
            least: Duration::ZERO,
        }
    }
}
