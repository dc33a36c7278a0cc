//! Notifies systemd that the agent is ready, alive and making progress, when systemd asked for it.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The watchdog of the service manager. Fed by the driver's loop itself: a driver that stands still is not fed for.
#[derive(Debug)]
pub struct Watchdog {
    /// How often systemd wants to hear; `None` without `WatchdogSec=`.
    period: Option<Duration>,
    fed: Option<Instant>,
}

impl Watchdog {
    /// By what systemd put into the environment.
    pub fn from_env() -> Self {
        // Half of the limit, so that one late turn does not end the agent.
        Self {
            period: sd_notify::watchdog_enabled().map(|limit| limit / 2),
            fed: None,
        }
    }

    /// The agent is up.
    pub fn ready(&self) {
        notify(&[NotifyState::Ready]);
    }

    /// The configuration is being read again, until the agent is ready again. `systemctl` tells by the time whether this is
    /// the reload it asked for.
    pub fn reloading(&self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            notify(&[NotifyState::Reloading, now]);
        }
    }

    /// The agent is going down.
    pub fn stopping(&self) {
        notify(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    /// The driver finished a turn.
    pub fn progress(&mut self) {
        let Some(period) = self.period else { return };
        if self.fed.is_none_or(|fed| fed.elapsed() >= period / 2) {
            self.fed = Some(Instant::now());
            notify(&[NotifyState::Watchdog]);
        }
    }
}

/// Notifies systemd in words how the agent is, for `systemctl status`.
pub fn status(text: &str) {
    notify(&[NotifyState::Status(text)]);
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "failed to notify the service manager"
        );
    }
}
