//! Where those who look at the host put what they found, and where the configuration takes it from.
//!
//! A source says all that it sees, each time; [`Board`] tells the reloader when that is something else than before. Of a
//! source that cannot see, what it said last stays: missing sight is no news of services. It is shown all the same, as
//! [`Unseen`]: who sees nothing must not be taken for somebody with nothing to see.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::config::{Checked, DiscoveredService, HostWatch, Loaded, Rejected};

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Labels of containers.
    Labels,
    /// Sections of unit files.
    UnitFiles,
    /// Services that systemd runs.
    HostUnits,
    /// Containers that run.
    HostContainers,
}

impl Source {
    /// What is looked for there, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Labels => "labels of containers",
            Self::UnitFiles => "sections of unit files",
            Self::HostUnits => "systemd services",
            Self::HostContainers => "containers",
        }
    }
}

impl Source {
    /// Where a configuration has services looked for.
    pub fn wanted(configuration: &Checked) -> BTreeSet<Self> {
        let agent = &configuration.alone.settings.agent;
        let mut wanted = BTreeSet::new();
        if agent.labels {
            wanted.insert(Self::Labels);
        }
        if agent.unit_files {
            wanted.insert(Self::UnitFiles);
        }
        let observe = match agent.host {
            HostWatch::Auto => configuration.names_no_service(),
            HostWatch::Observe => true,
            HostWatch::Off => false,
        };
        if observe {
            wanted.extend([Self::HostUnits, Self::HostContainers]);
        }
        wanted
    }
}

/// What all sources have found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    by_source: BTreeMap<Source, Arc<Seen>>,
    /// Who is asked to look.
    asked: BTreeSet<Source>,
    /// Who cannot see now, and why.
    blocked: BTreeMap<Source, String>,
}

/// A source of which nothing is known now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// Which.
    pub source: Source,
    /// Why it cannot see; `None` when it has not looked yet.
    pub reason: Option<String>,
}

/// What one source has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The services. Of two that cannot both be, the first is taken.
    pub services: Vec<DiscoveredService>,
    /// What asks to be one, and cannot.
    pub rejected: Vec<Rejected>,
    /// What had failed before anybody looked: it is told once, and watched when it runs again.
    pub failed_before: Vec<FailedBefore>,
}

/// A failure that is older than the agent's first look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailedBefore {
    /// What failed, in words.
    pub what: String,
    /// Which of its failures: the run that failed, or when it ended. Empty where that is not known.
    pub which: String,
}

impl FailedBefore {
    /// What failed, from the text that tells a failure from every other one.
    pub fn what_of(text: &str) -> &str {
        text.rsplit_once(' ').map_or(text, |(what, _)| what)
    }
}

/// What tells it from every other failure.
impl fmt::Display for FailedBefore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.which)
    }
}

impl Discovered {
    /// Every service, of those sources that are `wanted`.
    pub fn services(&self, wanted: &BTreeSet<Source>) -> Vec<DiscoveredService> {
        let seen = self.by_source.iter().filter(|(source, _)| wanted.contains(source));
        seen.flat_map(|(_, seen)| seen.services.iter().cloned()).collect()
    }

    /// What the sources themselves rejected.
    pub fn rejected(&self, wanted: &BTreeSet<Source>) -> Vec<Rejected> {
        let seen = self.by_source.iter().filter(|(source, _)| wanted.contains(source));
        seen.flat_map(|(_, seen)| seen.rejected.iter().cloned()).collect()
    }

    /// The configuration over all that the sources found that it wants.
    pub fn beneath(&self, configuration: &Checked) -> Loaded {
        let wanted = Source::wanted(configuration);
        let mut loaded = configuration.over(&self.services(&wanted));
        loaded.rejected.extend(self.rejected(&wanted));
        loaded
    }

    /// Whether the same was asked for by `other`, as far as those who are `wanted` say.
    pub fn asks_the_same(&self, other: &Self, wanted: &BTreeSet<Source>) -> bool {
        self.services(wanted) == other.services(wanted) && self.rejected(wanted) == other.rejected(wanted)
    }

    /// What had failed before the agent looked for the first time.
    pub fn failed_before(&self) -> BTreeSet<FailedBefore> {
        let seen = self.by_source.values();
        seen.flat_map(|seen| seen.failed_before.iter().cloned()).collect()
    }

    /// Sources that are asked to look, and cannot or have not yet.
    pub fn unseen(&self) -> Vec<Unseen> {
        let unseen = |source: &Source| {
            let reason = self.blocked.get(source).cloned();
            let is_unseen = reason.is_some() || !self.by_source.contains_key(source);
            is_unseen.then_some(Unseen {
                source: *source,
                reason,
            })
        };
        self.asked.iter().filter_map(unseen).collect()
    }

