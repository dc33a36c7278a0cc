//! The services that systemd runs on this host, for an agent that observes whatever there is.
//!
//! Looked at every now and then, as what was installed lately can wait: what has failed meanwhile is still failed then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sentinel_config::discovery::{DiscoveryFeed, PreexistingFailure, Source, SourceSnapshot};
use sentinel_config::{DiscoveredKey, DiscoveredService, Origin, OriginKind, Place, Rejected, service_name};
use sentinel_text::chain;
use zbus::Connection;

use super::error::BusError;
use super::inventory::{SERVICES_MAX, describe, manager};
use super::is_booted;
use super::peers::listed;
use super::watcher::BusAddress;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// States of what runs, is about to, or has failed. What was stopped is not there.
const STATES: [&str; 5] = ["active", "activating", "reloading", "deactivating", "failed"];

/// Puts the services that run on `feed`, until dropped. Those of `continuing` had an incident before the agent was
/// started, which goes on.
pub async fn discover_units(feed: DiscoveryFeed, continuing: BTreeSet<String>) {
    let mut units = Units::new(continuing);
    let mut connection = None;
    loop {
        match look(&mut connection, &mut units).await {
            Ok(seen) => feed.publish(Source::HostUnits, seen),
            Err(error) => {
                connection = None;
                if is_booted() {
                    // What was seen last stays.
                    feed.cannot_see(Source::HostUnits, &chain(&error));
                } else {
                    // There are none here: that is something seen.
                    feed.publish(Source::HostUnits, SourceSnapshot::default());
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks once, for whoever only wants to know.
pub async fn discover_units_once() -> Result<SourceSnapshot, BusError> {
    look(&mut None, &mut Units::new(BTreeSet::new())).await
}

async fn look(connection: &mut Option<Connection>, units: &mut Units) -> Result<SourceSnapshot, BusError> {
    let connection = match connection {
        Some(connection) => connection.clone(),
        None => connection.insert(BusAddress::System.connect().await?).clone(),
    };
    let body = (&STATES[..], &["*.service"][..]);
    let answer = manager(&connection, "ListUnitsByPatterns", &body).await?;
    let mut rows: Vec<(String, bool)> = listed(&answer)
        .ok_or(BusError::Unexpected(None))?
        .into_iter()
        .map(|row| (row.id, row.active_state == "failed"))
        .collect();
    rows.sort_unstable();
    let omitted = rows.len().saturating_sub(SERVICES_MAX);
    rows.truncate(SERVICES_MAX);
    for (name, _) in &rows {
        if !units.known.contains_key(name) {
            let unit = describe(&connection, name.clone()).await?;
            let is_worth_watching = unit.is_worth_watching();
            let known = Known {
                is_worth_watching,
                run: unit.run,
            };
            units.known.insert(name.clone(), known);
        }
    }
    Ok(units.take(&rows, omitted))
}

/// What systemd said of a unit when it was asked, which is once.
struct Known {
    is_worth_watching: bool,
    /// The run it was in, or had been.
    run: String,
}

/// What is known of units between looks. Pure.
struct Units {
    known: BTreeMap<String, Known>,
    /// Failed before the agent looked, and have not run since.
    withheld: BTreeSet<String>,
    preexisting: Vec<PreexistingFailure>,
    continuing: BTreeSet<String>,
    looked: bool,
}

impl Units {
    fn new(continuing: BTreeSet<String>) -> Self {
        Self {
            known: BTreeMap::new(),
            withheld: BTreeSet::new(),
            preexisting: Vec::new(),
            continuing,
            looked: false,
        }
    }

    /// Takes in what is there now: names, and whether they have failed.
    fn take(&mut self, rows: &[(String, bool)], omitted: usize) -> SourceSnapshot {
        self.known
            .retain(|name, _| rows.binary_search_by(|(row, _)| row.cmp(name)).is_ok());
        let is_worth = |name: &String| self.known.get(name).is_some_and(|known| known.is_worth_watching);
        let present = rows.iter().filter(|(name, _)| is_worth(name));
        let present: Vec<&(String, bool)> = present.collect();
        if !std::mem::replace(&mut self.looked, true) {
            for (name, _) in present.iter().filter(|(_, failed)| *failed) {
                if !self.continuing.contains(&service_of(name)) {
                    self.withheld.insert(name.clone());
                    self.preexisting.push(PreexistingFailure {
                        what: name.clone(),
                        which: self.known.get(name).map(|known| known.run.clone()).unwrap_or_default(),
                    });
                }
            }
        }
        self.withheld
            .retain(|name| present.iter().any(|(present, failed)| present == name && *failed));
        let watched = present.iter().filter(|(name, _)| !self.withheld.contains(name));
        let mut rejected = Vec::new();
        if omitted > 0 {
            let message = format!("{omitted} more services run here than the {SERVICES_MAX} that are looked at");
            rejected.push(Rejected::new("", OriginKind::Host, Place::named("systemd"), message));
        }
        SourceSnapshot {
            services: watched.map(|(name, _)| found(name)).collect(),
            rejected,
            preexisting: self.preexisting.clone(),
        }
    }
}

fn service_of(unit: &str) -> String {
    service_name(unit.trim_end_matches(".service"))
}

fn found(unit: &str) -> DiscoveredService {
    let place = Place::named(unit);
    DiscoveredService {
        name: service_of(unit),
        origin: Origin {
            kind: OriginKind::Host,
            place: unit.to_owned(),
        },
        keys: [("unit", unit)]
            .into_iter()
            .chain(DiscoveredService::OBSERVED)
            .map(|(key, text)| DiscoveredKey::new(key, text, place.clone()))
            .collect(),
        aliases: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(seen: &SourceSnapshot) -> Vec<&str> {
        seen.services.iter().map(|found| found.name.as_str()).collect()
    }

    #[test]
    fn what_preexisting_is_reported_once_and_watched_when_it_runs_again() {
        let mut units = Units::new(BTreeSet::from(["known".to_owned()]));
        let rows = |list: &[(&str, bool)]| -> Vec<(String, bool)> {
            list.iter()
                .map(|(name, failed)| ((*name).to_owned(), *failed))
                .collect()
        };
        let known = |is_worth_watching, run: &str| Known {
            is_worth_watching,
            run: run.to_owned(),
        };
        for name in ["a.service", "known.service", "old.service", "web@1.service"] {
            units.known.insert(name.to_owned(), known(true, name));
        }
        units.known.insert("job.service".to_owned(), known(false, ""));
        let all = rows(&[
            ("a.service", false),
            ("job.service", true),
            ("known.service", true),
            ("old.service", true),
            ("web@1.service", false),
        ]);
        let seen = units.take(&all, 0);
        assert_eq!(names(&seen), ["a", "known", "web-1"]);
        assert_eq!(seen.preexisting.len(), 1);
        assert_eq!(seen.preexisting[0].to_string(), "old.service old.service");
        // One that fails later is watched on; one that was stopped is not there.
        let seen = units.take(&rows(&[("a.service", true), ("old.service", true)]), 0);
        assert_eq!(names(&seen), ["a"]);
        units.known.insert("old.service".to_owned(), known(true, "again"));
        let seen = units.take(&rows(&[("a.service", true), ("old.service", false)]), 2);
        assert_eq!(names(&seen), ["a", "old"]);
        assert_eq!(seen.rejected.len(), 1);
    }
}
