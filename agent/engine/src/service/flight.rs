//! The action under way: it holds one of the host's slots until its new run begins, and the service until its outcome.
//!
//! An adapter answers twice. `Begun` means that the old run has ended and the new one starts: from then on nothing of the
//! host is stopped for it, and a start that takes minutes holds no other service back. The outcome comes when its
//! supervisor is done.

use std::time::Duration;

use super::{Context, Machine};
use crate::ids::ActionId;
use crate::report::ReportKind;
use crate::time::Time;
use crate::timers::Timer;

/// What a stop may take beyond its limit: the kill after it, and the way to the supervisor and back.
const STOP_SPARE: Duration = Duration::from_secs(10);

/// An adapter that has not answered after this long is taken to have lost the answer. Every adapter has a shorter
/// deadline of its own; this one only guards against a fault in them.
const ACTION_LIMIT: Duration = Duration::from_secs(300);

/// What an action may take beyond the limits of its stop and its start.
const ACTION_SPARE: Duration = Duration::from_secs(120);

/// An action under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) action: ActionId,
    pub(super) since: Time,
    /// While it holds one of the host's slots: until when at most.
    begins_by: Option<Time>,
}

/// Actions that were asked for.
#[derive(Debug, Default)]
pub(super) struct Actions {
    /// The one under way.
    pub(super) in_flight: Option<Flight>,
    /// A counted attempt that was given up before its answer came, and when it was spent.
    pub(super) withdrawn: Option<(ActionId, Time)>,
    /// The one under way is about a target that is no longer the service's.
    pub(super) outlived: bool,
}

impl Machine {
    /// An action is on its way: takes a slot for it.
    pub(super) fn take_off(&mut self, action: ActionId, cx: &mut Context<'_>) {
        cx.host.in_flight += 1;
        let stop = self.target.limits().stop_or_usual();
        self.actions.in_flight = Some(Flight {
            action,
            since: cx.now,
            begins_by: Some(cx.now + stop + STOP_SPARE),
        });
        self.await_flight(cx.now);
    }

    /// Its old run has ended, and the new one starts.
    pub(crate) fn action_begun(&mut self, action: ActionId, cx: &mut Context<'_>) {
        if self.in_flight() == Some(action) {
            self.release_slot(cx);
        }
    }

    /// Whether one of the host's slots is taken for this service.
    pub(crate) fn holds_slot(&self) -> bool {
        self.actions
            .in_flight
            .as_ref()
            .is_some_and(|flight| flight.begins_by.is_some())
    }

    fn release_slot(&mut self, cx: &mut Context<'_>) {
        let begins_by = self
            .actions
            .in_flight
            .as_mut()
            .and_then(|flight| flight.begins_by.take());
        if begins_by.is_some() {
            cx.host.in_flight = cx.host.in_flight.saturating_sub(1);
        }
    }

    /// Nothing is under way any more.
    pub(super) fn land(&mut self, cx: &mut Context<'_>) {
        self.release_slot(cx);
        self.actions.in_flight = None;
    }

    /// What time alone changes: one old run that does not end must not keep the others from being restarted, and neither
    /// must one lost answer.
    pub(super) fn expire_flight(&mut self, cx: &mut Context<'_>) {
        let Some(flight) = &self.actions.in_flight else { return };
        let (action, since, begins_by) = (flight.action, flight.since, flight.begins_by);
        if begins_by.is_some_and(|until| until <= cx.now) {
            self.release_slot(cx);
            let after = cx.now.since(since);
            self.report(ReportKind::ActionSlow { action, after }, cx);
        }
        if since + self.action_limit() <= cx.now {
            self.land(cx);
        }
        self.await_flight(cx.now);
    }

    fn await_flight(&mut self, now: Time) {
        let Some(flight) = &self.actions.in_flight else { return };
        let (limit, begins_by) = (flight.since + self.action_limit(), flight.begins_by);
        self.timers.set(Timer::Action, limit);
        if let Some(until) = begins_by.filter(|until| *until > now) {
            self.timers.set(Timer::Begin, until);
        }
    }

    /// How long an answer is waited for.
    pub(super) fn action_limit(&self) -> Duration {
        let limits = self.target.limits();
        let takes = limits.stop_or_usual().saturating_add(limits.start_or_usual());
        ACTION_LIMIT.max(takes.saturating_add(ACTION_SPARE))
    }
}
