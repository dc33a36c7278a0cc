//! A new configuration while the agent runs: checked first, then applied whole, or refused with the old one kept.

mod difference;
mod news;
mod pending;
mod refusal;

use std::collections::BTreeSet;
use std::path::PathBuf;

use sentinel_api::ReloadResponse;
use sentinel_base::watchdog::Watchdog;
use sentinel_config::discovery::{Discovery, Source};
use sentinel_config::{Checked, ConfigErrors, HeartbeatSettings, Loaded, Secrets, Settings, Sources};
use sentinel_driver::control::{ReloadRefused, ReloadReply};
use sentinel_engine::{Memory, ServiceName};
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use self::difference::{difference, fixed};
pub use self::news::DiscoveryNews;
pub use self::pending::PendingServices;
use self::refusal::{refuse, refuse_error, refuse_errors};
use crate::components::{Change, Components, ReplaceError, service};
use crate::polkit;
use crate::shown::Shown;

/// Reloads that may wait for their turn.
const QUEUE: usize = 4;

/// A queue of requests to reload.
pub fn requests() -> (mpsc::Sender<ReloadReply>, mpsc::Receiver<ReloadReply>) {
    mpsc::channel(QUEUE)
}

/// Reloads when asked to. Owns the components that follow the configuration.
pub struct Reloader {
    /// Where the configuration is read from.
    pub config: PathBuf,
    /// The configuration that is in force.
    pub in_force: InForce,
    /// What is found on the host.
    pub found: watch::Receiver<Discovery>,
    /// Services of before the start that may still be found.
    pub pending: PendingServices,
    /// Reports what is found and not watched.
    pub news: DiscoveryNews,
    /// What runs beside the driver.
    pub components: Components,
    /// The memory to assume of services that the store does not know.
    pub unknown: fn() -> Memory,
    /// The way to the driver.
    pub changes: mpsc::Sender<Change>,
    /// The way to the heartbeat.
    pub heartbeat: watch::Sender<Option<HeartbeatSettings>>,
    /// What is shown over HTTP.
    pub shown: Shown,
    /// Notifies the service manager.
    pub watchdog: Watchdog,
}

/// A configuration that is in force.
pub struct InForce {
    /// The files and variables, as they were read.
    pub sources: Sources,
    /// Where they have services looked for.
    pub wanted: BTreeSet<Source>,
    /// What was found there.
    pub found: Discovery,
    /// What they come to over that.
    pub settings: Settings,
}

/// The agent is shutting down: there is nothing to answer any more.
struct Shutdown;

/// A configuration that is free of errors, to be in force when nothing speaks against it.
struct Candidate {
    sources: Sources,
    wanted: BTreeSet<Source>,
    found: Discovery,
    loaded: Loaded,
}

impl Candidate {
    fn new(files: Checked, found: Discovery) -> Self {
        Self {
            wanted: Source::wanted(&files),
            loaded: found.beneath(&files),
            sources: files.sources,
            found,
        }
    }

    /// Makes one of what `check` answers, which may take its time: files may lie on a disk that is slow today.
    async fn check(
        found: Discovery,
        check: impl FnOnce() -> Result<Checked, ConfigErrors> + Send + 'static,
    ) -> Result<Self, ReloadRefused> {
        let candidate = tokio::task::spawn_blocking(move || check().map(|files| Self::new(files, found)));
        match candidate.await {
            Ok(candidate) => candidate.map_err(|errors| refuse_errors(&errors)),
            Err(failed) => Err(refuse_error(&failed)),
        }
    }
}

/// What brings another configuration.
enum ReloadTrigger {
    /// The signal.
    Hangup,
    /// A request.
    Request(ReloadReply),
    /// Something else is found on the host, or not waited for any longer.
    Discovery,
}

impl Reloader {
    /// Reloads at every SIGHUP, every request and whenever something else is found on the host, one after the other,
    /// until the agent stops.
    pub async fn run(mut self, mut hangup: Signal, mut requests: mpsc::Receiver<ReloadReply>) {
        loop {
            let until = self.pending.until();
            let trigger = tokio::select! {
                Some(()) = hangup.recv() => ReloadTrigger::Hangup,
                Some(reply) = requests.recv() => ReloadTrigger::Request(reply),
                // All that came meanwhile is one change.
                Ok(()) = self.found.changed() => ReloadTrigger::Discovery,
                () = tokio::time::sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {
                    ReloadTrigger::Discovery
                }
                else => return,
            };
            let reply = match trigger {
                ReloadTrigger::Discovery => {
                    if self.follow().await.is_err() {
                        return;
                    }
                    continue;
                }
                ReloadTrigger::Hangup => None,
                ReloadTrigger::Request(reply) => Some(reply),
            };
            self.watchdog.reloading();
            let answer = self.reload().await;
            self.watchdog.ready();
            let Ok(answer) = answer else { return };
            self.shown.reloaded(answer.is_ok().then_some(&self.in_force.settings));
            if let Some(reply) = reply {
                // The client may have stopped waiting.
                let _ = reply.send(answer);
            }
        }
    }

