//! The way from the server to the driver: a queue of requests, each with its own way back.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sentinel_api::{AckResponse, IncidentDetail, IncidentSummary, QueueResponse, ReloadResponse, SilenceEntry};
use sentinel_config::discovery::Unseen;
use sentinel_config::{Origin, Rejected};
use sentinel_engine::alerting::{AckError, Acknowledgement, Match, SilenceError};
use sentinel_engine::{IncidentId, OperatorRequest, RequestError, ServiceName, ServiceSnapshot, State, Time};
use sentinel_notify::DeliveryCounts;
use tokio::sync::{mpsc, oneshot};

use super::counters::Counters;

/// Requests that may wait for the driver. More than the connections that can ask at once, so that it is full only when
/// the driver stands still.
const QUEUE: usize = 64;

/// Something asked over the control API. Whoever serves it may drop `reply`; the client is then asked to try again.
#[derive(Debug)]
pub enum ControlRequest {
    /// Every service as the engine sees it now.
    Status {
        /// The way back.
        reply: oneshot::Sender<StatusView>,
    },
    /// An operator wants something; to become [`sentinel_engine::Event::OperatorRequested`].
    Operator {
        /// The service it is about.
        service: ServiceName,
        /// What is wanted.
        request: OperatorRequest,
        /// The way back: whether the engine has it.
        reply: oneshot::Sender<Result<(), RequestError>>,
    },
    /// What was counted, and how everything is now.
    Metrics {
        /// The way back.
        reply: oneshot::Sender<Box<MetricsView>>,
    },
    /// Something about alerts.
    Alerts(AlertRequest),
    /// The configuration is to be read again.
    Reload {
        /// The way back.
        reply: ReloadReply,
    },
    /// The newest incidents.
    Incidents {
        /// Which.
        query: IncidentQuery,
        /// The way back; newest first.
        reply: oneshot::Sender<Result<Vec<IncidentSummary>, HistoryError>>,
    },
    /// What waits to be reported.
    Queue {
        /// Messages at most; between 1 and 1000.
        limit: u32,
        /// The way back.
        reply: oneshot::Sender<Result<QueueResponse, HistoryError>>,
    },
    /// One incident with its story.
    Incident {
        /// Which.
        id: IncidentId,
        /// The way back; `None` when there is no such incident.
        reply: oneshot::Sender<Result<Option<IncidentDetail>, HistoryError>>,
    },
}

/// Something asked about alerts.
#[derive(Debug)]
pub enum AlertRequest {
    /// The silences in force.
    Silences {
        /// The way back.
        reply: oneshot::Sender<Vec<SilenceEntry>>,
    },
    /// Mute some messages for a while.
    AddSilence {
        /// Which.
        matches: Match,
        /// For how long.
        duration: Duration,
        /// Who asks.
        by: String,
        /// Why.
        comment: String,
        /// The way back, once it survives the agent.
        reply: oneshot::Sender<Result<SilenceEntry, AlertRefusal>>,
    },
    /// End a silence.
    ExpireSilence {
        /// Which.
        id: u64,
        /// Who asks.
        by: String,
        /// The way back, once it survives the agent.
        reply: oneshot::Sender<Result<SilenceEntry, AlertRefusal>>,
    },
    /// An operator acknowledges an incident.
    Acknowledge {
        /// Which.
        incident: IncidentId,
        /// Who.
        by: String,
        /// What they say.
        text: String,
        /// The way back, once it survives the agent.
        reply: oneshot::Sender<Result<AckResponse, AlertRefusal>>,
    },
}

/// Why something about alerts was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlertRefusal {
    /// A silence that cannot be.
    #[error("{0}")]
    Silence(SilenceError),
    /// An acknowledgement that cannot be.
    #[error("{0}")]
    Acknowledgement(AckError),
    /// It is done and not on disk.
    #[error("the request is in force, but the store cannot be written: a restart of the agent could undo it")]
    NotRecorded,
}

/// The way back to whoever asked for a reload.
pub type ReloadReply = oneshot::Sender<Result<ReloadResponse, ReloadRefused>>;

/// Why a configuration was refused: everything that is wrong with it, in lines for operators. The old one stays in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReloadRefused(pub String);

/// What the engine sees, and the clock to read it by.
#[derive(Clone, Debug)]
pub struct StatusView {
    /// The engine's time when the snapshot was taken.
    pub now: Time,
    /// The same moment on the wall.
    pub wall: Timestamp,
    /// The host's name, as in messages.
    pub host: String,
    /// Every service.
    pub services: Vec<ServiceSnapshot>,
    /// Where each comes from.
    pub origins: BTreeMap<ServiceName, Origin>,
    /// The open incidents that an operator takes care of.
    pub acknowledged: BTreeMap<IncidentId, Acknowledgement>,
    /// What was found on the host and is not watched, with the reasons.
    pub rejected: Vec<Rejected>,
    /// Where services are looked for, and nothing is known now.
    pub unseen: Vec<Unseen>,
}

/// What metrics are made of.
#[derive(Clone, Debug, Default)]
pub struct MetricsView {
    /// Every service, by name.
    pub services: Vec<ServiceGauges>,
    /// What was counted.
    pub counters: Counters,
    /// What came of attempts to deliver messages, by receiver.
    pub deliveries: Vec<(String, DeliveryCounts)>,
    /// How many targets cannot be seen, by what runs them.
    pub unobservable: BTreeMap<&'static str, u64>,
    /// Whether the store can be written.
    pub store_writable: bool,
}

/// Of one service, what metrics tell.
#[derive(Clone, Debug)]
pub struct ServiceGauges {
    /// Its name.
    pub name: ServiceName,
    /// What it is doing.
    pub state: State,
    /// When its open incident opened, if it has one.
    pub incident_since: Option<Timestamp>,
    /// Attempts left within the window.
    pub attempts_left: u32,
}

/// Which incidents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentQuery {
    /// Only of this service.
    pub service: Option<String>,
    /// At most this many; between 1 and 1000.
    pub limit: u32,
}

/// What is stored could not be read; holds the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store could not be read: {0}")]
pub struct HistoryError(pub String);

/// The near end of the queue.
#[derive(Clone, Debug)]
pub struct ControlHandle(mpsc::Sender<ControlRequest>);

/// A queue from servers to the driver.
pub fn channel() -> (ControlHandle, mpsc::Receiver<ControlRequest>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (ControlHandle(sender), receiver)
}

/// The driver did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The queue is full.
    #[error("the agent is too busy to answer; try again")]
    Busy,
    /// The driver is gone, or dropped the request.
    #[error("the agent is stopping")]
    Stopping,
}

impl ControlHandle {
    /// Every service as the engine sees it now; `None` when the driver does not answer.
    pub async fn status(&self) -> Option<StatusView> {
        self.ask(|reply| ControlRequest::Status { reply }).await.ok()
    }

    /// Asks the driver, with the request made from the way back.
    pub async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> ControlRequest) -> Result<T, AskError> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(request(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AskError::Busy,
            mpsc::error::TrySendError::Closed(_) => AskError::Stopping,
        })?;
        answer.await.map_err(|_| AskError::Stopping)
    }
}
