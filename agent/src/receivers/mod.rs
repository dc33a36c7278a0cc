//! Where messages go, and their delivery from the outbox.
//!
//! * `message`: what receivers are told, in words and as JSON
//! * `webhook`: a receiver; `signature`: how its messages are signed. A new kind of receiver is a file like it, an arm of
//!   [`Kind`] and a settings struct
//! * `dispatch`: one worker per receiver that takes messages from the outbox, one at a time
//! * `retry`: what a failure means, and when to try again; `error`, `redact`: what may be said about it

mod dispatch;
mod error;
mod message;
mod redact;
mod retry;
mod signature;
mod webhook;

use jiff::Timestamp;
use thiserror::Error;

pub use dispatch::run;
pub use error::{DeliveryError, DeliveryErrorKind};
pub(crate) use message::predicate;
pub use message::{Message, MessageCause, MessageData, PAYLOAD_MAX};
pub use retry::{Retry, RetryPolicy};
pub use webhook::Webhook;

use crate::config::{ReceiverKind, ReceiverSettings};
use crate::store::Delivery;

/// Somebody to tell.
#[derive(Debug)]
pub struct Receiver {
    name: String,
    kind: Kind,
}

/// The kinds of receiver.
#[derive(Debug)]
enum Kind {
    Webhook(Webhook),
}

/// What a receiver said when it took a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The receiver's own name for the message, for what must refer to it later.
    pub reference: Option<String>,
}

/// A receiver that cannot work as it is configured. Never holds a secret.
#[derive(Debug, Error)]
pub enum ReceiverError {
    /// A setting makes no sense, or cannot work on this host.
    #[error("receiver `{receiver}`: {problem}")]
    Settings {
        /// The receiver.
        receiver: String,
        /// What is wrong, without the value.
        problem: String,
    },
}

impl Receiver {
    /// Makes the configured receivers.
    pub fn all(settings: &[ReceiverSettings]) -> Result<Vec<Self>, ReceiverError> {
        let mut clients = webhook::Clients::default();
        settings
            .iter()
            .map(|settings| Self::new(settings, &mut clients))
            .collect()
    }

    fn new(settings: &ReceiverSettings, clients: &mut webhook::Clients) -> Result<Self, ReceiverError> {
        let kind = match &settings.kind {
            ReceiverKind::Webhook(webhook) => Webhook::new(webhook, clients).map(Kind::Webhook),
        };
        kind.map(|kind| Self {
            name: settings.name.clone(),
            kind,
        })
        .map_err(|problem| ReceiverError::Settings {
            receiver: settings.name.clone(),
            problem,
        })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends one message, at `wall`. Ends within half a minute, whatever the other side does.
    pub async fn deliver(&self, delivery: &Delivery, wall: Timestamp) -> Result<Delivered, DeliveryError> {
        match &self.kind {
            Kind::Webhook(webhook) => webhook.deliver(delivery, wall).await,
        }
    }
}
