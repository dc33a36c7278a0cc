//! Slack. An incoming webhook posts each message by itself. A bot keeps one message per incident: what comes later brings
//! that message up to date and replies in its thread.
//!
//! `blocks` makes the payloads, within Slack's limits, and `attachments` those for others that take Slack's messages, which
//! ignore blocks without a word; `answer` says what Slack's answers mean. Slack has no idempotency
//! key: when an answer is lost, a message may come twice.

mod answer;
mod attachments;
mod blocks;

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use sentinel_config::{Secret, SlackSettings, SlackStyle};
use sentinel_engine::Severity;
use sentinel_store::First;
use serde_json::Value;
use tokio::time::timeout;

use self::answer::{Meaning, Posted};
use super::error::{DeliveryError, DeliveryErrorKind};
use super::http::{self, Clients, Endpoint};
use super::settings_error::SettingsError;
use super::{Delivered, RenderedMessage};

/// All requests for one message together: one of them may take half of it.
const DEADLINE: Duration = Duration::from_secs(30);

/// Where Slack itself takes messages by webhook. Whatever answers elsewhere is another product until `style` says otherwise.
const SLACK: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];

/// A channel in Slack.
pub struct Slack {
    headers: HeaderMap,
    kind: Kind,
}

enum Kind {
    Webhook {
        endpoint: Endpoint,
        /// Whether it shows blocks.
        blocks: bool,
    },
    Bot {
        post: Endpoint,
        update: Endpoint,
        channel: String,
    },
}

/// A message in Slack: the channel's ID and the time that is its name. Kept in the outbox as `ID/TIME`.
struct Parent<'a> {
    channel: &'a str,
    ts: &'a str,
    /// Whether other incidents began with it as well.
    shared: bool,
}

/// A payload that Slack did not take.
struct Unsent {
    error: DeliveryError,
    /// What else may be tried at once.
    other: Option<Other>,
}

/// What Slack did not like about a payload.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Other {
    Form,
    Place,
}

