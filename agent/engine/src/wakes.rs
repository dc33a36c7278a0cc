//! When each service next needs to be looked at.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::ServiceName;
use crate::time::Time;

/// One wake-up per service, ordered by time.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    by_time: BTreeSet<(Time, ServiceName)>,
    by_name: BTreeMap<ServiceName, Time>,
}

impl Wakes {
    /// Sets, moves or clears the wake-up of a service.
    pub(crate) fn set(&mut self, name: &ServiceName, at: Option<Time>) {
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
    pub(crate) fn first(&self) -> Option<(Time, &ServiceName)> {
        self.by_time.first().map(|(at, name)| (*at, name))
    }
}
