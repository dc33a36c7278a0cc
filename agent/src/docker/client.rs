//! The calls of the Engine's API that are made, each with its deadline, and what their errors mean.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::{RestartContainerOptions, StartContainerOptions};
use bollard::{API_DEFAULT_VERSION, Docker as Bollard};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, mpsc};

use super::answers::{self, EventMessage, Inspected, Listed, Version};
use super::daemon::Daemon;
use super::facts::{Facts, clip};
use super::identity::Identity;
use super::tracker::Happened;
use super::wire::{self, Reply};
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

/// The same for podman, beside those. It looks for the words by which it knows events itself, which are not those that it
/// tells, so that it is asked for all of them.
const PODMAN_EVENTS: [&str; 2] = ["died", "remove"];

/// What events are about, for Docker.
const TYPES: [&str; 11] = [
    "builder",
    "config",
    "container",
    "daemon",
    "image",
    "network",
    "node",
    "plugin",
    "secret",
    "service",
    "volume",
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
pub(super) fn root(error: &dyn std::error::Error) -> String {
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
    fn of(answer: Inspected) -> Self {
        Self {
            identity: Identity::of(&answer.id, &answer.name, &answer.config.labels),
            facts: Facts::of(answer),
        }
    }
}

/// What speaks the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Docker {
        /// Whether it reaches containerd, which it names among its parts only then.
        runtime: bool,
    },
    /// It does not tell a stop from a crash, and its restart policies know no pause.
    Podman,
}

/// What podman calls itself among its components, at the first place.
const PODMAN: &str = "Podman Engine";

/// The first version of the API of which every Engine names containerd among its parts (Docker 19.03).
const NAMES_RUNTIME: u32 = 40;

