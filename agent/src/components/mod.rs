//! What runs beside the driver and follows the configuration: watchers of targets, tasks that look for services on the
//! host, and workers of receivers.

mod discovery;
mod target;
mod watchers;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sentinel_base::clock::Clock;
use sentinel_config::discovery::{Discovery, Source};
use sentinel_config::{ProbeSettings, ReceiverSettings, ServiceSettings, Settings};
use sentinel_engine::alerting::dispatch::DispatchPolicy;
use sentinel_engine::{Event, ServiceName};
use sentinel_notify::{Receiver, ReceiverError, ReceiverRegistry};
use sentinel_probe::{ProbeError, Prober};
use sentinel_store::{OutboxSettings, Store};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::discovery::HostDiscovery;
use self::watchers::Watchers;
use self::workers::Workers;

pub use self::target::{HostProbes, TargetHandle};

/// A service of a host, as the driver needs it.
pub type ServiceHandle = sentinel_driver::ServiceHandle<TargetHandle, HostProbes>;

/// The driver of a host.
pub type Driver = sentinel_driver::Driver<TargetHandle, HostProbes>;

/// A new configuration, as the driver of a host takes it.
pub type Change = sentinel_driver::Change<TargetHandle, HostProbes>;

/// The components as they run now. Dropping it ends them.
pub struct Components {
    prober: Arc<Prober>,
    services: BTreeMap<ServiceName, ServiceHandle>,
    watchers: Watchers,
    workers: Workers,
    discovery: HostDiscovery,
    tasks: JoinSet<()>,
}

/// What all components need.
pub struct Resources {
    /// Makes probes.
    pub prober: Arc<Prober>,
    /// Keeps what is to be sent.
    pub store: Store,
    /// Answers the time.
    pub clock: Clock,
    /// Takes what the components see.
    pub events: mpsc::Sender<Event>,
}

/// Why the components a configuration needs cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The probes of a service.
    #[error("failed to prepare the probes of `{service}`")]
    Probes {
        /// Whose.
        service: ServiceName,
        /// What is wrong with them.
        source: ProbeError,
    },
    /// A receiver.
    #[error(transparent)]
    Receiver(#[from] ReceiverError),
}

/// Why components were not replaced.
#[derive(Debug)]
pub enum ReplaceError<E> {
    /// The new ones cannot be made. The old ones run on.
    Prepare(PrepareError),
    /// The driver did not go on with the new ones.
    Switch(E),
}

/// Whatever could fail has not, and nothing has been touched yet.
struct Prepared {
    services: BTreeMap<ServiceName, ServiceHandle>,
    targets: watchers::Wanted,
    receivers: workers::Wanted,
}

impl Components {
    /// Starts what `settings` need, and looks for services where they are `wanted`. Those in `continuing` had an
    /// incident before the agent was started.
    ///
    /// # Errors
    ///
    /// When something that is needed cannot be made.
    pub async fn start(
        resources: Resources,
        settings: &Settings,
        wanted: &BTreeSet<Source>,
        continuing: BTreeSet<String>,
    ) -> Result<Self, PrepareError> {
        let mut components = Self {
            prober: resources.prober,
            services: BTreeMap::new(),
            watchers: Watchers::new(resources.events),
            workers: Workers::new(resources.store, resources.clock),
            discovery: HostDiscovery::new(continuing),
            tasks: JoinSet::new(),
        };
        let prepared = components.prepare(None, settings)?;
        components.start_new(prepared).await;
        components.set_discovery(wanted, settings);
        Ok(components)
    }

