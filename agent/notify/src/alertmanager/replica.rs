//! One replica of an Alertmanager.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Client;
use url::Url;

use super::super::error::{DeliveryError, DeliveryErrorKind};
use super::super::http;
use super::super::redact::Redactor;
use super::alert::Posted;

/// One request takes no longer, everything included.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Connecting takes no longer.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Alerts sent at a time, some hundred kilobytes at most.
const BATCH: usize = 100;

/// Requests in one telling that lead to others. Whoever refuses more than that refuses everything, as a proxy does that
/// knows nothing of alerts, and is not to be asked of each alert every minute.
const REQUESTS_MAX: usize = 500;

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

    /// Tells it of `alerts`, and answers those that it refuses. Telling it again is harmless.
    ///
    /// It takes a request whole or not at all, so one alert that it does not like would keep all the others from being
    /// heard for as long as it fires. A request that is refused is sent again in halves, down to the one that is meant;
    /// that is tried without its link, which says the least and is the likeliest to be at fault.
    pub(super) async fn post(
        &self,
        alerts: &[Posted<'_>],
        redactor: &Redactor,
        wall: Timestamp,
    ) -> Result<Vec<Refused>, DeliveryError> {
        let mut refused = Vec::new();
        let mut requests = 0;
        let mut open: Vec<Range<usize>> = batches(alerts.len()).collect();
        open.reverse();
        while let Some(range) = open.pop() {
            let batch = alerts.get(range.clone()).unwrap_or_default();
            requests += 1;
            let error = match self.request(batch, redactor, wall).await {
                Ok(()) => continue,
                Err(error) if !is_refusal(&error) || requests > REQUESTS_MAX => return Err(error),
                Err(error) => error,
            };
            let [alert] = batch else {
                let middle = range.start + range.len() / 2;
                open.extend([middle..range.end, range.start..middle]);
                continue;
            };
            let without = match alert.without_link() {
                Some(alert) => self.request(&[alert], redactor, wall).await,
                None => Err(error.clone()),
            };
            match without {
                Ok(()) => refused.push(Refused::link(range.start, error)),
                Err(again) if is_refusal(&again) => refused.push(Refused::alert(range.start, again)),
                Err(other) => return Err(other),
            }
        }
        Ok(refused)
    }

    async fn request(&self, alerts: &[Posted<'_>], redactor: &Redactor, wall: Timestamp) -> Result<(), DeliveryError> {
        let request = self.client.post(self.url.clone()).json(alerts).send();
        let response = request
            .await
            .map_err(|error| http::failed(error, &self.origin, TIMEOUT, redactor))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let wish = http::wish(&response, wall);
        let body = http::read(response).await;
        Err(http::refusal(status.as_u16(), wish, &body, &self.origin, redactor))
    }
}

/// So many alerts, a request's worth at a time.
fn batches(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count)
        .step_by(BATCH)
        .map(move |start| start..count.min(start + BATCH))
}

/// Whether it is what was said that is refused, and not who said it or where.
fn is_refusal(error: &DeliveryError) -> bool {
    matches!(error.kind(), DeliveryErrorKind::Status(400 | 422))
}

/// An alert that was not taken as it was.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    /// Its place among those that were reported.
    pub(super) index: usize,
    /// Why not.
    pub(super) error: DeliveryError,
    /// Whether it was taken without its link.
    pub(super) only_link: bool,
}

impl Refused {
    const fn alert(index: usize, error: DeliveryError) -> Self {
        Self {
            index,
            error,
            only_link: false,
        }
    }

    const fn link(index: usize, error: DeliveryError) -> Self {
        Self {
            index,
            error,
            only_link: true,
        }
    }
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
