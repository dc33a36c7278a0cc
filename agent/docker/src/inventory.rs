//! The containers that run now, asked for once. Watching is another party's work.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use sentinel_config::DockerAddress;

use super::answers::{Inspected, Listed};
use super::client::Client;
use super::engine::Engine;
use super::error::{CallError, QuestionError};
use super::identity::{ONE_OFF, PROJECT, SERVICE};
use super::self_container;

/// Containers asked about at most. A host with more is not read by operators.
const CONTAINERS_MAX: usize = 1000;

/// What version 2 of Compose says of the order: `db:service_healthy:false,cache:service_started:false`.
const DEPENDS_ON: &str = "com.docker.compose.depends_on";

/// A TCP port of a container that the host passes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedPort {
    /// The port in the container.
    pub inside: u16,
    /// The port of the host.
    pub outside: u16,
    /// The address of the host at which it is; unspecified when it is all of them.
    pub at: IpAddr,
}

/// A container that runs, or may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct RunningContainer {
    /// Its name.
    pub name: String,
    /// Project and service, when Compose made it.
    pub compose: Option<(String, String)>,
    /// Compose services of the same project that it is to come after.
    pub depends_on: Vec<String>,
    /// Nothing to watch: the agent runs in it, or it was made by `docker-compose run` and belongs to whoever ran it.
    pub left_alone: bool,
    /// TCP ports that can be reached through the host.
    pub published: Vec<PublishedPort>,
    /// It does not run now. Its ports are those that it publishes wherever it is started.
    pub rests: bool,
    /// TCP ports of which Docker chooses that at each start.
    pub chosen_at_start: BTreeSet<u16>,
    /// TCP ports that it names and that cannot.
    pub unpublished: Vec<u16>,
    /// It uses the host's network, or that of another container.
    pub shares_network: bool,
    /// It has a `HEALTHCHECK` of its own.
    pub health_check: bool,
    /// `no`, `always`, `unless-stopped`, `on-failure`.
    pub restart_policy: String,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
    /// When it last ended, in the Engine's words; empty where the Engine was not asked.
    pub ended: String,
}

impl RunningContainer {
    /// How the configuration knows it, as key and value: by Compose's words, which outlive it, or by its name.
    pub fn target(&self) -> (&'static str, String) {
        let composed = self
            .compose
            .as_ref()
            .map(|(project, service)| format!("{project}/{service}"));
        match composed.filter(|composed| sentinel_config::compose(composed).is_ok()) {
            Some(composed) => ("compose", composed),
            None => ("container", self.name.clone()),
        }
    }
}

/// Every container that runs, by name, and how many were left out because there are too many.
pub async fn running_containers(address: &DockerAddress) -> Result<(Vec<RunningContainer>, usize), CallError> {
    let client = Client::connect(address, &Arc::default()).await?;
    let mut listed = client.list_running().await?;
    listed.sort_by_cached_key(name_of);
    let omitted = listed.len().saturating_sub(CONTAINERS_MAX);
    listed.truncate(CONTAINERS_MAX);
    let own = self_container::container();
    let mut containers = Vec::new();
    for summary in listed {
        let id = summary.id.clone().unwrap_or_default();
        // Without an answer it ended meanwhile.
        if let Some(answer) = client.describe(&id).await? {
            let mut container = describe(summary, answer);
            container.left_alone |= own.as_deref() == Some(id.as_str());
            containers.push(container);
        }
    }
    Ok((containers, omitted))
}

/// What answers, and how much of what the agent needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Docker, which can do everything.
    Docker,
    /// Docker without containerd: nothing can be started.
    WithoutRuntime,
    /// Podman, of which nothing is restarted.
    Podman,
}

/// Asks the Engine for everything that the agent needs of it to see: that it answers at all says nothing of a proxy, which may
/// let one question through and not another.
pub async fn answers(address: &DockerAddress) -> Result<Answers, QuestionError> {
    let refused = |path| move |source| QuestionError::Refused { path, source };
    let client = Client::connect(address, &Arc::default()).await?;
    let listed = client.list().await.map_err(refused("/containers/json"))?;
    if let Some((id, _)) = listed.first() {
        let asked = client.inspect(id).await;
        asked.map_err(refused("/containers/ID/json"))?;
    }
    client.sends_events().await.map_err(refused("/events"))?;
    match client.engine().await.map_err(refused("/version"))? {
        Engine::Docker { runtime: true } => Ok(Answers::Docker),
        Engine::Docker { runtime: false } => Ok(Answers::WithoutRuntime),
        Engine::Podman => Ok(Answers::Podman),
    }
}

/// Links give a container more names, as `/other/alias`.
pub(super) fn name_of(summary: &Listed) -> String {
    let mut own = summary.names.iter().filter(|name| name.matches('/').count() == 1);
    let name = own.next().map_or("", String::as_str);
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

pub(super) fn describe(summary: Listed, answer: Inspected) -> RunningContainer {
    let name = name_of(&summary);
    let labels = summary.labels;
    let mut published = Vec::new();
    let mut unpublished = Vec::new();
    for port in summary.ports {
        if port.protocol != "tcp" {
            continue;
        }
        match (port.outside, port.ip.as_deref().map(str::parse)) {
            (Some(outside), Some(Ok(at))) => published.push(PublishedPort {
                inside: port.inside,
                outside,
                at,
            }),
            _ => unpublished.push(port.inside),
        }
    }
    let rests = !matches!(summary.state.as_str(), "running" | "paused");
    let mut chosen_at_start = BTreeSet::new();
    for (inside, bindings) in answer.host_config.bindings().filter(|_| rests) {
        for binding in bindings {
            match (binding.host_port.parse(), binding.host_ip.parse()) {
                (Ok(outside), at) if outside > 0 => published.push(PublishedPort {
                    inside,
                    outside,
                    at: at.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
                }),
                _ => drop(chosen_at_start.insert(inside)),
            }
        }
    }
    published.sort_unstable();
    published.dedup();
    unpublished.sort_unstable();
    unpublished.dedup();
    let host = answer.host_config;
    let network = host.network_mode;
    let policy = host.restart_policy.name;
    let test = answer.config.healthcheck.test;
    RunningContainer {
        name,
        compose: labels.get(PROJECT).cloned().zip(labels.get(SERVICE).cloned()),
        depends_on: depends_on(&labels),
        left_alone: labels
            .get(ONE_OFF)
            .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        published,
        rests,
        chosen_at_start,
        unpublished,
        shares_network: network == "host" || network.starts_with("container:"),
        health_check: test.first().is_some_and(|kind| kind != "NONE"),
        restart_policy: if policy.is_empty() { "no".to_owned() } else { policy },
        labels: labels.into_iter().collect(),
        ended: answer.state.finished_at,
    }
}

/// Compose services that the one with these labels comes after.
pub(super) fn depends_on(labels: &HashMap<String, String>) -> Vec<String> {
    let text = labels.get(DEPENDS_ON).map_or("", String::as_str);
    let names = text.split(',').filter_map(|one| one.split(':').next());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
