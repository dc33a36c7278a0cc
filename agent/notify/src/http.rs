//! What receivers that are reached over HTTP share: one client, a POST, and what is said when it fails.

use std::error::Error as _;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, redirect};
use secrecy::ExposeSecret;
use sentinel_base::tls;
use sentinel_config::Secret;
use url::Url;

use super::error::{DeliveryError, DeliveryErrorKind};
use super::redact::{Redactor, Secrets};
use super::retry;
use super::settings_error::SettingsError;

/// One request takes no longer, everything included.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Connecting, TLS included, takes no longer: an attempt that fails this early is known not to have arrived.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Of an answer, this much is read, in bytes; more than is shown, as redaction may shorten it.
const BODY_READ: usize = 8 * 1024;

/// Of an answer that is a refusal, this much is shown, in bytes.
const BODY_SHOWN: usize = 1024;

/// Alerts are rare: a connection kept longer would mostly be closed by the other side just when it is used again, and
/// then it is unknown whether the message arrived.
const IDLE: Duration = Duration::from_secs(10);

/// The clients that all receivers share, made when the first one needs them.
#[derive(Debug, Default)]
pub(crate) struct Clients {
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

/// Somewhere to POST to.
pub(crate) struct Endpoint {
    client: Client,
    url: Url,
    /// Scheme, host and port: what may be shown of the address.
    origin: String,
    redactor: Redactor,
}

/// An answer's body, or its beginning.
pub(super) struct Body {
    /// What was read of it.
    pub(super) text: String,
    /// Whether there was more.
    pub(super) cut: bool,
}

impl Body {
    /// A part of a body.
    pub(super) fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            cut: false,
        }
    }
}

impl Endpoint {
    /// At `url`, whose path and query are secret as are `secrets`. The error says what is wrong, without any value.
    pub(crate) fn new<'a>(
        url: &Secret,
        secrets: impl IntoIterator<Item = &'a Secret>,
        clients: &mut Clients,
    ) -> Result<Self, SettingsError> {
        let url = Url::parse(url.expose_secret().trim()).map_err(SettingsError::Url)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(SettingsError::NotHttp);
        }
        let client = clients.for_url(&url).map_err(|error| SettingsError::tls(&error))?;
        Ok(Self {
            client,
            origin: url.origin().ascii_serialization(),
            redactor: Secrets::default().address(&url).tokens(secrets).redactor(),
            url,
        })
    }

    /// Scheme, host and port.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// The host that is spoken to.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// POSTs `body`, and answers whatever came back.
    pub(super) async fn post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<Response, DeliveryError> {
        let request = self.client.post(self.url.clone()).headers(headers).body(body);
        request.send().await.map_err(|error| self.failed(error))
    }

    /// Asks by GET, and answers whatever came back.
    pub(crate) async fn ask(&self) -> Result<Response, DeliveryError> {
        let request = self.client.get(self.url.clone());
        request.send().await.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: reqwest::Error) -> DeliveryError {
        failed(error, &self.origin, TIMEOUT, &self.redactor)
    }

    /// The error for an answer that is not a success, with what it says.
    pub(crate) async fn refused(&self, response: Response, wall: Timestamp) -> DeliveryError {
        let (status, wish) = (response.status().as_u16(), wish(&response, wall));
        let body = read(response).await;
        self.refusal(status, wish, &body)
    }

    /// The error for an answer with `status` that is not a success.
    pub(super) fn refusal(&self, status: u16, wish: Option<Duration>, body: &Body) -> DeliveryError {
        refusal(status, wish, body, &self.origin, &self.redactor)
    }

    /// The beginning of a body, fit to be shown.
    pub(super) fn shown(&self, body: &Body) -> String {
        shown(body, &self.redactor)
    }
}

/// The error for a request to `origin` that got no answer, at most `within` after it was made.
pub(super) fn failed(error: reqwest::Error, origin: &str, within: Duration, redactor: &Redactor) -> DeliveryError {
    let kind = if error.is_connect() {
        DeliveryErrorKind::Connect
    } else if error.is_timeout() {
        DeliveryErrorKind::Timeout
    } else {
        DeliveryErrorKind::Broken
    };
    let error = error.without_url();
    let reason = tls::find(&error).map_or_else(|| layers(&error), tls::words);
    let text = match kind {
        DeliveryErrorKind::Timeout => format!("no answer from {origin} within {}s", within.as_secs()),
        DeliveryErrorKind::Connect => format!("{origin} cannot be reached: {}", redactor.redact(&reason, false)),
        _ => format!("{origin} gave no answer: {}", redactor.redact(&reason, false)),
    };
    DeliveryError::new(kind, text)
}

/// What the layers of a request's error say, from the outermost in.
fn layers(error: &reqwest::Error) -> String {
    let mut reason = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // Layers often repeat each other, and the first only says that it is about a request.
        if !reason.ends_with(&text) && !text.starts_with("client error (") {
            if !reason.is_empty() {
                reason.push_str(": ");
            }
            reason.push_str(&text);
        }
        source = cause.source();
    }
    reason
}

/// The error for an answer of `origin` with `status` that is not a success, with what it says.
pub(super) fn refusal(
    status: u16,
    wish: Option<Duration>,
    body: &Body,
    origin: &str,
    redactor: &Redactor,
) -> DeliveryError {
    let said = shown(body, redactor);
    let hint = match status {
        300..=399 => " (redirects are not followed)",
        _ => "",
    };
    let text = if said.is_empty() {
        format!("{origin} answered {status}{hint}")
    } else {
        format!("{origin} answered {status}{hint}: {said}")
    };
    DeliveryError::new(DeliveryErrorKind::Status(status), text).with_retry_after(wish)
}

/// The beginning of a body, fit to be shown.
fn shown(body: &Body, redactor: &Redactor) -> String {
    let text = redactor.redact(body.text.trim(), body.cut);
    let end = (0..=BODY_SHOWN.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    text[..end].trim().to_owned()
}

/// When the other side wants to be asked again.
pub(super) fn wish(response: &Response, wall: Timestamp) -> Option<Duration> {
    response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry::retry_after(value, wall))
}

/// The beginning of an answer's body.
pub(super) async fn read(mut response: Response) -> Body {
    let mut bytes = Vec::new();
    // A body that breaks off or stalls (the client's timeout ends it) only makes the answer less telling.
    let mut complete = false;
    while bytes.len() < BODY_READ {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => {
                complete = true;
                break;
            }
            Err(_) => break,
        }
    }
    let cut = !complete || bytes.len() > BODY_READ;
    bytes.truncate(BODY_READ);
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if cut {
        // Half a letter would hide that what stands before it is the beginning of a secret.
        text.truncate(text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
    }
    Body { text, cut }
}
