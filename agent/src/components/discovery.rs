//! The tasks that look for services on the host.

use std::collections::BTreeSet;

use sentinel_config::DockerAddress;
use sentinel_config::discovery::{Discovery, DiscoveryFeed, Source};
use sentinel_docker::Search;
use sentinel_systemd::{BusAddress, SectionWatcher};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// The tasks that look now, and the feed that carries their snapshots.
pub(super) struct HostDiscovery {
    feed: DiscoveryFeed,
    /// What to look for among containers.
    search: watch::Sender<Search>,
    /// The tasks, each once it is wanted.
    containers: Option<AbortHandle>,
    unit_files: Option<AbortHandle>,
    units: Option<AbortHandle>,
    /// Services whose incident was open when the agent was started.
    continuing: BTreeSet<String>,
}

impl HostDiscovery {
    /// Nothing is looked for yet. Services in `continuing` had an incident before the agent was started.
    pub(super) fn new(continuing: BTreeSet<String>) -> Self {
        Self {
            feed: DiscoveryFeed::default(),
            search: watch::Sender::new(Search::default()),
            containers: None,
            unit_files: None,
            units: None,
            continuing,
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Discovery> {
        self.feed.subscribe()
    }

    /// Looks for services where they are `wanted`, from now on, and nowhere else.
    pub(super) fn set(&mut self, wanted: &BTreeSet<Source>, docker: DockerAddress, tasks: &mut JoinSet<()>) {
        self.feed.ask(wanted);
        self.search_containers(wanted, docker, tasks);
        let Self {
            feed,
            unit_files,
            units,
            continuing,
            ..
        } = self;
        run_while(wanted.contains(&Source::UnitFiles), unit_files, || {
            tasks.spawn(SectionWatcher::new(BusAddress::System, feed.clone()).run())
        });
        run_while(wanted.contains(&Source::HostUnits), units, || {
            tasks.spawn(sentinel_systemd::discover_units(feed.clone(), continuing.clone()))
        });
    }

    /// One task for labels and for the others, which hears of what is wanted.
    fn search_containers(&mut self, wanted: &BTreeSet<Source>, address: DockerAddress, tasks: &mut JoinSet<()>) {
        let search = Search {
            address,
            labels: wanted.contains(&Source::Labels),
            host: wanted.contains(&Source::HostContainers),
        };
        let any = search.labels || search.host;
        self.search.send_if_modified(|before| {
            let is_new = *before != search;
            *before = search;
            is_new
        });
        if any && self.containers.is_none() {
            let search = sentinel_docker::discover(self.feed.clone(), self.search.subscribe(), self.continuing.clone());
            self.containers = Some(tasks.spawn(search));
        }
    }
}

/// Starts a task that is wanted and does not run, and ends one that is not.
fn run_while(is_wanted: bool, running: &mut Option<AbortHandle>, start: impl FnOnce() -> AbortHandle) {
    match (is_wanted, &running) {
        (true, None) => *running = Some(start()),
        (false, Some(task)) => {
            task.abort();
            *running = None;
        }
        _ => {}
    }
}
