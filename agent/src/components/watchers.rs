//! The watchers of targets: units, containers, processes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sentinel_config::{DockerAddress, ServiceSettings, Settings, Target};
use sentinel_docker::Docker;
use sentinel_engine::{Event, ServiceName};
use sentinel_process::Process;
use sentinel_systemd::{BusAddress, Systemd};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::{ServiceHandle, TargetHandle};
use crate::polkit;

/// What is to be watched.
pub(super) struct Wanted {
    units: Vec<sentinel_systemd::Watched>,
    /// Those of them that may have to be restarted.
    healed: BTreeSet<String>,
    containers: Vec<sentinel_docker::Watched>,
    docker: DockerAddress,
}

impl Wanted {
    pub(super) fn by(settings: &Settings) -> Self {
        Self {
            units: settings.services.iter().filter_map(unit).collect(),
            healed: polkit::units(settings),
            containers: settings.services.iter().filter_map(container).collect(),
            docker: settings.agent.docker.clone(),
        }
    }
}

/// The watchers as they run now.
pub(super) struct Watchers {
    events: mpsc::Sender<Event>,
    systemd: Systemd,
    /// Not yet running: a host without units is not asked for its bus in vain.
    of_units: Option<sentinel_systemd::Watcher>,
    docker: Docker,
    /// The same: not yet running.
    of_containers: Option<sentinel_docker::Watcher>,
    of_processes: BTreeMap<ServiceName, AbortHandle>,
    /// The look at what may be restarted, while it lasts.
    verification: Option<AbortHandle>,
}

impl Watchers {
    /// Nothing is watched yet. What is seen goes to `events`.
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        let (of_units, systemd) = sentinel_systemd::Watcher::new(BusAddress::System, Vec::new(), events.clone());
        let (of_containers, docker) = sentinel_docker::Watcher::new(events.clone());
        Self {
            events,
            systemd,
            of_units: Some(of_units),
            docker,
            of_containers: Some(of_containers),
            of_processes: BTreeMap::new(),
            verification: None,
        }
    }

    /// The way to a target that is new.
    pub(super) fn handle(&self, service: &ServiceName, target: &Target) -> TargetHandle {
        match target {
            Target::Unit(unit) => TargetHandle::Unit(self.systemd.clone(), unit.clone()),
            Target::Process(process) => {
                let process = Process::new(service.clone(), process.clone(), self.events.clone());
                TargetHandle::Process(Arc::new(process))
            }
            Target::Container(container) => TargetHandle::Container(self.docker.clone(), container.clone()),
        }
    }

    /// Silences the watchers of processes that `now` has no longer, or no longer so.
    pub(super) fn stop_replaced(
        &mut self,
        before: &BTreeMap<ServiceName, ServiceHandle>,
        now: &BTreeMap<ServiceName, ServiceHandle>,
    ) {
        for (name, handle) in before {
            let Some(process) = process_of(handle) else {
                continue;
            };
            let same = now.get(name).and_then(process_of);
            if !same.is_some_and(|same| Arc::ptr_eq(same, process)) {
                process.retire();
                if let Some(task) = self.of_processes.remove(name) {
                    task.abort();
                }
            }
        }
    }

    /// Watches what is new, and no longer what is not wanted.
    pub(super) fn start(
        &mut self,
        services: &BTreeMap<ServiceName, ServiceHandle>,
        wanted: Wanted,
        tasks: &mut JoinSet<()>,
    ) {
        for (name, handle) in services {
            if let Some(process) = process_of(handle)
                && !self.of_processes.contains_key(name)
            {
                let process = Arc::clone(process);
                let task = tasks.spawn(async move { process.watch().await });
                self.of_processes.insert(name.clone(), task);
            }
        }
        let any = !wanted.units.is_empty();
        self.systemd.watch(wanted.units);
        if any && let Some(watcher) = self.of_units.take() {
            tasks.spawn(watcher.run());
        }
        // Whether what the configuration asks for is allowed. Of the last configuration only.
        let task = tasks.spawn(polkit::verify(wanted.healed));
        if let Some(last) = self.verification.replace(task) {
            last.abort();
        }
        let any = !wanted.containers.is_empty();
        self.docker.watch(wanted.docker, wanted.containers);
        if any && let Some(watcher) = self.of_containers.take() {
            tasks.spawn(watcher.run());
        }
    }
}

fn unit(settings: &ServiceSettings) -> Option<sentinel_systemd::Watched> {
    match &settings.target {
        Some(Target::Unit(unit)) => Some(sentinel_systemd::Watched {
            service: settings.service.name.clone(),
            unit: unit.clone(),
        }),
        _ => None,
    }
}

fn container(settings: &ServiceSettings) -> Option<sentinel_docker::Watched> {
    match &settings.target {
        Some(Target::Container(container)) => Some(sentinel_docker::Watched {
            service: settings.service.name.clone(),
            target: container.clone(),
            probed: settings.service.has_probes,
        }),
        _ => None,
    }
}

fn process_of(handle: &ServiceHandle) -> Option<&Arc<Process>> {
    match handle.target.as_ref()? {
        TargetHandle::Process(process) => Some(process),
        TargetHandle::Unit(..) | TargetHandle::Container(..) => None,
    }
}
