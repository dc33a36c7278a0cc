//! What was stopped together with something it is bound to, and is still down when that one is back.
//!
//! systemd stops a unit with what it requires, and does not start it again with it: an upgrade of a database that stops and
//! starts it leaves the application down, in silence. Whether that is meant only an operator knows, so they are
//! notified, or say beforehand what they want (`recovery.on_dependency_return`). Whatever was stopped by itself, or was
//! not well before, is nobody's surprise.

use std::time::Duration;

use super::bound::TOGETHER;
use super::{Context, Machine};
use crate::cause::Cause;
use crate::ids::ServiceName;
use crate::memory::StoppedWith;
use crate::observation::Intent;
use crate::policy::OnDependencyReturn;
use crate::state::State;
use crate::time::Time;

/// What was not healthy within this time before the stop was not missed then, and is not now.
const HEALTHY_WITHIN: Duration = Duration::from_secs(60);

/// How long the other has to be healthy again. Whoever starts the one is often about to start the other.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// One of those that a service comes after, as far as that matters to what was stopped with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Companion {
    pub(crate) name: ServiceName,
    /// When it ceased to run, while it does not.
    pub(crate) left: Option<Time>,
    /// Since when it is healthy, while it is.
    pub(crate) healthy: Option<Time>,
}

impl Machine {
    /// This service as those after it see it when they were stopped.
    pub(crate) fn companion(&self) -> Companion {
        Companion {
            name: self.service.name.clone(),
            left: self.ends.left,
            healthy: (self.standing.state == State::Healthy).then_some(self.standing.since),
        }
    }

    /// Notes with what it was stopped, which is known only at that moment.
    pub(super) fn note_stopped_with(&mut self, cx: &Context<'_>) {
        let Some(left) = self.ends.left.filter(|_| !self.start_was_refused()) else {
            return;
        };
        let was_healthy = self
            .standing
            .healthy_until
            .is_some_and(|until| left.since(until) <= HEALTHY_WITHIN);
        let together = |other: &&Companion| {
            let began = other.left?;
            (began.since(left).max(left.since(began)) <= TOGETHER).then_some(())
        };
        let with = cx.companions.iter().find(|other| together(other).is_some());
        let stopped_with = with.filter(|_| was_healthy).map(|other| StoppedWith {
            name: other.name.clone(),
            at: left,
            run: self.target.run().cloned(),
        });
        if self.memory.stopped_with != stopped_with {
            self.memory.stopped_with = stopped_with;
            self.unsaved = true;
        }
    }

    /// An operator stopped it by itself, or it runs again.
    pub(super) fn forget_stopped_with(&mut self) {
        if self.memory.stopped_with.take().is_some() {
            self.unsaved = true;
        }
    }

    /// With what it was stopped, when that is back and this one is missed.
    pub(super) fn left_behind(&self, cx: &Context<'_>) -> Option<&StoppedWith> {
        let (intent, _) = self.target_down()?;
        let known = self.memory.stopped_with.as_ref()?;
        let is_this = intent == Intent::DependencyStop && known.run.as_ref() == self.target.run();
        if !is_this || self.service.policy.on_dependency_return == OnDependencyReturn::Ignore {
            return None;
        }
        // Once reported, it is so until it runs or an operator stops it.
        let open = self.memory.incident.as_ref();
        if open.is_some_and(|incident| matches!(incident.cause, Cause::StoppedWith { .. })) {
            return Some(known);
        }
        let is_back = self.missed_at(cx).is_some_and(|at| at <= cx.now);
        // Whoever upgrades the one may be about to start the other.
        (is_back && !cx.host.packages_change).then_some(known)
    }

    /// When what it was stopped with has been back for long enough.
    pub(super) fn missed_at(&self, cx: &Context<'_>) -> Option<Time> {
        let known = self.memory.stopped_with.as_ref()?;
        let other = cx.companions.iter().find(|other| other.name == known.name)?;
        Some(other.healthy? + SETTLED_WITHIN)
    }
}
