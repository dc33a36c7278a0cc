//! The calls of the Engine's API that are made, each with its deadline, and what their errors mean.

use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, ContainerSummary, EventMessage, EventMessageTypeEnum};
use bollard::query_parameters::{
    EventsOptions, EventsOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    RestartContainerOptions, StartContainerOptions,
};
use bollard::{API_DEFAULT_VERSION, Docker as Bollard};
use futures_util::{Stream, StreamExt as _};
use jiff::Timestamp;
use tokio::sync::{Mutex, mpsc};

use super::daemon::Daemon;
use super::facts::{Facts, clip};
use super::identity::Identity;
use super::tracker::Happened;
use crate::config::DockerAddress;

/// An Engine that accepts and says nothing is as good as none. It answers these within milliseconds.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The list of everything, on a host with thousands of containers, and the events that the Engine has kept.
pub(super) const LIST_WITHIN: Duration = Duration::from_secs(20);

/// Longer than any call is waited for here; the client wants a limit of its own.
const CLIENT_LIMIT: u64 = 600;

/// Events that the Engine keeps in memory (`eventsLimit` of moby's `daemon/events/events.go`).
const REMEMBERED: usize = 256;

/// Events that matter. `exec_...` comes with every run of a health check, and must not come at all.
const EVENTS: [&str; 12] = [
    "create",
    "start",
    "die",
    "oom",
    "kill",
    "stop",
    "restart",
    "destroy",
    "rename",
    "health_status",
    "pause",
    "unpause",
];

/// Why a call did not lead to an answer, or to which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallError {
    /// There is nobody to speak to, so nothing was asked.
    NotConnected(String),
    /// It was asked, and the answer never came, or made no sense.
    Lost(String),
    /// The Engine, or a proxy before it, answered with this status.
    Status(u16, String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(why) => write!(f, "cannot reach the Docker daemon: {why}"),
            Self::Lost(why) => write!(f, "the Docker daemon did not answer: {why}"),
            Self::Status(status, words) => write!(f, "the Docker daemon answered {status}: {words}"),
        }
    }
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        match error {
            Error::DockerResponseServerError { status_code, message } => Self::Status(status_code, clip(&message)),
            Error::SocketNotFoundError(path) => Self::NotConnected(format!("there is no socket {path}")),
            Error::HyperLegacyError { err } if err.is_connect() => Self::NotConnected(root(&err)),
            other => Self::Lost(root(&other)),
        }
    }
}

/// The innermost reason; the layers around it say nothing to people.
fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    clip(&innermost.to_string())
}

/// A container as it was when the Engine answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) identity: Identity,
    pub(super) facts: Facts,
}

impl Seen {
    fn of(answer: ContainerInspectResponse) -> Self {
        let labels = answer.config.as_ref().and_then(|config| config.labels.clone());
        Self {
            identity: Identity::of(
                answer.id.as_deref().unwrap_or_default(),
                answer.name.as_deref().unwrap_or_default(),
                &labels.unwrap_or_default(),
            ),
            facts: Facts::of(answer),
        }
    }
}

/// Something that happened, as the Engine told it.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) id: String,
    pub(super) identity: Identity,
    pub(super) happened: Happened,
    pub(super) at: Timestamp,
}

/// What the Engine remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) heard: Vec<Heard>,
    /// When something happened to what, of all kinds of events.
    pub(super) marks: Vec<Mark>,
}

/// What tells an event from all others: its time and what it happened to.
pub(super) type Mark = (Timestamp, String);

impl History {
    /// Whether it is all that happened since the Engine was started.
    pub(super) fn is_whole(&self) -> bool {
        self.marks.len() < REMEMBERED
    }
}

fn mark(message: &EventMessage) -> Option<Mark> {
    let at = Timestamp::from_nanosecond(i128::from(message.time_nano?)).ok()?;
    Some((at, message.actor.as_ref()?.id.clone()?))
}

impl Heard {
    fn of(message: EventMessage) -> Option<Self> {
        let action = message.action.clone()?;
        let kind = action.split(':').next().unwrap_or_default();
        if message.typ != Some(EventMessageTypeEnum::CONTAINER) || !EVENTS.contains(&kind) {
            return None;
        }
        let (at, id) = mark(&message)?;
        let attributes = message.actor?.attributes.unwrap_or_default();
        Some(Self {
            identity: Identity::of(&id, attributes.get("name").map_or("", String::as_str), &attributes),
            happened: Happened::of(kind, |key| attributes.get(key).cloned()),
            id,
            at,
        })
    }
}

