//! What all services share: the host's condition, its limits, and the numbers handed out.

mod bucket;
mod storm;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{ActionId, IncidentId, ProbeRound, ServiceName};
use crate::time::Time;

use bucket::Bucket;
use storm::Outages;
pub(crate) use storm::{Storm, Victim, common_cause};

/// The name under which the host itself has incidents. No service can be called so.
pub const HOST: &str = "(host)";

/// Limits over all services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPolicy {
    /// Recovery actions that have been asked for and whose new run has not begun. Default 1: stops compete for the same
    /// disk and CPU, and a mistake shows before it is repeated. A start that takes long holds no other.
    pub max_in_flight: usize,
    /// Recovery actions that may follow one another at once. Default 3.
    pub tokens: u32,
    /// After that, one more each. Default 1 min.
    pub refill: Duration,
    /// So many services going down within `storm_window` are a storm. Default 3.
    pub storm_services: usize,
    /// See `storm_services`. Default 1 min.
    pub storm_window: Duration,
    /// How long a storm stops every action. Default 2 min: long enough for a host to come to rest, or for an operator.
    pub storm_hold: Duration,
    /// No action within this time of the host's boot, while everything starts anyway. Default 1 min.
    pub boot_grace: Duration,
}

impl Default for HostPolicy {
    fn default() -> Self {
        Self {
            max_in_flight: 1,
            tokens: 3,
            refill: Duration::from_secs(60),
            storm_services: 3,
            storm_window: Duration::from_secs(60),
            storm_hold: Duration::from_secs(120),
            boot_grace: Duration::from_secs(60),
        }
    }
}

/// What must outlive the agent of the host as a whole. Stored as JSON by the driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostMemory {
    bucket: Bucket,
    outages: Outages,
    storm: Option<Storm>,
}

/// The host as every service's machine sees it.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Host {
    pub(crate) policy: HostPolicy,
    pub(crate) going_down: bool,
    /// Whether packages are being installed, upgraded or removed.
    pub(crate) packages_change: bool,
    pub(crate) store_writable: bool,
    pub(crate) in_flight: usize,
    pub(crate) next_incident: IncidentId,
    pub(crate) next_action: ActionId,
    /// Over all services and their lives, so that an answer to one that was replaced is never taken for another's.
    next_round: ProbeRound,
    /// When the host booted, if that is known.
    pub(crate) booted_at: Option<Time>,
    memory: HostMemory,
    unsaved: bool,
    /// Services whose outages have just become a storm.
    collecting: BTreeSet<ServiceName>,
}

impl Host {
    pub(crate) fn new(policy: HostPolicy, next_incident: IncidentId, next_action: ActionId) -> Self {
        Self {
            policy,
            going_down: false,
            packages_change: false,
            store_writable: true,
            in_flight: 0,
            next_incident,
            next_action,
            next_round: ProbeRound(0),
            booted_at: None,
            memory: HostMemory::default(),
            unsaved: false,
            collecting: BTreeSet::new(),
        }
    }

    /// Goes on from what was last saved.
    pub(crate) fn restore(&mut self, memory: HostMemory) {
        self.memory = memory;
    }

    /// What is to be saved, if it changed.
    pub(crate) fn take_unsaved(&mut self) -> Option<HostMemory> {
        std::mem::take(&mut self.unsaved).then(|| self.memory.clone())
    }

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

    /// When the boot grace ends, if it has not.
    pub(crate) fn boot_grace_until(&self, now: Time) -> Option<Time> {
        let until = self.booted_at? + self.policy.boot_grace;
        Some(until).filter(|until| *until > now)
    }

    /// When the next token comes, if there is none.
    pub(crate) fn token_at(&mut self, now: Time) -> Option<Time> {
        self.memory.bucket.refill(self.policy.refill, now);
        self.memory.bucket.limit(self.policy.tokens);
        self.memory.bucket.wait(self.policy.tokens, self.policy.refill)
    }

    pub(crate) fn take_token(&mut self, now: Time) {
        self.memory.bucket.take(self.policy.refill, now);
        self.unsaved = true;
    }

    /// The token taken `at` that moment was not needed.
    pub(crate) fn put_token_back(&mut self, at: Time) {
        self.memory.bucket.put_back(at, self.policy.refill);
        self.unsaved = true;
    }

    /// A service went down for certain.
    pub(crate) fn record_outage(&mut self, service: &ServiceName, now: Time) {
        self.unsaved = true;
        if let Some(storm) = self.memory.storm.as_mut().filter(|storm| storm.until > now) {
            storm.join([service.clone()], now);
            return;
        }
        if !self.collecting.is_empty() {
            self.collecting.insert(service.clone());
            return;
        }
        let policy = &self.policy;
        let recorded = self
            .memory
            .outages
            .record(service, policy.storm_services, policy.storm_window, now);
        self.collecting = recorded.unwrap_or_default();
    }

    /// Until when a storm forbids to act.
    pub(crate) fn storm_until(&self, now: Time) -> Option<Time> {
        if !self.collecting.is_empty() {
            return Some(now + self.policy.storm_hold);
        }
        self.memory
            .storm
            .as_ref()
            .map(|storm| storm.until)
            .filter(|until| *until > now)
    }

    /// Whether the host's own incident speaks for `service`.
    pub(crate) fn storm_speaks_for(&self, service: &ServiceName) -> bool {
        self.collecting.contains(service)
            || self
                .memory
                .storm
                .as_ref()
                .is_some_and(|storm| storm.services.contains(service))
    }

    /// The services whose outages have just become a storm.
    pub(crate) fn take_collecting(&mut self) -> BTreeSet<ServiceName> {
        std::mem::take(&mut self.collecting)
    }

    pub(crate) fn storm(&self) -> Option<&Storm> {
        self.memory.storm.as_ref()
    }

    pub(crate) fn set_storm(&mut self, storm: Option<Storm>) {
        self.memory.storm = storm;
        self.unsaved = true;
    }
}
