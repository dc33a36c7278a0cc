//! A machine as the engine and its users see it.

use super::Machine;
use super::context::DependencyDown;
use crate::cause::Cause;
use crate::ids::{ActionId, ServiceName};
use crate::snapshot::ServiceSnapshot;
use crate::state::{Hold, State};
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

    /// What it depends on.
    pub(crate) fn after(&self) -> &[ServiceName] {
        &self.service.after
    }

    /// Whether services after this one should wait for it, as of the last evaluation.
    pub(crate) fn blocks_dependents(&self) -> bool {
        self.blocks_dependents
    }

    /// This service as those after it see it, when it is down.
    pub(crate) fn as_dependency(&self) -> Option<DependencyDown> {
        self.blocks_dependents().then(|| DependencyDown {
            name: self.service.name.clone(),
            failed: self.memory.incident.is_some(),
            stopped: self.state == State::Stopped,
        })
    }

    /// Whether it waits only for a free slot.
    pub(crate) fn waits_for_slot(&self) -> bool {
        self.hold == Some(Hold::InFlight)
    }

    /// The action that holds one of the host's slots.
    pub(crate) fn in_flight(&self) -> Option<ActionId> {
        self.in_flight.map(|(action, _)| action)
    }

    /// The service as it stands.
    pub(crate) fn snapshot(&self, now: Time) -> ServiceSnapshot {
        let policy = &self.service.policy;
        ServiceSnapshot {
            name: self.service.name.clone(),
            state: self.state,
            since: self.since,
            mode: policy.mode,
            hold: self.hold.clone(),
            waiting: self.timers.waiting(now),
            maintenance: self.maintenance(),
            target: self.describe_target(),
            last_probe: self.last_probe.clone(),
            incident: self.memory.incident.as_ref().map(|incident| incident.id),
            attempts_left: if self.memory.gave_up {
                0
            } else {
                self.memory.budget.left(policy.burst, policy.window, now)
            },
            recoveries: self.memory.recoveries,
        }
    }
}
