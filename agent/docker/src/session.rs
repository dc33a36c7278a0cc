//! The life of one connection to the Engine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use sentinel_config::DockerAddress;
use sentinel_engine::ActionResult;
use sentinel_text::chain;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::{Client, Seen};
use super::containers::Containers;
use super::error::{CallError, LogError, SessionError};
use super::events::Heard;
use super::requests::{Lines, Request, Restart};
use super::restart::{self, Decision};
use super::self_container;
use super::tail;
use super::tracker::Happened;
use super::watcher::Wanted;

/// Events queued between the connection and the session. The Engine itself keeps 1024 of them for a slow listener, for a
/// tenth of a second each, and then drops some.
const QUEUE: usize = 1024;

/// Containers looked at at once.
const READS_MAX: usize = 8;

/// The safety net: whatever no event told is found within this time.
const RESYNC_EVERY: Duration = Duration::from_secs(30);

/// A turn that comes this late: the agent stood still, and the Engine may have dropped events meanwhile.
const STANDSTILL: Duration = Duration::from_secs(5);

/// One connection, and everything that is lost with it.
pub(super) struct Session<'w> {
    client: Client,
    address: DockerAddress,
    containers: &'w mut Containers,
    wanted: &'w mut watch::Receiver<Wanted>,
    requests: &'w mut mpsc::Receiver<Request>,
    /// Containers to be read, when there is room.
    to_read: VecDeque<String>,
    reads: JoinSet<(String, Result<Option<Seen>, CallError>)>,
    /// Requests whose container is being looked at, and those that are being carried out.
    looks: JoinSet<(Restart, Look)>,
    effects: JoinSet<(String, bool)>,
    /// Who waits for the start of which container.
    begins: Vec<(String, oneshot::Sender<()>)>,
    own: Option<String>,
    resync_at: Instant,
    useful: bool,
}

/// A container as it is right before something is done to it.
struct Look {
    id: String,
    unhealthy: bool,
    seen: Result<Option<Seen>, CallError>,
}

impl<'w> Session<'w> {
    pub(super) fn new(
        client: Client,
        address: DockerAddress,
        containers: &'w mut Containers,
        wanted: &'w mut watch::Receiver<Wanted>,
        requests: &'w mut mpsc::Receiver<Request>,
    ) -> Self {
        Self {
            client,
            address,
            containers,
            wanted,
            requests,
            to_read: VecDeque::new(),
            reads: JoinSet::new(),
            looks: JoinSet::new(),
            effects: JoinSet::new(),
            begins: Vec::new(),
            own: self_container::container(),
            resync_at: Instant::now() + RESYNC_EVERY,
            useful: false,
        }
    }

    /// Whether this connection has shown what there is.
    pub(super) fn was_useful(&self) -> bool {
        self.useful
    }

    /// Watches until the connection is of no more use. Answers why.
    pub(super) async fn run(&mut self) -> SessionError {
        match self.watch().await {
            Ok(never) => match never {},
            Err(lost) => lost,
        }
    }

    async fn watch(&mut self) -> Result<std::convert::Infallible, SessionError> {
        let since = self.catch_up().await?;
        let (sender, mut events) = mpsc::channel(QUEUE);
        let behind = Arc::new(AtomicBool::new(false));
        let client = self.client.clone();
        let follow = client.follow(since, &sender, &behind);
        tokio::pin!(follow);
        self.resync().await?;
        self.useful = true;
        loop {
            self.read_some();
            let timer = self.next_timer();
            if timer + STANDSTILL < Instant::now() {
                behind.store(true, Ordering::Relaxed);
            }
            tokio::select! {
                // In this order: what has happened is known before anything is done.
                biased;
                lost = &mut follow => return Err(lost),
                Some(heard) = events.recv() => self.hear(&heard),
                Some(read) = self.reads.join_next() => if let Ok((id, seen)) = read {
                    self.take(&id, seen)?;
                },
                Ok(()) = self.wanted.changed() => self.set_wanted().await?,
                Some(look) = self.looks.join_next() => if let Ok((request, look)) = look {
                    self.act(request, look)?;
                },
                Some(effect) = self.effects.join_next() => if let Ok((id, done)) = effect {
                    self.acted(&id, done);
                },
                Some(request) = self.requests.recv() => match request {
                    Request::Restart(restart) => self.look(restart),
                    Request::Lines(lines) => self.send_lines(lines),
                },
                () = self.containers.flush_one() => {}
                () = tokio::time::sleep_until(timer) => self.timer().await?,
            }
            if events.is_empty() && behind.swap(false, Ordering::Relaxed) {
                tracing::warn!("Events of Docker came faster than they were taken; inspecting everything again");
                self.resync().await?;
            }
        }
    }

    /// Hears what happened while nothing listened, as far as the Engine has kept it. Answers from when on to listen.
    async fn catch_up(&mut self) -> Result<Timestamp, SessionError> {
        let until = sentinel_base::clock::wall();
        let history = self.client.history(until).await?;
        if self.client.is_podman() {
            tracing::warn!("{}", restart::PODMAN);
        }
        self.containers.connected(until, &history, self.client.is_podman());
        Ok(until)
    }

    /// Looks at everything again.
    async fn resync(&mut self) -> Result<(), SessionError> {
        self.resync_at = Instant::now() + RESYNC_EVERY;
        let all = self.client.list().await?;
        for id in self.containers.list(&all) {
            self.want_read(&id);
        }
        Ok(())
    }

