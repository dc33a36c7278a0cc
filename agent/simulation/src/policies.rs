//! What the agent knows of the scenario's services.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use sentinel_engine::alerting::Rules;
use sentinel_engine::{HostPolicy, Labels, Policy, Service, ServiceName};

use crate::actor::Actor;
use crate::order;
use crate::scenario::{Scenario, ServiceModel};

/// The policy that a simulation runs under.
#[derive(Clone, Debug)]
pub struct Policies {
    /// The limits over all services.
    pub host: HostPolicy,
    /// Who is notified of what.
    pub rules: Rules,
    /// The policy of services that are not configured.
    pub defaults: Policy,
    /// What is configured.
    pub services: BTreeMap<ServiceName, Service>,
}

/// The configuration's `after` and the scenario's together go in a circle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircleError(ServiceName);

impl fmt::Display for CircleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name) = self;
        write!(
            f,
            "`{name}` comes after itself, by the configuration and the scenario together"
        )
    }
}

impl Error for CircleError {}

impl Policies {
    /// The policy of a service.
    pub(crate) fn policy(&self, name: &ServiceName) -> &Policy {
        self.services
            .get(name)
            .map_or(&self.defaults, |service| &service.policy)
    }

    /// The scenario's services, each as the agent knows it. What the configuration says of a service wins over what the
    /// scenario says, whose other services have the policy of `[defaults]`.
    pub(crate) fn actors(&self, scenario: &Scenario) -> Result<Vec<Actor>, CircleError> {
        let actors: Vec<Actor> = scenario
            .services
            .iter()
            .map(|(name, model)| Actor::of(self.service(name, model, scenario), model))
            .collect();
        let services = actors.iter().map(|actor| &actor.service);
        let edges = services.map(|service| (&service.name, service.after.as_slice()));
        match order::circle(edges) {
            Some(name) => Err(CircleError(name)),
            None => Ok(actors),
        }
    }

    fn service(&self, name: &ServiceName, model: &ServiceModel, scenario: &Scenario) -> Service {
        let Some(known) = self.services.get(name) else {
            return Service {
                name: name.clone(),
                has_target: model.has_target,
                has_probes: model.has_probes,
                after: model.after.clone(),
                labels: Labels::default(),
                policy: self.defaults.clone(),
            };
        };
        let mut service = known.clone();
        // What the scenario does not have would never be seen up.
        service.after.retain(|other| scenario.services.contains_key(other));
        service
    }
}
