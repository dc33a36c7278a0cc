//! Flapping: a service that goes down over and over is reported once, not each time.
//!
//! One message going in, silence until the service is stable, one message going out. Nagios weighs state changes of its last 21 checks for the same end;
//! counting incidents is as good here, because `fall` and `rise` have smoothed single probes already, and it can be
//! said in a sentence. Recovery goes on meanwhile: flapping is about messages only.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::ids::IncidentId;
use crate::time::Time;

/// So many incidents within [`WINDOW`] are flapping.
pub(crate) const INCIDENTS: usize = 6;

/// The sliding window of [`INCIDENTS`].
pub(crate) const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Flapping is over when the service has been up, or down, or stopped, for so long without a change.
pub(crate) const STABLE: Duration = Duration::from_secs(10 * 60);

/// Counts the incidents of one service. Kept in the store: a restart of the agent must not start a flood of messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flapping {
    /// When incidents opened within the window, oldest first; at most [`INCIDENTS`].
    opened: Vec<Time>,
    /// Set while it flaps.
    bout: Option<Bout>,
}

/// From the message that a service flaps to the one that it no longer does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bout {
    /// When the first of its incidents opened.
    pub(crate) since: Time,
    /// Incidents so far.
    pub(crate) incidents: u32,
    /// The incident in whose conversation it was reported; its end is reported there as well.
    pub(crate) incident: IncidentId,
    /// When that incident opened.
    pub(crate) opened_at: Time,
    /// Why that incident opened.
    pub(crate) cause: Cause,
    /// Attempts made in that incident.
    pub(crate) attempts: u32,
    /// Messages of that incident when it closed.
    pub(crate) messages: u32,
}

impl Flapping {
    /// An incident opened at `now`. Answers when the first of them opened, and how many, when they have just become
    /// too many; [`Flapping::begin`] is to follow then.
    pub(crate) fn record(&mut self, now: Time) -> Option<(Time, u32)> {
        self.opened.retain(|at| now.since(*at) < WINDOW);
        self.opened.push(now);
        let surplus = self.opened.len().saturating_sub(INCIDENTS);
        self.opened.drain(..surplus);
        if let Some(bout) = &mut self.bout {
            bout.incidents = bout.incidents.saturating_add(1);
            return None;
        }
        let first = *self.opened.first()?;
        let count = u32::try_from(self.opened.len()).unwrap_or(u32::MAX);
        (self.opened.len() >= INCIDENTS).then_some((first, count))
    }

    /// It flaps from now on.
    pub(crate) fn begin(&mut self, bout: Bout) {
        self.bout = Some(bout);
    }

    /// Ends the bout. Counting begins again: what was told is not reported again for the same incidents.
    pub(crate) fn end(&mut self) -> Option<Bout> {
        let bout = self.bout.take()?;
        self.opened.clear();
        Some(bout)
    }

    /// The bout that is under way.
    pub(crate) fn bout(&self) -> Option<&Bout> {
        self.bout.as_ref()
    }

    /// The same, if it was reported in the conversation of `incident`.
    pub(crate) fn bout_of(&mut self, incident: IncidentId) -> Option<&mut Bout> {
        self.bout.as_mut().filter(|bout| bout.incident == incident)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Time {
        Time::from_epoch(Duration::from_secs(minutes * 60))
    }

    /// Incidents at these minutes; answers with which of them flapping began.
    fn began(minutes: &[u64]) -> Option<usize> {
        let mut flapping = Flapping::default();
        minutes.iter().position(|minute| flapping.record(at(*minute)).is_some())
    }

    #[test]
    fn six_incidents_within_a_quarter_of_an_hour_are_flapping() {
        // minutes, the incident with which it began
        for (minutes, expected) in [
            (&[0, 1, 2, 3, 4][..], None),
            (&[0, 1, 2, 3, 4, 14], Some(5)),
            (&[0, 1, 2, 3, 4, 15], None),
            (&[0, 3, 6, 9, 12, 15, 18, 21, 24], None),
            (&[0, 3, 6, 9, 12, 14], Some(5)),
            (&[0, 10, 12, 14, 16, 18, 20], Some(6)),
        ] {
            assert_eq!(began(minutes), expected, "{minutes:?}");
        }
    }
}
