//! A new configuration while the agent runs: checked first, then applied whole, or refused with the old one kept.

use std::path::PathBuf;

use sentinel_engine::{Changed, Memory, Reload};
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::{self, AgentSettings, ConfigErrors, HeartbeatSettings, Loaded, ServiceSettings, Settings};
use crate::driver::Change;
use crate::parts::{Parts, service};
use crate::server::{ReloadRefused, ReloadReply, api::ReloadResponse};
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
    /// What is in force.
    pub settings: Settings,
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

/// Why there is nothing to answer any more.
struct Stopping;

impl Reloader {
    /// Reloads at every SIGHUP and every request, one after the other, until the agent stops.
    pub async fn run(mut self, mut hangup: Signal, mut requests: mpsc::Receiver<ReloadReply>) {
        loop {
            let reply = tokio::select! {
                Some(()) = hangup.recv() => None,
                Some(reply) = requests.recv() => Some(reply),
                else => return,
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
        // Files may lie on a disk that is slow today.
        let loaded = tokio::task::spawn_blocking(move || config::load(&config, config::environment())).await;
        let loaded = match loaded {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(errors)) => return Ok(Err(refuse(&problems(&errors), errors.count()))),
            Err(failed) => return Ok(Err(refuse(&[failed.to_string()], 1))),
        };
        let fixed = fixed(&self.settings.agent, &loaded.settings.agent);
        if !fixed.is_empty() {
            return Ok(Err(refuse(&fixed, fixed.len())));
        }
        self.apply(loaded).await
    }

    /// Applies a configuration that is free of errors. Only what turns out not to be possible is refused now.
    async fn apply(&mut self, loaded: Loaded) -> Result<Result<ReloadResponse, ReloadRefused>, Stopping> {
        let new = loaded.settings;
        let prepared = match self.parts.prepare(Some(&self.settings), &new) {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(refuse(&[format!("{error:#}")], 1))),
        };
        let (engine, mut response) = difference(&self.settings, &new, self.unknown);
        self.parts.retire(&prepared);
        let (applied, done) = oneshot::channel();
        let change = Change {
            engine,
            recovery: new.recovery.clone(),
            services: prepared.services(),
            host: new.agent.name.clone(),
            alerts: new.alerts.rules.clone(),
            maintenance: new.maintenance.clone(),
            applied,
        };
        self.changes.send(change).await.map_err(|_| Stopping)?;
        done.await.map_err(|_| Stopping)?;
        self.parts.launch(prepared).await;
        self.heartbeat.send_if_modified(|heartbeat| {
            let changed = *heartbeat != new.heartbeat;
            heartbeat.clone_from(&new.heartbeat);
            changed
        });
        self.settings = new;
        for warning in &loaded.warnings {
            tracing::warn!(event = "config_warning", "{warning}");
        }
        let ReloadResponse {
            added,
            removed,
            changed,
            unchanged,
            ..
        } = response;
        tracing::info!(
            event = "reloaded",
            added,
            removed,
            changed,
            unchanged,
            "the configuration was reloaded"
        );
        response.warnings = loaded.warnings.iter().map(ToString::to_string).collect();
        Ok(Ok(response))
    }
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
