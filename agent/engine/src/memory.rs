//! What must outlive the agent: enough that a crash of it never repeats an action and never refills a budget.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::cause::Cause;
use crate::command::ActionKind;
use crate::flapping::Flapping;
use crate::ids::{ActionId, IncidentId, Question, RunId, ServiceName};
use crate::outage::Starter;
use crate::time::Time;

/// What is kept of one service. Stored as JSON by the driver; unknown fields are ignored, missing ones default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The open incident.
    pub incident: Option<Incident>,
    /// The attempt that was begun and is not verified yet. After a crash of the agent it counts as spent and is
    /// judged by what is observed; it is never issued again.
    pub attempt: Option<Attempt>,
    /// Attempts since the service was last healthy for `reset_after`; sets the backoff.
    pub attempts: u32,
    /// When those attempts were made, within the window.
    pub budget: Budget,
    /// No attempt before this.
    pub next_attempt: Option<Time>,
    /// Whether the budget was spent and an operator called.
    pub gave_up: bool,
    /// When its supervisor last gave up, if it has since the service was last healthy for `reset_after`.
    pub supervisor_gave_up: Option<GivenUp>,
    /// When another party started it and earlier attempts were forgotten for that, within the window.
    pub repairs: Vec<Time>,
    /// When, after giving up, one more attempt is due.
    pub half_open_at: Option<Time>,
    /// Since when it has been healthy without a break.
    pub healthy_since: Option<Time>,
    /// The run that an operator stopped on purpose. Keyed by the run, so that a later crash is not taken for that stop.
    pub stopped: Option<RunId>,
    /// With what that run was stopped, when it was healthy until then.
    pub stopped_with: Option<StoppedWith>,
    /// Maintenance asked for by an operator.
    pub pause: Option<Pause>,
    /// Deploys that are under way.
    pub deploys: Vec<Deploy>,
    /// How often the service came back after it was found down.
    pub recoveries: u64,
    /// What would have been done in `mode = "observe"`.
    pub observed: DryRunStats,
    /// Which of its probes and checks have ever passed. `None` where a version kept it that did not note that.
    pub passed: Option<Passed>,
    /// Its incidents of late, and whether they are too many to be reported one by one.
    pub flapping: Flapping,
}

/// The questions that a service has answered well at least once: only these can say that it is down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Passed {
    /// Which; those that were found last at the end.
    questions: Vec<Question>,
    /// It was healthy when a version watched it that did not note this: what its probes ask first has passed.
    inherits_probes: bool,
    /// The same of what its container's own check asks.
    inherits_check: bool,
}

/// So many are remembered. A service has a few at a time; the others are those of earlier configurations.
const QUESTIONS_MAX: usize = 32;

impl Passed {
    /// What is assumed of a service of which nothing was noted; `healthy` when it was well at that time.
    pub(crate) fn inherited(healthy: bool) -> Self {
        Self {
            questions: Vec::new(),
            inherits_probes: healthy,
            inherits_check: healthy,
        }
    }

    pub(crate) fn contains(&self, question: &Question) -> bool {
        self.questions.contains(question)
    }

    /// Notes that `question` has passed; whether that is new.
    pub(crate) fn insert(&mut self, question: &Question) -> bool {
        let new = !self.contains(question);
        if new {
            self.questions.push(question.clone());
            let surplus = self.questions.len().saturating_sub(QUESTIONS_MAX);
            self.questions.drain(..surplus);
        }
        new
    }

    /// The probes are about to say something for the first time: whether they are taken to have passed before.
    pub(crate) fn take_inherited_probes(&mut self) -> bool {
        std::mem::take(&mut self.inherits_probes)
    }

    /// The same of the container's own check.
    pub(crate) fn take_inherited_check(&mut self) -> bool {
        std::mem::take(&mut self.inherits_check)
    }
}

