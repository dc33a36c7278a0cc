//! What those that come after a service are to wait for: the service itself, or what it waits for in turn.
//!
//! Roots first, dependents are watched but not restarted. Two holds are
//! bounded, because they rest on a guess: that of a root which is only suspected, and that of a root which is not needed
//! directly. Silence about dependents is bounded as well, by `SUPPRESSION_MAX` in `incident.rs`.

use std::time::Duration;

use super::Machine;
use super::context::{Context, DependencyDown};
use crate::probe::Verdict;
use crate::state::State;
use crate::time::Time;

/// What is needed only through something that itself runs holds nothing up for longer than this after it went down:
/// by then whatever lies between has failed as well, or does not need it.
const INDIRECT_MAX: Duration = Duration::from_secs(10 * 60);

/// What is only suspected holds nothing up for longer than twice the time in which it should have been decided, and this
/// at least. A probe takes up to its timeout, of which the engine knows nothing.
const SUSPECT_MIN: Duration = Duration::from_secs(60);

impl Machine {
    /// This service as those after it see it, when they have to wait.
    pub(super) fn blocks(&self, cx: &Context<'_>) -> Option<DependencyDown> {
        let name = &self.service.name;
        if self.is_away() {
            // One outage, whatever is tried meanwhile.
            let known = self
                .as_dependency
                .as_ref()
                .filter(|known| known.name == *name && !known.suspect);
            return Some(DependencyDown {
                name: name.clone(),
                failed: self.memory.incident.is_some(),
                stopped: self.standing.state == State::Stopped,
                suspect: false,
                since: known.map_or(cx.now, |known| known.since),
                until: None,
            });
        }
        if let Some(root) = cx.dependency.as_ref().filter(|root| !self.answers_since(root.since)) {
            let until = root.since + INDIRECT_MAX;
            return Some(DependencyDown {
                // Only what is needed directly can have taken a target along when it was stopped.
                stopped: false,
                until: Some(root.until.map_or(until, |root| root.min(until))),
                ..root.clone()
            });
        }
        let doubt = self.standing.state == State::Suspect;
        doubt.then(|| DependencyDown {
            name: name.clone(),
            failed: false,
            stopped: false,
            suspect: true,
            since: self.standing.since,
            until: Some(self.standing.since + SUSPECT_MIN.max(self.service.policy.detection() * 2)),
        })
    }

    /// Whether a probe has passed since `then`: it does not need what went down then.
    fn answers_since(&self, then: Time) -> bool {
        matches!(&self.probes.last, Some((at, outcome)) if *at > then && outcome.verdict == Verdict::Passed)
    }

    /// This service as those after it saw it last.
    pub(crate) fn as_dependency(&self) -> Option<&DependencyDown> {
        self.as_dependency.as_ref()
    }
}
