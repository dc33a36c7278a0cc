//! What runs beside the driver and follows the configuration: watchers of targets and workers of receivers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use sentinel_engine::alerting::dispatch::DispatchPolicy;
use sentinel_engine::{Event, ServiceName};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::clock::Clock;
use crate::config::{DockerAddress, ProbeSettings, ReceiverSettings, ServiceSettings, Settings, Target};
use crate::discovery::{Discovery, DiscoveryFeed, Source};
use crate::docker::{self, Docker, Search};
use crate::driver::{ServiceHandle, TargetHandle};
use crate::polkit;
use crate::probe::{Prober, ServiceProbes};
use crate::process::Process;
use crate::receivers::{self, Directory, Message, Receiver, RetryPolicy};
use crate::store::{Announcement, OutboxSettings, Store, Topic};
use crate::systemd::{self, BusAddress, SectionWatcher, Systemd, Watched, Watcher};

/// The parts as they run now. Dropping it ends them.
pub struct Parts {
    prober: Arc<Prober>,
    store: Store,
    clock: Clock,
    events: mpsc::Sender<Event>,
    systemd: Systemd,
    /// Not yet running: a host without units is not asked for its bus in vain.
    watcher: Option<Watcher>,
    docker: Docker,
    /// The same: not yet running.
    docker_watcher: Option<docker::Watcher>,
    /// Where those who look for services put what they found.
    feed: DiscoveryFeed,
    /// Who reads the sections of unit files.
    unit_files: Option<AbortHandle>,
    /// What to look for among containers.
    search: watch::Sender<Search>,
    /// The looks at containers and at units, once they are wanted.
    finder: Option<AbortHandle>,
    units: Option<AbortHandle>,
    /// Services whose incident was open when the agent was started.
    continuing: BTreeSet<String>,
    services: BTreeMap<ServiceName, ServiceHandle>,
    processes: BTreeMap<ServiceName, AbortHandle>,
    /// The look at what may be restarted, while it lasts.
    verification: Option<AbortHandle>,
    workers: BTreeMap<String, AbortHandle>,
    directory: Directory,
    tasks: JoinSet<()>,
}

/// Whatever could fail has not, and nothing has been touched yet.
pub struct Prepared {
    services: BTreeMap<ServiceName, ServiceHandle>,
    units: Vec<Watched>,
    /// Those of them that may have to be restarted.
    healed: BTreeSet<String>,
    containers: Vec<docker::Watched>,
    docker: DockerAddress,
    /// Receivers that are new or another than before.
    receivers: Vec<Receiver>,
    /// The names of all.
    names: Vec<String>,
    /// What the outbox works with.
    outbox: OutboxSettings,
}

impl Prepared {
    /// The services, as the driver needs them.
    pub fn services(&self) -> BTreeMap<ServiceName, ServiceHandle> {
        self.services.clone()
    }
}

impl Parts {
    /// No parts yet. What they see goes to `events`.
    pub fn new(prober: Arc<Prober>, store: Store, clock: Clock, events: mpsc::Sender<Event>) -> Self {
        let (watcher, systemd) = Watcher::new(BusAddress::System, Vec::new(), events.clone());
        let (docker_watcher, docker) = docker::Watcher::new(events.clone());
        Self {
            prober,
            store,
            clock,
            events,
            systemd,
            watcher: Some(watcher),
            docker,
            docker_watcher: Some(docker_watcher),
            feed: DiscoveryFeed::default(),
            unit_files: None,
            search: watch::Sender::new(Search::default()),
            finder: None,
            units: None,
            continuing: BTreeSet::new(),
            services: BTreeMap::new(),
            processes: BTreeMap::new(),
            verification: None,
            workers: BTreeMap::new(),
            directory: Directory::default(),
            tasks: JoinSet::new(),
        }
    }

    /// The receivers as they are, also later.
    pub fn directory(&self) -> Directory {
        self.directory.clone()
    }