/// Speaks to one Engine. Every call is a connection of its own.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) bollard: Bollard,
    address: DockerAddress,
    daemon: Arc<Mutex<Daemon>>,
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
        Ok(Self {
            bollard,
            address: address.clone(),
            daemon: Arc::clone(daemon),
        })
    }

    /// Makes a call, unless the daemon is going down or gone: one that waits at its socket would start it again.
    pub(super) async fn ask<T>(
        &self,
        deadline: Duration,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, CallError> {
        awake(&self.daemon, &self.address).await?;
        within(deadline, call).await
    }

    /// Every container there is, running or not.
    pub(super) async fn list(&self) -> Result<Vec<(String, Identity)>, CallError> {
        let options = ListContainersOptionsBuilder::new().all(true).build();
        let listed = self
            .ask(LIST_WITHIN, self.bollard.list_containers(Some(options)))
            .await?;
        let identified = listed.into_iter().filter_map(|container| {
            let names = container.names.unwrap_or_default();
            // Links give a container more names, as `/other/alias`.
            let name = names.iter().find(|name| name.matches('/').count() == 1);
            let labels = container.labels.unwrap_or_default();
            let id = container.id?;
            let identity = Identity::of(&id, name.map_or("", String::as_str), &labels);
            Some((id, identity))
        });
        Ok(identified.collect())
    }

    /// The same, as the Engine has it.
    pub(super) async fn list_all(&self, deadline: Duration) -> Result<Vec<ContainerSummary>, CallError> {
        let options = ListContainersOptionsBuilder::new().all(true).build();
        self.ask(deadline, self.bollard.list_containers(Some(options))).await
    }

    /// One container; `None` when it is gone.
    pub(super) async fn inspect(&self, id: &str) -> Result<Option<Seen>, CallError> {
        let options = None::<InspectContainerOptions>;
        match self
            .ask(ANSWER_WITHIN, self.bollard.inspect_container(id, options))
            .await
        {
            Ok(answer) => Ok(Some(Seen::of(answer))),
            Err(CallError::Status(404, _)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Everything that the Engine remembers until then: its last [`REMEMBERED`] events, of all kinds, since it was started.
    pub(super) async fn history(&self, until: Timestamp) -> Result<History, CallError> {
        let options = EventsOptionsBuilder::new()
            .since(&seconds(Timestamp::UNIX_EPOCH))
            .until(&seconds(until))
            .build();
        let events = self.bollard.events(Some(options));
        let collected = async {
            let mut history = History::default();
            let mut events = pin!(events);
            while let Some(event) = events.next().await {
                let event = event?;
                history.marks.extend(mark(&event));
                history.heard.extend(Heard::of(event));
            }
            Ok(history)
        };
        self.ask(LIST_WITHIN, collected).await
    }

    /// Hands on everything that happens from `since` on, until it cannot any more; answers why. Sets `behind` when
    /// whoever takes the events is slower than they come: the Engine then drops some without a word.
    pub(super) async fn follow(&self, since: Timestamp, to: &mpsc::Sender<Heard>, behind: &Arc<AtomicBool>) -> String {
        let events = self.bollard.events(Some(events_options(since)));
        relay(events, to, behind).await
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
        Some(reason) => Err(CallError::NotConnected(reason)),
        None => Ok(()),
    }
}

async fn relay(
    events: impl Stream<Item = Result<EventMessage, Error>>,
    to: &mpsc::Sender<Heard>,
    behind: &Arc<AtomicBool>,
) -> String {
    let mut events = pin!(events);
    loop {
        let heard = match events.next().await {
            Some(Ok(message)) => Heard::of(message),
            Some(Err(error)) => return CallError::from(error).to_string(),
            None => return "the Docker daemon ended the stream of events".to_owned(),
        };
        let Some(heard) = heard else {
            continue;
        };
        match to.try_send(heard) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(heard)) => {
                behind.store(true, Ordering::Relaxed);
                if to.send(heard).await.is_err() {
                    return "nobody listens".to_owned();
                }
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return "nobody listens".to_owned(),
        }
    }
}

fn events_options(since: Timestamp) -> EventsOptions {
    let filters: HashMap<&str, Vec<&str>> = HashMap::from([("type", vec!["container"]), ("event", EVENTS.to_vec())]);
    EventsOptionsBuilder::new()
        .since(&seconds(since))
        .filters(&filters)
        .build()
}

/// A moment as the API takes it. Zero would mean that none is given.
fn seconds(moment: Timestamp) -> String {
    format!("{}.{:09}", moment.as_second().max(1), moment.subsec_nanosecond().max(0))
}

pub(super) async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(deadline, call).await {
        Ok(answer) => answer.map_err(CallError::from),
        Err(_elapsed) => Err(CallError::Lost(format!("not within {} s", deadline.as_secs()))),
    }
}
