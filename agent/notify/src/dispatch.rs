//! One worker per receiver: takes its messages from the outbox, one at a time and in order, until each was taken.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use sentinel_base::clock::Clock;
use sentinel_store::{Changed, Combination, Delivery, Next, Notice, Outcome, Store, StoreError, StoreErrorKind};
use tokio::sync::watch;

use super::combined::{self, Trouble};
use super::error::{DeliveryError, DeliveryErrorKind};
use super::retry::{Retry, RetryPolicy};
use super::{Delivered, Message, Receiver};

/// Longest sleep at a time. The runtime's timers stand still while the host is suspended; the engine's time does not.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// How long to leave a store alone that cannot be written.
const STORE_GAP: Duration = Duration::from_secs(5);

/// Delivers the messages to `receiver` until the store is closed. May be dropped at any time: a message that was being
/// sent is sent again, under the same key, by whoever runs next.
///
/// Run one of these per receiver, so that a slow or dead one delays nothing else. The receiver is shared with whoever has
/// to tell that the store itself cannot be written.
pub(super) async fn run(receiver: Arc<Receiver>, store: Store, clock: Clock, policy: RetryPolicy) {
    let changes = store.outbox_changes();
    let worker = Worker {
        receiver,
        store,
        clock,
        policy,
    };
    worker.run(changes).await;
}

/// A fault of the agent's own while it delivers is a failure like others: it is tried again, and when it goes on the other
/// receivers are notified. The worker, and what waits behind this message, must not end with it.
async fn guarded(delivery: impl Future<Output = Result<Delivered, DeliveryError>>) -> Result<Delivered, DeliveryError> {
    AssertUnwindSafe(delivery).catch_unwind().await.unwrap_or_else(|_| {
        let text = "the agent failed while it sent this; its log has more".to_owned();
        Err(DeliveryError::new(DeliveryErrorKind::Broken, text))
    })
}

struct Worker {
    receiver: Arc<Receiver>,
    store: Store,
    clock: Clock,
    policy: RetryPolicy,
}

impl Worker {
    async fn run(&self, mut changes: watch::Receiver<u64>) {
        let mut enrolled = false;
        loop {
            if !enrolled {
                enrolled = self.store.enroll(self.receiver.name()).await.is_ok();
            }
            // Seen before looking, so that a message added meanwhile is not missed.
            changes.mark_unchanged();
            match self.turn().await {
                Ok(None) => {}
                Ok(Some(sleep)) => {
                    tokio::select! {
                        () = tokio::time::sleep(sleep.min(SLEEP_MAX)) => {}
                        // Cannot fail: the worker holds a store.
                        _ = changes.changed() => {}
                    }
                }
                Err(error) if error.kind() == StoreErrorKind::Closed => return,
                Err(error) => {
                    tracing::warn!(
                        receiver = self.receiver.name(),
                        error = &error as &dyn std::error::Error,
                        "failed to work on the outbox"
                    );
                    tokio::time::sleep(STORE_GAP).await;
                }
            }
        }
    }

    /// Does what is next. Answers how long nothing is; `None` to look again at once.
    async fn turn(&self) -> Result<Option<Duration>, StoreError> {
        let name = self.receiver.name();
        match self
            .store
            .next_message(name, self.clock.now(), sentinel_base::clock::wall())
            .await?
        {
            Next::Send(delivery) => self.send(&delivery).await.map(|()| None),
            Next::CutOff(delivery) => {
                let text = "the agent ended while it was sending this".to_owned();
                let error = DeliveryError::new(DeliveryErrorKind::Broken, text);
                self.conclude(&delivery, Err(error)).await.map(|()| None)
            }
            Next::Combine(combination) => self.combine(*combination).await.map(|()| None),
            Next::Wait(until) => Ok(Some(until.since(self.clock.now()))),
            Next::Idle => Ok(Some(SLEEP_MAX)),
        }
    }

    async fn combine(&self, combination: Combination) -> Result<(), StoreError> {
        let wall = sentinel_base::clock::wall();
        let message = combined::compose(&combination, wall, self.receiver.zone());
        let (kind, messages) = (message.kind.as_str(), combination.parts.len());
        tracing::debug!(receiver = self.receiver.name(), kind, messages, "messages are combined");
        let (payload, severity) = (message.payload(), message.data.severity);
        let now = self.clock.now();
        self.store.combine(combination, payload, severity, now, wall).await
    }

    async fn send(&self, delivery: &Delivery) -> Result<(), StoreError> {
        // Boxed: what it takes to speak to a receiver is large, and mostly there is nothing to say.
        let result = guarded(Box::pin(self.receiver.deliver(delivery, sentinel_base::clock::wall()))).await;
        self.conclude(delivery, result).await
    }

