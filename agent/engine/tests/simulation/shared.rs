//! What was reported to the agent of the host as a whole, and what it did to it: boots, actions, outages and storms.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sentinel_engine::{ActionId, HostPolicy, ServiceName, Time};

use super::kept::Copied;

/// What must survive the agent.
#[derive(Clone, Debug, Default)]
pub struct SharedKept {
    /// Own attempts, without those that were called off.
    pub actions: Vec<(Time, ActionId)>,
    /// Who went down lately, and certainly by itself.
    certain: BTreeMap<ServiceName, Time>,
    /// Who went down lately, whatever explains it.
    any: BTreeMap<ServiceName, Time>,
    /// Until when a storm certainly forbids to act.
    storm_until: Option<Time>,
    /// Until when a storm, or another wave of one, may forbid to act.
    stormy_until: Option<Time>,
    /// Until when what went down might be part of a storm already.
    perhaps_until: Option<Time>,
}

/// The host as the agent must know it.
#[derive(Clone, Debug)]
pub struct Shared {
    pub policy: HostPolicy,
    /// The limits that were in force, and since when.
    policies: Vec<(Time, HostPolicy)>,
    pub booted_at: Time,
    /// Own attempts that were decided on since the host's memory was last to be saved.
    pub unsaved: BTreeSet<ActionId>,
    pub keep: Copied<SharedKept>,
    /// `keep` as it is on disk.
    pub kept: Copied<SharedKept>,
}

impl Shared {
    pub fn new(policy: HostPolicy) -> Self {
        Self {
            policies: vec![(Time::ZERO, policy.clone())],
            policy,
            booted_at: Time::ZERO,
            unsaved: BTreeSet::new(),
            keep: Copied::default(),
            kept: Copied::default(),
        }
    }

    /// Other limits are in force from now on.
    pub fn limit(&mut self, now: Time, policy: &HostPolicy) {
        if self.policy != *policy {
            self.policy = policy.clone();
            self.policies.push((now, policy.clone()));
        }
    }

    /// The most own attempts that may lie between `from` and `now`, both included: what the bucket holds, and what
    /// flows into it meanwhile. Of limits that changed in between, the most generous ones count.
    pub fn allowance(&self, from: Time, now: Time) -> usize {
        let last_before = self.policies.iter().rposition(|(since, _)| *since <= from);
        let in_force = || {
            self.policies[last_before.unwrap_or(0)..]
                .iter()
                .map(|(_, policy)| policy)
        };
        let tokens = in_force().map(|policy| policy.tokens).max().unwrap_or(0);
        let refill = in_force().map(|policy| policy.refill).min().unwrap_or(Duration::MAX);
        // Stored moments are whole microseconds.
        let flown = (now.since(from) + Duration::from_micros(1)).as_nanos() / refill.as_nanos().max(1);
        (tokens as usize).saturating_add(usize::try_from(flown).unwrap_or(usize::MAX))
    }

    /// An own attempt was decided on.
    pub fn acted(&mut self, now: Time, action: ActionId) {
        self.keep.actions.push((now, action));
        self.unsaved.insert(action);
    }

    /// It is certain that nothing was done.
    pub fn called_off(&mut self, action: ActionId) {
        self.keep.actions.retain(|(_, made)| *made != action);
    }

    /// An incident was opened; `explained` says whether something it depends on is down.
    pub fn went_down(&mut self, service: &ServiceName, explained: bool, now: Time) {
        let (window, hold) = (self.policy.storm_window, self.policy.storm_hold);
        let storms = self.storms(now);
        let keep = &mut *self.keep;
        keep.any.retain(|_, at| now.since(*at) < window);
        keep.any.insert(service.clone(), now);
        let many = keep.any.len() >= self.policy.storm_services;
        if many {
            keep.stormy_until = Some(now + hold);
        }
        if storms {
            // It is part of this storm, which it does not make longer.
            return;
        }
        let perhaps = keep.perhaps_until.is_some_and(|until| until > now);
        if !explained && !perhaps {
            keep.certain.retain(|_, at| now.since(*at) < window);
            keep.certain.insert(service.clone(), now);
        }
        if many {
            // Where it is not certain that a storm has begun already, it may begin with any of them. It is part of that,
            // if there is one; and then the next one needs as many again.
            keep.perhaps_until = Some(now + hold);
            if !explained && !perhaps && keep.certain.len() >= self.policy.storm_services {
                keep.storm_until = Some(now + hold);
            }
            keep.certain.clear();
        }
    }

    /// Receivers were notified of a storm, and for how long nothing will be restarted: that is a promise.
    pub fn storm_began(&mut self, now: Time) {
        let until = Some(now + self.policy.storm_hold);
        (self.keep.storm_until, self.keep.perhaps_until) = (until, until);
        self.keep.certain.clear();
    }

    /// All of those that went down in it are well again, or no longer there.
    pub fn storm_ended(&mut self) {
        self.keep.storm_until = None;
    }

    /// Whether so much went down that this may be a storm.
    pub fn may_storm(&self, now: Time) -> bool {
        let lately = self.keep.any.values();
        lately.filter(|at| now.since(**at) < self.policy.storm_window).count() >= self.policy.storm_services
    }

    /// Whether nothing that is counted for the host as a whole stands in the way: no boot, no storm, and a token is there.
    pub fn is_free(&self, now: Time) -> bool {
        let booted = now.since(self.booted_at) >= self.policy.boot_grace;
        let calm = self.keep.stormy_until.is_none_or(|until| until <= now);
        let tokens = self.policy.tokens as usize;
        if !booted || !calm || self.keep.actions.len() < tokens {
            return booted && calm;
        }
        // Whatever was taken before has certainly been refilled.
        let lately = self.policy.refill.saturating_mul(self.policy.tokens.saturating_add(1));
        let taken = self
            .keep
            .actions
            .iter()
            .rev()
            .take_while(|(at, _)| now.since(*at) < lately);
        taken.count() < tokens
    }

    /// Whether a storm certainly forbids to act.
    pub fn storms(&self, now: Time) -> bool {
        // Stored moments are whole microseconds.
        let now = now + Duration::from_micros(1);
        self.keep.storm_until.is_some_and(|until| until > now)
    }

    /// The agent was killed: what was not recorded is lost.
    pub fn agent_died(&mut self) {
        self.unsaved.clear();
        self.keep.follow(&self.kept);
    }
}
