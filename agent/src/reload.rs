//! A new configuration while the agent runs: checked first, then applied whole, or refused with the old one kept.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use sentinel_engine::{Changed, Memory, Reload, ServiceName};
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::config::{
    self, AgentSettings, Checked, ConfigErrors, HeartbeatSettings, Loaded, Rejected, Secrets, ServiceSettings,
    Settings, Sources,
};
use crate::discovery::{Discovery, PreexistingFailure, Source};
use crate::driver::Change;
use crate::parts::{Parts, service};
use crate::polkit;
use crate::receivers::Message;
use crate::server::{ReloadRefused, ReloadReply, api::ReloadResponse};
use crate::store::Topic;
use crate::watchdog::Watchdog;

/// Problems named in the log; `sentinel check` shows all of them.
const PROBLEMS_LOGGED: usize = 5;

/// Reloads that may wait for their turn.
const QUEUE: usize = 4;

/// A queue of requests to reload.
pub fn requests() -> (mpsc::Sender<ReloadReply>, mpsc::Receiver<ReloadReply>) {
    mpsc::channel(QUEUE)
}

/// Reloads when asked to. Owns the parts that follow the configuration.
pub struct Reloader {
    /// Where the configuration is read from.
    pub config: PathBuf,
    /// The files and variables in force.
    pub sources: Sources,
    /// Where they have services looked for.
    pub wanted: BTreeSet<Source>,
    /// What is found on the host.
    pub found: watch::Receiver<Discovery>,
    /// What of it is in force.
    pub in_force: Discovery,
    /// What is in force, with what was found.
    pub settings: Settings,
    /// Services of before the start that may still be found.
    pub awaited: Awaited,
    /// What the log has of what had failed before the agent looked.
    pub logged_preexisting: BTreeSet<PreexistingFailure>,
    /// What the log has of what was refused.
    pub logged_rejected: BTreeSet<Rejected>,
    /// The parts.
    pub parts: Parts,
    /// The memory to assume of services that the store does not know.
    pub unknown: fn() -> Memory,
    /// The way to the driver.
    pub changes: mpsc::Sender<Change>,
    /// The way to the heartbeat.
    pub heartbeat: watch::Sender<Option<HeartbeatSettings>>,
    /// Tells the service manager.
    pub watchdog: Watchdog,
}

/// Services of before the start with an open incident that are in no file: they may be found again.
pub struct Awaited {
    names: BTreeSet<ServiceName>,
    /// When they are given up although not everything could be seen.
    until: Instant,
}

impl Awaited {
    /// Who sees nothing for so long is not waited for: as long as a budget counts by default.
    const LONGEST: Duration = Duration::from_secs(30 * 60);

    /// Waits for these.
    pub fn new(names: BTreeSet<ServiceName>) -> Self {
        Self {
            names,
            until: Instant::now() + Self::LONGEST,
        }
    }

    /// Those that are not waited for any longer, when `seen` is all there is.
    fn given_up(&mut self, seen: bool) -> BTreeSet<ServiceName> {
        if seen || self.until <= Instant::now() {
            std::mem::take(&mut self.names)
        } else {
            BTreeSet::new()
        }
    }
}

/// Why there is nothing to answer any more.
struct Stopping;

/// A configuration that is free of errors, to be in force when nothing speaks against it.
struct Candidate {
    sources: Sources,
    /// Where it has services looked for.
    wanted: BTreeSet<Source>,
    /// What it comes to, over what is found.
    loaded: Loaded,
}

impl Candidate {
    fn new(files: Checked, found: &Discovery) -> Self {
        Self {
            wanted: Source::wanted(&files),
            loaded: found.beneath(&files),
            sources: files.sources,
        }
    }
}

/// What brings another configuration.
enum Cause {
    /// The signal.
    Hangup,
    /// A request.
    Asked(ReloadReply),
    /// Something else is found on the host, or not waited for any longer.
    Found,
}

