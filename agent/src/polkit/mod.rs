//! The polkit rule: what the agent's user may ask of systemd, made from the configuration by root.
//!
//! The agent runs as a user of its own, whom systemd obeys only as far as polkit says. So that whoever takes the agent
//! over gets nothing that the configuration does not grant anyway,
//!
//! * the rule names units and verbs one by one, and denies that user everything else ([`rule`]; pure);
//! * it is made by root alone, from files that root alone can write ([`trust`]), never from what the agent keeps in its
//!   own directories, says on its socket, or has in its environment;
//! * it is put in place whole or not at all ([`install`]), and polkit is asked whether it goes by it ([`in_force`]).
//!
//! The agent never writes it. What it may do it finds out by asking systemd ([`verify()`], `systemd::permission`).

mod in_force;
mod install;
mod rule;
mod trust;
mod verify;

pub use in_force::{NotInForce, await_in_force};
pub use install::{InstallError, RULE_FILE, current, replace};
pub use rule::{Rule, TRIGGER_VERBS, USER, VERBS};
pub use trust::{Untrusted, check as check_trust};
pub use verify::{not_renewed, verify};

use std::collections::BTreeSet;
use std::path::Path;

use sentinel_config::{ConfigErrors, Loaded, Secrets, Settings, Target};
use sentinel_engine::Mode;
use sentinel_systemd::{BusAddress, BusError, SectionError, canonical_names, is_booted, triggers_of, unit_sections};

/// What the rule is made from: the files of the configuration, laid over the sections of unit files, which count only when
/// root alone can write them too. Not containers' labels, whose services are no units, nor what is only observed. Secrets are
/// not read: what the agent may restart does not depend on them, and systemd shows a credential to the agent alone.
///
/// # Errors
///
/// When the configuration is wrong, or what unit files say cannot be found out: a rule made without it would take rights away.
pub async fn configuration(
    config: &Path,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigurationError> {
    let files = sentinel_config::read(config, env, Secrets::None)?;
    // Without systemd there are no unit files.
    if !files.alone.settings.agent.unit_files || !is_booted() {
        return Ok(files.alone);
    }
    let sections = unit_sections(&BusAddress::System).await;
    let sections = sections.map_err(ConfigurationError::Sections)?;
    Ok(files.over(&sections.services))
}

/// Why there is nothing to make a rule from.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The files are wrong.
    #[error(transparent)]
    Wrong(#[from] ConfigErrors),
    /// systemd does not say where unit files are.
    #[error("failed to look for `[X-Sentinel]` in unit files")]
    Sections(#[source] SectionError),
}

/// Why there is no rule for a configuration.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// systemd does not say which units the names stand for.
    #[error("failed to look up the names of the units")]
    Names(#[source] BusError),
    /// A name is an alias of a unit that is never restarted.
    #[error("`{unit}` stands for `{name}`, which must not be restarted by the agent: {reason}")]
    Protected {
        /// As the configuration has it.
        unit: String,
        /// systemd's own name for it.
        name: String,
        /// What a restart would break.
        reason: &'static str,
    },
    /// systemd does not say what triggers the units.
    #[error("failed to look up what triggers the units")]
    Triggers(#[source] BusError),
}

/// The units that the agent may have to restart, by the names that the configuration has for them.
///
/// Services that are only observed need no permission, and neither do containers and processes.
pub fn units(settings: &Settings) -> BTreeSet<String> {
    let healed = |service: &&sentinel_config::ServiceSettings| service.service.policy.mode == Mode::Heal;
    let unit = |service: &sentinel_config::ServiceSettings| match &service.target {
        Some(Target::Unit(unit)) => Some(unit.clone()),
        _ => None,
    };
    settings.services.iter().filter(healed).filter_map(unit).collect()
}

/// The rule that the configuration asks for, with what triggers its units: they are started when they have failed. polkit is asked about a unit by the name that systemd has for it, so that
/// aliases are looked up; where no systemd runs (an image that is being made) they are taken as they are.
pub async fn wanted(settings: &Settings) -> Result<Rule, RuleError> {
    let configured = units(settings);
    if configured.is_empty() || !is_booted() {
        return Ok(Rule::new(configured.into_iter().map(|unit| (unit.clone(), unit))));
    }
    let names = canonical_names(&BusAddress::System, &configured)
        .await
        .map_err(RuleError::Names)?;
    for (unit, name) in &names {
        if let Some(reason) = sentinel_config::protected(name) {
            let (unit, name) = (unit.clone(), name.clone());
            return Err(RuleError::Protected { unit, name, reason });
        }
    }
    let units = names.values().cloned().collect();
    let mut triggers = triggers_of(&BusAddress::System, &units)
        .await
        .map_err(RuleError::Triggers)?;
    triggers.retain(|name, _| sentinel_config::protected(name).is_none());
    Ok(Rule::new(names).with_triggers(triggers))
}
