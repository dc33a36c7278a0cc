//! What the agent must not forget of a service, however often it is killed.

use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::Duration;

use sentinel_engine::{ActionId, IncidentId, Pause, RunId, Time};

/// What is kept, and what of it is on disk: one thing until the one differs from the other, as it is compared and copied
/// after everything that passes.
#[derive(Clone, Debug, Default)]
pub struct Copied<T>(Rc<T>);

impl<T> Deref for Copied<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Copied<T> {
    fn deref_mut(&mut self) -> &mut T {
        Rc::make_mut(&mut self.0)
    }
}

impl<T> Copied<T> {
    /// Is the same as `other` from now on.
    pub fn follow(&mut self, other: &Self) {
        if !Rc::ptr_eq(&self.0, &other.0) {
            self.0 = Rc::clone(&other.0);
        }
    }
}

/// What must survive the agent.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Kept {
    /// The run that an operator stopped on purpose.
    pub stopped: Option<RunId>,
    /// The run that was seen down together with something while the configuration named what it comes after: whether that
    /// stopped it or fell with it was decided by that configuration.
    pub taken_along: Option<RunId>,
    /// An operator paused it.
    pub pause: Option<Pause>,
    /// Deploys under way, and until when they are waited for.
    pub deploys: Vec<(u64, Time)>,
    /// An operator was called.
    pub gave_up: bool,
    /// Since when no half-open attempt was made: since the human was called, or since the last one.
    pub gave_up_at: Time,
    /// The shortest `half_open` that was in force since then.
    pub half_open: Duration,
    /// An operator was called, and it is not certain that this must be forgotten by now.
    pub resigned: bool,
    /// Attempts since the last clean slate.
    pub attempts: Vec<Spent>,
    /// All attempts, whatever was forgotten since.
    pub ever: Vec<(Time, ActionId)>,
    /// The same, less what was forgotten for good: after good minutes, or when the agent was asked for a restart.
    pub lately: Vec<(Time, ActionId)>,
    /// When another party started it, by a job of their own.
    pub repairs: Vec<Time>,
    /// Since when an operator took over last.
    pub operator_took_over: Option<Time>,
    /// When its supervisor was seen to have given up, and about which run.
    pub rests: Option<(Time, Option<RunId>)>,
    /// When it went down lately, as far as operators were to be told of it.
    pub opened: Vec<Time>,
    /// It goes down too often to be reported each time; this was reported in that incident.
    pub flapping: Option<IncidentId>,
    /// The open incident.
    pub incident: Option<Open>,
    /// When it was last seen to fail, by its target or its probes.
    pub failed_at: Time,
    /// Whether its probe has ever passed on this target.
    pub passed: bool,
    /// Whether the agent must know that: another configuration may have made it another target meanwhile.
    pub passed_surely: bool,
    /// Whether what the incident is about by now is a question that never passed.
    pub in_doubt: bool,
    /// Whether that is, by now, a crash loop under its supervisor: over only after ten quiet minutes.
    pub crash_loop: bool,
}

impl Kept {
    /// Whether anything is left for good minutes to forget.
    pub fn has_spent(&self) -> bool {
        self.gave_up || self.resigned || !self.attempts.is_empty()
    }
}

/// An attempt that was decided on. Once its intent is recorded it is spent, whatever becomes of it.
#[derive(Clone, Debug)]
pub struct Spent {
    pub at: Time,
    pub action: ActionId,
    pub incident: Option<IncidentId>,
    pub ordinal: u32,
}

impl Spent {
    /// Whether it counts within the `window` before `now`.
    pub fn counts(&self, now: Time, window: Duration) -> bool {
        now.since(self.at) < window
    }
}

/// Attempts that the engine said it had left.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    pub at: Time,
    pub attempts: u32,
    /// By this rule.
    pub burst: u32,
    pub window: Duration,
}

/// An incident that was reported open.
#[derive(Clone, Debug)]
pub struct Open {
    pub id: IncidentId,
    pub at: Time,
    /// Whether receivers were notified.
    pub fired: bool,
    pub gave_up: bool,
    pub messages: u32,
    /// The run that was last seen down in it, and certainly not because it was stopped.
    pub run: Option<RunId>,
}
