//! What the agent knows of the scripted services: the documented defaults, or a configuration.

use sentinel_config::{GROUP_WAIT, REPEAT_INTERVAL, Settings};
use sentinel_engine::alerting::Rules;
use sentinel_engine::{HostPolicy, Policy};
use sentinel_simulation::{Policies, everything_to};

/// The one receiver that there is without a configuration.
pub(super) const STAND_IN: &str = "(receiver)";

/// The documented defaults, with one receiver that gets everything.
pub fn defaults() -> Policies {
    Policies {
        host: HostPolicy::default(),
        rules: Rules {
            group_wait: GROUP_WAIT,
            repeat_interval: Some(REPEAT_INTERVAL),
            ..everything_to(STAND_IN)
        },
        defaults: Policy::default(),
        services: [].into(),
    }
}

/// What a configuration says.
pub fn policies(settings: &Settings) -> Policies {
    let services = settings.services.iter().map(|service| &service.service);
    Policies {
        host: settings.recovery.clone(),
        rules: settings.alerts.rules.clone(),
        defaults: settings.defaults.clone(),
        services: services
            .map(|service| (service.name.clone(), service.clone()))
            .collect(),
    }
}