/// An attempt as old as this counts in no window.
const FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Memory {
    /// Whether nothing of it decides anything any more, of a service that is gone.
    pub(crate) fn is_settled(&self, now: Time) -> bool {
        let over = self.incident.is_none() && self.attempt.is_none() && !self.gave_up;
        let alone = self.pause.is_none() && self.deploys.is_empty();
        over && alone && self.budget.spent(FORGOTTEN, now) == 0
    }
}

/// What would have been done in `mode = "observe"`, and how often that would have been right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DryRunStats {
    /// Incidents in which it would have been restarted.
    pub would_restart: u64,
    /// In how many of these a restart by another party helped then.
    pub right: u64,
    /// The one that is not judged yet.
    #[serde(alias = "trial")]
    pub dry_run: Option<PendingDryRun>,
}

/// A restart that was not made, until it is known whether it would have been right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingDryRun {
    /// When it would have been made.
    pub began: Time,
    /// Until when it would have had to prove itself.
    pub until: Time,
    /// The run that it would have replaced: another one that is well shows that a restart helped.
    #[serde(default)]
    pub run: Option<RunId>,
}

/// An open incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// When it opened.
    pub opened_at: Time,
    /// Since when the outage is its own. Later than `opened_at` when it was put down to a dependency first.
    pub own_since: Time,
    /// Why the service is down, as known now.
    pub cause: Cause,
    /// Attempts made in this incident.
    pub attempts: u32,
    /// The run that was last seen down, and not because an operator stopped it; tells, after a restart of the agent, that
    /// this is still the same outage.
    #[serde(alias = "instance")]
    pub run: Option<RunId>,
    /// Whether the run that is there now was begun by another party than the agent and its supervisor.
    #[serde(default)]
    pub started: bool,
    /// Whether its supervisor gave up in it.
    #[serde(default)]
    pub limited: bool,
    /// Attempts that ended with a process that lived and accepted no connection: it may only be slow to start.
    #[serde(default)]
    pub slow_starts: u32,
    /// Whether a restart was counted that `mode = "observe"` forbade.
    #[serde(default)]
    pub observed: bool,
    /// When it was first seen to fail; before it opened, where that was not certain at once. `None` when it was not.
    #[serde(default)]
    pub failed_at: Option<Time>,
    /// Since when it has answered without a failure, if it does.
    #[serde(default)]
    pub answered: Option<Answered>,
    /// Since when it would have been reported, had it not answered and been proved.
    #[serde(default, alias = "proof_awaited")]
    pub proof_pending: Option<Time>,
    /// Who began the run that was last seen to begin.
    #[serde(default)]
    pub started_by: Starter,
    /// Whether `fired` or `gave_up` has been sent.
    pub fired: bool,
    /// Messages sent so far.
    pub messages: u32,
}

/// A run that answers and is not proved yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Since when.
    pub since: Time,
    /// Which run.
    pub run: Option<RunId>,
}

/// A stop together with something the service comes after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedWith {
    /// With what.
    pub name: ServiceName,
    /// When it ceased to run.
    pub at: Time,
    /// The run that was stopped.
    pub run: Option<RunId>,
}

/// A target whose supervisor has restarted it as often as it may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// When that was seen.
    pub at: Time,
    /// The run that was the last.
    #[serde(alias = "instance")]
    pub run: Option<RunId>,
}

/// A recovery attempt that has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its action.
    pub action: ActionId,
    /// What was asked for.
    #[serde(rename = "verb")]
    pub kind: ActionKind,
    /// Whether an operator asked for it; then it is not counted.
    pub requested: bool,
    /// The run it was to replace.
    pub expected: Option<RunId>,
    /// When it was decided.
    pub started_at: Time,
    /// When its adapter answered; `None` while it is being carried out.
    pub ended_at: Option<Time>,
}

/// A deploy of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploy {
    /// Which, chosen by whoever deploys.
    pub id: u64,
    /// When it is no longer waited for.
    pub until: Time,
}

/// Maintenance of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When it ends by itself; `None` until an operator resumes it.
    pub until: Option<Time>,
}