impl Reloader {
    /// Reloads at every SIGHUP, every request and whenever something else is found on the host, one after the other, until
    /// the agent stops.
    pub async fn run(mut self, mut hangup: Signal, mut requests: mpsc::Receiver<ReloadReply>) {
        loop {
            let waits = !self.awaited.names.is_empty();
            let cause = tokio::select! {
                Some(()) = hangup.recv() => Cause::Hangup,
                Some(reply) = requests.recv() => Cause::Asked(reply),
                // All that came meanwhile is one change.
                Ok(()) = self.found.changed() => Cause::Found,
                () = tokio::time::sleep_until(self.awaited.until), if waits => Cause::Found,
                else => return,
            };
            let reply = match cause {
                Cause::Found => {
                    if self.follow().await.is_err() {
                        return;
                    }
                    continue;
                }
                Cause::Hangup => None,
                Cause::Asked(reply) => Some(reply),
            };
            self.watchdog.reloading();
            let answer = self.reload().await;
            self.watchdog.ready();
            let Ok(answer) = answer else { return };
            if let Some(reply) = reply {
                // Whoever asked may have stopped waiting.
                let _ = reply.send(answer);
            }
        }
    }

    async fn reload(&mut self) -> Result<Result<ReloadResponse, ReloadRefused>, Stopping> {
        let config = self.config.clone();
        let found = self.found.borrow_and_update().clone();
        let laid = found.clone();
        // Files may lie on a disk that is slow today.
        let loaded = tokio::task::spawn_blocking(move || {
            config::read(&config, config::environment(), Secrets::All).map(|files| Candidate::new(files, &found))
        });
        let candidate = match loaded.await {
            Ok(Ok(candidate)) => candidate,
            Ok(Err(errors)) => return Ok(Err(refuse(&problems(&errors), errors.count()))),
            Err(failed) => return Ok(Err(refuse(&[failed.to_string()], 1))),
        };
        let fixed = fixed(&self.settings.agent, &candidate.loaded.settings.agent);
        if !fixed.is_empty() {
            return Ok(Err(refuse(&fixed, fixed.len())));
        }
        let warnings = candidate.loaded.warnings.clone();
        let may_before = polkit::units(&self.settings);
        let mut response = match self.apply(candidate).await? {
            Ok(response) => response,
            Err(refused) => return Ok(Err(refused)),
        };
        self.in_force = laid;
        for warning in &warnings {
            tracing::warn!(event = "config_warning", "{warning}");
        }
        log(&response, "the configuration was reloaded");
        response.warnings.splice(0..0, warnings.iter().map(ToString::to_string));
        let new = polkit::units(&self.settings).difference(&may_before).cloned().collect();
        response.warnings.extend(polkit::not_renewed(new).await);
        Ok(Ok(response))
    }

    /// Goes on with what is found now, beneath the files as they were last read: an operator who is half-way through
    /// changing them is not hurried.
    async fn follow(&mut self) -> Result<(), Stopping> {
        let found = self.found.borrow_and_update().clone();
        if self.awaited.names.is_empty() && found.asks_the_same(&self.in_force, &self.wanted) {
            self.tell(self.logged_rejected.clone(), found.is_complete(&self.wanted))
                .await;
            return Ok(());
        }
        let laid = found.clone();
        let sources = self.sources.clone();
        let checked = move || sources.check().map(|files| Candidate::new(files, &found));
        let candidate = match tokio::task::spawn_blocking(checked).await {
            Ok(Ok(candidate)) => candidate,
            Ok(Err(errors)) => {
                refuse(&problems(&errors), errors.count());
                return Ok(());
            }
            Err(failed) => {
                refuse(&[failed.to_string()], 1);
                return Ok(());
            }
        };
        if let Ok(response) = self.apply(candidate).await? {
            self.in_force = laid;
            if response.added + response.removed + response.changed > 0 {
                log(&response, "other services are found on this host");
            }
        }
        Ok(())
    }

