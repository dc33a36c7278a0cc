//! One worker per receiver: takes its messages from the outbox, one at a time and in order, until each was taken.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::error::DeliveryError;
use super::retry::{Retry, RetryPolicy};
use super::{Delivered, Receiver};
use crate::clock::Clock;
use crate::store::{Delivery, Next, Store, StoreError, StoreErrorKind};

/// Longest sleep at a time. The runtime's timers stand still while the host is suspended; the engine's time does not.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// How long to leave a store alone that cannot be written.
const STORE_GAP: Duration = Duration::from_secs(5);

/// Delivers the messages to `receiver` until the store is closed. May be dropped at any time: a message that was being
/// sent is sent again, under the same key, by whoever runs next.
///
/// Run one of these per receiver, so that a slow or dead one delays nobody else. The receiver is shared with whoever has
/// to tell that the store itself cannot be written.
pub async fn run(receiver: Arc<Receiver>, store: Store, clock: Clock, policy: RetryPolicy) {
    let mut changes = store.outbox_changes();
    loop {
        // Seen before looking, so that a message added meanwhile is not missed.
        changes.mark_unchanged();
        match store.next_message(receiver.name(), clock.now(), Timestamp::now()).await {
            Ok(Next::Send(delivery)) => {
                let result = receiver.deliver(&delivery, Timestamp::now()).await;
                if record(&receiver, &store, &clock, policy, &delivery, result)
                    .await
                    .is_err()
                {
                    return;
                }
            }
            // What is added meanwhile waits behind the one that waits.
            Ok(Next::Wait(until)) => tokio::time::sleep(until.since(clock.now()).min(SLEEP_MAX)).await,
            // Cannot fail: this function holds a store.
            Ok(Next::Idle) => drop(changes.changed().await),
            Err(error) if error.kind() == StoreErrorKind::Closed => return,
            Err(error) => {
                tracing::warn!(
                    receiver = receiver.name(),
                    error = &error as &dyn std::error::Error,
                    "failed to read the outbox"
                );
                tokio::time::sleep(STORE_GAP).await;
            }
        }
    }
}

/// Records what became of a message. While the store cannot be written this waits, for sending the message again would
/// be worse than sending the next one later. Fails only when the store is closed.
async fn record(
    receiver: &Receiver,
    store: &Store,
    clock: &Clock,
    policy: RetryPolicy,
    delivery: &Delivery,
    result: Result<Delivered, DeliveryError>,
) -> Result<(), StoreError> {
    let outcome = judge(receiver, clock, policy, delivery, result);
    loop {
        match write(store, delivery.row, &outcome).await {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == StoreErrorKind::Closed => return Err(error),
            Err(error) => {
                tracing::warn!(
                    receiver = receiver.name(),
                    message = delivery.event,
                    error = &error as &dyn std::error::Error,
                    "failed to record what became of a message"
                );
                tokio::time::sleep(STORE_GAP).await;
            }
        }
    }
}

/// What an attempt means for its message.
enum Outcome {
    Delivered(Delivered),
    Postponed {
        error: DeliveryError,
        not_before: sentinel_engine::Time,
    },
    Dead(DeliveryError),
}

/// Decides what an attempt means, and says so in the log.
fn judge(
    receiver: &Receiver,
    clock: &Clock,
    policy: RetryPolicy,
    delivery: &Delivery,
    result: Result<Delivered, DeliveryError>,
) -> Outcome {
    let (receiver, message, attempt) = (receiver.name(), delivery.event.as_str(), delivery.attempt);
    let incident = delivery.incident.0;
    match result {
        Ok(delivered) => {
            tracing::debug!(receiver, message, incident, attempt, "message delivered");
            Outcome::Delivered(delivered)
        }
        Err(error) if error.retry() == Retry::Never => {
            tracing::error!(receiver, message, incident, attempt, %error, "message refused for good");
            Outcome::Dead(error)
        }
        Err(error) => {
            let now = clock.now();
            let gap = policy.gap(attempt, now.since(delivery.created), message, error.retry_after());
            // Said once per message: a receiver that is down for a day must not fill the log.
            if attempt == 1 {
                tracing::warn!(receiver, message, incident, %error, "message not delivered; trying again");
            } else {
                tracing::debug!(receiver, message, incident, attempt, %error, gap_s = gap.as_secs_f64(), "message not delivered");
            }
            Outcome::Postponed {
                error,
                not_before: now + gap,
            }
        }
    }
}

async fn write(store: &Store, row: i64, outcome: &Outcome) -> Result<(), StoreError> {
    match outcome {
        Outcome::Delivered(delivered) => {
            store
                .delivered(row, delivered.reference.clone(), Timestamp::now())
                .await
        }
        Outcome::Postponed { error, not_before } => {
            store
                .postponed(row, error.to_string(), error.is_ambiguous(), *not_before)
                .await
        }
        Outcome::Dead(error) => store.dead(row, error.to_string(), Timestamp::now()).await,
    }
}
