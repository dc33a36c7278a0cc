//! A receiver that is told of states: Prometheus Alertmanager, by its API v2.
//!
//! * `alert`: a message as an alert; `level`: what fires, from what was reported and what waits
//! * `replica`: one replica and how it is spoken to; `resend`: the loop that tells one again and again
//!
//! A message that comes from the outbox changes what the store knows to fire, and then waits for a replica to have heard
//! of it. Each replica is notified by a loop of its own, at once when something changed and every `resend` besides, so one
//! that is dead delays no other, and neither a restart of theirs nor one of ours loses anything. What is not reported any
//! more ends by itself, after four times `resend`.

mod alert;
mod level;
mod replica;
mod resend;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use jiff::tz::TimeZone;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, redirect};
use secrecy::ExposeSecret as _;
use sentinel_config::{AlertmanagerSettings, HttpLogin};
use sentinel_store::{Store, StoreError};
use sentinel_text::clip;
use tokio::sync::watch;
use tokio::time::timeout;

use self::alert::Alert;
use self::level::Level;
use self::replica::{CONNECT_TIMEOUT, Replica, TIMEOUT};
use super::error::{DeliveryError, DeliveryErrorKind};
use super::redact::{Redactor, Secrets};
use super::settings_error::SettingsError;
use super::{Delivered, RenderedMessage};

/// That an alert ended is told for this long, as Prometheus does: a replica may be away just then.
const LINGERING: Duration = Duration::from_secs(15 * 60);

/// How many times `resend` an alert lasts of which nothing more is heard.
const LASTING: u32 = 4;

/// A message waits this long for a replica to have heard of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Of what replicas say that were not notified, this much is shown, in bytes.
const MISSED_MAX: usize = 1024;

/// An Alertmanager. Its `Debug` shows where it is, and nothing that is secret.
pub struct Alertmanager {
    /// The receiver's name, under which the store keeps what fires.
    name: String,
    replicas: Vec<Replica>,
    resend: Duration,
    zone: TimeZone,
    redactor: Redactor,
    /// Where what fires is kept; there as soon as the loops run.
    store: OnceLock<Store>,
    /// Changes when a message changed what fires.
    news: watch::Sender<u64>,
    /// How far each replica is.
    progress: watch::Sender<Vec<Progress>>,
}

/// How far a replica is.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// The last message that it was tried to report.
    tried: i64,
    /// The last message that it has heard of.
    heard: i64,
    /// The incidents of which it refuses an alert, and why: it has heard of everything else.
    refused: BTreeMap<u64, DeliveryError>,
    /// Why it was not reported, when the last try failed.
    error: Option<DeliveryError>,
}

impl Alertmanager {
    /// From its settings. The error says what is wrong, without any value.
    pub(super) fn new(name: &str, settings: &AlertmanagerSettings, zone: &TimeZone) -> Result<Self, SettingsError> {
        let client = client(settings)?;
        let secrets = Secrets::default().tokens(settings.headers.values());
        let secrets = match &settings.login {
            Some(HttpLogin::Basic { user, password }) => {
                let sent = format!("{user}:{}", password.expose_secret());
                secrets.password(password, &[sent])
            }
            Some(HttpLogin::Bearer(token)) => secrets.token(token),
            None => secrets,
        };
        let replicas: Vec<Replica> = settings
            .urls
            .iter()
            .map(|url| Replica::new(client.clone(), url))
            .collect();
        Ok(Self {
            name: name.to_owned(),
            resend: settings.resend,
            zone: zone.clone(),
            redactor: secrets.redactor(),
            store: OnceLock::new(),
            news: watch::Sender::new(0),
            progress: watch::Sender::new(vec![Progress::default(); replicas.len()]),
            replicas,
        })
    }

    /// Takes in one message, and waits until a replica has heard of it.
    pub(super) async fn deliver(&self, rendered: &RenderedMessage<'_>) -> Result<Delivered, DeliveryError> {
        let message = &rendered.message;
        let is_state = message.is_incident() || !message.data.members.is_empty();
        if is_state
            && let Some(store) = self.store.get()
            && self.record(store, rendered).await.unwrap_or_default()
        {
            return self.hear(rendered).await;
        }
        // No state of a service. Or the store is not to be had, and whoever sends this all the same wants it told.
        self.notify_once(rendered).await
    }

    /// Waits for a replica to hear of a message in the outbox. What every replica that heard it refuses was not delivered;
    /// of a message about several incidents, those that were refused are missed.
    async fn hear(&self, rendered: &RenderedMessage<'_>) -> Result<Delivered, DeliveryError> {
        let row = rendered.delivery.row;
        let mut progress = self.progress.subscribe();
        self.news.send_modify(|news| *news += 1);
        let settled = |progress: &Vec<Progress>| {
            progress.iter().any(|replica| replica.heard >= row)
                || progress
                    .iter()
                    .all(|replica| replica.tried >= row && replica.error.is_some())
        };
        // Whether it came to that is seen below; the sender lives as long as this.
        let _ = timeout(PATIENCE, progress.wait_for(settled)).await;
        let progress = self.progress.borrow();
        let heard = progress.iter().filter(|replica| replica.heard >= row);
        let data = &rendered.message.data;
        let own = rendered.message.is_incident().then_some(data.incident);
        let incidents: Vec<u64> = own
            .into_iter()
            .chain(data.members.iter().map(|member| member.incident))
            .collect();
        let refusals = heard.map(|replica| {
            let refused = incidents.iter().filter_map(|incident| replica.refused.get(incident));
            refused.collect::<Vec<_>>()
        });
        if let Some(refusals) = refusals.min_by_key(Vec::len) {
            return match refusals.as_slice() {
                [] => Ok(Delivered::default()),
                [error] if own.is_some() => Err((*error).clone()),
                errors => {
                    let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
                    Ok(Delivered {
                        missed: Some(clip(&all.join("; "), MISSED_MAX)),
                        ..Delivered::default()
                    })
                }
            };
        }
        let error = progress.iter().find_map(|replica| replica.error.clone());
        Err(error.unwrap_or_else(|| {
            let text = format!("no replica answered within {}s", PATIENCE.as_secs());
            DeliveryError::new(DeliveryErrorKind::Timeout, text)
        }))
    }

