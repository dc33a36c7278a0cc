//! A receiver that gets JSON by POST, as in Standard Webhooks 1.0.

use std::fmt;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use sentinel_config::WebhookSettings;

use super::error::DeliveryError;
use super::http::{Clients, Endpoint};
use super::settings_error::SettingsError;
use super::signature::Key;
use super::{Delivered, RenderedMessage};

/// A webhook. Its `Debug` shows where it is, and nothing that is secret.
pub struct Webhook {
    endpoint: Endpoint,
    headers: HeaderMap,
    /// Each signs, so that the other side can go from one to the next in its own time.
    keys: Vec<Key>,
}

impl Webhook {
    /// From its settings. The error says what is wrong, without any value.
    pub(super) fn new(settings: &WebhookSettings, clients: &mut Clients) -> Result<Self, SettingsError> {
        let secrets = settings.headers.values().chain(&settings.secrets);
        let endpoint = Endpoint::new(&settings.url, secrets, clients)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &settings.headers {
            let parsed = HeaderName::try_from(name).map_err(|_| SettingsError::HeaderName(name.clone()))?;
            let mut value =
                HeaderValue::try_from(value.expose_secret()).map_err(|_| SettingsError::HeaderValue(name.clone()))?;
            value.set_sensitive(true);
            headers.insert(parsed, value);
        }
        Ok(Self {
            endpoint,
            headers,
            keys: settings.secrets.iter().map(Key::new).collect::<Result<_, _>>()?,
        })
    }

    /// Sends one message. Only 2xx is a success; redirects are not followed.
    pub(super) async fn deliver(&self, rendered: &RenderedMessage<'_>) -> Result<Delivered, DeliveryError> {
        let (event, seconds) = (&rendered.delivery.event, rendered.wall.as_second());
        let body = rendered.body();
        let mut headers = self.headers.clone();
        // Custom headers never replace these: a receiver trusts them.
        insert(&mut headers, "webhook-id", event);
        insert(&mut headers, "webhook-timestamp", &seconds.to_string());
        headers.remove("webhook-signature");
        if !self.keys.is_empty() {
            let signatures: Vec<String> = self.keys.iter().map(|key| key.sign(event, seconds, &body)).collect();
            insert(&mut headers, "webhook-signature", &signatures.join(" "));
        }
        let response = self.endpoint.post(headers, body.into_owned()).await?;
        if response.status().is_success() {
            return Ok(Delivered::default());
        }
        Err(self.endpoint.refused(response, rendered.wall).await)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("origin", &self.endpoint.origin())
            .field("signed", &!self.keys.is_empty())
            .finish_non_exhaustive()
    }
}

/// Sets a header made of digits, letters and base64, which is always valid.
fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