    /// Replaces what `old` needs by what `new` needs, in the one order that is right:
    ///
    /// 1. What is new is made. When that fails, nothing has been touched.
    /// 2. What is replaced falls silent: what is still seen of an old target is not news of the new one.
    /// 3. `switch` makes the driver go on with the new services; only then does it understand their events.
    /// 4. What is new starts, and what is gone ends.
    /// 5. Services are looked for where they are `wanted` now.
    ///
    /// Answers how many messages expired, as their receivers are gone.
    ///
    /// # Errors
    ///
    /// When something cannot be made, or `switch` fails.
    pub async fn replace<E, F>(
        &mut self,
        old: &Settings,
        new: &Settings,
        wanted: &BTreeSet<Source>,
        switch: impl FnOnce(BTreeMap<ServiceName, ServiceHandle>) -> F,
    ) -> Result<usize, ReplaceError<E>>
    where
        F: Future<Output = Result<(), E>>,
    {
        let prepared = self.prepare(Some(old), new).map_err(ReplaceError::Prepare)?;
        self.watchers.stop_replaced(&self.services, &prepared.services);
        switch(prepared.services.clone()).await.map_err(ReplaceError::Switch)?;
        let expired = self.start_new(prepared).await;
        self.set_discovery(wanted, new);
        Ok(expired)
    }

    /// The services, as the driver needs them.
    pub fn services(&self) -> BTreeMap<ServiceName, ServiceHandle> {
        self.services.clone()
    }

    /// The receivers as they are, also later.
    pub fn registry(&self) -> ReceiverRegistry {
        self.workers.registry()
    }

    /// Subscribes to what is found on the host.
    pub fn discovered(&self) -> watch::Receiver<Discovery> {
        self.discovery.subscribe()
    }

    /// Makes what `new` needs and is not there. `old` is what runs now.
    fn prepare(&self, old: Option<&Settings>, new: &Settings) -> Result<Prepared, PrepareError> {
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
        let changed = if changed.is_empty() {
            Vec::new()
        } else {
            Receiver::all(&changed)?
        };
        Ok(Prepared {
            services,
            targets: watchers::Wanted::by(new),
            receivers: workers::Wanted {
                changed,
                names: new.receivers.iter().map(|receiver| receiver.name.clone()).collect(),
                outbox: OutboxSettings {
                    host: new.agent.name.clone(),
                    dispatch: DispatchPolicy {
                        group_wait: new.alerts.rules.group_wait,
                        ..DispatchPolicy::default()
                    },
                },
            },
        })
    }

    /// The handle of one service; what did not change is the same as before.
    fn handle(
        &self,
        before: Option<&ServiceSettings>,
        settings: &ServiceSettings,
    ) -> Result<ServiceHandle, PrepareError> {
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
            (_, Some(target)) => Some(self.watchers.handle(name, target)),
        };
        Ok(ServiceHandle {
            probes,
            target,
            reach: settings.reach.clone(),
            log_lines: settings.log_lines,
            origin: settings.origin.clone(),
        })
    }

    fn probes(&self, settings: &ServiceSettings) -> Result<Arc<HostProbes>, PrepareError> {
        let probes = self.prober.prepare(settings.target.as_ref(), &settings.probes);
        let of = |probes| Arc::new(HostProbes::new(Arc::clone(&self.prober), probes));
        probes.map(of).map_err(|source| PrepareError::Probes {
            service: settings.service.name.clone(),
            source,
        })
    }

    /// Starts what is new and ends what is no longer wanted. Answers how many messages expired, as their receivers are
    /// gone.
    async fn start_new(&mut self, prepared: Prepared) -> usize {
        self.services = prepared.services;
        self.watchers.start(&self.services, prepared.targets, &mut self.tasks);
        let expired = self.workers.set(prepared.receivers, &mut self.tasks).await;
        // Tasks that have ended need no account.
        while self.tasks.try_join_next().is_some() {}
        expired
    }

    fn set_discovery(&mut self, wanted: &BTreeSet<Source>, settings: &Settings) {
        self.discovery
            .set(wanted, settings.agent.docker.clone(), &mut self.tasks);
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

/// Whether the probes were made from a file, which may be another by now although its name is the same.
fn reads_files(probes: &[ProbeSettings]) -> bool {
    probes
        .iter()
        .any(|probe| matches!(probe, ProbeSettings::Http(http) if http.ca_file.is_some()))
}