impl Slack {
    /// From its settings. The error says what is wrong, without any value.
    pub(super) fn new(settings: &SlackSettings, clients: &mut Clients) -> Result<Self, SettingsError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        let kind = match settings {
            SlackSettings::Webhook { url, style } => {
                let endpoint = Endpoint::new(url, [], clients)?;
                Kind::Webhook {
                    blocks: match style {
                        SlackStyle::Auto => SLACK.contains(&endpoint.host()),
                        SlackStyle::Blocks => true,
                        SlackStyle::Attachments => false,
                    },
                    endpoint,
                }
            }
            SlackSettings::Bot {
                token,
                channel,
                api_url,
            } => {
                let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
                    .map_err(|_| SettingsError::Token)?;
                bearer.set_sensitive(true);
                headers.insert(AUTHORIZATION, bearer);
                let mut method = |name: &str| {
                    let url = api_url.join(name).map_err(SettingsError::ApiUrl)?;
                    Endpoint::new(&Secret::from(String::from(url)), [token], clients)
                };
                Kind::Bot {
                    post: method("chat.postMessage")?,
                    update: method("chat.update")?,
                    channel: channel.clone(),
                }
            }
        };
        Ok(Self { headers, kind })
    }

    /// Posts one message; a bot goes on with the conversation that the incident's first message began.
    pub(super) async fn deliver(&self, rendered: &RenderedMessage<'_>) -> Result<Delivered, DeliveryError> {
        let delivery = async {
            match &self.kind {
                Kind::Webhook { endpoint, .. } => {
                    let posted = self.send(endpoint, rendered, Value::Null).await;
                    posted.map_err(|unsent| unsent.error)
                }
                Kind::Bot { post, update, channel } => {
                    let first = rendered.delivery.first.as_ref();
                    match first.and_then(Parent::of) {
                        Some(parent) => self.go_on(post, update, &parent, channel, rendered).await,
                        None => self.begin(post, channel, rendered).await,
                    }
                }
            }
        };
        let posted = timeout(DEADLINE, delivery).await.unwrap_or_else(|_| {
            let text = format!("Slack took longer than {}s", DEADLINE.as_secs());
            Err(DeliveryError::new(DeliveryErrorKind::Timeout, text))
        })?;
        let reference = posted.and_then(|posted| Some(format!("{}/{}", posted.channel?, posted.ts?)));
        Ok(Delivered {
            reference,
            missed: None,
        })
    }

    /// Brings the incident's message up to date, and says in its thread what is new. In this order, since the first can be
    /// repeated without harm. A message about several incidents stays as it is: the news of one is no word about the others.
    ///
    /// When there is no such message or channel any more, what is new is posted by itself where the bot writes today: a reply
    /// to what was deleted is either hidden below its remains or refused (`cannot_reply_to_message`).
    async fn go_on(
        &self,
        post: &Endpoint,
        update: &Endpoint,
        parent: &Parent<'_>,
        channel: &str,
        rendered: &RenderedMessage<'_>,
    ) -> Result<Option<Posted>, DeliveryError> {
        let data = &rendered.message.data;
        let updated = if parent.shared {
            Ok(None)
        } else {
            let place = serde_json::json!({ "channel": parent.channel, "ts": parent.ts });
            self.send(update, rendered, place).await
        };
        let replied = match updated {
            // It may no longer be edited. What is new is told all the same.
            Err(Unsent { error, other: None }) if error.kind() != DeliveryErrorKind::Refused => return Err(error),
            Err(
                gone @ Unsent {
                    other: Some(Other::Place),
                    ..
                },
            ) => Err(gone),
            Ok(_) | Err(_) => {
                // Nobody is called by a reply in a thread; what needs manual action goes to the channel as well, and so
                // does an end that nothing else in the channel shows.
                let broadcast = data.severity == Severity::Critical || parent.shared && data.resolution.is_some();
                let place = serde_json::json!({
                    "channel": parent.channel, "thread_ts": parent.ts, "reply_broadcast": broadcast,
                });
                self.send(post, rendered, place).await
            }
        };
        match replied {
            Err(Unsent {
                other: Some(Other::Place),
                ..
            }) => self.begin(post, channel, rendered).await,
            replied => replied.map_err(|unsent| unsent.error),
        }
    }

    /// Posts a message that stands by itself.
    async fn begin(
        &self,
        post: &Endpoint,
        channel: &str,
        rendered: &RenderedMessage<'_>,
    ) -> Result<Option<Posted>, DeliveryError> {
        let posted = self
            .send(post, rendered, serde_json::json!({ "channel": channel }))
            .await;
        posted.map_err(|unsent| unsent.error)
    }

    /// Sends one payload, and when Slack does not like its form, once more as plain text.
    async fn send(
        &self,
        to: &Endpoint,
        rendered: &RenderedMessage<'_>,
        place: Value,
    ) -> Result<Option<Posted>, Unsent> {
        let payload = match self.kind {
            Kind::Webhook { blocks: false, .. } => attachments::payload(&rendered.message, &rendered.text),
            Kind::Webhook { .. } | Kind::Bot { .. } => blocks::payload(&rendered.message, &rendered.text, &place),
        };
        match self.request(to, rendered, &payload).await {
            Err(Unsent {
                other: Some(Other::Form),
                ..
            }) => {
                let payload = blocks::plain_payload(&rendered.text, &place);
                self.request(to, rendered, &payload).await
            }
            other => other,
        }
    }

    /// One request.
    async fn request(
        &self,
        to: &Endpoint,
        rendered: &RenderedMessage<'_>,
        payload: &Value,
    ) -> Result<Option<Posted>, Unsent> {
        let body = payload.to_string().into_bytes();
        let response = to.post(self.headers.clone(), body).await?;
        let (status, wish) = (response.status().as_u16(), http::wish(&response, rendered.wall));
        let body = http::read(response).await;
        let said = |error: &str| format!("{} said `{}`", to.origin(), to.shown(&http::Body::of(error)));
        let refused = |error: &str| {
            let text = format!("{}{}", said(error), answer::hint(error));
            DeliveryError::new(DeliveryErrorKind::Refused, text)
        };
        match answer::meaning(status, &body, matches!(self.kind, Kind::Bot { .. })) {
            Meaning::Posted(posted) => Ok(posted),
            Meaning::Form(error) => Err(Unsent {
                error: refused(&error),
                other: Some(Other::Form),
            }),
            Meaning::Place(error) => Err(Unsent {
                error: refused(&error),
                other: Some(Other::Place),
            }),
            Meaning::Refused(error) => Err(refused(&error).into()),
            Meaning::Later(error) => {
                let error = DeliveryError::new(DeliveryErrorKind::Unavailable, said(&error));
                Err(error.with_retry_after(wish).into())
            }
            Meaning::Unclear(error) => {
                let error = DeliveryError::new(DeliveryErrorKind::Unavailable, said(&error)).ambiguous();
                Err(error.with_retry_after(wish).into())
            }
            Meaning::Status => {
                let hint = answer::hint(body.text.trim());
                Err(to.refusal(status, wish, &body).with_hint(hint).into())
            }
            Meaning::Nonsense => {
                let text = format!("{} answered {status} with what is no answer of Slack", to.origin());
                Err(DeliveryError::new(DeliveryErrorKind::Broken, text).into())
            }
        }
    }
}

impl From<DeliveryError> for Unsent {
    fn from(error: DeliveryError) -> Self {
        Self { error, other: None }
    }
}

impl<'a> Parent<'a> {
    fn of(first: &'a First) -> Option<Self> {
        let (channel, ts) = first.reference.as_deref()?.split_once('/')?;
        let shared = first.shared;
        Some(Self { channel, ts, shared })
    }
}

impl fmt::Debug for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, endpoint) = match &self.kind {
            Kind::Webhook { endpoint, .. } => ("webhook", endpoint),
            Kind::Bot { post, .. } => ("bot", post),
        };
        f.debug_struct("Slack")
            .field("kind", &kind)
            .field("origin", &endpoint.origin())
            .finish_non_exhaustive()
    }
}