    /// Hears of services that are found on the host.
    pub fn discovered(&self) -> watch::Receiver<Discovery> {
        self.feed.subscribe()
    }

    /// Looks for services where they are `wanted`. Those in `continuing` had an incident before the agent was started.
    pub fn look(&mut self, wanted: &BTreeSet<Source>, settings: &Settings, continuing: Option<BTreeSet<String>>) {
        if let Some(continuing) = continuing {
            self.continuing = continuing;
        }
        self.feed.ask(wanted);
        let search = Search {
            address: settings.agent.docker.clone(),
            labels: wanted.contains(&Source::Labels),
            host: wanted.contains(&Source::HostContainers),
        };
        let any = search.labels || search.host;
        self.search.send_if_modified(|before| {
            let is_new = *before != search;
            *before = search;
            is_new
        });
        if any && self.finder.is_none() {
            let find = docker::discover(self.feed.clone(), self.search.subscribe(), self.continuing.clone());
            self.finder = Some(self.tasks.spawn(find));
        }
        match (wanted.contains(&Source::UnitFiles), &self.unit_files) {
            (true, None) => {
                let watcher = SectionWatcher::new(BusAddress::System, self.feed.clone());
                self.unit_files = Some(self.tasks.spawn(watcher.run()));
            }
            (false, Some(watcher)) => {
                watcher.abort();
                self.unit_files = None;
            }
            _ => {}
        }
        match (wanted.contains(&Source::HostUnits), &self.units) {
            (true, None) => {
                let observe = systemd::discover_units(self.feed.clone(), self.continuing.clone());
                self.units = Some(self.tasks.spawn(observe));
            }
            (false, Some(units)) => {
                units.abort();
                self.units = None;
            }
            _ => {}
        }
    }

    /// Tells these receivers of what is new in `about`: what nobody was told, neither by this agent nor by one before it. Of
    /// what was told and is not in `about`, only that is remembered which still holds; the rest is news when it comes back.
    pub async fn announce(
        &self,
        topic: Topic,
        mut about: BTreeSet<String>,
        still_holds: impl Fn(&str) -> bool,
        receivers: Vec<String>,
        message: impl FnOnce(&BTreeSet<String>) -> Message,
    ) {
        let announced = async {
            let known = self.store.announced(topic).await?;
            let new: BTreeSet<String> = about.difference(&known).cloned().collect();
            about.extend(known.iter().filter(|one| still_holds(one)).cloned());
            if !new.is_empty() {
                let message = message(&new);
                let now = self.clock.now();
                let announcement = Announcement {
                    receivers,
                    severity: message.data.severity,
                    payload: message.payload(),
                    now,
                    wall: self.clock.wall(now),
                    topic,
                    about,
                };
                self.store.announce(announcement).await
            } else if about != known {
                self.store.keep_announced(topic, about).await
            } else {
                Ok(())
            }
        };
        if let Err(error) = announced.await {
            let error: &dyn std::error::Error = &error;
            tracing::error!(event = "store_failed", error, "failed to tell receivers of something");
        }
    }

    /// Makes what `new` needs and is not there. `old` is what runs now.
    pub fn prepare(&self, old: Option<&Settings>, new: &Settings) -> anyhow::Result<Prepared> {
        let before = |name: &ServiceName| service(old?, name);
        let mut services = BTreeMap::new();
        for settings in &new.services {
            let name = &settings.service.name;
            let handle = self.handle(before(name), settings)?;
            services.insert(name.clone(), handle);
        }
        let changed: Vec<ReceiverSettings> = new
            .receivers
            .iter()
            .filter(|receiver| old.is_none_or(|old| !old.receivers.contains(receiver)))
            .cloned()
            .collect();
        // An HTTP client costs the reading of the host's certificates.
        let receivers = if changed.is_empty() {
            Vec::new()
        } else {
            Receiver::all(&changed)?
        };
        Ok(Prepared {
            services,
            units: new.services.iter().filter_map(unit).collect(),
            healed: polkit::units(new),
            containers: new.services.iter().filter_map(container).collect(),
            docker: new.agent.docker.clone(),
            receivers,
            names: new.receivers.iter().map(|receiver| receiver.name.clone()).collect(),
            outbox: OutboxSettings {
                host: new.agent.name.clone(),
                dispatch: DispatchPolicy {
                    group_wait: new.alerts.rules.group_wait,
                    ..DispatchPolicy::default()
                },
            },
        })
    }