    /// Records what fires by the message and by what waits with it, of which it may be made. Answers whether it is in the
    /// outbox at all.
    async fn record(&self, store: &Store, rendered: &RenderedMessage<'_>) -> Result<bool, StoreError> {
        let (firing, waiting) = store.firing(&self.name, rendered.wall, LINGERING).await?;
        let (level, changed) = Level::after(&firing, &waiting, &self.zone, rendered.wall);
        if !changed.is_empty() {
            store.fire(&self.name, level.rows(&changed)).await?;
        }
        Ok(waiting.iter().any(|waiting| waiting.row == rendered.delivery.row))
    }

    /// Notifies every replica once; one is enough.
    async fn notify_once(&self, rendered: &RenderedMessage<'_>) -> Result<Delivered, DeliveryError> {
        let message = &rendered.message;
        let (alert, ended) = if message.is_incident() {
            let ended = message.data.resolution.map(|_| message.timestamp);
            (Alert::down(message, &rendered.text), ended)
        } else {
            (Alert::once(message, &rendered.text), None)
        };
        let alerts = [alert.posted(rendered.wall, self.lasting(), ended)];
        let notifying = self
            .replicas
            .iter()
            .map(|replica| replica.post(&alerts, &self.redactor, rendered.wall));
        // What is sent here is one alert, and was delivered when it arrived, with its link or without.
        let notified = join_all(notifying).await.into_iter().map(|notified| {
            let refused = notified?.into_iter().find(|refused| !refused.only_link);
            refused.map_or(Ok(()), |refused| Err(refused.error))
        });
        let notified: Vec<Result<(), DeliveryError>> = notified.collect();
        let was_notified = notified.iter().any(Result::is_ok);
        let mut errors = notified.into_iter().filter_map(Result::err);
        if was_notified {
            let all: Vec<String> = errors.map(|error| error.to_string()).collect();
            return Ok(Delivered {
                missed: (!all.is_empty()).then(|| clip(&all.join("; "), MISSED_MAX)),
                ..Delivered::default()
            });
        }
        // Settings name at least one replica.
        errors.next().map_or_else(|| Ok(Delivered::default()), Err)
    }

    /// Notifies each replica what fires, again and again, until the store is closed.
    pub(super) async fn resend(&self, store: &Store) {
        let _ = self.store.set(store.clone());
        join_all((0..self.replicas.len()).map(|replica| resend::run(self, replica, store))).await;
    }

    /// How long an alert lasts of which nothing more is heard.
    fn lasting(&self) -> Duration {
        self.resend.saturating_mul(LASTING)
    }
}

/// The client that all replicas share.
fn client(settings: &AlertmanagerSettings) -> Result<Client, SettingsError> {
    let mut headers = HeaderMap::new();
    let mut insert = |name: HeaderName, value: &str| {
        let mut value = HeaderValue::try_from(value).map_err(|_| SettingsError::HeaderValue(name.to_string()))?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok::<_, SettingsError>(())
    };
    for (name, value) in &settings.headers {
        let name = HeaderName::try_from(name).map_err(|_| SettingsError::HeaderName(name.clone()))?;
        insert(name, value.expose_secret())?;
    }
    match &settings.login {
        Some(HttpLogin::Basic { user, password }) => {
            let login = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
            insert(AUTHORIZATION, &format!("Basic {login}"))?;
        }
        Some(HttpLogin::Bearer(token)) => insert(AUTHORIZATION, &format!("Bearer {}", token.expose_secret()))?,
        None => {}
    }
    let mut builder = Client::builder()
        .user_agent(concat!("sentinel/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .default_headers(headers)
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT);
    if settings.urls.iter().all(|url| url.scheme() == "http") {
        // Without TLS no certificates are read: a host may have none, and they cost a megabyte.
        builder = builder.tls_certs_only([]);
    } else if let Some(file) = &settings.ca_file {
        let unreadable = |source| SettingsError::CaFile {
            path: file.clone(),
            source,
        };
        let pem = std::fs::read(file).map_err(unreadable)?;
        let trusted = Certificate::from_pem_bundle(&pem).map_err(|_| SettingsError::NoCertificates(file.clone()))?;
        builder = builder.tls_certs_only(trusted);
    }
    builder.build().map_err(|error| SettingsError::tls(&error))
}

impl fmt::Debug for Alertmanager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alertmanager")
            .field("replicas", &self.replicas)
            .field("resend", &self.resend)
            .finish_non_exhaustive()
    }
}
