//! Maintenance: watched, but nothing is opened, nothing is done and no receiver is notified.
//!
//! Three things bring it about, and none of them ends another: an operator's pause, deploys under way, and a window of
//! the calendar. Pauses and deploys are remembered; of windows the engine is informed, as it knows no calendar.

use std::time::Duration;

use super::{Context, Machine};
use crate::event::Window;
use crate::memory::{Deploy, Pause};
use crate::report::ReportKind;
use crate::snapshot::Maintenance;
use crate::time::Time;
use crate::timers::Timer;

/// Deploys of one service at the same time. More are wrappers that died; the oldest are forgotten first.
const DEPLOYS_MAX: usize = 16;

impl Machine {
    /// Whether the service is left alone.
    pub(super) fn in_maintenance(&self) -> bool {
        self.memory.pause.is_some() || !self.memory.deploys.is_empty() || self.window.is_some()
    }

    /// Sets the timer for what ends by itself. The end of a window is reported, not awaited.
    pub(super) fn await_end_of_maintenance(&mut self) {
        let pause = self.memory.pause.and_then(|pause| pause.until);
        let deploys = self.memory.deploys.iter().map(|deploy| deploy.until);
        if let Some(at) = deploys.chain(pause).min() {
            self.timers.set(Timer::Pause, at);
        }
    }

    /// Ends what has had its time.
    pub(super) fn expire_maintenance(&mut self, cx: &mut Context<'_>) {
        let now = cx.now;
        let is_over = |until: Time| until <= now;
        if self.memory.pause.and_then(|pause| pause.until).is_some_and(is_over) {
            self.memory.pause = None;
            self.unsaved = true;
            self.say("the pause ended", cx);
        }
        let before = self.memory.deploys.len();
        self.memory.deploys.retain(|deploy| !is_over(deploy.until));
        if self.memory.deploys.len() != before {
            self.unsaved = true;
            self.say("a deploy did not end in time and is no longer waited for", cx);
        }
    }

    fn say(&self, request: &str, cx: &mut Context<'_>) {
        let request = request.to_owned();
        self.report(ReportKind::OperatorActed { request }, cx);
    }

    /// An operator wants it left alone.
    pub(super) fn pause(&mut self, duration: Option<Duration>, now: Time) {
        self.memory.pause = Some(Pause {
            until: duration.map(|duration| now + duration),
        });
    }

    /// A deploy begins; one of the same number is prolonged.
    pub(super) fn begin_deploy(&mut self, id: u64, duration: Duration, now: Time) {
        self.end_deploy(id);
        let until = now + duration;
        self.memory.deploys.push(Deploy { id, until });
        let surplus = self.memory.deploys.len().saturating_sub(DEPLOYS_MAX);
        self.memory.deploys.drain(..surplus);
    }

    /// A deploy has ended, if it was under way.
    pub(super) fn end_deploy(&mut self, id: u64) {
        self.memory.deploys.retain(|deploy| deploy.id != id);
    }

    /// The calendar says that a window is open, or that none is.
    pub(crate) fn window_changed(&mut self, window: Option<Window>, cx: &mut Context<'_>) {
        let reason = |window: &Option<Window>| window.as_ref().map(|window| window.reason.clone());
        let (before, now) = (reason(&self.window), reason(&window));
        self.window = window;
        if before != now {
            self.report(ReportKind::MaintenanceChanged { reason: now }, cx);
        }
    }

    /// Why it is in maintenance, and until when.
    pub(super) fn maintenance(&self) -> Vec<Maintenance> {
        let pause = self.memory.pause.map(|pause| Maintenance {
            reason: "paused by an operator".to_owned(),
            until: pause.until,
        });
        let deploys = self.memory.deploys.iter().map(|deploy| Maintenance {
            reason: "a deploy is under way".to_owned(),
            until: Some(deploy.until),
        });
        let window = self.window.iter().map(|window| Maintenance {
            reason: window.reason.clone(),
            until: Some(window.until),
        });
        pause.into_iter().chain(deploys).chain(window).collect()
    }
}
