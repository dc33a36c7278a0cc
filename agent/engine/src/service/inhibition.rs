//! Why nothing more should be said of a service now, although it is down. What asks is alerting: receivers were
//! notified once, and are reported again only when this allows it.

use super::Machine;
use crate::alerting::Reason;
use crate::ids::RunId;
use crate::memory::Incident;
use crate::policy::Severity;
use crate::state::State;

impl Machine {
    /// The first reason not to speak of it, if there is one.
    pub(crate) fn inhibition(&self, going_down: bool) -> Option<Reason> {
        if self.in_maintenance() {
            Some(Reason::Maintenance)
        } else if going_down || self.standing.state == State::Shutdown {
            Some(Reason::HostGoesDown)
        } else if self.is_unseen() {
            Some(Reason::Unseen)
        } else if !self.spoken_for {
            None
        } else if self.standing.state == State::Suppressed {
            Some(Reason::Dependency)
        } else {
            Some(Reason::HostWide)
        }
    }

    /// The runs that a failure may be about: the one that the open incident is about, and the one that was seen last.
    pub(crate) fn run_ids(&self) -> (Option<&RunId>, Option<&RunId>) {
        let incident = self.memory.incident.as_ref();
        (incident.and_then(|incident| incident.run.as_ref()), self.target.run())
    }

    /// The open incident, and how bad it is as long as the agent has not given up.
    pub(crate) fn incident_now(&self) -> Option<(&Incident, Severity)> {
        let severity = if self.memory.gave_up {
            Severity::Critical
        } else {
            self.severity()
        };
        self.memory.incident.as_ref().map(|incident| (incident, severity))
    }
}
