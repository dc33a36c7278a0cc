//! A service's timers: a table, not tasks.

use std::time::Duration;

use crate::time::Time;

/// Everything a service can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The next probe round.
    Probe,
    /// The end of the time a dead target is left to its supervisor.
    Settle,
    /// The end of the start grace.
    Grace,
    /// The next attempt.
    Attempt,
    /// The adapter should have answered by now.
    Action,
    /// The new run of an action should have begun by now.
    Begin,
    /// The new run has lived long enough to be believed.
    MinUptime,
    /// The new run must have proved itself.
    Verify,
    /// Receivers are notified.
    Notify,
    /// Attempts and budget are forgotten.
    Reset,
    /// A pause or a deploy has had its time.
    Pause,
    /// It has been stable for long enough after flapping.
    Stable,
    /// Its supervisor has not had to restart it for long enough after a crash loop.
    Quiet,
    /// What was asked to end should have, or is no longer waited for.
    Drain,
    /// Whatever it is busy with has had its time.
    Busy,
}

impl Timer {
    const ALL: [Self; 15] = [
        Self::Probe,
        Self::Settle,
        Self::Grace,
        Self::Attempt,
        Self::Action,
        Self::Begin,
        Self::MinUptime,
        Self::Verify,
        Self::Notify,
        Self::Reset,
        Self::Pause,
        Self::Stable,
        Self::Quiet,
        Self::Drain,
        Self::Busy,
    ];

    /// What is waited for, in the words of `sentinel status`.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "next probe",
            Self::Settle => "its supervisor",
            Self::Grace => "start grace ends",
            Self::Attempt => "next attempt",
            Self::Action => "the restart",
            Self::Begin => "the new run begins",
            Self::MinUptime => "minimum uptime",
            Self::Verify => "verification ends",
            Self::Notify => "notification",
            Self::Reset => "attempts are forgotten",
            Self::Pause => "pause ends",
            Self::Stable => "flapping ends",
            Self::Quiet => "crash loop is over",
            Self::Drain => "the end that was asked for",
            Self::Busy => "it has been busy for too long",
        }
    }
}

/// When each timer expires, if it is set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers([Option<Time>; Timer::ALL.len()]);

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Time) {
        self.0[timer as usize] = Some(at);
    }

    pub(crate) fn get(&self, timer: Timer) -> Option<Time> {
        self.0[timer as usize]
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    /// Clears every timer but the probe's: all others follow from the state and are set again with it.
    pub(crate) fn clear_derived(&mut self) {
        let probe = self.get(Timer::Probe);
        self.0 = [None; Timer::ALL.len()];
        self.0[Timer::Probe as usize] = probe;
    }

    /// The earliest expiry.
    pub(crate) fn next(&self) -> Option<Time> {
        self.0.iter().flatten().min().copied()
    }

    /// What is waited for and how long still, soonest first.
    pub(crate) fn waiting(&self, now: Time) -> Vec<(&'static str, Duration)> {
        let mut waiting: Vec<_> = Timer::ALL
            .into_iter()
            .filter_map(|timer| self.get(timer).map(|at| (timer.as_str(), at.since(now))))
            .collect();
        waiting.sort_by_key(|(_, remaining)| *remaining);
        waiting
    }
}
