//! News of the agent itself for receivers: of each thing once, however often the agent is started.

use std::collections::BTreeSet;

use sentinel_base::clock::Clock;
use sentinel_store::{Announcement, Store, Topic};

use crate::Message;

/// Sends news, and remembers what was sent.
#[derive(Clone)]
pub struct Announcer {
    store: Store,
    clock: Clock,
}

impl Announcer {
    /// One that remembers in `store`.
    pub const fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Sends these receivers what is new in `about`: what was not sent before, neither by this agent nor by one before
    /// it. Of what was sent and is not in `about`, only that is remembered which still holds; the rest is news when it
    /// comes back.
    pub async fn announce(
        &self,
        topic: Topic,
        mut about: BTreeSet<String>,
        still_holds: impl Fn(&str) -> bool,
        receivers: Vec<String>,
        message: impl FnOnce(&BTreeSet<String>) -> Message,
    ) {
        let announced = async {
            let known = self.store.announced(topic).await?;
            let new: BTreeSet<String> = about.difference(&known).cloned().collect();
            about.extend(known.iter().filter(|one| still_holds(one)).cloned());
            if !new.is_empty() {
                let message = message(&new);
                let now = self.clock.now();
                let announcement = Announcement {
                    receivers,
                    severity: message.data.severity,
                    payload: message.payload(),
                    now,
                    wall: self.clock.wall(now),
                    topic,
                    about,
                };
                self.store.announce(announcement).await
            } else if about != known {
                self.store.keep_announced(topic, about).await
            } else {
                Ok(())
            }
        };
        if let Err(error) = announced.await {
            let error: &dyn std::error::Error = &error;
            tracing::error!(event = "store_failed", error, "failed to notify receivers");
        }
    }
}