    /// Applies a configuration that is free of errors. Only what turns out not to be possible is refused now.
    async fn apply(&mut self, candidate: Candidate) -> Result<Result<ReloadResponse, ReloadRefused>, Stopping> {
        let Candidate {
            sources,
            wanted,
            loaded,
        } = candidate;
        let unhealed = unhealed(&loaded, &self.settings);
        let new = loaded.settings;
        let prepared = match self.parts.prepare(Some(&self.settings), &new) {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(refuse(&[format!("{error:#}")], 1))),
        };
        let (mut engine, mut response) = difference(&self.settings, &new, self.unknown);
        let all_seen = self.found.borrow().is_complete(&wanted);
        let gone = self.awaited.given_up(all_seen);
        engine
            .removed
            .extend(gone.into_iter().filter(|name| service(&new, name).is_none()));
        self.parts.retire(&prepared);
        let (applied, done) = oneshot::channel();
        let change = Change {
            engine,
            recovery: new.recovery.clone(),
            services: prepared.services(),
            refused: loaded.rejected.clone(),
            host: new.agent.name.clone(),
            link: new.alerts.link.clone(),
            alerts: new.alerts.rules.clone(),
            maintenance: new.maintenance.clone(),
            applied,
        };
        self.changes.send(change).await.map_err(|_| Stopping)?;
        done.await.map_err(|_| Stopping)?;
        for (service, place) in unhealed {
            let warning = format!("`{service}` was healed and is only observed from now on: {place}");
            let (service, place) = (service.as_str(), place.as_str());
            tracing::warn!(
                event = "healing_off",
                service,
                place,
                "a service that was healed is only observed from now on"
            );
            response.warnings.push(warning);
        }
        let given_up = self.parts.launch(prepared).await;
        if given_up > 0 {
            let messages = if given_up == 1 { "message" } else { "messages" };
            response.warnings.push(format!(
                "{given_up} {messages} to receivers that are no longer configured will not arrive any more; \
                 `sentinel incidents ID` shows them as expired"
            ));
        }
        self.heartbeat.send_if_modified(|heartbeat| {
            let changed = *heartbeat != new.heartbeat;
            heartbeat.clone_from(&new.heartbeat);
            changed
        });
        self.parts.look(&wanted, &new, None);
        self.settings = new;
        self.sources = sources;
        self.wanted = wanted;
        self.tell(loaded.rejected.into_iter().collect(), all_seen).await;
        Ok(Ok(response))
    }

    /// Tells of what was found and is not watched. `all_seen` says that everything was looked at.
    async fn tell(&mut self, rejected: BTreeSet<Rejected>, all_seen: bool) {
        self.tell_rejected(rejected, all_seen).await;
        if all_seen {
            self.tell_preexisting().await;
        }
    }

    /// Tells receivers, once and together, of what had failed on this host before the agent looked: of each failure once,
    /// however often the agent is started.
    async fn tell_preexisting(&mut self) {
        let failed = self.found.borrow().preexisting();
        let unheard = |one: &&PreexistingFailure| !self.logged_preexisting.contains(one);
        let new: Vec<&str> = failed.iter().filter(unheard).map(|one| one.what.as_str()).collect();
        if !new.is_empty() {
            let (count, names) = (new.len(), new.join(", "));
            let message = "had failed before the agent was started";
            tracing::warn!(event = "failed_before", count, names, "{message}");
        }
        let about = failed.iter().map(ToString::to_string).collect();
        let host = &self.settings.agent.name;
        let message = |new: &BTreeSet<String>| {
            let new = failed.iter().filter(|one| new.contains(&one.to_string()));
            let new: Vec<&str> = new.map(|one| one.what.as_str()).collect();
            Message::about_failed_before(host, &new, Timestamp::now())
        };
        // Whoever could not look yet may still say that an older failure is there.
        let outdated: BTreeSet<&str> = failed.iter().map(|one| one.what.as_str()).collect();
        let still_holds = |one: &str| !outdated.contains(PreexistingFailure::what_of(one));
        self.announce(Topic::FailedBefore, about, still_holds, message).await;
        self.logged_preexisting = failed;
    }

    /// Tells receivers, once, of what asks to be watched and cannot be. `is_all` says that everything was looked at.
    async fn tell_rejected(&mut self, rejected: BTreeSet<Rejected>, is_all: bool) {
        for ignored in rejected.difference(&self.logged_rejected).filter(|one| one.watched) {
            tracing::info!(reason = %ignored, "a label is ignored");
        }
        for one in rejected.difference(&self.logged_rejected).filter(|one| !one.watched) {
            let (service, origin) = (one.service.as_str(), one.kind.as_str());
            let reason = one.to_string();
            tracing::error!(
                event = "found_refused",
                service,
                origin,
                reason,
                "what was found is not watched"
            );
        }
        let kept_back = || rejected.iter().filter(|one| !one.watched);
        let about = kept_back().map(ToString::to_string).collect();
        let host = &self.settings.agent.name;
        let message = |new: &BTreeSet<String>| {
            let new = kept_back().filter(|one| new.contains(&one.to_string()));
            Message::about_refused(host, &new.collect::<Vec<_>>(), Timestamp::now())
        };
        self.announce(Topic::Refused, about, |_| !is_all, message).await;
        self.logged_rejected = rejected;
    }

    async fn announce(
        &self,
        topic: Topic,
        about: BTreeSet<String>,
        still_holds: impl Fn(&str) -> bool,
        message: impl FnOnce(&BTreeSet<String>) -> Message,
    ) {
        let receivers = self.settings.alerts.rules.default.clone();
        self.parts.announce(topic, about, still_holds, receivers, message).await;
    }
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

