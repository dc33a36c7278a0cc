//! Puts the parts of the agent together and runs them until it is told to stop.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use sentinel_engine::{Engine, Event, Memory, Policy, Service, ServiceName};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::{self, Settings, Target};
use crate::driver::{self, Driver, ServiceHandle, TargetHandle, Unrecorded};
use crate::probe::{Limits, Prober};
use crate::process::Process;
use crate::receivers::{Receiver, RetryPolicy};
use crate::server::{self, Access, ControlSocket, ServerInfo};
use crate::store::{self, Opened, Store};
use crate::systemd::{BusAddress, Systemd, Watched, Watcher};
use crate::watchdog::Watchdog;
use crate::{receivers, telemetry};

/// How long the last log lines may take to be written.
const FLUSH: Duration = Duration::from_secs(1);

/// Runs the agent as `config` says, until SIGTERM or SIGINT.
pub async fn run(config: &Path) -> anyhow::Result<()> {
    let loaded = config::load(config, config::environment())?;
    let settings = loaded.settings;
    telemetry::init(settings.agent.log, settings.agent.emoji)?;
    for warning in &loaded.warnings {
        tracing::warn!(event = "config_warning", "{warning}");
    }
    let stop = stop_signal().context("failed to listen for signals")?;
    let mut tasks = JoinSet::new();
    let (driver, watchdog) = start(settings, &mut tasks).await?;
    tracing::info!(event = "started", "Sentinel monitor started");
    watchdog.ready();
    driver.run(stop).await;
    watchdog.stopping();
    tracing::info!(event = "stopped", "Sentinel monitor stopped");
    tasks.shutdown().await;
    telemetry::flush(FLUSH);
    Ok(())
}

/// Opens what must be open, and starts whatever runs beside the driver.
async fn start(settings: Settings, tasks: &mut JoinSet<()>) -> anyhow::Result<(Driver, Watchdog)> {
    let opened = Store::open(&settings.agent.state_dir).await?;
    let clock = Clock::start(opened.anchor.as_ref());
    let prober = Arc::new(Prober::new(&Limits::of_process())?);
    let (sender, events) = driver::events();
    let (handle, control) = server::channel();

    let socket = ControlSocket::bind(&settings.agent.control_socket).await?;
    let info = ServerInfo {
        host: settings.agent.name.clone(),
        since: Timestamp::now(),
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

    let engine = engine(&settings, &opened, &clock);
    let systemd = watch_units(&settings, &sender, tasks);
    let mut services = BTreeMap::new();
    for service in &settings.services {
        let name = service.service.name.clone();
        let asked = prober
            .prepare(&service.probes)
            .with_context(|| format!("failed to prepare the probes of `{name}`"))?;
        let target = service.target.as_ref().map(|target| match target {
            Target::Unit(unit) => TargetHandle::Unit(systemd.clone(), unit.clone()),
            Target::Process(process) => watch_process(&name, process, &sender, tasks),
        });
        let handle = ServiceHandle {
            probes: Arc::new(asked),
            target,
            labels: service.labels.clone(),
            reach: service.reach.clone(),
        };
        services.insert(name, handle);
    }
    for receiver in Receiver::all(&settings.receivers)? {
        tasks.spawn(receivers::run(
            Arc::new(receiver),
            opened.store.clone(),
            clock.clone(),
            RetryPolicy::default(),
        ));
    }
    let known = settings
        .receivers
        .iter()
        .map(|receiver| receiver.name.clone())
        .collect();
    opened.store.keep_receivers(known, Timestamp::now()).await?;

    let driver = Driver {
        engine,
        clock,
        store: opened.store,
        prober,
        services,
        host: settings.agent.name,
        receivers: settings.alerts.receivers,
        watchdog: Watchdog::from_env(),
        sender,
        events,
        control,
        unrecorded: Unrecorded::default(),
    };
    Ok((driver, Watchdog::from_env()))
}

/// The engine, going on from what the store remembers. Services that are no longer configured are closed.
fn engine(settings: &Settings, opened: &Opened, clock: &Clock) -> Engine {
    let now = clock.now();
    let mut memories = opened.remembered.services.clone();
    let mut engine = Engine::new(settings.recovery.clone(), opened.next_incident, opened.next_action);
    engine.resume_host(opened.remembered.host.clone(), clock.booted_at());
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
        let forgotten = || {
            if opened.quarantined.is_some() {
                store::spent()
            } else {
                Memory::default()
            }
        };
        let memory = memories.remove(&service.name).unwrap_or_else(forgotten);
        engine.add_service(now, service, memory);
    }
    for (name, memory) in memories {
        engine.forget_service(now, unmanaged(name), memory);
    }
    engine
}

/// A stand-in for a service that is remembered and no longer configured.
fn unmanaged(name: ServiceName) -> Service {
    Service {
        name,
        has_target: false,
        has_probes: false,
        after: Vec::new(),
        policy: Policy::default(),
    }
}

/// Starts to watch every configured unit.
fn watch_units(settings: &Settings, sender: &mpsc::Sender<Event>, tasks: &mut JoinSet<()>) -> Systemd {
    let units = settings.services.iter().filter_map(|service| match &service.target {
        Some(Target::Unit(unit)) => Some(Watched {
            service: service.service.name.clone(),
            unit: unit.clone(),
        }),
        _ => None,
    });
    let units: Vec<_> = units.collect();
    let any = !units.is_empty();
    let (watcher, systemd) = Watcher::new(BusAddress::System, units, sender.clone());
    // A host without systemd is not asked for its bus in vain.
    if any {
        tasks.spawn(watcher.run());
    }
    systemd
}

/// Starts to watch one process.
fn watch_process(
    name: &ServiceName,
    target: &config::ProcessTarget,
    sender: &mpsc::Sender<Event>,
    tasks: &mut JoinSet<()>,
) -> TargetHandle {
    let process = Arc::new(Process::new(name.clone(), target.clone(), sender.clone()));
    let watched = Arc::clone(&process);
    tasks.spawn(async move { watched.watch().await });
    TargetHandle::Process(process)
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
