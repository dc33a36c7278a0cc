//! What a watcher saw of a target. Watchers classify; the engine decides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::ids::{Question, RunId};

/// The state of a target as one watcher sees it now. Each observation replaces the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What it is doing.
    pub state: TargetState,
    /// Which run this is; `None` when it never ran, or the supervisor forgot.
    pub run: Option<RunId>,
    /// How long this run has been running, or has been busy with what it is busy with; `None` when it does neither or
    /// that is not known.
    pub age: Option<Duration>,
    /// Whether something else will restart it.
    pub supervisor: Supervisor,
    /// On whose account this run began.
    pub started_by: StartedBy,
    /// Restarts by its supervisor, as that counts them (`RestartCount` of Docker, `NRestarts` of systemd): for Docker, more
    /// than none means that its restart policy began this run. `None` where nothing counts them.
    pub restarts: Option<u32>,
    /// The main process of this run was asked to end, and has not.
    pub asked_to_stop: Option<AskedToStop>,
    /// How long its supervisor lets it take to start and to stop.
    pub limits: Limits,
    /// The check that its supervisor makes of it, if it has one (a Docker health check).
    pub check: Option<HealthCheck>,
    /// What else the watcher knows.
    pub details: Details,
}

impl Observation {
    /// What was seen of a run, where nothing else is known of it.
    pub fn new(state: TargetState, run: Option<RunId>) -> Self {
        Self {
            state,
            run,
            age: None,
            supervisor: Supervisor::default(),
            started_by: StartedBy::default(),
            restarts: None,
            asked_to_stop: None,
            limits: Limits::default(),
            check: None,
            details: Details::default(),
        }
    }
}

/// A signal that asks for the end of a run, not sent by the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedToStop {
    /// How long ago.
    pub ago: Duration,
    /// How long a stop of it may take by its own settings, and a little more.
    pub patience: Duration,
}

/// How long a target may take, by the settings of whatever runs it. `None`: without end, or not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// To start, and to reload (`TimeoutStartSec=`).
    pub start: Option<Duration>,
    /// To stop (`TimeoutStopSec=`, Docker's `StopTimeout`).
    pub stop: Option<Duration>,
}

impl Limits {
    /// What counts where there is no limit: systemd's own default, of `DefaultTimeoutStartSec=` and its like.
    pub const USUAL: Duration = Duration::from_secs(90);

    /// How long a start may take, for whoever has to wait for it.
    pub fn start_or_usual(&self) -> Duration {
        self.start.unwrap_or(Self::USUAL)
    }

    /// How long a stop may take, for whoever has to wait for it.
    pub fn stop_or_usual(&self) -> Duration {
        self.stop.unwrap_or(Self::USUAL)
    }
}

/// A check of a target by its own supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What it asks.
    pub question: Question,
    /// Whether it passes now.
    pub passes: bool,
}

/// What a watcher knows of a target beside its state.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Details {
    /// How long it may be starting, where that is more than coming up: a oneshot does its work meanwhile, and a container has
    /// to pass its health check.
    pub starts_within: Option<Duration>,
    /// Whether its supervisor has a job for it, whose end is still to come.
    pub has_job: bool,
    /// Why the last run ended, while its supervisor waits to start it again and, where that is still known, once it has.
    pub ended: Option<Cause>,
    /// What starts it when it is needed, and does not wait for that now.
    pub triggers: Vec<Trigger>,
    /// With what it went down, or for want of what it could not be started ([`Intent::DependencyStop`]).
    pub fell_with: Option<Box<FellWith>>,
}

/// Something that a target is bound to or needs, whether or not anybody configured it, and that went down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FellWith {
    /// What its supervisor calls it.
    pub name: String,
    /// Whether that one is known to have gone down by itself: no operator stopped it.
    pub failed: bool,
    /// Whether that one runs again.
    pub is_back: bool,
}

/// A socket, a path or a timer that does not do what it is there for: start the target when it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// Why it does not.
    pub state: TriggerState,
}

/// Why a trigger does not wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerState {
    /// It has failed.
    Failed {
        /// The unit that it starts.
        unit: String,
        /// How, in its supervisor's words.
        result: String,
    },
    /// An operator stopped it. Never undone.
    Stopped,
    /// It has not been seen yet, or is about to change.
    Unseen,
}

