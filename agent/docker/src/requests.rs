//! The handle to a running watcher, and what it asks of it.

use std::time::Duration;

use jiff::Timestamp;
use sentinel_config::{ContainerTarget, DockerAddress};
use sentinel_engine::{ActionKind, ActionResult, RunId};
use sentinel_text::exact_span;
use tokio::sync::{mpsc, oneshot, watch};

use super::error::LogError;
use super::watcher::{Wanted, Watched};

/// Requests that wait for the watcher. The engine has few actions in flight; more than this is a fault, and waits.
pub(super) const REQUESTS_MAX: usize = 32;

/// How long a request may take beyond the call itself: to be taken up, to look, and to look again.
const AROUND_A_CALL: Duration = Duration::from_secs(20);

/// Asks a [`super::Watcher`] for something. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Docker {
    requests: mpsc::Sender<Request>,
    wanted: watch::Sender<Wanted>,
}

/// What can be asked of the connection.
#[derive(Debug)]
pub(super) enum Request {
    /// To start or restart a container.
    Restart(Restart),
    /// The last lines that a run of a container wrote.
    Lines(Lines),
}

/// A container to be started or restarted.
#[derive(Debug)]
pub(super) struct Restart {
    pub(super) target: ContainerTarget,
    pub(super) kind: ActionKind,
    pub(super) expected: Option<RunId>,
    pub(super) deadline: Duration,
    /// Notified when it has started.
    pub(super) begun: oneshot::Sender<()>,
    pub(super) reply: oneshot::Sender<ActionResult>,
}

/// A run whose last lines are wanted.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) run: RunId,
    pub(super) failed: Timestamp,
    pub(super) count: u32,
    pub(super) reply: oneshot::Sender<Result<Vec<Vec<u8>>, LogError>>,
}

impl Request {
    /// Answers that nothing was done.
    pub(super) fn refuse(self) {
        let why = LogError::NotConnected;
        match self {
            Self::Restart(restart) => restart.answer(ActionResult::Outdated(why.to_string())),
            Self::Lines(lines) => drop(lines.reply.send(Err(why))),
        }
    }
}

impl Restart {
    /// Answers. Whoever asked may have stopped waiting.
    pub(super) fn answer(self, result: ActionResult) {
        drop(self.reply.send(result));
    }
}

impl Docker {
    pub(super) fn new(requests: mpsc::Sender<Request>, wanted: watch::Sender<Wanted>) -> Self {
        Self { requests, wanted }
    }

    /// Watches these containers at this Engine from now on, and no others. Those that stay are not disturbed, unless the
    /// Engine is another one.
    pub fn watch(&self, address: DockerAddress, containers: Vec<Watched>) {
        self.wanted.send_replace(Wanted { address, containers });
    }

    /// Carries out `kind` on the container of `target` that was at the run `expected`, if it still is, and waits until
    /// Docker is done with it.
    ///
    /// Never fails otherwise than by the result. After `deadline` the outcome is unknown, and what was asked for goes on.
    /// `begun` is reported when Docker says that it has started.
    pub async fn restart(
        &self,
        target: &ContainerTarget,
        kind: ActionKind,
        expected: Option<&RunId>,
        deadline: Duration,
        begun: oneshot::Sender<()>,
    ) -> ActionResult {
        let (reply, answer) = oneshot::channel();
        let request = Restart {
            target: target.clone(),
            kind,
            expected: expected.cloned(),
            deadline,
            begun,
            reply,
        };
        if self.requests.send(Request::Restart(request)).await.is_err() {
            return ActionResult::Outdated(LogError::NotWatched.to_string());
        }
        match tokio::time::timeout(deadline + AROUND_A_CALL, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_dropped)) => ActionResult::Unknown(LogError::Lost.to_string()),
            Err(_elapsed) => ActionResult::Unknown(format!(
                "Docker was not done with `{target}` within {}",
                exact_span(deadline)
            )),
        }
    }

    /// The last `count` lines that `run` of a container, which was seen to fail at `failed`, wrote before that, oldest first.
    pub async fn last_lines(&self, run: &RunId, failed: Timestamp, count: u32) -> Result<Vec<Vec<u8>>, LogError> {
        let (reply, answer) = oneshot::channel();
        let lines = Lines {
            run: run.clone(),
            failed,
            count,
            reply,
        };
        if self.requests.send(Request::Lines(lines)).await.is_err() {
            return Err(LogError::NotWatched);
        }
        answer.await.unwrap_or(Err(LogError::Lost))
    }
}
