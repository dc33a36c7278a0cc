//! A receiver that gets JSON by POST, as in Standard Webhooks 1.0.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, redirect};
use secrecy::ExposeSecret;
use url::Url;

use super::Delivered;
use super::error::{DeliveryError, DeliveryErrorKind};
use super::redact::Redactor;
use super::retry;
use super::signature::Key;
use crate::config::WebhookSettings;
use crate::store::Delivery;

/// One attempt takes no longer, everything included.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Connecting, TLS included, takes no longer: an attempt that fails this early is known not to have arrived.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Of an answer that is a refusal, this much is read, in bytes; more than is shown, as redaction may shorten it.
const BODY_READ: usize = 8 * 1024;

/// Of an answer that is a refusal, this much is shown, in bytes.
const BODY_SHOWN: usize = 1024;

/// Alerts are rare: a connection kept longer would mostly be closed by the other side just when it is used again, and
/// then nobody knows whether the message arrived.
const IDLE: Duration = Duration::from_secs(10);

/// A webhook. Its `Debug` shows where it is, and nothing that is secret.
pub struct Webhook {
    client: Client,
    url: Url,
    /// Scheme, host and port: what may be shown of the address.
    origin: String,
    headers: HeaderMap,
    key: Option<Key>,
    redactor: Redactor,
}

/// The clients that all receivers share, made when the first one needs them.
#[derive(Debug, Default)]
pub(super) struct Clients {
    plain: Option<Client>,
    secure: Option<Client>,
}

impl Clients {
    /// The client for `url`. Without TLS no certificates are read: a host may have none, and they cost a megabyte.
    fn for_url(&mut self, url: &Url) -> reqwest::Result<Client> {
        let secure = url.scheme() == "https";
        let client = if secure { &mut self.secure } else { &mut self.plain };
        if let Some(client) = client {
            return Ok(client.clone());
        }
        let builder = Client::builder()
            .user_agent(concat!("sentinel/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1);
        let made = if secure { builder } else { builder.tls_certs_only([]) }.build()?;
        Ok(client.insert(made).clone())
    }
}

impl Webhook {
    /// From its settings. The error says what is wrong, without any value.
    pub(super) fn new(settings: &WebhookSettings, clients: &mut Clients) -> Result<Self, String> {
        let url = Url::parse(settings.url.expose_secret().trim())
            .map_err(|error| format!("its url cannot be understood: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("its url must begin with http:// or https:// and name a host".to_owned());
        }
        let client = clients.for_url(&url).map_err(|error| match error.source() {
            Some(cause) => format!("TLS cannot be set up on this host: {cause}"),
            None => "TLS cannot be set up on this host".to_owned(),
        })?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &settings.headers {
            let parsed = HeaderName::try_from(name).map_err(|_| format!("`{name}` is not the name of a header"))?;
            let mut value = HeaderValue::try_from(value.expose_secret())
                .map_err(|_| format!("the value of header `{name}` has characters that no header can hold"))?;
            value.set_sensitive(true);
            headers.insert(parsed, value);
        }
        Ok(Self {
            client,
            origin: url.origin().ascii_serialization(),
            headers,
            key: settings.secret.as_ref().map(Key::new).transpose()?,
            redactor: Redactor::new(&url, settings.headers.values().chain(&settings.secret)),
            url,
        })
    }

    /// Sends one message, at `wall`. Only 2xx is a success; redirects are not followed.
    pub(super) async fn deliver(&self, delivery: &Delivery, wall: Timestamp) -> Result<Delivered, DeliveryError> {
        let seconds = wall.as_second();
        let mut headers = self.headers.clone();
        // Custom headers never replace these: a receiver trusts them.
        for (name, value) in [
            ("webhook-id", delivery.event.clone()),
            ("webhook-timestamp", seconds.to_string()),
        ] {
            insert(&mut headers, name, &value);
        }
        headers.remove("webhook-signature");
        if let Some(key) = &self.key {
            insert(
                &mut headers,
                "webhook-signature",
                &key.sign(&delivery.event, seconds, &delivery.payload),
            );
        }
        let response = self
            .client
            .post(self.url.clone())
            .headers(headers)
            .body(delivery.payload.clone())
            .send()
            .await
            .map_err(|error| self.failed(error))?;
        if response.status().is_success() {
            return Ok(Delivered::default());
        }
        Err(self.refused(response, wall).await)
    }

    /// The error for a request that got no answer.
    fn failed(&self, error: reqwest::Error) -> DeliveryError {
        let kind = if error.is_connect() {
            DeliveryErrorKind::Connect
        } else if error.is_timeout() {
            DeliveryErrorKind::Timeout
        } else {
            DeliveryErrorKind::Broken
        };
        let error = error.without_url();
        let mut reason = String::new();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Layers often repeat each other.
            if !reason.ends_with(&text) {
                if !reason.is_empty() {
                    reason.push_str(": ");
                }
                reason.push_str(&text);
            }
            source = cause.source();
        }
        let text = match kind {
            DeliveryErrorKind::Timeout => format!("no answer from {} within {} s", self.origin, TIMEOUT.as_secs()),
            _ => format!(
                "failed to POST to {}: {}",
                self.origin,
                self.redactor.redact(&reason, false)
            ),
        };
        DeliveryError::new(kind, text)
    }

    /// The error for an answer that is not a success, with what it says.
    async fn refused(&self, response: Response, wall: Timestamp) -> DeliveryError {
        let status = response.status().as_u16();
        let wish = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry::retry_after(value, wall));
        let said = self.read_refusal(response).await;
        let text = if said.is_empty() {
            format!("{} answered {status}", self.origin)
        } else {
            format!("{} answered {status}: {said}", self.origin)
        };
        DeliveryError::new(DeliveryErrorKind::Status(status), text).with_retry_after(wish)
    }

    /// The beginning of an answer's body, fit to be shown.
    async fn read_refusal(&self, mut response: Response) -> String {
        let mut body = Vec::new();
        // A body that breaks off or stalls (the client's timeout ends it) only makes the error less telling.
        let mut complete = false;
        while body.len() < BODY_READ {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => {
                    complete = true;
                    break;
                }
                Err(_) => break,
            }
        }
        let cut = !complete || body.len() > BODY_READ;
        body.truncate(BODY_READ);
        let text = self.redactor.redact(String::from_utf8_lossy(&body).trim(), cut);
        let end = (0..=BODY_SHOWN.min(text.len()))
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or(0);
        text[..end].trim().to_owned()
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("origin", &self.origin)
            .field("signed", &self.key.is_some())
            .finish_non_exhaustive()
    }
}

/// Sets a header made of digits, letters and base64, which is always valid.
fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
