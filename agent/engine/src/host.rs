//! What all services share: the host's condition, its limits, and the numbers handed out.

use crate::ids::{ActionId, IncidentId, ProbeRound};

/// Limits over all services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPolicy {
    /// Recovery actions being carried out at the same time. Default 1: restarts compete for the same disk and CPU,
    /// and a mistake shows before it is repeated.
    pub max_in_flight: usize,
}

impl Default for HostPolicy {
    fn default() -> Self {
        Self { max_in_flight: 1 }
    }
}

/// The host as every service's machine sees it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) policy: HostPolicy,
    pub(crate) going_down: bool,
    pub(crate) store_writable: bool,
    pub(crate) in_flight: usize,
    pub(crate) next_incident: IncidentId,
    pub(crate) next_action: ActionId,
    /// Over all services and their lives, so that an answer to one that was replaced is never taken for another's.
    pub(crate) next_round: ProbeRound,
}

impl Host {
    pub(crate) fn new_incident(&mut self) -> IncidentId {
        let id = self.next_incident;
        self.next_incident = IncidentId(id.0 + 1);
        id
    }

    pub(crate) fn new_action(&mut self) -> ActionId {
        let id = self.next_action;
        self.next_action = ActionId(id.0 + 1);
        id
    }

    pub(crate) fn new_round(&mut self) -> ProbeRound {
        let round = self.next_round;
        self.next_round = ProbeRound(round.0 + 1);
        round
    }

    pub(crate) fn slot_free(&self) -> bool {
        self.in_flight < self.policy.max_in_flight
    }
}
