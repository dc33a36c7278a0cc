//! The feed: sources publish snapshots, the reloader and the driver subscribe.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

use super::snapshot::{Discovery, SourceSnapshot};
use super::source::Source;

/// Where sources publish their snapshots. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct DiscoveryFeed(watch::Sender<Discovery>);

impl DiscoveryFeed {
    /// Publishes all that `source` sees now. Subscribers wake up when the snapshot is new.
    pub fn publish(&self, source: Source, seen: SourceSnapshot) {
        self.0.send_if_modified(|all| {
            all.blocked.remove(&source);
            let is_new = all.by_source.get(&source).is_none_or(|before| **before != seen);
            if is_new {
                all.by_source.insert(source, Arc::new(seen));
            }
            is_new
        });
    }

    /// Sets which sources are asked to look.
    pub fn ask(&self, asked: &BTreeSet<Source>) {
        self.0.send_if_modified(|all| {
            all.asked.clone_from(asked);
            all.blocked.retain(|source, _| asked.contains(source));
            false
        });
    }

    /// Publishes that `source` cannot see, and why; logged once for each reason.
    pub fn cannot_see(&self, source: Source, reason: &str) {
        self.0.send_if_modified(|all| {
            if all.blocked.get(&source).is_none_or(|before| before != reason) {
                let what = source.as_str();
                tracing::warn!(
                    event = "cannot_look",
                    source = what,
                    reason,
                    "services cannot be discovered where they are expected"
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

    /// Subscribes to everything that is found. Changes that come faster than they are read are one.
    pub fn subscribe(&self) -> watch::Receiver<Discovery> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_see_is_known_until_it_sees() {
        let feed = DiscoveryFeed::default();
        let news = feed.subscribe();
        let unseen = || -> Vec<(Source, Option<String>)> {
            let unseen = news.borrow().unseen().into_iter();
            unseen.map(|one| (one.source, one.reason)).collect()
        };
        assert_eq!(unseen(), []);
        feed.ask(&BTreeSet::from([Source::Labels, Source::UnitFiles]));
        assert_eq!(unseen(), [(Source::Labels, None), (Source::UnitFiles, None)]);
        feed.publish(Source::UnitFiles, SourceSnapshot::default());
        feed.cannot_see(Source::Labels, "permission denied");
        let denied = (Source::Labels, Some("permission denied".to_owned()));
        assert_eq!(unseen(), std::slice::from_ref(&denied));
        let labels = BTreeSet::from([Source::Labels]);
        assert!(!news.borrow().is_complete(&labels));
        // It is not waited for any longer, and still not seen.
        feed.gives_up(Source::Labels, "permission denied");
        assert!(news.borrow().is_complete(&labels));
        assert_eq!(unseen(), [denied]);
        feed.publish(Source::Labels, SourceSnapshot::default());
        assert_eq!(unseen(), []);
        // A source that is not asked does not count.
        feed.cannot_see(Source::HostUnits, "no bus");
        assert_eq!(unseen(), []);
    }

    #[test]
    fn only_what_is_new_wakes_and_every_wanted_source_must_have_looked() {
        let feed = DiscoveryFeed::default();
        let mut news = feed.subscribe();
        let wanted = BTreeSet::from([Source::Labels]);
        assert!(!news.borrow_and_update().is_complete(&wanted));
        feed.publish(Source::Labels, SourceSnapshot::default());
        assert!(news.has_changed().unwrap(), "that there is nothing is news at first");
        assert!(news.borrow_and_update().is_complete(&wanted));
        feed.publish(Source::Labels, SourceSnapshot::default());
        assert!(!news.has_changed().unwrap());
    }
}
