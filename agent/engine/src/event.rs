//! Everything the engine can be notified of.

use std::fmt;
use std::time::Duration;

use crate::blast::BlastRadius;
use crate::ids::{ActionId, ProbeRound, ServiceName};
use crate::observation::Observation;
use crate::probe::ProbeOutcome;
use crate::time::Time;

/// A turn of the driver that took longer than this: the host was suspended, or the agent was stopped, and the engine is
/// told [`Event::HostResumed`].
pub const STANDSTILL: Duration = Duration::from_secs(15);

/// Something that happened. Past tense: it cannot be refused, only judged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "few wait at a time, and most of those that do are observations"
)]
pub enum Event {
    /// A round of probes asked for by [`crate::Command::RunProbes`] has ended.
    ProbeCompleted {
        /// The probed service.
        service: ServiceName,
        /// The round it answers.
        round: ProbeRound,
        /// What was found.
        outcome: ProbeOutcome,
    },
    /// A watcher observed a target, or cannot observe it any more.
    TargetObserved {
        /// The service whose target it is.
        service: ServiceName,
        /// What was seen.
        observation: Observation,
    },
    /// Of a recovery action asked for by [`crate::Command::RestartTarget`]: the old run has ended, and the new one starts.
    /// Its outcome follows.
    ActionBegun {
        /// The action.
        action: ActionId,
        /// The service it is for.
        service: ServiceName,
    },
    /// A recovery action asked for by [`crate::Command::RestartTarget`] has ended.
    ActionFinished {
        /// The action.
        action: ActionId,
        /// The service it was for.
        service: ServiceName,
        /// How it ended.
        result: ActionResult,
    },
    /// An operator asked for something.
    OperatorRequested {
        /// The service it is about.
        service: ServiceName,
        /// What was asked.
        request: OperatorRequest,
    },
    /// A maintenance window opened for a service, or became another (`Some`); or none is open any more.
    MaintenanceChanged {
        /// The service.
        service: ServiceName,
        /// The window that is open.
        window: Option<Window>,
    },
    /// The host began to shut down (true), or that was called off (false).
    HostShutdownChanged {
        /// Whether it is going down.
        going_down: bool,
    },
    /// Packages are being installed, upgraded or removed (true), or no longer (false): what is down may be started by that.
    PackagesChange {
        /// Whether they are.
        under_way: bool,
    },
    /// What the agent may do can be another by now: whoever decides that came back, or its rules changed.
    PermissionsChanged,
    /// The host was suspended, or the agent stood still: what was being waited for says nothing.
    HostResumed,
    /// The store became writable (true) or not (false). Nothing is done that cannot be recorded first.
    StoreChanged {
        /// Whether records are durable now.
        writable: bool,
    },
}

/// An open maintenance window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Why, for operators.
    pub reason: String,
    /// When it ends, by the wall clock as it stands. For operators: the end itself is reported.
    pub until: Time,
}

/// How a recovery action ended, as far as its adapter can tell. Whether it *helped* is for the engine to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionResult {
    /// The supervisor carried it out.
    Done,
    /// The supervisor tried, and the target did not come up. Holds the supervisor's words.
    Failed(String),
    /// Nothing was done because the target is no longer what the decision was about. The attempt is not spent.
    Outdated(String),
    /// Nothing was done because another party is acting on the target. The attempt is not spent.
    Conflict(String),
    /// Somebody cancelled it: an operator won.
    Cancelled(String),
    /// The agent may not, or cannot ever, do this: permission, configuration. Not tried again until something changes, or for
    /// ten minutes.
    Refused(String),
    /// Nothing was done because whoever decides what the agent may do does not answer. Asked again soon.
    Unanswered(String),
    /// Nothing was done because it would restart or stop other units, which no operator has allowed. The attempt is not
    /// spent.
    TooWide(BlastRadius),
    /// The start did nothing, as a condition of it is not met: holds which. The attempt is not spent.
    CalledOff(String),
    /// It may or may not have been carried out: the answer never came. The attempt is spent and never repeated on a guess.
    Unknown(String),
    /// The intent could not be recorded, so nothing was done. The attempt is not spent.
    NotRecorded(String),
}

impl ActionResult {
    /// Whether it is certain that nothing was done: then nothing is spent.
    pub(crate) const fn nothing_done(&self) -> bool {
        matches!(
            self,
            Self::Outdated(_)
                | Self::Conflict(_)
                | Self::Refused(_)
                | Self::Unanswered(_)
                | Self::NotRecorded(_)
                | Self::TooWide(_)
                | Self::CalledOff(_)
        )
    }

    /// Whether the target is for certain as it was, so that what probes said of it stays true.
    pub(crate) const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Unanswered(_) | Self::TooWide(_))
    }
}

/// Why an operator's request cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// No service has that name.
    UnknownService,
    /// The service is only probed; there is nothing to restart.
    NoTarget,
    /// The target cannot be seen now.
    Unobservable,
    /// The target cannot run as it is: not found, masked, a broken file.
    Unusable,
    /// It is being restarted already.
    InFlight,
    /// It is not paused.
    NotPaused,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownService => "no service has that name",
            Self::NoTarget => "the service is only probed; there is nothing to restart",
            Self::Unobservable => "its target cannot be seen now",
            Self::Unusable => "its target cannot run as it is; `sentinel status` says why",
            Self::InFlight => "the service is being restarted already",
            Self::NotPaused => "the service is not paused",
        })
    }
}

impl std::error::Error for RequestError {}

/// What an operator can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorRequest {
    /// Restart it now, whatever the budget says; forgets a give-up.
    Restart,
    /// Leave it alone (maintenance), for this long or until resumed.
    Pause {
        /// How long; `None` until resumed.
        duration: Option<Duration>,
    },
    /// End that maintenance.
    Resume,
    /// Leave it alone while a deploy is under way, at most for this long. An operator's pause is another matter.
    BeginDeploy {
        /// Which, chosen by whoever deploys.
        id: u64,
        /// How long at most, should its end never be reported.
        duration: Duration,
    },
    /// The deploy has ended.
    EndDeploy {
        /// Which.
        id: u64,
    },
}
