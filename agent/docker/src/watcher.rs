//! Connecting to the Engine, again and again.

use std::sync::Arc;
use std::time::Duration;

use sentinel_config::{ContainerTarget, DockerAddress};
use sentinel_engine::{Event, ServiceName};
use sentinel_text::chain;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::cgroup_fallback::{self, CgroupScopes};
use super::client::Client;
use super::containers::Containers;
use super::daemon::Daemon;
use super::requests::{Docker, REQUESTS_MAX, Request};
use super::session::Session;

/// Gaps between attempts to connect. What happens to a container before a daemon that was lost is back is that daemon's
/// doing, so its return must be noticed soon; when it is away for long, less often.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_millis(250);
const SOON_FOR: Duration = Duration::from_secs(60);

/// While the Engine cannot be asked, how often systemd is.
const GLIMPSE_EVERY: Duration = Duration::from_secs(30);

/// A container, or those of a Compose service, to watch for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Whose target it is.
    pub service: ServiceName,
    /// Which container. It need not exist.
    pub target: ContainerTarget,
    /// Whether the service has probes of its own: then those, and not Docker's health check, say when it has started.
    pub probed: bool,
}

/// What is to be watched, and at which Engine.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) address: DockerAddress,
    pub(super) containers: Vec<Watched>,
}

/// Watches containers, whatever becomes of the Engine.
#[derive(Debug)]
pub struct Watcher {
    wanted: watch::Receiver<Wanted>,
    requests: mpsc::Receiver<Request>,
    events: mpsc::Sender<Event>,
}

impl Watcher {
    /// A watcher of no containers yet, and the handle to it. Observations go to `events`, the newest of each service last;
    /// when `events` is full, older ones that no operator took are dropped for newer ones of the same service.
    pub fn new(events: mpsc::Sender<Event>) -> (Self, Docker) {
        let (wanted_sender, wanted) = watch::channel(Wanted::default());
        let (requests_sender, requests) = mpsc::channel(REQUESTS_MAX);
        let watcher = Self {
            wanted,
            requests,
            events,
        };
        (watcher, Docker::new(requests_sender, wanted_sender))
    }

    /// Watches until dropped. Loss of the Engine is reported as [`sentinel_engine::TargetState::Unknown`], and is not
    /// an end.
    pub async fn run(mut self) {
        let mut containers = Containers::new(self.events.clone());
        let mut backoff = BACKOFF_MIN;
        let mut lost_at = Instant::now();
        // Repeats are logged only when the text changes.
        let mut reported = None;
        let daemon = Arc::new(Mutex::new(Daemon::default()));
        let (mut looks, mut looked_at) = (JoinSet::new(), None);
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            containers.set(&wanted.containers);
            let reason = match Client::connect(&wanted.address, &daemon).await {
                Ok(client) => {
                    let mut session = Session::new(
                        client,
                        wanted.address,
                        &mut containers,
                        &mut self.wanted,
                        &mut self.requests,
                    );
                    let reason = chain(&session.run().await);
                    if session.was_useful() {
                        backoff = BACKOFF_MIN;
                        lost_at = Instant::now();
                        reported = None;
                    }
                    reason
                }
                Err(error) => chain(&error),
            };
            if reported.as_ref() != Some(&reason) {
                tracing::warn!(
                    event = "connection_lost",
                    of = "docker",
                    reason,
                    "lost the connection to Docker"
                );
                reported = Some(reason.clone());
                looked_at = None;
            }
            containers.set(&self.wanted.borrow_and_update().containers);
            containers.lose_connection(&reason);
            if looked_at.is_none_or(|at: Instant| at.elapsed() >= GLIMPSE_EVERY) && looks.is_empty() {
                looked_at = Some(Instant::now());
                looks.spawn(cgroup_fallback::look());
            }
            self.wait(&mut containers, &mut looks, &reason, backoff).await;
            let longest = if lost_at.elapsed() < SOON_FOR {
                SOON
            } else {
                BACKOFF_MAX
            };
            backoff = (backoff * 2).min(longest);
        }
    }

    /// Lets time pass between two attempts. Requests are refused rather than kept: they are about now.
    async fn wait(
        &mut self,
        containers: &mut Containers,
        looks: &mut JoinSet<CgroupScopes>,
        reason: &str,
        time: Duration,
    ) {
        let until = Instant::now() + time;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                Some(request) = self.requests.recv() => request.refuse(),
                Some(scopes) = looks.join_next() => if let Ok(scopes) = scopes {
                    containers.glimpse(reason, &scopes);
                },
                () = containers.flush_one() => {}
            }
        }
    }
}
