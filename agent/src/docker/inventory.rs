//! The containers that run now, asked for once. Watching is somebody else's work.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use bollard::models::{ContainerInspectResponse, ContainerSummary, PortSummaryTypeEnum};
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};

use super::client::{ANSWER_WITHIN, CallError, Client, LIST_WITHIN, within};
use super::identity::{ONE_OFF, PROJECT, SERVICE};
use super::own;
use crate::config::{self, DockerAddress};

/// Containers asked about at most. A host with more is not read by people.
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

/// A container that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
        match composed.filter(|composed| config::compose(composed).is_ok()) {
            Some(composed) => ("compose", composed),
            None => ("container", self.name.clone()),
        }
    }
}

/// Every container that runs, by name, and how many were left out because there are too many.
///
/// # Errors
///
/// A sentence for people, when the Engine cannot be reached or does not answer.
pub async fn running_containers(address: &DockerAddress) -> Result<(Vec<RunningContainer>, usize), String> {
    collect(address).await.map_err(|error| error.to_string())
}

/// Whether the Engine answers.
///
/// # Errors
///
/// A sentence for people, when it cannot be reached or does not answer.
pub async fn answers(address: &DockerAddress) -> Result<(), String> {
    let asked = Client::connect(address, &Arc::default()).await;
    asked.map(drop).map_err(|error| error.to_string())
}

async fn collect(address: &DockerAddress) -> Result<(Vec<RunningContainer>, usize), CallError> {
    let client = Client::connect(address, &Arc::default()).await?;
    let options = ListContainersOptionsBuilder::new().all(false).build();
    let mut listed = within(LIST_WITHIN, client.bollard.list_containers(Some(options))).await?;
    listed.sort_by_cached_key(name_of);
    let omitted = listed.len().saturating_sub(CONTAINERS_MAX);
    listed.truncate(CONTAINERS_MAX);
    let own = own::container();
    let mut containers = Vec::new();
    for summary in listed {
        let id = summary.id.clone().unwrap_or_default();
        let inspect = client.bollard.inspect_container(&id, None::<InspectContainerOptions>);
        match within(ANSWER_WITHIN, inspect).await {
            Ok(answer) => {
                let mut container = describe(summary, answer);
                container.left_alone |= own.as_deref() == Some(id.as_str());
                containers.push(container);
            }
            // It ended meanwhile.
            Err(CallError::Status(404, _)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((containers, omitted))
}

/// Links give a container more names, as `/other/alias`.
pub(super) fn name_of(summary: &ContainerSummary) -> String {
    let names = summary.names.iter().flatten();
    let mut own = names.filter(|name| name.matches('/').count() == 1);
    let name = own.next().map_or("", String::as_str);
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

pub(super) fn describe(summary: ContainerSummary, answer: ContainerInspectResponse) -> RunningContainer {
    let name = name_of(&summary);
    let labels = summary.labels.unwrap_or_default();
    let mut published = Vec::new();
    let mut unpublished = Vec::new();
    for port in summary.ports.unwrap_or_default() {
        if port.typ != Some(PortSummaryTypeEnum::TCP) {
            continue;
        }
        match (port.public_port, port.ip.as_deref().map(str::parse)) {
            (Some(outside), Some(Ok(at))) => published.push(PublishedPort {
                inside: port.private_port,
                outside,
                at,
            }),
            _ => unpublished.push(port.private_port),
        }
    }
    published.sort_unstable();
    published.dedup();
    unpublished.sort_unstable();
    unpublished.dedup();
    let ended = answer.state.and_then(|state| state.finished_at);
    let host = answer.host_config.unwrap_or_default();
    let network = host.network_mode.unwrap_or_default();
    let policy = host.restart_policy.and_then(|policy| policy.name);
    let config = answer.config.unwrap_or_default();
    let test = config.healthcheck.and_then(|check| check.test).unwrap_or_default();
    RunningContainer {
        name,
        compose: labels.get(PROJECT).cloned().zip(labels.get(SERVICE).cloned()),
        depends_on: depends_on(&labels),
        left_alone: labels
            .get(ONE_OFF)
            .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        published,
        unpublished,
        shares_network: network == "host" || network.starts_with("container:"),
        health_check: test.first().is_some_and(|kind| kind != "NONE"),
        restart_policy: policy.map_or_else(|| "no".to_owned(), |policy| policy.to_string()),
        labels: labels.into_iter().collect(),
        ended: ended.unwrap_or_default(),
    }
}

fn depends_on(labels: &HashMap<String, String>) -> Vec<String> {
    let text = labels.get(DEPENDS_ON).map_or("", String::as_str);
    let names = text.split(',').filter_map(|one| one.split(':').next());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
