//! Where those who look at the host put what they found, and where the configuration takes it from.
//!
//! A source says all that it sees, each time; [`Board`] tells the reloader when that is something else than before. A
//! source that cannot see says nothing, and what it said last stays: missing sight is no news.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;

use crate::config::{Found, OriginKind, Refused};

/// What all sources have found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    by_kind: BTreeMap<OriginKind, Arc<Seen>>,
}

/// What one source has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The services. Of two that cannot both be, the first is taken.
    pub services: Vec<Found>,
    /// What asks to be one, and cannot.
    pub refused: Vec<Refused>,
}

impl Discovered {
    /// Every service, of those sources that are `wanted`.
    pub fn services(&self, wanted: &BTreeSet<OriginKind>) -> Vec<Found> {
        let seen = self.by_kind.iter().filter(|(kind, _)| wanted.contains(kind));
        seen.flat_map(|(_, seen)| seen.services.iter().cloned()).collect()
    }

    /// What the sources themselves refused.
    pub fn refused(&self, wanted: &BTreeSet<OriginKind>) -> Vec<Refused> {
        let seen = self.by_kind.iter().filter(|(kind, _)| wanted.contains(kind));
        seen.flat_map(|(_, seen)| seen.refused.iter().cloned()).collect()
    }

    /// Whether every source that is `wanted` has looked at least once.
    pub fn is_complete(&self, wanted: &BTreeSet<OriginKind>) -> bool {
        wanted.iter().all(|kind| self.by_kind.contains_key(kind))
    }
}

/// Where sources put what they found. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Board(watch::Sender<Discovered>);

impl Board {
    /// Says all that the source `kind` sees now. Whoever listens is woken when that is new.
    pub fn publish(&self, kind: OriginKind, seen: Seen) {
        self.0.send_if_modified(|all| {
            let is_new = all.by_kind.get(&kind).is_none_or(|before| **before != seen);
            if is_new {
                all.by_kind.insert(kind, Arc::new(seen));
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
        let wanted = BTreeSet::from([OriginKind::Label]);
        assert!(!news.borrow_and_update().is_complete(&wanted));
        board.publish(OriginKind::Label, Seen::default());
        assert!(news.has_changed().unwrap(), "that there is nothing is news at first");
        assert!(news.borrow_and_update().is_complete(&wanted));
        board.publish(OriginKind::Label, Seen::default());
        assert!(!news.has_changed().unwrap());
    }
}
