//! A crash loop under a supervisor: it restarts the target over and over, which never becomes well, and never gives up.
//!
//! Five restarts by the supervisor within ten minutes are worth an alert, and no action: whoever
//! configured the supervisor wants it to go on. systemd itself gives up only at five starts within ten seconds
//! (`StartLimitBurst=`), which the usual `RestartSec=` of a few seconds never reaches.
//!
//! Counted are the ends of runs that are left to the supervisor, one for each run. Restarts that no watcher saw are not
//! counted; a loop that is too quick to be seen is ended by the supervisor's own limit.

use std::time::Duration;

use crate::ids::RunId;
use crate::time::Time;

/// So many restarts by the supervisor within [`WINDOW`] are a crash loop.
pub(crate) const RESTARTS: usize = 5;

/// The sliding window of [`RESTARTS`]; and the loop is over when there was none for so long.
pub(crate) const WINDOW: Duration = Duration::from_secs(10 * 60);

/// Counts restarts by a target's own supervisor. Not kept in the store, as a loop would have it written at every turn:
/// that there is one is known from the open incident.
#[derive(Clone, Debug, Default)]
pub(crate) struct CrashLoop {
    /// When runs ended lately, oldest first; at most [`RESTARTS`].
    ends: Vec<Time>,
    /// The run that ended last.
    last: Option<RunId>,
    /// Until when it is a loop, should nothing more happen.
    until: Option<Time>,
}

impl CrashLoop {
    /// A run ended and was left to the supervisor. `again` says that this was seen before, should the run have no name.
    pub(crate) fn record(&mut self, run: Option<&RunId>, again: bool, now: Time) {
        let known = if run.is_some() {
            self.last.as_ref() == run
        } else {
            again
        };
        if known {
            return;
        }
        self.last = run.cloned();
        self.ends.retain(|at| now.since(*at) < WINDOW);
        self.ends.push(now);
        let surplus = self.ends.len().saturating_sub(RESTARTS);
        self.ends.drain(..surplus);
        if self.ends.len() >= RESTARTS || self.until(now).is_some() {
            self.until = Some(now + WINDOW);
        }
    }

    /// There was a loop when the agent was last seen alive.
    pub(crate) fn resume(&mut self, now: Time) {
        self.until = Some(now + WINDOW);
    }

    /// When the loop is over, if there is one.
    pub(crate) fn until(&self, now: Time) -> Option<Time> {
        self.until.filter(|until| *until > now)
    }

    /// Another party began a new run: what comes of that is another story.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn five_runs_that_end_within_ten_minutes_are_a_loop_until_ten_minutes_are_quiet() {
        let mut seen = CrashLoop::default();
        for run in 0..4 {
            seen.record(Some(&RunId::from(run.to_string())), false, at(run * 30));
        }
        assert_eq!(seen.until(at(90)), None);
        seen.record(Some(&RunId::from("3".to_owned())), false, at(100));
        assert_eq!(seen.until(at(100)), None, "the same run counts once");
        seen.record(Some(&RunId::from("4".to_owned())), false, at(120));
        assert_eq!(seen.until(at(120)), Some(at(720)));
        // One restart in ten minutes is enough to go on.
        seen.record(Some(&RunId::from("5".to_owned())), false, at(700));
        assert_eq!(seen.until(at(1299)), Some(at(1300)));
        assert_eq!(seen.until(at(1300)), None);
    }
}
