//! The workers of receivers, one each, which empty the outbox.

use std::collections::BTreeMap;
use std::sync::Arc;

use sentinel_base::clock::Clock;
use sentinel_notify::{Receiver, ReceiverRegistry, RetryPolicy};
use sentinel_store::{OutboxSettings, Store};
use tokio::task::{AbortHandle, JoinSet};

/// What is asked of them.
pub(super) struct Wanted {
    /// Receivers that are new or another than before.
    pub(super) changed: Vec<Receiver>,
    /// The names of all.
    pub(super) names: Vec<String>,
    /// What the outbox works with.
    pub(super) outbox: OutboxSettings,
}

/// The workers as they run now.
pub(super) struct Workers {
    store: Store,
    clock: Clock,
    running: BTreeMap<String, AbortHandle>,
    registry: ReceiverRegistry,
}

impl Workers {
    pub(super) fn new(store: Store, clock: Clock) -> Self {
        Self {
            store,
            clock,
            running: BTreeMap::new(),
            registry: ReceiverRegistry::default(),
        }
    }

    pub(super) fn registry(&self) -> ReceiverRegistry {
        self.registry.clone()
    }

    /// Starts what is new, and ends what is gone. Answers how many messages expired, as their receivers are gone.
    pub(super) async fn set(&mut self, wanted: Wanted, tasks: &mut JoinSet<()>) -> usize {
        // In memory only: it fails when the store is closed, and then no message is sent.
        let _ = self.store.configure_outbox(wanted.outbox).await;
        for receiver in self.end(&wanted.changed, &wanted.names) {
            if let Err(error) = self.store.receiver_changed(&receiver).await {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(receiver, error, "failed to have a changed receiver tried at once");
            }
        }
        self.start(wanted.changed, &wanted.names, tasks);
        let expired = self
            .store
            .keep_receivers(wanted.names, sentinel_base::clock::wall())
            .await;
        if let Err(error) = &expired {
            let error: &dyn std::error::Error = error;
            tracing::error!(
                event = "store_failed",
                error,
                "failed to drop messages to removed receivers"
            );
        }
        expired.unwrap_or_default()
    }

    /// Ends the workers of receivers that are gone or another now; answers the names of these. A worker may be ended at
    /// any time: what it was sending is sent again, under the same key, by the next.
    fn end(&mut self, changed: &[Receiver], names: &[String]) -> Vec<String> {
        let mut ended = Vec::new();
        self.running.retain(|name, worker| {
            let is_new = changed.iter().any(|receiver| receiver.name() == name);
            let stays = names.contains(name) && !is_new;
            if !stays {
                worker.abort();
            }
            if is_new {
                ended.push(name.clone());
            }
            stays
        });
        ended
    }

    fn start(&mut self, changed: Vec<Receiver>, names: &[String], tasks: &mut JoinSet<()>) {
        self.registry.keep(names);
        for receiver in changed {
            let name = receiver.name().to_owned();
            let (store, clock) = (self.store.clone(), self.clock.clone());
            let receiver = Arc::new(receiver);
            self.registry.insert(Arc::clone(&receiver));
            let worker = sentinel_notify::run(receiver, store, clock, RetryPolicy::default());
            self.running.insert(name, tasks.spawn(worker));
        }
    }
}
