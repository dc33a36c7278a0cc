//! Puts the components of the agent together and runs them until the agent is asked to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use sentinel_base::clock::Clock;
use sentinel_base::watchdog::Watchdog;
use sentinel_config::discovery::{Discovery, Source};
use sentinel_config::{Checked, ConfigErrors, HeartbeatSettings, Loaded, LogFormat, Secrets, Settings};
use sentinel_driver::control::{ControlHandle, ReloadReply};
use sentinel_driver::maintenance::Schedule;
use sentinel_driver::{EvidenceCollector, Holds, PendingWrites, Upgrades};
use sentinel_engine::{Engine, Memory, Service, ServiceName};
use sentinel_notify::announcer::Announcer;
use sentinel_notify::heartbeat::{self, AgentHealth, Heartbeat};
use sentinel_notify::{FallbackNotifier, Message, Timelines};
use sentinel_probe::{Limits, Prober};
use sentinel_store::{AlertMemory, Opened, Store, Topic};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::components::{Components, Driver, Resources, ServiceHandle};
use crate::reload::{self, DiscoveryNews, InForce, PendingServices, Reloader};
use crate::server::{self, Access, ControlSocket, ServerInfo};
use crate::shown::{self, Shown};
use crate::status_line::StatusLine;
use crate::telemetry;

/// How long the last log lines may take to be written.
const FLUSH: Duration = Duration::from_secs(1);

/// Runs the agent as `config` says, until SIGTERM or SIGINT. SIGHUP reloads it.
pub async fn run(config: &Path) -> anyhow::Result<()> {
    // First of all: without a handler SIGHUP would end the agent.
    let hangup = signal(SignalKind::hangup()).context("failed to listen for signals")?;
    let checked = match sentinel_config::read(config, sentinel_config::environment(), Secrets::All) {
        Ok(checked) => checked,
        Err(errors) => {
            log_refused(&errors);
            return Err(errors.into());
        }
    };
    let agent = &checked.alone.settings.agent;
    telemetry::init(agent.log, agent.emoji)?;
    for warning in &checked.alone.warnings {
        tracing::warn!(event = "config_warning", "{warning}");
    }
    let stop = stop_signal().context("failed to listen for signals")?;
    let mut tasks = JoinSet::new();
    let (driver, reloader, reloads) = start(config, checked, &mut tasks).await?;
    let watchdog = Watchdog::from_env();
    tracing::info!(event = "started", "Sentinel monitor started");
    watchdog.ready();
    let heartbeat = reloader.heartbeat.subscribe();
    tasks.spawn(reloader.run(hangup, reloads));
    driver.run(stop).await;
    watchdog.stopping();
    let settings = heartbeat.borrow().clone();
    heartbeat::last(settings.as_ref()).await;
    tracing::info!(event = "ended", "Sentinel monitor stopped");
    tasks.shutdown().await;
    telemetry::flush(FLUSH);
    Ok(())
}

/// Logs to the journal, which knows this kind of event, why the agent does not start; stderr gets every problem from
/// the caller. How to log is not known without a configuration, so a terminal is not written to twice.
fn log_refused(errors: &ConfigErrors) {
    if !telemetry::is_journal() || telemetry::init(LogFormat::Auto, false).is_err() {
        return;
    }
    let first = errors.problems.first().map(ToString::to_string).unwrap_or_default();
    tracing::error!(
        event = "config_refused",
        reason = first.lines().next().unwrap_or_default(),
        errors = errors.count(),
        "the agent cannot start: invalid configuration"
    );
    telemetry::flush(FLUSH);
}

