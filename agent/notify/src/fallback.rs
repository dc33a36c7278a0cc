//! Notifies receivers from memory while the store cannot be written: that it cannot, and what needs manual action now.
//!
//! Everything else waits for the store, and so does the account of what was sent here: each message goes out under the
//! key that it will have in the outbox, and the store is informed before and after (`store/outbox/memory.rs`), so that
//! it is not sent again when it comes to be recorded. Should the agent die first, nobody remembers it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sentinel_base::clock::Clock;
use sentinel_engine::{IncidentId, Severity};
use sentinel_store::{Delivery, FromMemory, OutgoingMessage, Store};
use tokio::sync::{mpsc, watch};

use super::retry::{Retry, RetryPolicy};
use super::{Delivered, DeliveryCounts, DeliveryError, Message, Receiver};

/// Messages that may wait for one receiver. What exceeds it waits for the store, or for room.
const QUEUE: usize = 100;

/// Longest gap between two attempts.
const GAP_MAX: Duration = Duration::from_secs(30);

/// Attempts to say that the store works again. Everything else that arrives says so too.
const LAST_WORDS: u32 = 5;

/// The receivers by name, as they are now.
#[derive(Clone, Debug, Default)]
pub struct ReceiverRegistry(Arc<Mutex<BTreeMap<String, Arc<Receiver>>>>);

impl ReceiverRegistry {
    /// Adds one, or replaces the one of its name.
    pub fn insert(&self, receiver: Arc<Receiver>) {
        self.receivers().insert(receiver.name().to_owned(), receiver);
    }

    /// Forgets all but those named.
    pub fn keep(&self, names: &[String]) {
        self.receivers().retain(|name, _| names.contains(name));
    }

    /// What came of attempts to deliver messages, by receiver.
    fn deliveries(&self) -> Vec<(String, DeliveryCounts)> {
        let receivers = self.receivers();
        let counts = receivers
            .iter()
            .map(|(name, receiver)| (name.clone(), receiver.counts.read()));
        counts.collect()
    }

    fn find(&self, name: &str) -> Option<Arc<Receiver>> {
        self.receivers().get(name).cloned()
    }

