//! The one line that `systemctl status sentinel` shows, kept up to date.
//!
//! Beside the driver: it is informed that something changed, asks for everything at most once a second, and notifies
//! systemd only when the words are others than before.

mod words;

use std::env;
use std::time::Duration;

use sentinel_base::clock::Clock;
use sentinel_base::watchdog;
use sentinel_driver::control::ControlHandle;
use sentinel_engine::alerting::dispatch::Breaker;
use sentinel_notify::heartbeat::AgentHealth;
use sentinel_store::Store;

/// Least time between two looks: a storm of changes costs one look a second, however many services there are.
const GAP: Duration = Duration::from_secs(1);

/// Where systemd wants to be notified.
const SOCKET: &str = "NOTIFY_SOCKET";

/// Keeps the line up to date.
#[derive(Debug)]
pub struct StatusLine {
    /// The way to the driver.
    pub driver: ControlHandle,
    /// What the driver reports itself, and that something changed.
    pub agent_health: AgentHealth,
    /// Where messages wait.
    pub store: Store,
    /// The engine's time.
    pub clock: Clock,
}

impl StatusLine {
    /// Notifies systemd until the driver ends; nothing when no operator wants to know.
    pub async fn run(self) {
        if env::var_os(SOCKET).is_none() {
            return;
        }
        let mut outbox = self.store.outbox_changes();
        let mut said = String::new();
        loop {
            outbox.mark_unchanged();
            if let Some(text) = self.text().await
                && text != said
            {
                watchdog::status(&text);
                said = text;
            }
            tokio::time::sleep(GAP).await;
            tokio::select! {
                () = self.agent_health.changed() => {}
                // Cannot fail while there is a store.
                _ = outbox.changed() => {}
            }
        }
    }

    /// The line now; `None` when the driver does not answer, which tells more by its silence.
    async fn text(&self) -> Option<String> {
        let view = self.driver.status().await?;
        let queue = self.store.queue(self.clock.now(), 0).await;
        let receivers = queue.map(|queue| queue.receivers).unwrap_or_default();
        let mut problems = self.agent_health.problems();
        problems.receivers = receivers
            .into_iter()
            .filter(|receiver| receiver.breaker != Breaker::Closed)
            .map(|receiver| receiver.name)
            .collect();
        Some(words::line(&view.services, &problems))
    }
}
