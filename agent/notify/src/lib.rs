//! Where messages go, and their delivery from the outbox.
//!
//! * `message`: what receivers are sent, as the outbox keeps it; `incident_message`: how an incident becomes one;
//!   `timeline`: what happened so far in it; `text`: a message in words, for every kind of receiver; `mask`, `words`:
//!   foreign text made fit
//! * `slack`, `email`, `webhook`, `alertmanager`, `command`: receivers; `http`: what those share that are reached over HTTP;
//!   `signature`: how webhooks are signed. A new kind of receiver is a file like them, an arm of [`Kind`] and a settings
//!   struct
//! * `rendered_message`: a message with its forms, on its way to one receiver; the place where templates of the operator come in
//! * `dispatch`: one worker per receiver that takes messages from the outbox, one at a time
//! * `retry`: what a failure means, and when to try again; `error`, `redact`: what may be said about it
//!
//! Each kind keeps the same contract. `new(settings)` says what is wrong without any value. `deliver(message)` ends within
//! half a minute, says the same on every attempt for the same message, and answers a [`DeliveryError`] that was classified
//! (may it pass? may it have arrived?) and went through its `Redactor`. `Debug` shows nothing secret.

mod alertmanager;
pub mod announcer;
mod combined;
mod command;
mod counts;
mod dispatch;
mod email;
mod ending;
mod error;
mod fallback;
pub mod heartbeat;
mod http;
mod incident_message;
mod message;
mod redact;
mod rendered_message;
mod retry;
mod settings_error;
mod signature;
mod slack;
mod text;
mod timeline;
mod webhook;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sentinel_base::clock::Clock;
use sentinel_config::template::Template;
use sentinel_config::{ReceiverKind, ReceiverSettings};
use sentinel_store::{Delivery, Store};
use thiserror::Error;

pub use alertmanager::Alertmanager;
pub use combined::Trouble;
pub use command::Command;
use counts::Counts;
pub use counts::DeliveryCounts;
pub use email::Email;
pub use error::{DeliveryError, DeliveryErrorKind};
pub use fallback::{FallbackNotifier, ReceiverRegistry};
use http::Clients;
pub use incident_message::sentence;
pub use message::{
    EVIDENCE_MAX, Evidence, MEMBERS_MAX, Member, Message, MessageCause, MessageData, PAYLOAD_MAX, TIMELINE_MAX,
    TimelineLine,
};
use rendered_message::RenderedMessage;
pub use retry::{Retry, RetryPolicy};
pub use sentinel_text::time::moment;
pub use settings_error::SettingsError;
pub use slack::Slack;
pub use text::Text;
pub use timeline::{EvidenceKind, IncidentTimeline, Learned, TOO_MANY, Timelines};
pub use webhook::Webhook;

/// Runs a receiver until the store is closed: delivers what the outbox has for it, and does what it does besides. May be
/// dropped at any time; see [`dispatch::run`].
pub async fn run(receiver: Arc<Receiver>, store: Store, clock: Clock, policy: RetryPolicy) {
    let beside = Arc::clone(&receiver);
    let shared = store.clone();
    tokio::select! {
        () = dispatch::run(receiver, store, clock, policy) => {}
        () = beside.accompany(&shared) => {}
    }
}

/// A receiver to notify.
#[derive(Debug)]
pub struct Receiver {
    name: String,
    kind: Kind,
    /// Whose clocks the times in its messages go by.
    zone: TimeZone,
    /// Other words than the built-in ones.
    template: Option<Template>,
    /// What came of attempts so far.
    counts: Counts,
}

/// The kinds of receiver.
#[derive(Debug)]
enum Kind {
    Slack(Slack),
    Webhook(Webhook),
    Command(Command),
    Email(Email),
    Alertmanager(Alertmanager),
}

/// What a receiver said when it took a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The receiver's own name for the message, for what must refer to it later.
    pub reference: Option<String>,
    /// Whom of those behind it the message did not reach, and why: recipients of a mail, replicas of an Alertmanager.
    pub missed: Option<String>,
}

/// A receiver that cannot work as it is configured. Never holds a secret.
#[derive(Debug, Error)]
pub enum ReceiverError {
    /// A setting makes no sense, or cannot work on this host.
    #[error("receiver `{receiver}`")]
    Settings {
        /// The receiver.
        receiver: String,
        /// What is wrong, without the value.
        source: SettingsError,
    },
}

impl Receiver {
    /// Makes the configured receivers.
    pub fn all(settings: &[ReceiverSettings]) -> Result<Vec<Self>, ReceiverError> {
        let mut clients = Clients::default();
        settings
            .iter()
            .map(|settings| Self::new(settings, &mut clients))
            .collect()
    }

    fn new(settings: &ReceiverSettings, clients: &mut Clients) -> Result<Self, ReceiverError> {
        let kind = match &settings.kind {
            ReceiverKind::Slack(slack) => Slack::new(slack, clients).map(Kind::Slack),
            ReceiverKind::Webhook(webhook) => Webhook::new(webhook, clients).map(Kind::Webhook),
            ReceiverKind::Command(command) => Command::new(command).map(Kind::Command),
            ReceiverKind::Email(email) => Ok(Kind::Email(Email::new(email))),
            ReceiverKind::Alertmanager(manager) => {
                Alertmanager::new(&settings.name, manager, &settings.zone).map(Kind::Alertmanager)
            }
        };
        let template = settings.template.as_ref();
        let template = template.map(|text| Template::new(text, &settings.zone).map_err(SettingsError::Template));
        let template = template.transpose();
        kind.and_then(|kind| {
            Ok(Self {
                name: settings.name.clone(),
                kind,
                zone: settings.zone.clone(),
                template: template?,
                counts: Counts::default(),
            })
        })
        .map_err(|source| ReceiverError::Settings {
            receiver: settings.name.clone(),
            source,
        })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose clocks the times in its messages go by.
    const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Sends one message, at `wall`. Ends within half a minute, whatever the other side does.
    pub async fn deliver(&self, delivery: &Delivery, wall: Timestamp) -> Result<Delivered, DeliveryError> {
        let rendered = RenderedMessage::new(delivery, wall, &self.zone, self.template.as_ref());
        // Said once per message, as failures are.
        if let Some(problem) = rendered.problem().filter(|_| delivery.attempt == 1) {
            tracing::warn!(
                receiver = self.name,
                id = delivery.event,
                incident = delivery.incident.0,
                problem = %problem,
                "a message goes in the built-in words, as the receiver's template failed"
            );
        }
        let result = match &self.kind {
            Kind::Slack(slack) => slack.deliver(&rendered).await,
            Kind::Webhook(webhook) => webhook.deliver(&rendered).await,
            Kind::Command(command) => command.deliver(&rendered).await,
            Kind::Email(email) => email.deliver(&rendered).await,
            Kind::Alertmanager(manager) => manager.deliver(&rendered).await,
        };
        self.counts.add(&result);
        result
    }

    /// What a receiver does besides, for as long as its messages are delivered.
    async fn accompany(&self, store: &Store) {
        match &self.kind {
            Kind::Alertmanager(manager) => manager.resend(store).await,
            Kind::Slack(_) | Kind::Webhook(_) | Kind::Email(_) | Kind::Command(_) => std::future::pending().await,
        }
    }
}
