//! The units to which watched ones are bound, whether or not anybody configured them.

use std::collections::HashMap;

use super::facts::{ActiveState, Facts, Properties};
use super::fallen::runs;
use super::names::{unit_path, unit_type};

/// Units watched only because a watched one is bound to them. A service has about three, mostly the same ones.
const MAX: usize = 256;

/// What was seen of them, by path.
#[derive(Debug, Default)]
pub(super) struct Neighbours(HashMap<String, Facts>);

impl Neighbours {
    /// Keeps an eye on these units. Answers the paths that are new.
    pub(super) fn meet(&mut self, names: &[String]) -> Vec<String> {
        let mut new = Vec::new();
        // A slice goes down with the last unit in it, not before.
        for name in names.iter().filter(|name| unit_type(name) != "slice") {
            let path = unit_path(name);
            if self.0.len() < MAX && !self.0.contains_key(&path) {
                self.0.insert(path.clone(), Facts::default());
                new.push(path);
            }
        }
        new
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// What was seen of one.
    pub(super) fn seen(&self, name: &str) -> Option<&Facts> {
        self.0.get(&unit_path(name))
    }

    /// Whether it runs, as far as was seen.
    pub(super) fn runs(&self, name: &str) -> bool {
        self.seen(name).is_some_and(|facts| runs(facts.active_state))
    }

    /// The unit at `path` changed, which may be one of them. Answers whether it runs now and did not, or the other way round.
    pub(super) fn changed(&mut self, path: &str, properties: &Properties<'_>) -> bool {
        let Some(facts) = self.0.get_mut(path) else {
            return false;
        };
        let before = facts.active_state;
        facts.merge(properties);
        runs(before) != runs(facts.active_state)
    }

    /// A unit was asked for, or listed. What is `waited_for` is kept in any case: nobody tells its changes if there are too
    /// many neighbours, or it is a slice, but polls do.
    pub(super) fn state_is(&mut self, name: &str, state: ActiveState, waited_for: bool) {
        let path = unit_path(name);
        if waited_for {
            self.0.entry(path).or_default().active_state = state;
        } else if let Some(facts) = self.0.get_mut(&path) {
            facts.active_state = state;
        }
    }
}