    async fn reload(&mut self) -> Result<Result<ReloadResponse, ReloadRefused>, Shutdown> {
        let config = self.config.clone();
        let found = self.found.borrow_and_update().clone();
        let read = move || sentinel_config::read(&config, sentinel_config::environment(), Secrets::All);
        let candidate = match Candidate::check(found, read).await {
            Ok(candidate) => candidate,
            Err(refused) => return Ok(Err(refused)),
        };
        let before = &self.in_force.settings;
        let fixed = fixed(&before.agent, &candidate.loaded.settings.agent);
        if !fixed.is_empty() {
            return Ok(Err(refuse(&fixed, fixed.len())));
        }
        let warnings = candidate.loaded.warnings.clone();
        let may_before = polkit::units(before);
        let mut response = match self.apply(candidate).await? {
            Ok(response) => response,
            Err(refused) => return Ok(Err(refused)),
        };
        for warning in &warnings {
            tracing::warn!(event = "config_warning", "{warning}");
        }
        log(&response, "the configuration was reloaded");
        response.warnings.splice(0..0, warnings.iter().map(ToString::to_string));
        let may_now = polkit::units(&self.in_force.settings);
        let new = may_now.difference(&may_before).cloned().collect();
        response.warnings.extend(polkit::not_renewed(new).await);
        Ok(Ok(response))
    }

    /// Goes on with what is found now, beneath the files as they were last read: an operator who is half-way through
    /// changing them is not hurried.
    async fn follow(&mut self) -> Result<(), Shutdown> {
        let found = self.found.borrow_and_update().clone();
        let InForce { wanted, settings, .. } = &self.in_force;
        if self.pending.until().is_none() && found.asks_the_same(&self.in_force.found, wanted) {
            let all_seen = found.is_complete(wanted);
            self.news.report_again(settings, &found, all_seen).await;
            return Ok(());
        }
        let sources = self.in_force.sources.clone();
        // Why not has been logged.
        let Ok(candidate) = Candidate::check(found, move || sources.check()).await else {
            return Ok(());
        };
        if let Ok(response) = self.apply(candidate).await?
            && response.added + response.removed + response.changed > 0
        {
            log(&response, "other services are found on this host");
        }
        Ok(())
    }

    /// Applies a configuration that is free of errors. Only what turns out not to be possible is refused now.
    async fn apply(&mut self, candidate: Candidate) -> Result<Result<ReloadResponse, ReloadRefused>, Shutdown> {
        let Candidate {
            sources,
            wanted,
            found,
            loaded,
        } = candidate;
        let old = &self.in_force.settings;
        let unhealed = unhealed(&loaded, old);
        let new = loaded.settings;
        let (mut engine, mut response) = difference(old, &new, self.unknown);
        let all_seen = self.found.borrow().is_complete(&wanted);
        let switch = |services| {
            let gone = self.pending.given_up(all_seen).into_iter();
            engine.removed.extend(gone.filter(|name| service(&new, name).is_none()));
            let (applied, done) = oneshot::channel();
            engine.host = Some(new.recovery.clone());
            engine.rules = Some(new.alerts.rules.clone());
            let change = Change {
                engine,
                services,
                rejected: loaded.rejected.clone(),
                host: new.agent.name.clone(),
                link: new.alerts.link.clone(),
                maintenance: new.maintenance.clone(),
                applied,
            };
            let changes = self.changes.clone();
            async move {
                changes.send(change).await.map_err(|_| Shutdown)?;
                done.await.map_err(|_| Shutdown)
            }
        };
        let expired = match self.components.replace(old, &new, &wanted, switch).await {
            Ok(expired) => expired,
            Err(ReplaceError::Prepare(error)) => return Ok(Err(refuse_error(&error))),
            Err(ReplaceError::Switch(shutdown)) => return Err(shutdown),
        };
        response.warnings.extend(unhealed.iter().map(warn_unhealed));
        response.warnings.extend(expired_warning(expired));
        self.heartbeat.send_if_modified(|heartbeat| {
            let changed = *heartbeat != new.heartbeat;
            heartbeat.clone_from(&new.heartbeat);
            changed
        });
        let rejected = loaded.rejected.into_iter().collect();
        let seen = self.found.borrow().clone();
        self.news.report(&new, &seen, rejected, all_seen).await;
        self.in_force = InForce {
            sources,
            wanted,
            found,
            settings: new,
        };
        Ok(Ok(response))
    }
}

/// Logs that a service is no longer healed, and answers the same for the reply to a request.
fn warn_unhealed((service, place): &(ServiceName, String)) -> String {
    let (name, place) = (service.as_str(), place.as_str());
    tracing::warn!(
        event = "healing_off",
        service = name,
        place,
        "a service that was healed is only observed from now on"
    );
    format!("`{service}` was healed and is only observed from now on: {place}")
}

fn expired_warning(count: usize) -> Option<String> {
    let messages = match count {
        0 => return None,
        1 => "message",
        _ => "messages",
    };
    Some(format!(
        "{count} {messages} to receivers that are no longer configured will not arrive any more; `sentinel incidents ID` \
         shows them as expired"
    ))
}

/// The services that are no longer healed, each with the place that makes it so.
fn unhealed(new: &Loaded, old: &Settings) -> Vec<(ServiceName, String)> {
    let services = new.no_longer_healed(old);
    services
        .map(|(service, place)| (service.clone(), place.to_string()))
        .collect()
}

fn log(response: &ReloadResponse, message: &'static str) {
    let ReloadResponse {
        added,
        removed,
        changed,
        unchanged,
        ..
    } = *response;
    tracing::info!(event = "reloaded", added, removed, changed, unchanged, "{message}");
}
