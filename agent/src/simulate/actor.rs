//! One simulated service as the host sees it: its process, and the supervisor that it may have.

use std::time::Duration;

use sentinel_engine::{
    Activity, Cause, FailureKind, Intent, Observation, ProbeFailure, RunId, ServiceName, StartedBy, Supervisor,
    TargetState, Time,
};
use sentinel_text::exact_span;

use super::scenario::{ServiceModel, Start};

/// A run that lasted this long begins the supervisor's row anew (systemd's `StartLimitIntervalSec=`).
const ROW: Duration = Duration::from_secs(10);

/// What systemd reports when a program cannot be executed (systemd.exec(5)).
const CANNOT_EXECUTE: &str = "its program is missing or cannot be executed (203/EXEC)";

/// What a running process answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// As it should.
    Well,
    /// Nothing: its port is not open yet.
    NotYet,
    /// Nothing: it hangs.
    Silent,
    /// With this status.
    Wrongly(u16),
}

/// A service of the simulated host.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) model: ServiceModel,
    /// Which run it is; every start is another.
    pub(super) run: u32,
    pub(super) state: TargetState,
    behaviour: Behaviour,
    started: Time,
    supervisor: Supervisor,
    started_by: StartedBy,
    /// Restarts that its supervisor has left in this row.
    left: u32,
    /// Whether somebody stopped it on purpose: then being down is no downtime.
    pub(super) is_unwanted: bool,
    /// Restarts by the agent that were carried out.
    pub(super) restarts: usize,
    /// How long it did not answer.
    pub(super) downtime: Duration,
}

/// What follows from a start, in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// It begins to answer.
    Answers,
    /// It dies.
    Dies,
}

impl Actor {
    /// One that has run well since `started`.
    pub(super) fn new(model: ServiceModel, started: Time) -> Self {
        Self {
            left: model.supervision.map_or(0, |supervision| supervision.restarts),
            model,
            run: 1,
            state: TargetState::Running,
            behaviour: Behaviour::Well,
            started,
            supervisor: Supervisor::Passive,
            started_by: StartedBy::Unknown,
            is_unwanted: false,
            restarts: 0,
            downtime: Duration::ZERO,
        }
    }

    pub(super) fn runs(&self) -> bool {
        self.state == TargetState::Running
    }

    pub(super) fn instance(&self, name: &ServiceName) -> RunId {
        RunId::from(format!("{name}-{}", self.run))
    }

    /// What a watcher sees of it.
    pub(super) fn observation(&self, name: &ServiceName, now: Time) -> Observation {
        Observation {
            age: self.runs().then(|| now.since(self.started)),
            supervisor: self.supervisor,
            started_by: self.started_by,
            ..Observation::new(self.state.clone(), Some(self.instance(name)))
        }
    }

    /// What a probe finds by itself, whatever it depends on: `Ok`, or why not and the HTTP status.
    pub(super) fn answer(&self, limit: Duration) -> Result<(), (ProbeFailure, Option<u16>)> {
        let failure = |kind, detail: String| ProbeFailure::new(kind, detail);
        match self.behaviour {
            Behaviour::Well if self.runs() => Ok(()),
            Behaviour::Wrongly(status) if self.runs() => Err((
                failure(FailureKind::Status(status), format!("status {status}")),
                Some(status),
            )),
            Behaviour::Silent if self.runs() => {
                let detail = format!("no answer within {}", exact_span(limit));
                Err((failure(FailureKind::Timeout, detail), None))
            }
            _ => Err((failure(FailureKind::Refused, "connection refused".to_owned()), None)),
        }
    }

    /// From now on, while it runs, it answers like this.
    pub(super) fn behave(&mut self, behaviour: Behaviour) {
        self.behaviour = behaviour;
    }

    /// Starts another run. Answers what follows, and when; nothing follows a start that fails.
    pub(super) fn start(&mut self, by: StartedBy, now: Time) -> Option<(Duration, Consequence)> {
        self.run += 1;
        self.started_by = by;
        self.started = now;
        self.state = TargetState::Running;
        self.supervisor = Supervisor::Passive;
        self.is_unwanted = false;
        let (behaviour, consequence) = match self.model.start {
            Start::Well => (Behaviour::Well, None),
            Start::Slowly(span) => (Behaviour::NotYet, Some((span, Consequence::Answers))),
            Start::DiesAfter(span) => (Behaviour::Well, Some((span, Consequence::Dies))),
            Start::Deaf => (Behaviour::Silent, None),
            Start::Refused => (Behaviour::NotYet, None),
        };
        self.behaviour = behaviour;
        consequence
    }

    /// Why the run that has just been started is over already, if it is.
    pub(super) fn refusal(&self) -> Option<Cause> {
        (self.model.start == Start::Refused).then(|| Cause::NotStarted {
            reason: CANNOT_EXECUTE.to_owned(),
        })
    }

    /// Somebody other than its supervisor starts it: the supervisor counts anew.
    pub(super) fn begin_row(&mut self) {
        self.left = self.model.supervision.map_or(0, |supervision| supervision.restarts);
    }

    /// The run ends by itself. Answers when its supervisor starts it again, if it will.
    pub(super) fn end(&mut self, cause: Cause, now: Time) -> Option<Duration> {
        if now.since(self.started) >= ROW {
            self.begin_row();
        }
        let clean = cause == Cause::Exited { code: 0 };
        let intent = if clean { Intent::CleanExit } else { Intent::Crash };
        self.state = TargetState::Down { intent, cause };
        // Like `Restart=on-failure`.
        let supervision = self.model.supervision.filter(|_| !clean)?;
        if self.left == 0 {
            self.supervisor = Supervisor::GaveUp;
            return None;
        }
        self.left -= 1;
        self.state = TargetState::Busy(Activity::AutoRestart);
        Some(supervision.delay)
    }

    /// Whether its supervisor gave up on it just now.
    pub(super) fn is_given_up(&self) -> bool {
        self.supervisor == Supervisor::GaveUp && !self.runs()
    }

    /// An operator stops it.
    pub(super) fn stop(&mut self) {
        self.state = TargetState::Down {
            intent: Intent::OperatorStop,
            cause: Cause::Exited { code: 0 },
        };
        self.supervisor = Supervisor::Passive;
        self.is_unwanted = true;
    }

    /// The host goes down with it.
    pub(super) fn shut_down(&mut self) {
        self.state = TargetState::Down {
            intent: Intent::Shutdown,
            cause: Cause::Exited { code: 0 },
        };
        self.is_unwanted = true;
    }
}
