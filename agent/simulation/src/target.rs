//! What runs a service, and what a watcher sees of it.

use std::time::Duration;

use sentinel_engine::{
    Action, ActionKind, ActionResult, AskedToStop, Cause, Details, Intent, Limits, Observation, RunId, StartedBy,
    Supervisor, TargetState, Time,
};

/// How long a run may take to end after it was asked to, by the settings of its supervisor.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// A unit, a container or a process, as it really is.
#[derive(Clone, Debug)]
pub struct Target {
    /// What its runs are named after, whatever the service is called.
    pub id: String,
    /// What it is doing.
    pub state: TargetState,
    /// Which run it is; every start is another.
    pub run: u32,
    /// When this run began.
    pub began: Time,
    /// On whose account this run began.
    pub started_by: StartedBy,
    /// Whether its own supervisor restarts it.
    pub supervisor: Supervisor,
    /// When this run was asked to end.
    pub asked: Option<Time>,
    /// How long its supervisor lets it take.
    pub limits: Limits,
    /// What its watcher knows beside its state.
    pub details: Details,
    /// Whether its supervisor says how long it has been running.
    pub shows_age: bool,
}

impl Target {
    /// One that has run since `began`.
    pub fn new(id: impl Into<String>, began: Time) -> Self {
        Self {
            id: id.into(),
            state: TargetState::Running,
            run: 1,
            began,
            started_by: StartedBy::Unknown,
            supervisor: Supervisor::Passive,
            asked: None,
            limits: Limits::default(),
            details: Details::default(),
            shows_age: true,
        }
    }

    /// The id of this run.
    pub fn run_id(&self) -> RunId {
        RunId::from(format!("{}-{}", self.id, self.run))
    }

    /// Whether it runs, and nothing is known against that.
    pub fn runs(&self) -> bool {
        self.state == TargetState::Running
    }

    /// Whether it does not run, and nothing is about to start it.
    pub fn is_down(&self) -> bool {
        matches!(self.state, TargetState::Down { .. })
    }

    /// Whether an operator stopped it on purpose.
    pub fn is_stopped(&self) -> bool {
        matches!(
            self.state,
            TargetState::Down {
                intent: Intent::OperatorStop,
                ..
            }
        )
    }

    /// Another run of it begins. What it is doing then is up to the caller.
    pub fn begin(&mut self, by: StartedBy, now: Time) {
        self.run += 1;
        self.began = now;
        self.started_by = by;
        self.supervisor = Supervisor::Passive;
        self.asked = None;
    }

    /// What its supervisor, or an adapter after a look at it, has against an action: it is not what was judged any more.
    pub fn objection(&self, action: &Action) -> Option<ActionResult> {
        let outdated = |why: &str| Some(ActionResult::Outdated(why.into()));
        match (&self.state, action.kind) {
            (TargetState::Busy(_), _) => Some(ActionResult::Conflict("a job is pending".into())),
            (TargetState::Unusable(_), _) => Some(ActionResult::Refused("unit is masked".into())),
            (TargetState::Down { .. }, ActionKind::Restart) => outdated("it does not run"),
            (TargetState::Down { .. }, ActionKind::Start | ActionKind::StartTrigger) | (_, ActionKind::Restart) => {
                let another = action.expected.as_ref().is_some_and(|run| *run != self.run_id());
                another.then(|| ActionResult::Outdated("it has been started again since".into()))
            }
            (_, ActionKind::Start | ActionKind::StartTrigger) => outdated("it runs already"),
        }
    }

    /// What a watcher sees of it.
    pub fn observation(&self, now: Time) -> Observation {
        let may_heed = matches!(self.state, TargetState::Running | TargetState::Unhealthy(_));
        Observation {
            age: (self.runs() && self.shows_age).then(|| now.since(self.began)),
            supervisor: self.supervisor,
            started_by: self.started_by,
            asked_to_stop: self.asked.filter(|_| may_heed).map(|at| AskedToStop {
                ago: now.since(at),
                patience: PATIENCE,
            }),
            limits: self.limits,
            details: self.details.clone(),
            ..Observation::new(self.state.clone(), Some(self.run_id()))
        }
    }
}

/// How a run ended by itself: with success, or not.
pub fn ended(cause: Cause) -> TargetState {
    let intent = if cause == (Cause::Exited { code: 0 }) {
        Intent::CleanExit
    } else {
        Intent::Crash
    };
    TargetState::Down { intent, cause }
}