    /// The handle of one service; what did not change is the same as before.
    fn handle(&self, before: Option<&ServiceSettings>, settings: &ServiceSettings) -> anyhow::Result<ServiceHandle> {
        let name = &settings.service.name;
        let running = self.services.get(name).zip(before);
        let probes = match running {
            Some((handle, before)) if before.probes == settings.probes && !reads_files(&settings.probes) => {
                Arc::clone(&handle.probes)
            }
            _ => self.probes(settings)?,
        };
        let target = match (running, &settings.target) {
            (_, None) => None,
            (Some((handle, before)), now) if before.target == *now => handle.target.clone(),
            (_, Some(Target::Unit(unit))) => Some(TargetHandle::Unit(self.systemd.clone(), unit.clone())),
            (_, Some(Target::Process(process))) => {
                let process = Process::new(name.clone(), process.clone(), self.events.clone());
                Some(TargetHandle::Process(Arc::new(process)))
            }
            (_, Some(Target::Container(container))) => {
                Some(TargetHandle::Container(self.docker.clone(), container.clone()))
            }
        };
        Ok(ServiceHandle {
            probes,
            target,
            reach: settings.reach.clone(),
            log_lines: settings.log_lines,
            origin: settings.origin.clone(),
        })
    }

    fn probes(&self, settings: &ServiceSettings) -> anyhow::Result<Arc<ServiceProbes>> {
        let name = &settings.service.name;
        let probes = self.prober.prepare(settings.target.as_ref(), &settings.probes);
        probes
            .map(Arc::new)
            .with_context(|| format!("failed to prepare the probes of `{name}`"))
    }

    /// Silences the watchers of processes that are no longer, or no longer so, configured. To be done before the driver
    /// goes on with the new services: what is still seen of the old target is not news of the new one.
    pub fn retire(&mut self, prepared: &Prepared) {
        for (name, handle) in &self.services {
            let Some(TargetHandle::Process(process)) = &handle.target else {
                continue;
            };
            if !process_of(prepared.services.get(name)).is_some_and(|new| Arc::ptr_eq(new, process)) {
                process.retire();
                if let Some(task) = self.processes.remove(name) {
                    task.abort();
                }
            }
        }
    }

    /// Starts what is new and ends what is no longer wanted. To be done when the driver knows the new services: it does
    /// not understand events of others. Answers how many messages were given up, as their receivers are gone.
    pub async fn launch(&mut self, prepared: Prepared) -> usize {
        self.services = prepared.services;
        self.watch_processes();
        self.watch_units(prepared.units);
        self.verify_permission(prepared.healed);
        self.watch_containers(prepared.docker, prepared.containers);
        // In memory only: it fails when the store is closed, and then nobody is told anything.
        let _ = self.store.configure_outbox(prepared.outbox).await;
        for receiver in self.end_workers(&prepared.receivers, &prepared.names) {
            if let Err(error) = self.store.receiver_changed(&receiver).await {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(receiver, error, "failed to have a changed receiver tried at once");
            }
        }
        self.run_workers(prepared.receivers, &prepared.names);
        let given_up = self.store.keep_receivers(prepared.names, Timestamp::now()).await;
        if let Err(error) = &given_up {
            let error: &dyn std::error::Error = error;
            tracing::error!(
                event = "store_failed",
                error,
                "failed to give up messages to receivers that are gone"
            );
        }
        // Those that were ended are not kept account of.
        while self.tasks.try_join_next().is_some() {}
        given_up.unwrap_or_default()
    }

