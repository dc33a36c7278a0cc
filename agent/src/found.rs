//! Where those who look at the host put what they found, and where the configuration takes it from.
//!
//! A source says all that it sees, each time; [`Board`] tells the reloader when that is something else than before. A
//! source that cannot see says nothing, and what it said last stays: missing sight is no news.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config::{Found, Refused};

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// What all sources have found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    by_source: BTreeMap<Source, Arc<Seen>>,
}

/// What one source has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The services. Of two that cannot both be, the first is taken.
    pub services: Vec<Found>,
    /// What asks to be one, and cannot.
    pub refused: Vec<Refused>,
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
    pub fn services(&self, wanted: &BTreeSet<Source>) -> Vec<Found> {
        let seen = self.by_source.iter().filter(|(source, _)| wanted.contains(source));
        seen.flat_map(|(_, seen)| seen.services.iter().cloned()).collect()
    }

    /// What the sources themselves refused.
    pub fn refused(&self, wanted: &BTreeSet<Source>) -> Vec<Refused> {
        let seen = self.by_source.iter().filter(|(source, _)| wanted.contains(source));
        seen.flat_map(|(_, seen)| seen.refused.iter().cloned()).collect()
    }

    /// Whether the same was asked for by `other`, as far as those who are `wanted` say.
    pub fn asks_the_same(&self, other: &Self, wanted: &BTreeSet<Source>) -> bool {
        self.services(wanted) == other.services(wanted) && self.refused(wanted) == other.refused(wanted)
    }

    /// What had failed before the agent looked for the first time.
    pub fn failed_before(&self) -> BTreeSet<FailedBefore> {
        let seen = self.by_source.values();
        seen.flat_map(|seen| seen.failed_before.iter().cloned()).collect()
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
            let is_new = all.by_source.get(&source).is_none_or(|before| **before != seen);
            if is_new {
                all.by_source.insert(source, Arc::new(seen));
            }
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