    fn receivers(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Receiver>>> {
        // A map of handles is whole whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notifies from memory. One worker per receiver, so that a silent one delays nothing else.
pub struct FallbackNotifier {
    registry: ReceiverRegistry,
    store: Store,
    clock: Clock,
    workers: BTreeMap<String, mpsc::Sender<FallbackRequest>>,
    /// The keys of messages that were handed to their worker.
    begun: BTreeSet<String>,
    /// Whether the store cannot be written.
    failing: watch::Sender<bool>,
}

/// What a worker is asked to send.
enum FallbackRequest {
    /// The store cannot be written, or can be again.
    Store(Box<Delivery>),
    /// A message that comes to be recorded later.
    Message(Box<Delivery>),
}

impl FallbackNotifier {
    /// Notifies the receivers of `registry`, once there is a reason to.
    pub fn new(registry: ReceiverRegistry, store: Store, clock: Clock) -> Self {
        Self {
            registry,
            store,
            clock,
            workers: BTreeMap::new(),
            begun: BTreeSet::new(),
            failing: watch::Sender::new(false),
        }
    }

    /// What came of attempts to deliver messages, from memory and from the outbox, by receiver.
    pub fn deliveries(&self) -> Vec<(String, DeliveryCounts)> {
        self.registry.deliveries()
    }

    /// The store cannot be written, for the reason `error`: `names` are notified, once. Of `messages`, which wait for it,
    /// those are sent whose incident needs manual action now, each incident's in their request.
    pub fn store_failed(&mut self, host: &str, names: &[String], error: &str, messages: Vec<OutgoingMessage>) {
        if !self.failing.send_replace(true) {
            let message = Message::about_store(host, Some(error), sentinel_base::clock::wall());
            self.say(names, &message);
        }
        let urgent: BTreeSet<IncidentId> = messages
            .iter()
            .filter(|message| message.severity == Severity::Critical)
            .map(|message| message.incident)
            .collect();
        let mut messages: Vec<_> = messages
            .into_iter()
            .filter(|message| urgent.contains(&message.incident))
            .collect();
        messages.sort_by_key(|message| (message.incident, message.sequence));
        for message in messages {
            self.notify(message);
        }
    }

    /// The store can be written again: whoever heard that it cannot is notified.
    pub fn store_writable(&mut self, host: &str) {
        if self.failing.send_replace(false) {
            let message = Message::about_store(host, None, sentinel_base::clock::wall());
            let names: Vec<String> = self.workers.keys().cloned().collect();
            self.say(&names, &message);
            self.workers.clear();
            self.begun.clear();
        }
    }

    fn say(&mut self, names: &[String], message: &Message) {
        // No incident has as high a number, nor is this moment another's.
        let micros = self.clock.now().since_epoch().as_micros();
        let moment = IncidentId(u64::try_from(micros).unwrap_or(u64::MAX));
        for name in names {
            let delivery = Delivery {
                row: 0,
                event: self.store.event_id(moment, u32::MAX, name),
                incident: IncidentId(0),
                sequence: 1,
                kind: message.data.kind.clone(),
                payload: message.payload(),
                created: self.clock.now(),
                attempt: 1,
                ambiguous: false,
                first: None,
            };
            self.request(name, FallbackRequest::Store(Box::new(delivery)));
        }
    }

    fn notify(&mut self, message: OutgoingMessage) {
        let event = self
            .store
            .event_id(message.incident, message.sequence, &message.receiver);
        if self.begun.contains(&event) {
            return;
        }
        let delivery = Delivery {
            row: 0,
            event: event.clone(),
            incident: message.incident,
            sequence: message.sequence,
            kind: message.kind.to_owned(),
            payload: message.payload,
            created: message.created,
            attempt: 1,
            ambiguous: false,
            first: None,
        };
        if self.request(&message.receiver, FallbackRequest::Message(Box::new(delivery))) {
            self.begun.insert(event);
        }
    }

    /// Answers whether there is such a receiver, and room.
    fn request(&mut self, name: &str, request: FallbackRequest) -> bool {
        let Some(receiver) = self.registry.find(name) else {
            return false;
        };
        let worker = self.workers.entry(name.to_owned()).or_insert_with(|| {
            let (sender, requests) = mpsc::channel(QUEUE);
            let worker = FallbackWorker {
                receiver,
                store: self.store.clone(),
                clock: self.clock.clone(),
                failing: self.failing.subscribe(),
                has_heard: false,
            };
            tokio::spawn(worker.run(requests));
            sender
        });
        worker.try_send(request).is_ok()
    }
}

/// The way to one receiver.
struct FallbackWorker {
    receiver: Arc<Receiver>,
    store: Store,
    clock: Clock,
    failing: watch::Receiver<bool>,
    /// Whether the receiver may know that the store cannot be written.
    has_heard: bool,
}

/// What came of saying something.
#[derive(PartialEq, Eq)]
enum Said {
    Delivered(Option<String>),
    Doubtful,
    Failed,
}

impl FallbackWorker {
    async fn run(mut self, mut requests: mpsc::Receiver<FallbackRequest>) {
        while let Some(request) = requests.recv().await {
            match request {
                FallbackRequest::Store(delivery) => self.say(&delivery).await,
                FallbackRequest::Message(delivery) => self.notify(&delivery).await,
            }
        }
    }

    /// Says how the store is. That it cannot be written is said until it arrives or is no longer so.
    async fn say(&mut self, delivery: &Delivery) {
        let is_failure = *self.failing.borrow();
        if !is_failure && !self.has_heard {
            return;
        }
        let most = if is_failure { u32::MAX } else { LAST_WORDS };
        let said = self.retry_until(delivery, most, is_failure).await;
        self.has_heard = said != Said::Failed;
    }

    /// Sends a message of an incident, unless it has come to be recorded.
    async fn notify(&mut self, delivery: &Delivery) {
        let event = || delivery.event.clone();
        let now = || self.clock.now();
        if !*self.failing.borrow() {
            return;
        }
        let sending = FromMemory::Sending;
        if !self
            .store
            .sent_from_memory(event(), sending, now())
            .await
            .unwrap_or(false)
        {
            return;
        }
        let said = match self.retry_until(delivery, u32::MAX, true).await {
            Said::Delivered(reference) => FromMemory::Delivered(reference),
            Said::Doubtful => FromMemory::Doubtful,
            Said::Failed => FromMemory::Failed,
        };
        // Without a store nobody sends it again.
        let _ = self
            .store
            .sent_from_memory(delivery.event.clone(), said, self.clock.now())
            .await;
    }

    /// Tries until it is delivered or refused, at most `most` times, and as long as the store is `failing`.
    async fn retry_until(&mut self, delivery: &Delivery, most: u32, failing: bool) -> Said {
        let mut said = Said::Failed;
        let mut delivery = delivery.clone();
        while delivery.attempt <= most {
            let result = self.receiver.deliver(&delivery, sentinel_base::clock::wall()).await;
            self.log(&delivery, &result);
            match result {
                Ok(delivered) => return Said::Delivered(delivered.reference),
                Err(error) if error.retry() == Retry::Never => return said,
                Err(error) => {
                    if error.is_ambiguous() {
                        said = Said::Doubtful;
                        delivery.ambiguous = true;
                    }
                    let age = self.clock.now().since(delivery.created);
                    let policy = RetryPolicy::default();
                    let gap = policy.gap(delivery.attempt, age, &delivery.event, error.retry_after());
                    self.pause(gap.min(GAP_MAX), failing).await;
                }
            }
            if *self.failing.borrow() != failing {
                return said;
            }
            delivery.attempt = delivery.attempt.saturating_add(1);
        }
        said
    }

    /// Waits, but no longer than the store is `failing`.
    async fn pause(&mut self, gap: Duration, failing: bool) {
        tokio::select! {
            () = tokio::time::sleep(gap) => {}
            // The other end is the driver's; without it the agent is stopping.
            _ = self.failing.wait_for(|now| *now != failing) => {}
        }
    }

    fn log(&self, delivery: &Delivery, result: &Result<Delivered, DeliveryError>) {
        let (receiver, message, attempt) = (self.receiver.name(), delivery.event.as_str(), delivery.attempt);
        match result {
            Ok(_) => tracing::info!(receiver, message, kind = delivery.kind, "message delivered from memory"),
            Err(error) if attempt == 1 => {
                tracing::warn!(receiver, message, kind = delivery.kind, %error, "message from memory not delivered");
            }
            Err(error) => tracing::debug!(receiver, message, attempt, %error, "message from memory not delivered"),
        }
    }
}