    /// Records what came of an attempt, and notifies whoever is to hear of it.
    async fn conclude(&self, delivery: &Delivery, result: Result<Delivered, DeliveryError>) -> Result<(), StoreError> {
        let outcome = self.judge(delivery, result);
        let changed = self.record(delivery, &outcome).await?;
        let error = match &outcome {
            Outcome::Delivered(_) => "",
            Outcome::Postponed { error, .. } | Outcome::Dead(error) => error,
        };
        self.say(&changed, error);
        self.notify_others(&changed, error).await
    }

    /// Decides what an attempt means, and says so in the log.
    fn judge(&self, delivery: &Delivery, result: Result<Delivered, DeliveryError>) -> Outcome {
        // Not `message`: that is the line itself.
        let (receiver, id, attempt) = (self.receiver.name(), delivery.event.as_str(), delivery.attempt);
        let incident = delivery.incident.0;
        match result {
            Ok(delivered) => {
                tracing::debug!(receiver, id, incident, attempt, "message delivered");
                Outcome::Delivered(delivered.reference)
            }
            Err(error) if error.retry() == Retry::Never => {
                tracing::error!(event = "message_refused", receiver, id, incident, attempt, %error, "message rejected permanently");
                Outcome::Dead(error.to_string())
            }
            Err(error) => {
                let age = self.clock.now().since(delivery.created);
                let gap = self.policy.gap(attempt, age, id, error.retry_after());
                // Said once per message: a receiver that is down for a day must not fill the log.
                if attempt == 1 {
                    tracing::warn!(receiver, id, incident, %error, "message not delivered; trying again");
                } else {
                    tracing::debug!(receiver, id, incident, attempt, %error, gap_s = gap.as_secs_f64(), "message not delivered");
                }
                Outcome::Postponed {
                    error: error.to_string(),
                    ambiguous: error.is_ambiguous(),
                    gap,
                    wish: error.retry_after(),
                }
            }
        }
    }

    /// Records what became of a message. While the store cannot be written this waits, for sending the message again
    /// would be worse than sending the next one later. Fails only when the store is closed.
    async fn record(&self, delivery: &Delivery, outcome: &Outcome) -> Result<Changed, StoreError> {
        loop {
            let (now, wall) = (self.clock.now(), sentinel_base::clock::wall());
            match self.store.attempted(delivery.row, outcome.clone(), now, wall).await {
                Err(error) if error.kind() != StoreErrorKind::Closed => {
                    tracing::warn!(
                        receiver = self.receiver.name(),
                        id = delivery.event,
                        error = &error as &dyn std::error::Error,
                        "failed to record the outcome of a delivery"
                    );
                    tokio::time::sleep(STORE_GAP).await;
                }
                result => return result,
            }
        }
    }

    /// Says in the log, once, that the receiver fails or works again.
    fn say(&self, changed: &Changed, error: &str) {
        let (receiver, waiting) = (self.receiver.name(), changed.waiting);
        let since = changed.failing_since.unwrap_or_default();
        let failing_s = self.clock.now().since(since).as_secs();
        if changed.news.opened {
            tracing::error!(
                event = "receiver_failing",
                receiver,
                waiting,
                reason = error,
                "receiver failing; circuit breaker open"
            );
        }
        if changed.news.closed {
            tracing::info!(
                event = "receiver_works",
                receiver,
                waiting,
                failing_s,
                "messages reach the receiver again"
            );
        }
    }

    /// Notifies the other receivers what they should know of this one. What cannot be recorded now is reported at the next
    /// occasion.
    async fn notify_others(&self, changed: &Changed, error: &str) -> Result<(), StoreError> {
        let news = changed.news;
        let notices = [
            (news.stuck, Notice::Stuck),
            (news.refused, Notice::Refused),
            (news.works, Notice::Works),
        ];
        for notice in notices.into_iter().filter_map(|(is, notice)| is.then_some(notice)) {
            let wall = sentinel_base::clock::wall();
            let trouble = Trouble {
                since: changed.failing_since.map(|since| self.clock.wall(since)),
                asked: changed.asked,
                waiting: changed.waiting,
                error,
            };
            let receiver = self.receiver.name();
            let host = self.store.host().await?;
            let message = Message::about_receiver(notice, &host, receiver, &trouble, wall);
            let (payload, severity) = (message.payload(), message.data.severity);
            let now = self.clock.now();
            let count = self
                .store
                .notify_others(receiver, notice, payload, severity, now, wall)
                .await?;
            // Who is alone has no receiver to be notified; tried again, as somebody may be added.
            if count == 0 {
                continue;
            }
            let about = notice.as_str();
            tracing::warn!(
                event = "receivers_notified",
                receiver,
                about,
                notified = count,
                "the other receivers are notified"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fault_while_sending_is_a_failure_that_is_tried_again() {
        let error = guarded(async { panic!("on purpose") }).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Later);
        assert!(error.is_ambiguous(), "it may have arrived before");
    }
}
