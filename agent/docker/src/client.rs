//! The calls of the Engine's API that are made, each with its deadline.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bollard::query_parameters::{RestartContainerOptions, StartContainerOptions};
use bollard::{API_DEFAULT_VERSION, Docker as Bollard};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sentinel_config::DockerAddress;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::answers::{Inspected, Listed, Version};
use super::daemon::Daemon;
use super::engine::Engine;
use super::error::{CallError, NoAnswer, Unreachable};
use super::facts::Facts;
use super::identity::Identity;
use super::wire::{self, Reply};

/// An Engine that accepts and says nothing is as good as none. It answers these within milliseconds.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The list of everything, on a host with thousands of containers, and the events that the Engine has kept.
pub(super) const LIST_WITHIN: Duration = Duration::from_secs(20);

/// Longer than any call is waited for here; the client wants a limit of its own.
const CLIENT_LIMIT: u64 = 600;

/// A container as it was when the Engine answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) identity: Identity,
    pub(super) facts: Facts,
}

impl Seen {
    fn of(answer: Inspected) -> Self {
        Self {
            identity: Identity::of(&answer.id, &answer.name, &answer.config.labels),
            facts: Facts::of(answer),
        }
    }
}

/// Speaks to one Engine. Every call is a connection of its own.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) bollard: Bollard,
    address: DockerAddress,
    daemon: Arc<Mutex<Daemon>>,
    podman: bool,
    /// Events that made no sense, counted.
    pub(super) skipped: Arc<AtomicU64>,
}

impl Client {
    /// Agrees with the Engine on a version of the API.
    pub(super) async fn connect(address: &DockerAddress, daemon: &Arc<Mutex<Daemon>>) -> Result<Self, CallError> {
        awake(daemon, address).await?;
        let bollard = match address {
            DockerAddress::Unix(path) => {
                Bollard::connect_with_unix(&path.to_string_lossy(), CLIENT_LIMIT, API_DEFAULT_VERSION)?
            }
            DockerAddress::Tcp(address) => Bollard::connect_with_http(address, CLIENT_LIMIT, API_DEFAULT_VERSION)?,
        };
        let bollard = within(ANSWER_WITHIN, bollard.negotiate_version()).await?;
        let mut client = Self {
            bollard,
            address: address.clone(),
            daemon: Arc::clone(daemon),
            podman: false,
            skipped: Arc::default(),
        };
        client.podman = client.engine().await? == Engine::Podman;
        Ok(client)
    }

    /// What it is, and whether it can do anything, now.
    pub(super) async fn engine(&self) -> Result<Engine, CallError> {
        let answer: Version = self.get(ANSWER_WITHIN, "/version").await?;
        Ok(Engine::of(&answer))
    }

    pub(super) const fn is_podman(&self) -> bool {
        self.podman
    }

    async fn get<T: DeserializeOwned>(&self, deadline: Duration, path: &str) -> Result<T, CallError> {
        let asked = async { self.open(path).await?.json().await };
        self.ask(deadline, asked).await
    }

    pub(super) async fn open(&self, path: &str) -> Result<Reply, CallError> {
        let version = self.bollard.client_version();
        wire::get(&self.address, &format!("/v{version}{path}")).await
    }

    /// Makes a call, unless the daemon is going down or gone: one that waits at its socket would start it again.
    pub(super) async fn ask<T, E: Into<CallError>>(
        &self,
        deadline: Duration,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CallError> {
        awake(&self.daemon, &self.address).await?;
        within(deadline, call).await
    }

    /// Every container there is, running or not.
    pub(super) async fn list(&self) -> Result<Vec<(String, Identity)>, CallError> {
        let listed = self.list_all(LIST_WITHIN).await?;
        let identified = listed.into_iter().filter_map(|container| {
            // Links give a container more names, as `/other/alias`.
            let name = container.names.iter().find(|name| name.matches('/').count() == 1);
            let id = container.id?;
            let identity = Identity::of(&id, name.map_or("", String::as_str), &container.labels);
            Some((id, identity))
        });
        Ok(identified.collect())
    }

    /// The same, as the Engine has it.
    pub(super) async fn list_all(&self, deadline: Duration) -> Result<Vec<Listed>, CallError> {
        self.get(deadline, "/containers/json?all=true").await
    }

    /// Those that run.
    pub(super) async fn list_running(&self) -> Result<Vec<Listed>, CallError> {
        self.get(LIST_WITHIN, "/containers/json").await
    }

    /// One container; `None` when it is gone.
    pub(super) async fn inspect(&self, id: &str) -> Result<Option<Seen>, CallError> {
        Ok(self.describe(id).await?.map(Seen::of))
    }

    /// The same, as the Engine has it.
    pub(super) async fn describe(&self, id: &str) -> Result<Option<Inspected>, CallError> {
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
        match self.get(ANSWER_WITHIN, &format!("/containers/{id}/json")).await {
            Ok(answer) => Ok(Some(answer)),
            Err(CallError::Status { status: 404, .. }) => Ok(None),
            // As podman answers about one that it is just removing.
            Err(CallError::Status { status: 500, message }) if message.contains("no such container") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How to name a container of which something is asked. An id cannot mean another one that has taken its name; a proxy
    /// that knows names leaves the milliseconds between the look and the call in which a name could.
    pub(super) fn name_of<'a>(&self, container: &'a Facts) -> &'a str {
        if matches!(self.address, DockerAddress::Tcp(_)) {
            &container.name
        } else {
            &container.id
        }
    }

    pub(super) async fn start(&self, container: &Facts, deadline: Duration) -> Result<(), CallError> {
        self.ask(
            deadline,
            self.bollard
                .start_container(self.name_of(container), None::<StartContainerOptions>),
        )
        .await
    }

    pub(super) async fn restart(&self, container: &Facts, deadline: Duration) -> Result<(), CallError> {
        self.ask(
            deadline,
            self.bollard
                .restart_container(self.name_of(container), None::<RestartContainerOptions>),
        )
        .await
    }
}

async fn awake(daemon: &Mutex<Daemon>, address: &DockerAddress) -> Result<(), CallError> {
    match daemon.lock().await.rests(address).await {
        Some(rests) => Err(Unreachable::AtRest(rests).into()),
        None => Ok(()),
    }
}

pub(super) async fn within<T, E: Into<CallError>>(
    deadline: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(deadline, call).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_elapsed) => Err(NoAnswer::Late(deadline).into()),
    }
}