impl Engine {
    fn of(answer: &Version) -> Self {
        let mut names = answer
            .components
            .iter()
            .filter_map(|component| component.name.as_deref());
        let version = answer
            .api_version
            .as_deref()
            .and_then(|version| version.strip_prefix("1."));
        let version: u32 = version.and_then(|minor| minor.parse().ok()).unwrap_or_default();
        if names.clone().next() == Some(PODMAN) {
            Self::Podman
        } else {
            let runtime = version < NAMES_RUNTIME || names.any(|name| name == "containerd");
            Self::Docker { runtime }
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
    Some((at, message.actor.id.clone()))
}

impl Heard {
    /// `None` of what nobody here cares for, which comes of engines that do not filter as they are asked.
    fn of(message: EventMessage) -> Option<Self> {
        let kind = message.action.split(':').next().unwrap_or_default();
        let matters = EVENTS.contains(&kind) || PODMAN_EVENTS.contains(&kind);
        if message.typ != "container" || !matters {
            if !TYPES.contains(&message.typ.as_str()) {
                answers::unknown("type of event", &message.typ);
            }
            return None;
        }
        let (at, id) = mark(&message)?;
        let attributes = message.actor.attributes;
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
    podman: bool,
    /// Events that made no sense, counted.
    skipped: Arc<AtomicU64>,
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
            Err(CallError::Status(404, _)) => Ok(None),
            // As podman answers about one that it is just removing.
            Err(CallError::Status(500, words)) if words.contains("no such container") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Everything that the Engine remembers until then: its last [`REMEMBERED`] events, of all kinds, since it was started.
    pub(super) async fn history(&self, until: Timestamp) -> Result<History, CallError> {
        let path = format!(
            "/events?since={}&until={}",
            seconds(Timestamp::UNIX_EPOCH),
            seconds(until)
        );
        let collected = async {
            let mut history = History::default();
            let mut reply = self.open(&path).await?;
            while let Some(event) = reply.event().await? {
                let Some(event) = self.understand(&event) else { continue };
                history.marks.extend(mark(&event));
                history.heard.extend(Heard::of(event));
            }
            Ok::<_, CallError>(history)
        };
        self.ask(LIST_WITHIN, collected).await
    }

    /// Whether events can be heard.
    pub(super) async fn tells_events(&self) -> Result<(), CallError> {
        let now = seconds(Timestamp::now());
        let path = format!("/events?since={now}&until={now}");
        let asked = async {
            let mut reply = self.open(&path).await?;
            while reply.event().await?.is_some() {}
            Ok::<_, CallError>(())
        };
        self.ask(ANSWER_WITHIN, asked).await
    }

    /// Hands on everything that happens from `since` on, until it cannot any more; answers why. Sets `behind` when
    /// whoever takes the events is slower than they come: the Engine then drops some without a word.
    pub(super) async fn follow(&self, since: Timestamp, to: &mpsc::Sender<Heard>, behind: &Arc<AtomicBool>) -> String {
        let filters = if self.podman {
            serde_json::json!({ "type": ["container"] })
        } else {
            serde_json::json!({ "type": ["container"], "event": EVENTS })
        };
        let filters = filters.to_string();
        let filters = utf8_percent_encode(&filters, NON_ALPHANUMERIC);
        let path = format!("/events?since={}&filters={filters}", seconds(since));
        // The head comes at once, also where nothing happens; podman sends it with the first event.
        let opened = self.open(&path).await;
        match opened {
            Ok(reply) => self.relay(reply, to, behind).await,
            Err(error) => error.to_string(),
        }
    }

    async fn relay(&self, mut events: Reply, to: &mpsc::Sender<Heard>, behind: &Arc<AtomicBool>) -> String {
        loop {
            let heard = match events.event().await {
                Ok(Some(event)) => self.understand(&event).and_then(Heard::of),
                Ok(None) => return "the Docker daemon ended the stream of events".to_owned(),
                Err(error) => return error.to_string(),
            };
            let Some(heard) = heard else {
                continue;
            };
            match to.try_send(heard) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(heard)) => {
                    behind.store(true, Ordering::Relaxed);
                    if to.send(heard).await.is_err() {
                        return "nothing listens".to_owned();
                    }
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return "nothing listens".to_owned(),
            }
        }
    }

    /// Takes an event apart. One that makes no sense is skipped and counted: it must not cost the sight of the others.
    fn understand(&self, event: &[u8]) -> Option<EventMessage> {
        let understood = serde_json::from_slice(event).ok();
        if understood.is_none() && event.iter().any(|byte| !byte.is_ascii_whitespace()) {
            let count = self.skipped.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::debug!(count, "skipped an event of Docker that makes no sense");
        }
        understood
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

/// A moment as the API takes it. Zero would mean that none is given.
fn seconds(moment: Timestamp) -> String {
    format!("{}.{:09}", moment.as_second().max(1), moment.subsec_nanosecond().max(0))
}

pub(super) async fn within<T, E: Into<CallError>>(
    deadline: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(deadline, call).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_elapsed) => Err(CallError::Lost(format!("not within {}s", deadline.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(answer: &str) -> Engine {
        Engine::of(&serde_json::from_str(answer).unwrap())
    }

    /// As Docker 20.10.24, with containerd running, killed or stopped, and podman 4.3.1, 5.4.2 and 5.8.6 answer; less what
    /// is not read.
    #[test]
    fn engines_are_known_by_their_components() {
        let docker = |runtime| Engine::Docker { runtime };
        for (answer, expected) in [
            (
                r#"{"Components":[{"Name":"Engine","Version":"20.10.24+dfsg1"},{"Name":"containerd","Version":"1.6.20~ds1"},
                    {"Name":"runc"},{"Name":"docker-init"}],"ApiVersion":"1.41"}"#,
                docker(true),
            ),
            (
                r#"{"Components":[{"Name":"Engine","Version":"20.10.24+dfsg1"},{"Name":"runc"},{"Name":"docker-init"}],
                    "ApiVersion":"1.41"}"#,
                docker(false),
            ),
            (
                r#"{"Components":[{"Name":"Podman Engine","Version":"5.4.2","Details":{"APIVersion":"5.4.2"}},
                    {"Name":"Conmon"},{"Name":"OCI Runtime (crun)"}],"ApiVersion":"1.41"}"#,
                Engine::Podman,
            ),
            // Before Docker 19.03 there were no components, or not this one.
            (r#"{"ApiVersion":"1.37","Version":"18.03.1-ce"}"#, docker(true)),
            ("{}", docker(true)),
        ] {
            assert_eq!(engine(answer), expected, "{answer}");
        }
    }

    fn heard(message: &str) -> Option<(Happened, String)> {
        let heard = Heard::of(serde_json::from_str(message).unwrap())?;
        Some((heard.happened, heard.id))
    }

    #[test]
    fn events_of_any_engine_are_heard_or_skipped() {
        let of = |typ: &str, action: &str| {
            format!(
                r#"{{"Type":"{typ}","Action":"{action}","Actor":{{"ID":"a","Attributes":{{"name":"web","exitCode":"3"}}}},
                    "scope":"local","timeNano":1790000000000000000}}"#
            )
        };
        assert_eq!(
            heard(&of("container", "die")),
            Some((Happened::Die { code: 3 }, "a".to_owned()))
        );
        assert_eq!(
            heard(&of("container", "remove")),
            Some((Happened::Destroy, "a".to_owned()))
        );
        let died = r#"{"Type":"container","Action":"died","Actor":{"ID":"a","Attributes":{"containerExitCode":"137"}},"timeNano":1}"#;
        assert_eq!(heard(died), Some((Happened::Die { code: 137 }, "a".to_owned())));
        // podman's `kill` names no signal, and its `health_status` no state.
        assert_eq!(
            heard(&of("container", "kill")),
            Some((Happened::Kill { signal: None }, "a".to_owned()))
        );
        assert_eq!(
            heard(&of("container", "health_status")),
            Some((Happened::Other, "a".to_owned()))
        );
        // In podman's history, and whatever else may come.
        for (typ, action) in [
            ("system", "refresh"),
            ("container", "checkpoint"),
            ("pod", "start"),
            ("", ""),
        ] {
            assert_eq!(heard(&of(typ, action)), None, "{typ} {action}");
        }
        assert_eq!(heard(r#"{"Type":"container","Action":"die","timeNano":"soon"}"#), None);
    }
}