/// Opens what must be open, and starts whatever runs beside the driver.
async fn start(
    config: &Path,
    checked: Checked,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<(Driver, Reloader, mpsc::Receiver<ReloadReply>)> {
    let wanted = Source::wanted(&checked);
    let (Loaded { settings, .. }, sources) = checked.into_parts();
    let opened = Store::open(&settings.agent.state_dir).await?;
    let clock = Clock::start(opened.anchor.as_ref());
    let (handle, control) = sentinel_driver::control::channel();
    let since = sentinel_base::clock::wall();
    let shown = Shown::new(&settings, since);
    serve(&settings, since, &shown, handle.clone(), tasks).await?;

    let (engine, pending) = engine(&settings, &opened, &clock, !wanted.is_empty());
    let (sender, events) = sentinel_driver::events();
    let resources = Resources {
        prober: Arc::new(Prober::new(&Limits::of_process())?),
        store: opened.store.clone(),
        clock: clock.clone(),
        events: sender.clone(),
    };
    let timelines = timelines(&opened, &clock).await;
    let continuing = pending.iter().map(ToString::to_string).collect();
    let components = Components::start(resources, &settings, &wanted, continuing).await?;
    let announcer = Announcer::new(opened.store.clone(), clock.clone());
    notify_damage(&announcer, &settings, &opened).await;
    let (agent_health, heartbeat) = (AgentHealth::default(), watch::Sender::new(settings.heartbeat.clone()));
    watch_over(&opened.store, &clock, handle.clone(), &agent_health, &heartbeat, tasks);
    shown.serve(&settings, since, handle, tasks);

    let (reloads, requests) = reload::requests();
    // One at a time: a reload waits until the configuration is in force.
    let (news, changes) = mpsc::channel(1);
    let unknown = unknown(opened.quarantined.is_some());
    let services = components.services();
    let mut maintenance = Schedule::default();
    maintenance.replace(settings.maintenance.clone(), services.keys().cloned().collect());
    let driver = Driver {
        engine,
        rejected: Vec::new(),
        found: components.discovered(),
        host: settings.agent.name.clone(),
        link: settings.alerts.link.clone(),
        watchdog: Watchdog::from_env(),
        sender,
        events,
        control,
        reloads,
        changes,
        agent_health,
        timelines,
        holds: Holds::default(),
        collector: EvidenceCollector::default(),
        maintenance,
        fallback: FallbackNotifier::new(components.registry(), opened.store.clone(), clock.clone()),
        pending: pending_writes(&opened, &services),
        upgrades: Upgrades::default(),
        counters: shown::counters(&settings, &services),
        services,
        clock,
        store: opened.store,
    };
    let reloader = Reloader {
        config: config.to_owned(),
        found: components.discovered(),
        in_force: InForce {
            sources,
            wanted,
            found: Discovery::default(),
            settings,
        },
        pending: PendingServices::new(pending),
        news: DiscoveryNews::new(announcer),
        components,
        unknown,
        changes: news,
        heartbeat,
        shown,
        watchdog: Watchdog::from_env(),
    };
    Ok((driver, reloader, requests))
}

/// Starts the heartbeat and the line in `systemctl status`.
fn watch_over(
    store: &Store,
    clock: &Clock,
    driver: ControlHandle,
    agent_health: &AgentHealth,
    heartbeat: &watch::Sender<Option<HeartbeatSettings>>,
    tasks: &mut JoinSet<()>,
) {
    let beats = Heartbeat {
        settings: heartbeat.subscribe(),
        agent_health: agent_health.clone(),
        store: store.clone(),
        clock: clock.clone(),
    };
    tasks.spawn(beats.run());
    let status_line = StatusLine {
        driver,
        agent_health: agent_health.clone(),
        store: store.clone(),
        clock: clock.clone(),
    };
    tasks.spawn(status_line.run());
}

/// What is known of the incidents that are open.
async fn timelines(opened: &Opened, clock: &Clock) -> Timelines {
    let remembered = opened.remembered.services.values();
    let open = remembered.filter_map(|memory| memory.incident.as_ref().map(|incident| incident.id));
    sentinel_driver::history::timelines(&opened.store, clock, open).await
}

/// What is on disk with the first commit, or the next agent would take these for services that never spent anything.
fn pending_writes(opened: &Opened, services: &BTreeMap<ServiceName, ServiceHandle>) -> PendingWrites {
    match &opened.quarantined {
        Some(_) => PendingWrites::assumed(services.keys().cloned(), &sentinel_store::spent()),
        None => PendingWrites::default(),
    }
}

/// Opens the control socket.
async fn serve(
    settings: &Settings,
    since: Timestamp,
    shown: &Shown,
    handle: ControlHandle,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let socket = ControlSocket::bind(&settings.agent.control_socket).await?;
    let info = ServerInfo {
        since,
        web: shown.status.subscribe(),
    };
    let router = server::router(info, handle, Access::Control);
    tasks.spawn(async move {
        if let Err(error) = socket.serve(router, std::future::pending()).await {
            tracing::error!(
                event = "control_failed",
                error = &error as &dyn std::error::Error,
                "control socket failed"
            );
        }
    });
    Ok(())
}

/// The memory to assume of services that the store does not know: when it was damaged, what they spent is lost.
fn unknown(quarantined: bool) -> fn() -> Memory {
    if quarantined {
        sentinel_store::spent
    } else {
        Memory::default
    }
}

/// Notifies receivers of what of the store was lost: what was open and silenced is forgotten, and less is restarted for
/// a while.
async fn notify_damage(announcer: &Announcer, settings: &Settings, opened: &Opened) {
    let (host, unreadable) = (&settings.agent.name, &opened.remembered.unreadable);
    let Some(place) = opened.quarantined.as_ref().map(|path| path.display().to_string()) else {
        if !unreadable.is_empty() {
            let about = unreadable.iter().map(ToString::to_string).collect();
            let receivers = settings.alerts.receivers.clone();
            let message = |new: &BTreeSet<String>| Message::about_unreadable(host, new, sentinel_base::clock::wall());
            announcer
                .announce(Topic::Damaged, about, |_| true, receivers, message)
                .await;
        }
        return;
    };
    let (about, receivers) = (BTreeSet::from([place.clone()]), settings.alerts.receivers.clone());
    let message = |_: &BTreeSet<String>| Message::about_damage(host, &place, sentinel_base::clock::wall());
    announcer
        .announce(Topic::Damaged, about, |_| true, receivers, message)
        .await;
}

/// The engine, going on from what the store remembers. Services that are no longer configured are closed, unless they
/// may still be found on the host: then those are answered whose incident is open.
fn engine(settings: &Settings, opened: &Opened, clock: &Clock, looks: bool) -> (Engine, BTreeSet<ServiceName>) {
    let now = clock.now();
    let mut memories = opened.remembered.services.clone();
    let mut engine = Engine::new(settings.recovery.clone(), opened.next_incident, opened.next_action);
    engine.resume_host(opened.remembered.host.clone(), clock.booted_at());
    let AlertMemory {
        notification_logs,
        silences,
        next_silence,
    } = opened.remembered.alerts.clone();
    let rules = settings.alerts.rules.clone();
    engine.resume_alerting(now, rules, notification_logs, silences, next_silence);
    if let Some(path) = &opened.quarantined {
        let path = path.display();
        tracing::error!(
            event = "store_quarantined",
            "the store was damaged and is kept as `{path}`; budgets count as spent"
        );
    }
    for service in &opened.remembered.unreadable {
        tracing::error!(
            event = "memory_unreadable",
            service = service.as_str(),
            "its budget counts as spent"
        );
    }
    for service in &settings.services {
        let service = service.service.clone();
        let unknown = unknown(opened.quarantined.is_some());
        let memory = memories.remove(&service.name).unwrap_or_else(unknown);
        engine.add_service(now, service, memory);
    }
    let mut pending = BTreeSet::new();
    for (name, memory) in memories {
        if looks && memory.incident.is_some() {
            pending.insert(name.clone());
            engine.park_service(name, memory);
            continue;
        }
        engine.forget_service(now, Service::unmanaged(name), memory);
    }
    (engine, pending)
}

/// Done when the agent is asked to stop.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