/// Says why the old configuration is kept.
fn refuse(problems: &[String], count: usize) -> ReloadRefused {
    let first: Vec<&str> = problems
        .iter()
        .take(PROBLEMS_LOGGED)
        .filter_map(|problem| problem.lines().next())
        .collect();
    let reason = first.join("; ");
    tracing::error!(
        event = "reload_failed",
        reason,
        errors = count,
        "the configuration was not reloaded; the old one stays in force"
    );
    let plural = if count == 1 { "" } else { "s" };
    let text = problems.join("\n");
    let more = match count - problems.len() {
        0 => String::new(),
        more => format!("\nand {more} more"),
    };
    ReloadRefused(format!(
        "{text}{more}\n\n{count} error{plural}; the old configuration stays in force"
    ))
}

fn problems(errors: &ConfigErrors) -> Vec<String> {
    errors.problems.iter().map(ToString::to_string).collect()
}

/// What cannot become another while the agent runs, one sentence each.
fn fixed(old: &AgentSettings, new: &AgentSettings) -> Vec<String> {
    let keys = [
        ("agent.state_dir", old.state_dir != new.state_dir),
        ("agent.control_socket", old.control_socket != new.control_socket),
        ("agent.log", old.log != new.log),
        ("agent.emoji", old.emoji != new.emoji),
    ];
    keys.iter()
        .filter(|(_, differs)| *differs)
        .map(|(key, _)| format!("{key}: cannot be changed by a reload; restart the agent"))
        .collect()
}

/// What changes for the engine, and how many services that is.
fn difference(old: &Settings, new: &Settings, unknown: fn() -> Memory) -> (Reload, ReloadResponse) {
    let mut reload = Reload::default();
    let mut response = ReloadResponse::default();
    for before in &old.services {
        let name = &before.service.name;
        if service(new, name).is_none() {
            response.removed += 1;
            reload.removed.push(name.clone());
        }
    }
    for now in &new.services {
        let Some(before) = service(old, &now.service.name) else {
            response.added += 1;
            reload.added.push((now.service.clone(), unknown()));
            continue;
        };
        if before == now {
            response.unchanged += 1;
            continue;
        }
        response.changed += 1;
        let changed = changed(before, now);
        if changed != Changed::default() || before.service != now.service || before.reach != now.reach {
            reload.changed.push((now.service.clone(), changed));
        }
    }
    (reload, response)
}

fn changed(before: &ServiceSettings, now: &ServiceSettings) -> Changed {
    Changed {
        target: before.target != now.target,
        probes: before.probes != now.probes,
    }
}
