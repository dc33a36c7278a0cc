//! Everything the engine can ask for.

use serde::{Deserialize, Serialize};

use crate::alerting::{NotificationLog, Outgoing, Silence};
use crate::host::HostMemory;
use crate::ids::{ActionId, IncidentId, ProbeRound, RunId, ServiceName};
use crate::memory::Memory;
use crate::report::Report;

/// Something to be done. Imperative: the driver does it, or answers that it could not.
///
/// All commands polled after one event form a batch. The driver makes all of a batch that is to be kept, reported or sent
/// durable in one transaction *before* it carries out any `RestartTarget` of that batch: the intent to act is on
/// disk before the act. When the transaction fails it answers each `RestartTarget` with
/// [`crate::ActionResult::NotRecorded`].
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Run the service's probes once; answered by [`crate::Event::ProbeCompleted`].
    RunProbes {
        /// Whose probes.
        service: ServiceName,
        /// To be repeated in the answer.
        round: ProbeRound,
    },
    /// Restart or start a target; answered by [`crate::Event::ActionBegun`], if it comes so far, and
    /// then by [`crate::Event::ActionFinished`].
    RestartTarget(Action),
    /// Keep what the engine must not forget of a service, replacing what was kept before.
    Save {
        /// The service.
        service: ServiceName,
        /// What to keep.
        memory: Box<Memory>,
    },
    /// Keep what the engine must not forget of the host as a whole, replacing what was kept before.
    SaveHost(Box<HostMemory>),
    /// Tell what happened: a line in the log, and in the incident's timeline when it belongs to one.
    Report(Report),
    /// Send a message to its receivers.
    Notify(Box<Outgoing>),
    /// Keep what receivers know of an incident, replacing what was kept before.
    SaveNotificationLog(Box<NotificationLog>),
    /// Forget what receivers know of an incident.
    ForgetNotificationLog(IncidentId),
    /// Keep a silence.
    SaveSilence(Box<Silence>),
    /// A silence is over: forget it.
    EndSilence {
        /// The silence.
        silence: Box<Silence>,
        /// Who ended it; `None` when its time was over.
        by: Option<String>,
    },
}

/// One recovery action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Its number, to be repeated in the answer.
    pub id: ActionId,
    /// The service to act on.
    pub service: ServiceName,
    /// The incident it is part of; `None` for an operator's restart of a healthy service.
    pub incident: Option<IncidentId>,
    /// Its ordinal within the incident, from 1; 0 for an operator's restart.
    pub attempt: u32,
    /// What to do.
    pub kind: ActionKind,
    /// The run that was judged. If the target is at another one by now, nothing must be done.
    pub expected: Option<RunId>,
}

/// What to do with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// It does not run: start it.
    Start,
    /// It runs but is not well: restart it if it still runs.
    Restart,
    /// It does not run and need not: start what starts it when it is needed, and has failed.
    #[serde(rename = "start_trigger")]
    StartTrigger,
}

impl ActionKind {
    /// The words used in an incident's timeline.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Start | Self::Restart => self.as_str(),
            Self::StartTrigger => "start of what starts it when it is needed",
        }
    }

    /// The word used in logs and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Restart => "restart",
            Self::StartTrigger => "start_trigger",
        }
    }
}