    async fn set_wanted(&mut self) -> Result<(), SessionError> {
        let wanted = self.wanted.borrow_and_update().clone();
        if wanted.address != self.address {
            return Err(SessionError::OtherDaemon);
        }
        self.containers.set(&wanted.containers);
        self.resync().await
    }

    fn hear(&mut self, heard: &Heard) {
        if heard.happened == Happened::Start {
            for (_, begun) in self.begins.extract_if(.., |(id, _)| *id == heard.id) {
                // Whoever waited may have stopped.
                let _ = begun.send(());
            }
        }
        if self.containers.heard(heard) {
            self.want_read(&heard.id);
        }
    }

    fn want_read(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        if container.reading {
            container.read_again = true;
        } else {
            container.reading = true;
            self.to_read.push_back(id.to_owned());
        }
    }

    fn read_some(&mut self) {
        while self.reads.len() < READS_MAX
            && let Some(id) = self.to_read.pop_front()
        {
            if let Some(container) = self.containers.get_mut(&id) {
                container.read_again = false;
            }
            let client = self.client.clone();
            self.reads.spawn(async move {
                let seen = client.inspect(&id).await;
                (id, seen)
            });
        }
    }

    fn take(&mut self, id: &str, seen: Result<Option<Seen>, CallError>) -> Result<(), SessionError> {
        let seen = seen?;
        let again = self.containers.get_mut(id).is_some_and(|container| {
            container.reading = container.read_again;
            container.read_again
        });
        self.containers.read(id, seen);
        if again {
            self.to_read.push_back(id.to_owned());
        }
        Ok(())
    }

    /// The first half of a request: looks at the container once more.
    fn look(&mut self, request: Restart) {
        let Some((id, unhealthy)) = self.containers.find(&request.target, request.expected.as_ref()) else {
            request.answer(ActionResult::Outdated(
                "it has been started again, or removed, since".to_owned(),
            ));
            return;
        };
        let client = self.client.clone();
        self.looks.spawn(async move {
            let seen = client.inspect(&id).await;
            (request, Look { id, unhealthy, seen })
        });
    }

    /// The second half: does it, unless something has changed.
    fn act(&mut self, request: Restart, look: Look) -> Result<(), SessionError> {
        let seen = match look.seen {
            Ok(Some(seen)) => seen,
            Ok(None) => {
                request.answer(ActionResult::Outdated("it has been removed".to_owned()));
                return Ok(());
            }
            Err(error) => {
                request.answer(ActionResult::Outdated(chain(&error)));
                return Err(error.into());
            }
        };
        let facts = seen.facts.clone();
        self.containers.read(&look.id, Some(seen));
        let Some(container) = self.containers.get_mut(&look.id) else {
            request.answer(ActionResult::Outdated("it has another name now".to_owned()));
            return Ok(());
        };
        let stopping = container.tracker.stopping_until();
        let decision = Decision {
            kind: request.kind,
            expected: request.expected.as_ref(),
            unhealthy: look.unhealthy,
            stopping: container.tracker.acting || stopping.is_some_and(|until| until > sentinel_base::clock::wall()),
            own: self.own.as_ref() == Some(&look.id),
        };
        if let Err(result) = restart::check(decision, &facts) {
            request.answer(result);
            return Ok(());
        }
        container.tracker.acting = true;
        let client = self.client.clone();
        // Of its own: the loss of this connection must not take back half of a restart.
        self.begins.retain(|(_, begun)| !begun.is_closed());
        self.begins.push((look.id.clone(), request.begun));
        let effect = tokio::spawn(async move {
            let result = restart::carry_out(&client, request.kind, &facts, request.deadline).await;
            let done = result == ActionResult::Done;
            // Whoever asked may have stopped waiting.
            drop(request.reply.send(result));
            (look.id, done)
        });
        self.effects.spawn(async move { effect.await.unwrap_or_default() });
        Ok(())
    }

    /// Reads from a container's log, beside everything else. Nothing here waits for it.
    fn send_lines(&mut self, wanted: Lines) {
        let Some((container, part)) = self.containers.part_of_log(&wanted.run, wanted.failed) else {
            drop(wanted.reply.send(Err(LogError::Gone)));
            return;
        };
        let (client, name) = (self.client.clone(), self.client.name_of(container).to_owned());
        tokio::spawn(async move {
            let lines = tail::last_lines(&client, &name, part, wanted.count).await;
            // Whoever asked may have stopped waiting.
            drop(wanted.reply.send(lines.map_err(Into::into)));
        });
    }

    /// The Engine has answered what the agent asked for, and has done it or not.
    fn acted(&mut self, id: &str, done: bool) {
        if let Some(container) = self.containers.get_mut(id) {
            container.tracker.answered(done);
            container.stale = true;
        }
        self.want_read(id);
    }

    fn next_timer(&self) -> Instant {
        let now = sentinel_base::clock::wall();
        let look = self.containers.next_look().map(|at| {
            let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
            Instant::now() + wait
        });
        look.into_iter().chain([self.resync_at]).min().unwrap_or(self.resync_at)
    }

    async fn timer(&mut self) -> Result<(), SessionError> {
        self.containers.look_again();
        if self.resync_at <= Instant::now() {
            self.resync().await?;
        }
        Ok(())
    }
}