/// What a target is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// It cannot be seen: no bus, no daemon. Neither up nor down; holds the reason.
    Unknown(String),
    /// It can be seen, and can never be started as it is: not found, masked, broken file. Holds the reason.
    Unusable(String),
    /// It runs.
    Running,
    /// It runs, and its supervisor's own check of it fails (a Docker health check). Holds what that check said.
    Unhealthy(String),
    /// It runs, and its supervisor's own check of it could not be run, which says nothing of it.
    Unchecked {
        /// Why it could not.
        reason: String,
        /// What runs it for its supervisor is away (containerd): whatever is asked for now would lose it.
        runtime_away: bool,
    },
    /// Another party is busy with it; whatever it looks like now is about to change.
    Busy(Activity),
    /// It does not run, and nothing is being done about it.
    Down {
        /// On whose account.
        intent: Intent,
        /// Why it ended.
        cause: Cause,
    },
}

/// What is being done with a target by another party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// It is starting, for the first time or again.
    Starting,
    /// It is stopping.
    Stopping,
    /// It is reloading its configuration.
    Reloading,
    /// Its supervisor waits to start it again.
    AutoRestart,
    /// A job or request of another party is pending for it.
    Job,
    /// It is frozen or paused.
    Frozen,
}

impl Activity {
    /// The words used in logs, status and reasons.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Reloading => "reloading",
            Self::AutoRestart => "about to be restarted by its supervisor",
            Self::Job => "another job is pending for it",
            Self::Frozen => "frozen",
        }
    }
}

/// On whose account a target is down. Comes from jobs and events, never from the state alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// No operator asked for it: it failed.
    Crash,
    /// No operator asked for it: it ended by itself and reported success.
    CleanExit,
    /// An operator stopped it, however it ended. Never restarted.
    OperatorStop,
    /// It ended by itself, later than its own timeout allows after it was asked to, and within [`crate::DRAIN_MAX`]: a
    /// stop, unless it failed and was well again in between, which only the engine knows.
    AskedToStop,
    /// Something it is bound to went down and took it along.
    DependencyStop,
    /// Something that conflicts with it was started. Never restarted.
    ConflictStop,
    /// The host, or the daemon that runs it, is going down.
    Shutdown,
    /// There is nothing to run: it has done its work, or waits until it is needed.
    NotApplicable,
    /// The last start did nothing, as a condition of it is not met (`ConditionPathExists=` and its like).
    ConditionNotMet,
    /// It runs until its work is done, and that failed (`Type=oneshot`).
    OneshotFailed,
    /// It failed while the agent did not look; that may have been a stop.
    Unclear,
}

impl Intent {
    /// The word used in logs and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::CleanExit => "clean_exit",
            Self::OperatorStop => "operator_stop",
            Self::AskedToStop => "asked_to_stop",
            Self::DependencyStop => "dependency_stop",
            Self::ConflictStop => "conflict_stop",
            Self::Shutdown => "shutdown",
            Self::NotApplicable => "not_applicable",
            Self::ConditionNotMet => "condition_not_met",
            Self::OneshotFailed => "oneshot_failed",
            Self::Unclear => "unclear",
        }
    }
}

/// Whether something other than the agent will restart the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Supervisor {
    /// Nothing will: the agent may act at once.
    #[default]
    Passive,
    /// Its supervisor restarts it by itself, and goes first.
    Active,
    /// Its supervisor would have, and gave up.
    GaveUp,
    /// Its settings say that nothing is to restart it after such an end (`RestartPreventExitStatus=`).
    Forbids,
}

/// On whose account a run began, as far as the watcher can tell. Never a guess: what was not witnessed is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum StartedBy {
    /// The agent did not see it begin, or the agent began it.
    #[default]
    Unknown,
    /// Its supervisor restarted it: `Restart=`, a restart policy, a daemon that came back.
    Supervisor,
    /// It was started, or restarted, because of another unit.
    Dependency,
    /// A socket, a timer or a path that triggers it started it.
    Trigger,
    /// Something else started it by a job or a request of its own: an operator, or a program on behalf of one.
    Other,
}
