//! What is seen of the host: by one source, and by all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::source::Source;
use crate::{Checked, DiscoveredService, Loaded, Rejected};

/// What all sources have found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    pub(super) by_source: BTreeMap<Source, Arc<SourceSnapshot>>,
    /// The sources that are asked to look.
    pub(super) asked: BTreeSet<Source>,
    /// The sources that cannot see now, and why.
    pub(super) blocked: BTreeMap<Source, String>,
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
pub struct SourceSnapshot {
    /// The services. Of two that cannot both be, the first is taken.
    pub services: Vec<DiscoveredService>,
    /// What asks to be one, and cannot.
    pub rejected: Vec<Rejected>,
    /// What had failed before the first look: it is reported once, and watched when it runs again.
    pub preexisting: Vec<PreexistingFailure>,
}

/// A failure that is older than the agent's first look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PreexistingFailure {
    /// What failed, in words.
    pub what: String,
    /// Which of its failures: the run that failed, or when it ended. Empty where that is not known.
    pub which: String,
}

impl PreexistingFailure {
    /// What failed, from the text that identifies a failure.
    pub fn what_of(text: &str) -> &str {
        text.rsplit_once(' ').map_or(text, |(what, _)| what)
    }
}

/// The text that identifies a failure.
impl fmt::Display for PreexistingFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.which)
    }
}

impl Discovery {
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
    pub fn preexisting(&self) -> BTreeSet<PreexistingFailure> {
        let seen = self.by_source.values();
        seen.flat_map(|seen| seen.preexisting.iter().cloned()).collect()
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

impl FromIterator<(Source, SourceSnapshot)> for Discovery {
    fn from_iter<T: IntoIterator<Item = (Source, SourceSnapshot)>>(seen: T) -> Self {
        let by_source = seen.into_iter().map(|(source, seen)| (source, Arc::new(seen)));
        Self {
            by_source: by_source.collect(),
            ..Self::default()
        }
    }
}
