//! What the files say of each service, as far as it decides about one that is found.

use std::collections::BTreeMap;

use super::inputs::{Inputs, ServiceInput};
use super::rules;

/// Of one service.
#[derive(Clone, Debug, Default)]
pub(super) struct Configured {
    pub(super) switched_off: bool,
    /// As `unit NAME`, `container NAME` or `compose PROJECT/SERVICE`.
    pub(super) target: Option<String>,
    pub(super) has_process: bool,
}

/// Of every service.
pub(super) fn configured(inputs: &Inputs) -> BTreeMap<String, Configured> {
    let of = |input: &ServiceInput| Configured {
        switched_off: input.enabled == Some(false),
        target: target_of(input),
        has_process: input.process.is_some(),
    };
    let services = inputs.services.iter();
    services.map(|(name, input)| (name.clone(), of(input))).collect()
}

/// Its target, as `unit NAME`, `container NAME` or `compose PROJECT/SERVICE`.
pub(super) fn target_of(input: &ServiceInput) -> Option<String> {
    let unit = input.unit.as_ref().and_then(|unit| rules::unit(unit).ok());
    let unit = unit.map(|unit| format!("unit {unit}"));
    let container = input.container.as_ref().map(|name| format!("container {name}"));
    let compose = input.compose.as_ref().map(|name| format!("compose {name}"));
    unit.or(container).or(compose)
}
