//! What the agent watches: targets with a mind of their own.

use std::time::Duration;

use sentinel_engine::{
    ActionId, Activity, BlastRadius, Cause, DRAIN_MAX, Details, FellWith, Intent, Observation, ServiceName, Supervisor,
    TargetState, Time,
};
use sentinel_simulation::{Start, Target as Unit};

/// Services whose probe asks the wrong thing from the beginning, per thousand.
pub const WRONG_QUESTIONS: u64 = 120;

/// The job of the agent that a target is at.
#[derive(Clone, Debug)]
pub struct Job {
    pub action: ActionId,
    /// The service as it was called then.
    pub service: ServiceName,
    /// The life of the agent that asked.
    pub life: u64,
    /// What will be answered instead of the truth.
    pub lie: Option<Lie>,
}

/// Answers that are not the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lie {
    /// It is said not to be known.
    Unknown,
    /// Nothing is ever said.
    Silence,
}

/// What happens to a target by itself after a while.
#[derive(Clone, Debug)]
pub enum Change {
    /// It has started.
    Up,
    /// It dies.
    Dies(Cause),
    /// Its supervisor starts it again.
    SupervisorStarts,
    /// It has stopped, as asked.
    Stopped,
    /// It has stopped, and starts again.
    StartsAgain,
    /// It has drained, and ends.
    Drained,
    /// It is back to what it was before somebody was busy with it.
    Back(TargetState),
}

/// One target, as it really is.
#[derive(Clone, Debug)]
pub struct Target {
    pub unit: Unit,
    /// Since when it answers; `None` when it does not.
    pub answers_from: Option<Time>,
    /// How it starts.
    pub start: Start,
    /// How often its own supervisor restarts it before it gives up.
    pub supervised: Option<u32>,
    pub restarted: u32,
    /// Counts states; a [`Change`] meant for an earlier one is void.
    pub epoch: u64,
    pub job: Option<Job>,
    /// Whether the watcher saw how it came to this.
    pub witnessed: bool,
    /// What else a restart of it would restart or stop.
    pub wide: Option<BlastRadius>,
    /// Its probe asks the wrong thing: it never passes, whatever the target does.
    pub wrong_question: bool,
    /// Something that no operator configured, and that it fell with or could not be started without.
    pub fell_with: Option<FellWith>,
}

impl Target {
    pub fn new(id: String, began: Time) -> Self {
        Self {
            unit: Unit::new(id, began),
            answers_from: Some(began),
            start: Start::Well,
            supervised: None,
            restarted: 0,
            epoch: 0,
            job: None,
            witnessed: true,
            wide: None,
            wrong_question: false,
            fell_with: None,
        }
    }

    /// How long ago it was asked to end, while that counts.
    pub fn asked_for(&self, now: Time) -> Option<Duration> {
        let ago = now.since(self.unit.asked?);
        (ago < DRAIN_MAX).then_some(ago)
    }

    pub fn answers(&self, now: Time) -> bool {
        self.unit.runs() && self.answers_from.is_some_and(|from| from <= now)
    }

    /// Whether a start of it would be refused.
    pub fn lacks_another(&self) -> bool {
        self.fell_with.as_ref().is_some_and(|other| !other.is_back)
    }

    /// Whether it could not be started for want of another.
    pub fn was_refused(&self) -> bool {
        matches!(
            self.unit.state,
            TargetState::Down {
                intent: Intent::DependencyStop,
                cause: Cause::Dependency
            }
        )
    }

    /// Nobody knows any more whether an operator stopped what it fell with. That nothing could be started without it is
    /// there to see.
    pub fn forget_why_it_fell(&mut self) {
        let refused = self.was_refused();
        if let Some(other) = &mut self.fell_with {
            other.failed &= refused;
        }
    }

    /// What a watcher says of it. One that did not see it go down cannot always tell why it did.
    pub fn observation(&self, now: Time) -> Observation {
        let state = match &self.unit.state {
            TargetState::Down { intent, cause } if !self.witnessed => TargetState::Down {
                intent: match &self.fell_with {
                    // The times of both are there to see.
                    Some(_) if *intent == Intent::DependencyStop => *intent,
                    _ => unwitnessed(*intent, cause),
                },
                cause: cause.clone(),
            },
            state => state.clone(),
        };
        let seen = self.unit.observation(now);
        Observation {
            supervisor: match state {
                TargetState::Busy(Activity::AutoRestart) => Supervisor::Active,
                _ => seen.supervisor,
            },
            asked_to_stop: seen.asked_to_stop.filter(|asked| asked.ago < DRAIN_MAX),
            details: Details {
                // Of what a target is busy with, some is a job, and some has outlived its job.
                has_job: self.epoch.is_multiple_of(2),
                fell_with: self.fell_with.clone().filter(|_| falls(&state)).map(Box::new),
                ..Details::default()
            },
            state,
            ..seen
        }
    }
}

/// Whether it is down on account of something else.
fn falls(state: &TargetState) -> bool {
    matches!(
        state,
        TargetState::Down {
            intent: Intent::DependencyStop,
            ..
        }
    )
}

/// What is left to see of an end that the agent did not see: how the main process ended.
fn unwitnessed(intent: Intent, cause: &Cause) -> Intent {
    match (intent, cause) {
        (Intent::Crash, _) => Intent::Unclear,
        (Intent::OperatorStop | Intent::ConflictStop | Intent::DependencyStop, Cause::Exited { code: 1 }) => {
            Intent::Unclear
        }
        (Intent::CleanExit | Intent::ConflictStop | Intent::DependencyStop, _) => Intent::OperatorStop,
        (intent, _) => intent,
    }
}
