//! A machine as the engine and its users see it.

use super::Machine;
use crate::cause::Cause;
use crate::flapping;
use crate::ids::{ActionId, ServiceName};
use crate::labels::Labels;
use crate::snapshot::{FlappingSnapshot, ServiceSnapshot};
use crate::state::Hold;
use crate::time::Time;

impl Machine {
    /// When this service next needs [`Machine::evaluate`] without an event.
    pub(crate) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Why it is down, while an incident is open.
    pub(crate) fn incident_cause(&self) -> Option<&Cause> {
        self.memory.incident.as_ref().map(|incident| &incident.cause)
    }

    /// Its labels.
    pub(crate) fn labels(&self) -> Labels {
        self.service.labels.clone()
    }

    /// What it depends on.
    pub(crate) fn after(&self) -> &[ServiceName] {
        &self.service.after
    }

    /// Whether it waits only for a free slot.
    pub(crate) fn waits_for_slot(&self) -> bool {
        self.standing.hold == Some(Hold::InFlight)
    }

    /// The action under way.
    pub(crate) fn in_flight(&self) -> Option<ActionId> {
        self.actions.in_flight.as_ref().map(|flight| flight.action)
    }

    /// The service as it stands.
    pub(crate) fn snapshot(&self, now: Time) -> ServiceSnapshot {
        let policy = &self.service.policy;
        ServiceSnapshot {
            name: self.service.name.clone(),
            state: self.standing.state,
            since: self.standing.since,
            mode: policy.mode,
            hold: self.standing.hold.clone(),
            waiting: self.timers.waiting(now),
            maintenance: self.maintenance(),
            target: self.describe_target(),
            last_probe: self.probes.last.clone(),
            unprobed: self.unprobed(now),
            incident: self.memory.incident.as_ref().map(|incident| incident.id),
            incident_since: self.memory.incident.as_ref().map(|incident| incident.opened_at),
            attempts: self.memory.incident.as_ref().map_or(0, |incident| incident.attempts),
            attempts_left: if self.memory.gave_up {
                0
            } else {
                self.memory.budget.left(self.burst(), policy.window, now)
            },
            recoveries: self.memory.recoveries,
            observed: (self.memory.observed.would_restart, self.memory.observed.right),
            flapping: self.memory.flapping.bout().map(|bout| FlappingSnapshot {
                since: bout.since,
                incidents: bout.incidents,
                stable: flapping::STABLE,
            }),
        }
    }
}
