//! When each service, or each incident, next needs to be looked at.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::ServiceName;
use crate::time::Time;

/// One wake-up per service, or whatever else has a name, ordered by time.
#[derive(Debug)]
pub(crate) struct Wakes<K = ServiceName> {
    by_time: BTreeSet<(Time, K)>,
    by_name: BTreeMap<K, Time>,
}

impl<K> Default for Wakes<K> {
    fn default() -> Self {
        Self {
            by_time: BTreeSet::new(),
            by_name: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Clone> Wakes<K> {
    /// Sets, moves or clears the wake-up of a service.
    pub(crate) fn set(&mut self, name: &K, at: Option<Time>) {
        let before = match at {
            Some(at) => self.by_name.insert(name.clone(), at),
            None => self.by_name.remove(name),
        };
        if before != at {
            if let Some(before) = before {
                self.by_time.remove(&(before, name.clone()));
            }
            if let Some(at) = at {
                self.by_time.insert((at, name.clone()));
            }
        }
    }

    /// The earliest wake-up.
    pub(crate) fn first(&self) -> Option<(Time, &K)> {
        self.by_time.first().map(|(at, name)| (*at, name))
    }
}
