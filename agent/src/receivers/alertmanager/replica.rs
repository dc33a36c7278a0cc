//! One replica of an Alertmanager.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Client;
use url::Url;

use super::super::error::DeliveryError;
use super::super::http;
use super::super::redact::Redactor;
use super::alert::Posted;

/// One request takes no longer, everything included.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Connecting takes no longer.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Alerts sent at a time, some hundred kilobytes at most.
const BATCH: usize = 100;

/// One replica. Its `Debug` shows where it is, and nothing that is secret.
pub(super) struct Replica {
    client: Client,
    url: Url,
    /// Scheme, host and port: what may be shown of the address.
    pub(super) origin: String,
}

impl Replica {
    /// The one at `base`, which may have a path that it is served under.
    pub(super) fn new(client: Client, base: &Url) -> Self {
        let mut url = base.clone();
        let path = format!("{}/api/v2/alerts", base.path().trim_end_matches('/'));
        url.set_path(&path);
        Self {
            client,
            origin: url.origin().ascii_serialization(),
            url,
        }
    }

    /// Tells it of `alerts`. Telling it again is harmless.
    pub(super) async fn post(
        &self,
        alerts: &[Posted<'_>],
        redactor: &Redactor,
        wall: Timestamp,
    ) -> Result<(), DeliveryError> {
        for batch in alerts.chunks(BATCH) {
            let response = self
                .client
                .post(self.url.clone())
                .json(batch)
                .send()
                .await
                .map_err(|error| http::failed(error, &self.origin, TIMEOUT, redactor))?;
            let status = response.status();
            if !status.is_success() {
                let wish = http::wish(&response, wall);
                let body = http::read(response).await;
                return Err(http::refusal(status.as_u16(), wish, &body, &self.origin, redactor));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