    fn watch_processes(&mut self) {
        for (name, handle) in &self.services {
            if let Some(TargetHandle::Process(process)) = &handle.target
                && !self.processes.contains_key(name)
            {
                let process = Arc::clone(process);
                let task = self.tasks.spawn(async move { process.watch().await });
                self.processes.insert(name.clone(), task);
            }
        }
    }

    fn watch_units(&mut self, units: Vec<Watched>) {
        let any = !units.is_empty();
        self.systemd.watch(units);
        if any && let Some(watcher) = self.watcher.take() {
            self.tasks.spawn(watcher.run());
        }
    }

    /// Looks whether what the configuration asks for is allowed. Of the last configuration only.
    fn verify_permission(&mut self, healed: BTreeSet<String>) {
        let task = self.tasks.spawn(polkit::verify(healed));
        if let Some(last) = self.verification.replace(task) {
            last.abort();
        }
    }

    fn watch_containers(&mut self, address: DockerAddress, containers: Vec<docker::Watched>) {
        let any = !containers.is_empty();
        self.docker.watch(address, containers);
        if any && let Some(watcher) = self.docker_watcher.take() {
            self.tasks.spawn(watcher.run());
        }
    }

    /// Ends the workers of receivers that are gone or another now; answers the names of these. A worker may be ended at any
    /// time: what it was sending is sent again, under the same key, by the next.
    fn end_workers(&mut self, receivers: &[Receiver], names: &[String]) -> Vec<String> {
        let mut changed = Vec::new();
        self.workers.retain(|name, worker| {
            let is_new = receivers.iter().any(|receiver| receiver.name() == name);
            let stays = names.contains(name) && !is_new;
            if !stays {
                worker.abort();
            }
            if is_new {
                changed.push(name.clone());
            }
            stays
        });
        changed
    }

    fn run_workers(&mut self, receivers: Vec<Receiver>, names: &[String]) {
        self.directory.keep(names);
        for receiver in receivers {
            let name = receiver.name().to_owned();
            let (store, clock) = (self.store.clone(), self.clock.clone());
            let receiver = Arc::new(receiver);
            self.directory.insert(Arc::clone(&receiver));
            let worker = receivers::run(receiver, store, clock, RetryPolicy::default());
            self.workers.insert(name, self.tasks.spawn(worker));
        }
    }
}

/// The settings of one service.
pub fn service<'a>(settings: &'a Settings, name: &ServiceName) -> Option<&'a ServiceSettings> {
    // They are sorted by name.
    let found = settings
        .services
        .binary_search_by(|service| service.service.name.cmp(name));
    found.ok().and_then(|index| settings.services.get(index))
}

fn unit(settings: &ServiceSettings) -> Option<Watched> {
    match &settings.target {
        Some(Target::Unit(unit)) => Some(Watched {
            service: settings.service.name.clone(),
            unit: unit.clone(),
        }),
        _ => None,
    }
}

fn container(settings: &ServiceSettings) -> Option<docker::Watched> {
    match &settings.target {
        Some(Target::Container(container)) => Some(docker::Watched {
            service: settings.service.name.clone(),
            target: container.clone(),
            probed: settings.service.has_probes,
        }),
        _ => None,
    }
}

fn process_of(handle: Option<&ServiceHandle>) -> Option<&Arc<Process>> {
    match handle?.target.as_ref()? {
        TargetHandle::Process(process) => Some(process),
        TargetHandle::Unit(..) | TargetHandle::Container(..) => None,
    }
}

/// Whether the probes were made from a file, which may be another by now although its name is the same.
fn reads_files(probes: &[ProbeSettings]) -> bool {
    probes
        .iter()
        .any(|probe| matches!(probe, ProbeSettings::Http(http) if http.ca_file.is_some()))
}