    /// Whether every source that is `wanted` has looked at least once.
    pub fn is_complete(&self, wanted: &BTreeSet<Source>) -> bool {
        wanted.iter().all(|source| self.by_source.contains_key(source))
    }
}

impl FromIterator<(Source, Seen)> for Discovered {
    fn from_iter<T: IntoIterator<Item = (Source, Seen)>>(seen: T) -> Self {
        let by_source = seen.into_iter().map(|(source, seen)| (source, Arc::new(seen)));
        Self {
            by_source: by_source.collect(),
            ..Self::default()
        }
    }
}

/// Where sources put what they found. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Board(watch::Sender<Discovered>);

impl Board {
    /// Says all that the source `source` sees now. Whoever listens is woken when that is new.
    pub fn publish(&self, source: Source, seen: Seen) {
        self.0.send_if_modified(|all| {
            all.blocked.remove(&source);
            let is_new = all.by_source.get(&source).is_none_or(|before| **before != seen);
            if is_new {
                all.by_source.insert(source, Arc::new(seen));
            }
            is_new
        });
    }

    /// Says who is asked to look.
    pub fn ask(&self, asked: &BTreeSet<Source>) {
        self.0.send_if_modified(|all| {
            all.asked.clone_from(asked);
            all.blocked.retain(|source, _| asked.contains(source));
            false
        });
    }

    /// Says that the source `source` cannot see, and why; logged once for each reason.
    pub fn cannot_see(&self, source: Source, reason: &str) {
        self.0.send_if_modified(|all| {
            if all.blocked.get(&source).is_none_or(|before| before != reason) {
                let what = source.as_str();
                tracing::warn!(
                    event = "cannot_look",
                    source = what,
                    reason,
                    "services cannot be looked for where they are expected"
                );
                all.blocked.insert(source, reason.to_owned());
            }
            false
        });
    }

    /// The same of a source that is not waited for: it will hardly ever see, or others would wait for it in vain. Until
    /// it does, nothing is there.
    pub fn gives_up(&self, source: Source, reason: &str) {
        self.cannot_see(source, reason);
        self.0.send_if_modified(|all| {
            let is_new = !all.by_source.contains_key(&source);
            all.by_source.entry(source).or_default();
            is_new
        });
    }

    /// Hears of everything that is found. Changes that come faster than they are taken are one.
    pub fn subscribe(&self) -> watch::Receiver<Discovered> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_see_is_known_until_it_sees() {
        let board = Board::default();
        let news = board.subscribe();
        let unseen = || -> Vec<(Source, Option<String>)> {
            let unseen = news.borrow().unseen().into_iter();
            unseen.map(|one| (one.source, one.reason)).collect()
        };
        assert_eq!(unseen(), []);
        board.ask(&BTreeSet::from([Source::Labels, Source::UnitFiles]));
        assert_eq!(unseen(), [(Source::Labels, None), (Source::UnitFiles, None)]);
        board.publish(Source::UnitFiles, Seen::default());
        board.cannot_see(Source::Labels, "permission denied");
        let denied = (Source::Labels, Some("permission denied".to_owned()));
        assert_eq!(unseen(), std::slice::from_ref(&denied));
        let labels = BTreeSet::from([Source::Labels]);
        assert!(!news.borrow().is_complete(&labels));
        // It is not waited for any longer, and still not seen.
        board.gives_up(Source::Labels, "permission denied");
        assert!(news.borrow().is_complete(&labels));
        assert_eq!(unseen(), [denied]);
        board.publish(Source::Labels, Seen::default());
        assert_eq!(unseen(), []);
        // What is said of sources that are not asked is nobody's business.
        board.cannot_see(Source::HostUnits, "no bus");
        assert_eq!(unseen(), []);
    }

    #[test]
    fn only_what_is_new_wakes_and_every_wanted_source_must_have_looked() {
        let board = Board::default();
        let mut news = board.subscribe();
        let wanted = BTreeSet::from([Source::Labels]);
        assert!(!news.borrow_and_update().is_complete(&wanted));
        board.publish(Source::Labels, Seen::default());
        assert!(news.has_changed().unwrap(), "that there is nothing is news at first");
        assert!(news.borrow_and_update().is_complete(&wanted));
        board.publish(Source::Labels, Seen::default());
        assert!(!news.has_changed().unwrap());
    }
}
