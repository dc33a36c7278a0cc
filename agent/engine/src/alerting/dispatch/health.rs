//! How a receiver has answered so far, and when it may be asked again: its circuit breaker.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::DispatchPolicy;
use super::plan::Waiting;
use crate::time::Time;

/// Gap between the first tries while the breaker is open; doubles from failure to failure.
const PROBE: Duration = Duration::from_secs(1);

/// What is kept of a receiver, also over restarts of the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// Failures in a row, refusals for good included: who refuses everything must not be fed the whole queue.
    pub failures: u32,
    /// When the first of them was.
    pub failing_since: Option<Time>,
    /// Nothing is sent before: a rest after a failure, the next try while the breaker is open, or the pace after it.
    pub rest_until: Time,
    /// Nothing is sent before: the receiver asked for it.
    pub asked_until: Time,
    /// Whether what an outage left behind is still being sent.
    pub recovering: bool,
    /// Whether the other receivers know of this outage.
    #[serde(alias = "stuck_told")]
    pub stuck_notified: bool,
    /// When the other receivers were last notified of a refusal for good.
    #[serde(alias = "refused_told_at")]
    pub refused_notified_at: Option<Time>,
    /// When the last digest was made.
    pub digested_at: Option<Time>,
}

/// The state of the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// Messages go.
    Closed,
    /// Too many failures in a row: nothing goes.
    Open,
    /// It is time for a try with the oldest message.
    HalfOpen,
}

impl Breaker {
    /// The word used in logs and by the API. A closed set.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What an answer changed that operators should know. Those for the other receivers are repeated until
/// [`Health::notified_stuck`], [`Health::notified_works`] or [`Health::notified_refused`] says that they know.
#[allow(clippy::struct_excessive_bools, reason = "each is a piece of news of its own")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The breaker opened.
    pub opened: bool,
    /// The breaker closed.
    pub closed: bool,
    /// The others should hear that messages do not arrive here.
    pub stuck: bool,
    /// The others should hear that messages arrive again.
    pub works: bool,
    /// The others should hear that a message was refused for good.
    pub refused: bool,
}

impl Health {
    /// The state of the breaker at `now`.
    pub fn breaker(&self, policy: &DispatchPolicy, now: Time) -> Breaker {
        if !self.is_open(policy) {
            Breaker::Closed
        } else if now < self.rest_until.max(self.asked_until) {
            Breaker::Open
        } else {
            Breaker::HalfOpen
        }
    }

    pub(super) const fn is_open(&self, policy: &DispatchPolicy) -> bool {
        self.failures >= policy.open_after
    }

    /// Until when nothing is sent, and why; `None` when something may be sent at `now`.
    pub fn gate(&self, policy: &DispatchPolicy, now: Time) -> Option<(Time, Waiting)> {
        let until = self.rest_until.max(self.asked_until);
        let why = if self.asked_until >= self.rest_until {
            Waiting::Asked
        } else if self.is_open(policy) {
            Waiting::Probe
        } else if self.recovering && self.failures == 0 {
            Waiting::Pace
        } else {
            Waiting::Rest
        };
        (until > now).then_some((until, why))
    }

    /// The receiver took a message.
    pub fn succeeded(&mut self, policy: &DispatchPolicy, now: Time) -> News {
        let closed = self.is_open(policy);
        self.failures = 0;
        self.failing_since = None;
        self.asked_until = Time::ZERO;
        self.recovering |= closed;
        self.rest_until = if self.recovering { now + policy.pace } else { Time::ZERO };
        News {
            closed,
            works: self.stuck_notified,
            ..News::default()
        }
    }

    /// An attempt failed in a way that may pass. `wish` is how long the receiver asked to be left alone.
    pub fn failed(&mut self, policy: &DispatchPolicy, now: Time, wish: Option<Duration>) -> News {
        if let Some(wish) = wish {
            self.asked_until = self.asked_until.max(now + wish.min(policy.wish_max));
        }
        let opened = self.fail(policy, now);
        News {
            opened,
            stuck: self.is_stuck(policy, now),
            ..News::default()
        }
    }

    /// A message was refused for good.
    pub fn refused(&mut self, policy: &DispatchPolicy, now: Time) -> News {
        let opened = self.fail(policy, now);
        let last = self.refused_notified_at;
        News {
            opened,
            refused: last.is_none_or(|at| now.since(at) >= policy.refused_every),
            ..News::default()
        }
    }

    /// Somebody put it right: it need not be waited for. Whether that helped shows at the next message.
    pub const fn changed(&mut self) {
        self.rest_until = Time::ZERO;
        self.asked_until = Time::ZERO;
    }

    /// Nothing waits any more: what an outage left behind is sent.
    pub const fn drained(&mut self) {
        self.recovering = false;
    }

    /// The others know that it is stuck.
    pub const fn notified_stuck(&mut self) {
        self.stuck_notified = true;
    }

    /// The others know that it works again.
    pub const fn notified_works(&mut self) {
        self.stuck_notified = false;
    }

    /// The others know that it refuses messages.
    pub const fn notified_refused(&mut self, now: Time) {
        self.refused_notified_at = Some(now);
    }

    /// Answers whether the breaker opened.
    fn fail(&mut self, policy: &DispatchPolicy, now: Time) -> bool {
        let was_open = self.is_open(policy);
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        let is_open = self.is_open(policy);
        // 2^31 of any gap worth naming is beyond any limit.
        let doublings = self.failures.saturating_sub(1).min(31);
        let rest = if is_open {
            PROBE.saturating_mul(1 << doublings).min(policy.probe_every)
        } else {
            policy.rest.saturating_mul(1 << doublings).min(policy.rest_max)
        };
        self.rest_until = now + rest;
        is_open && !was_open
    }

    /// Whether nothing has arrived for too long, or will not have before it may be asked again: who asks to be left alone
    /// for an hour is not waited for until the others hear of it.
    fn is_stuck(&self, policy: &DispatchPolicy, now: Time) -> bool {
        let since = self.failing_since.unwrap_or(now);
        let fails = self.is_open(policy) || self.asked_until > now;
        let failing = self.asked_until.max(now).since(since);
        !self.stuck_notified && fails && failing >= policy.stuck_after
    }
}
