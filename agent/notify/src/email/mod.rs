//! A receiver that gets mail, through a server.
//!
//! * `mail`: a message as a mail; `html`: the part of it for those who do not read text
//! * `session`: the conversation with the server; `lines`: why it cannot be talked over, nor talked to death; `encrypted`:
//!   the same under TLS from the first byte
//!
//! What a failure means: before the server is known to be the right one, everything may pass, for it is not about this
//! mail. After that 4yz may pass and 5yz will not. Only what fails while the mail itself is under way may have arrived.

mod encrypted;
mod html;
mod lines;
mod mail;
mod session;

use std::fmt;
use std::sync::{Mutex, PoisonError};

use lettre::Address;
use secrecy::ExposeSecret as _;
use sentinel_config::EmailSettings;
use sentinel_text::{chain, clip};

use self::session::{Failure, FailureKind, Outcome, Refusal, Stage};
use super::error::{DeliveryError, DeliveryErrorKind};
use super::redact::{Redactor, Secrets};
use super::{Delivered, RenderedMessage};

/// Of what a server says, this much is shown, in bytes.
const SAID_MAX: usize = 1024;

/// When a server takes a mail for some of its recipients and puts others off, those are tried again until this attempt.
/// Meanwhile the next message waits, so it is half a minute and not the half hour of a mail server.
const LAST_PARTIAL: u32 = 6;

/// Mail. Its `Debug` shows which server, and nothing that is secret.
pub struct Email {
    settings: EmailSettings,
    /// How the server is called in errors.
    server: String,
    redactor: Redactor,
    /// Who got the message that others are still to get. Forgotten with the process: then some get it twice, under the
    /// same Message-ID.
    partial: Mutex<Partial>,
}

/// A message that some of its recipients got.
#[derive(Default)]
struct Partial {
    event: String,
    served: Vec<Address>,
}

impl Email {
    /// From its settings.
    pub(super) fn new(settings: &EmailSettings) -> Self {
        let server = format!("{}:{}", settings.server.host, settings.server.port);
        let secrets = settings.login.iter().fold(Secrets::default(), |secrets, login| {
            // As it is sent, and a server may repeat it.
            let sent = format!("\0{}\0{}", login.user, login.password.expose_secret());
            secrets.password(&login.password, &[sent])
        });
        Self {
            settings: settings.clone(),
            server,
            redactor: secrets.redactor(),
            partial: Mutex::default(),
        }
    }

    /// Sends one message. When some of the recipients are refused for good, the others get it, and that is delivered.
    pub(super) async fn deliver(&self, rendered: &RenderedMessage<'_>) -> Result<Delivered, DeliveryError> {
        let event = &rendered.delivery.event;
        let reference = mail::message_id(event, &self.settings);
        let mail = mail::compose(rendered, &self.settings).map_err(|problem| {
            // Nothing that a message may say makes this happen.
            DeliveryError::new(
                DeliveryErrorKind::Refused,
                format!("cannot be made a mail: {}", chain(&problem)),
            )
        })?;
        let served = self.served(event);
        let all_recipients = self.settings.to.iter().map(|to| &to.email);
        let open: Vec<Address> = all_recipients.filter(|to| !served.contains(to)).cloned().collect();
        let outcome = session::send(&self.settings, &open, &mail)
            .await
            .map_err(|failure| self.failed(&failure, !served.is_empty()))?;
        let missed = self.judge(rendered, &outcome, served)?;
        Ok(Delivered {
            reference: Some(reference),
            missed,
        })
    }

    /// Whether that was all, when the server let `outcome` happen and some were `served` before. Answers who never gets it.
    fn judge(
        &self,
        rendered: &RenderedMessage<'_>,
        outcome: &Outcome,
        mut served: Vec<Address>,
    ) -> Result<Option<String>, DeliveryError> {
        let delivery = rendered.delivery;
        served.extend(outcome.taken.iter().cloned());
        let put_off = outcome.refused.iter().find(|refusal| refusal.code < 500);
        let is_partial = !served.is_empty();
        if let Some(refusal) = put_off
            && (!is_partial || delivery.attempt < LAST_PARTIAL)
        {
            let error = self.refused(DeliveryErrorKind::Unavailable, refusal);
            self.serve(&delivery.event, served);
            // Some have it: what ends the conversation must reach them.
            return Err(if is_partial { error.ambiguous() } else { error });
        }
        self.serve("", Vec::new());
        match outcome.refused.first() {
            Some(refusal) if !is_partial => Err(self.refused(DeliveryErrorKind::Refused, refusal)),
            None => Ok(None),
            Some(_) => {
                let all: Vec<String> = outcome.refused.iter().map(|refusal| self.said(refusal)).collect();
                let refused = clip(&all.join("; "), SAID_MAX);
                tracing::error!(
                    event = "mail_partly_refused",
                    mail = delivery.event,
                    incident = delivery.incident.0,
                    refused,
                    "a mail reached only some of its recipients"
                );
                Ok(Some(refused))
            }
        }
    }

    /// Who got the message already.
    fn served(&self, event: &str) -> Vec<Address> {
        let partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        if partial.event == event {
            partial.served.clone()
        } else {
            Vec::new()
        }
    }

    fn serve(&self, event: &str, served: Vec<Address>) {
        let event = event.to_owned();
        *self.partial.lock().unwrap_or_else(PoisonError::into_inner) = Partial { event, served };
    }

    fn refused(&self, kind: DeliveryErrorKind, refusal: &Refusal) -> DeliveryError {
        DeliveryError::new(kind, format!("mail server {}: {}", self.server, self.said(refusal)))
    }

    fn said(&self, refusal: &Refusal) -> String {
        let text = clip(&self.redactor.redact(&refusal.text, false), SAID_MAX);
        format!("{text} ({})", refusal.to)
    }

    /// The error for a conversation that failed; some recipients may have been served by an earlier one.
    fn failed(&self, failure: &Failure, is_partial: bool) -> DeliveryError {
        let kind = match (failure.stage, failure.kind) {
            (Stage::Connecting, _) => DeliveryErrorKind::Connect,
            (_, FailureKind::Code(500..)) => DeliveryErrorKind::Refused,
            (Stage::Preparing, _) | (Stage::Sending, FailureKind::Code(_)) => DeliveryErrorKind::Unavailable,
            (Stage::Sending, FailureKind::Silence) => DeliveryErrorKind::Timeout,
            (Stage::Sending, FailureKind::Broken) => DeliveryErrorKind::Broken,
        };
        let said = clip(&self.redactor.redact(&failure.text, false), SAID_MAX);
        let error = DeliveryError::new(kind, format!("mail server {}: {said}", self.server));
        if is_partial { error.ambiguous() } else { error }
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Email")
            .field("server", &self.server)
            .field("to", &self.settings.to.len())
            .finish_non_exhaustive()
    }
}
