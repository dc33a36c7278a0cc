//! What the agent knows of the scenario's services: the documented defaults, or a configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_config::{GROUP_WAIT, REPEAT_INTERVAL, Settings};
use sentinel_engine::alerting::Rules;
use sentinel_engine::{HostPolicy, Labels, Policy, Service, ServiceName};

use super::order;
use super::scenario::{Scenario, ServiceModel};

/// A probe's deadline, unless the interval is shorter.
const PROBE_LIMIT: Duration = Duration::from_secs(3);

/// The policy that a simulation runs under. The default is the documented one, with one receiver that gets everything.
#[derive(Clone, Debug)]
pub struct Policies {
    host: HostPolicy,
    rules: Rules,
    defaults: Policy,
    services: BTreeMap<ServiceName, Service>,
}

/// The configuration's `after` and the scenario's together go in a circle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` comes after itself, by the configuration and the scenario together")]
pub struct CircleError(ServiceName);

/// The one receiver that there is without a configuration.
pub(super) const STAND_IN: &str = "(receiver)";

impl Default for Policies {
    fn default() -> Self {
        Self {
            host: HostPolicy::default(),
            rules: Rules {
                receivers: [STAND_IN.to_owned()].into(),
                default: vec![STAND_IN.to_owned()],
                group_wait: GROUP_WAIT,
                repeat_interval: Some(REPEAT_INTERVAL),
                ..Rules::nobody()
            },
            defaults: Policy::default(),
            services: BTreeMap::new(),
        }
    }
}

impl From<&Settings> for Policies {
    fn from(settings: &Settings) -> Self {
        let services = settings.services.iter().map(|service| &service.service);
        Self {
            host: settings.recovery.clone(),
            rules: settings.alerts.rules.clone(),
            defaults: settings.defaults.clone(),
            services: services
                .map(|service| (service.name.clone(), service.clone()))
                .collect(),
        }
    }
}

impl Policies {
    /// The limits over all services.
    pub(super) fn host(&self) -> &HostPolicy {
        &self.host
    }

    /// Who is notified of what.
    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The policy of a service.
    pub(super) fn policy(&self, name: &ServiceName) -> &Policy {
        self.services
            .get(name)
            .map_or(&self.defaults, |service| &service.policy)
    }

    /// The scenario's services as the agent knows them. What the configuration says of a service wins over what the
    /// scenario says, whose other services have the policy of `[defaults]`.
    pub(super) fn services(&self, scenario: &Scenario) -> Result<Vec<Service>, CircleError> {
        let services: Vec<Service> = scenario
            .services
            .iter()
            .map(|(name, model)| self.service(name, model, scenario))
            .collect();
        let edges = services.iter().map(|service| (&service.name, service.after.as_slice()));
        match order::circle(edges) {
            Some(name) => Err(CircleError(name)),
            None => Ok(services),
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

/// How long a probe of this service waits for an answer.
pub(super) fn probe_limit(service: &Service) -> Duration {
    PROBE_LIMIT.min(service.policy.interval)
}
