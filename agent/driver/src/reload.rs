//! A new configuration, taken on between two turns.

use std::collections::BTreeMap;
use std::sync::Arc;

use sentinel_config::template::Link;
use sentinel_config::{MaintenanceSettings, Rejected};
use sentinel_engine::{Reload, ServiceName};
use tokio::sync::oneshot;

use super::{Driver, Probes, ServiceHandle, Target};

/// Everything of a new configuration that the driver works with. Nothing of it can fail any more.
pub struct Change<T, P> {
    /// What changes for the engine.
    pub engine: Reload,
    /// Every service there is now.
    pub services: BTreeMap<ServiceName, ServiceHandle<T, P>>,
    /// What was found on the host and is not watched, with the reasons.
    pub rejected: Vec<Rejected>,
    /// The host's name in messages.
    pub host: String,
    /// Where to read more about an incident.
    pub link: Option<Arc<Link>>,
    /// When services are left alone.
    pub maintenance: Vec<MaintenanceSettings>,
    /// Notified when all of it is in force: from then on events of new services are understood.
    pub applied: oneshot::Sender<()>,
}

impl<T: Target, P: Probes> Driver<T, P> {
    /// Goes on with another configuration.
    pub(super) async fn apply(&mut self, change: Change<T, P>) {
        // What was seen and decided so far is about the old one.
        while let Ok(event) = self.events.try_recv() {
            self.count(&event);
            self.engine.handle_event(self.clock.now(), event);
        }
        self.carry_out().await;
        let now = self.clock.now();
        let gone = self.engine.reload(now, change.engine);
        warn_of_gone(&gone);
        self.services = change.services;
        self.agent_health.keep(|service| self.services.contains_key(service));
        if let Some(counters) = &mut self.counters {
            let is_known = |service: &ServiceName| self.services.contains_key(service);
            counters.keep(self.services.len(), is_known);
        }
        self.timelines.keep(|service| self.services.contains_key(service));
        let names = self.services.keys().cloned().collect();
        self.maintenance.replace(change.maintenance, names);
        self.keep_calendar();
        self.host = change.host;
        self.link = change.link;
        self.rejected = change.rejected;
        self.agent_health.news();
        self.carry_out().await;
        // Whoever asked for it is gone when the agent is stopping.
        let _ = change.applied.send(());
    }
}

/// Names the receivers that are gone and would have heard more.
fn warn_of_gone(gone: &BTreeMap<String, usize>) {
    for (receiver, incidents) in gone {
        tracing::warn!(
            event = "receiver_gone",
            receiver,
            incidents,
            "the receiver is no longer configured; its open incidents end without a message"
        );
    }
}
