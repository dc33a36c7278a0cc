//! What only root can see: polkit's rule, and as whom the agent runs.

use std::collections::BTreeSet;
use std::path::Path;

use sentinel_systemd::{BusAddress, UnitAccount, unit_account};
use sentinel_text::chain;

use super::account::Account;
use super::error::{AccountError, FactError};
use super::facts::RuleFacts;
use super::within;
use crate::polkit::{self, RULE_FILE, Rule, USER};

/// The agent's unit, as its package names it.
const UNIT: &str = "sentinel.service";

/// Whoever is in it may read the journal (`systemd-journald.service(8)`); the package's unit has it.
const JOURNAL_GROUP: &str = "systemd-journal";

/// What root saw.
#[derive(Debug)]
pub struct RootFacts {
    /// Whom to become; `None` when the agent runs as root. The error says why that is not known.
    pub account: Result<Option<Account>, AccountError>,
    /// polkit's rule.
    pub rule: RuleFacts,
}

/// Looks at what only root can see.
pub async fn look(config: &Path) -> RootFacts {
    RootFacts {
        account: account().await,
        rule: rule(config)
            .await
            .unwrap_or_else(|error| RuleFacts::Unknown(chain(&error))),
    }
}

/// By the agent's unit. Where there is none, the user of the package; where systemd cannot be asked, with the groups that the
/// package's unit gives him.
async fn account() -> Result<Option<Account>, AccountError> {
    let unit = within(unit_account(&BusAddress::System, UNIT)).await;
    let supplementary = match &unit {
        Ok(_) => Vec::new(),
        Err(_) => vec![JOURNAL_GROUP.to_owned()],
    };
    let unit = unit.ok().flatten().unwrap_or_else(|| UnitAccount {
        user: USER.to_owned(),
        supplementary,
        ..UnitAccount::default()
    });
    Account::of(&unit)
}

/// The user of the agent's unit; `None` when that is root, or not known.
pub async fn unit_user() -> Option<Account> {
    let unit = within(unit_account(&BusAddress::System, UNIT)).await.ok().flatten()?;
    Account::of(&unit).ok().flatten()
}

async fn rule(config: &Path) -> Result<RuleFacts, FactError> {
    for path in sentinel_config::sources(config) {
        polkit::check_trust(&path)?;
    }
    let loaded = polkit::configuration(config, []).await?;
    let wanted = within(polkit::wanted(&loaded.settings)).await?;
    let current = polkit::current(Path::new(RULE_FILE))?;
    Ok(compare(&wanted, current.as_deref()))
}

fn compare(wanted: &Rule, current: Option<&str>) -> RuleFacts {
    let Some(current) = current else {
        return RuleFacts::Missing;
    };
    if current == wanted.to_string() {
        return RuleFacts::Same;
    }
    let Some(granted) = Rule::names_in(current) else {
        return RuleFacts::Foreign;
    };
    let without = |some: &BTreeSet<String>, others: &BTreeSet<String>| some.difference(others).cloned().collect();
    let wanted = wanted.names();
    RuleFacts::Differs {
        lacks: without(&wanted, &granted),
        exceeds: without(&granted, &wanted),
    }
}
