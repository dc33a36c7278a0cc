//! Reports to the log and to receivers what is found on the host and not watched.

use std::collections::BTreeSet;

use sentinel_config::discovery::{Discovery, PreexistingFailure};
use sentinel_config::{Rejected, Settings};
use sentinel_notify::Message;
use sentinel_notify::announcer::Announcer;
use sentinel_store::Topic;

/// Reports each thing once.
pub struct DiscoveryNews {
    announcer: Announcer,
    /// What the log has of what had failed before the agent looked.
    logged_preexisting: BTreeSet<PreexistingFailure>,
    /// What the log has of what was rejected.
    logged_rejected: BTreeSet<Rejected>,
}

impl DiscoveryNews {
    /// The log has nothing yet; what receivers have is known to `announcer`.
    pub const fn new(announcer: Announcer) -> Self {
        Self {
            announcer,
            logged_preexisting: BTreeSet::new(),
            logged_rejected: BTreeSet::new(),
        }
    }

    /// Reports what is found and not watched: `rejected`, and what had failed before. `all_seen`: every source has
    /// looked.
    pub(super) async fn report(
        &mut self,
        settings: &Settings,
        found: &Discovery,
        rejected: BTreeSet<Rejected>,
        all_seen: bool,
    ) {
        self.report_rejected(settings, rejected, all_seen).await;
        if all_seen {
            self.report_preexisting(settings, found.preexisting()).await;
        }
    }

    /// The same, when what is rejected is what it was.
    pub(super) async fn report_again(&mut self, settings: &Settings, found: &Discovery, all_seen: bool) {
        self.report(settings, found, self.logged_rejected.clone(), all_seen)
            .await;
    }

    /// Notifies receivers, once and together, of what had failed on this host before the agent looked: of each failure
    /// once, however often the agent is started.
    async fn report_preexisting(&mut self, settings: &Settings, failed: BTreeSet<PreexistingFailure>) {
        let unheard = |one: &&PreexistingFailure| !self.logged_preexisting.contains(one);
        let new: Vec<&str> = failed.iter().filter(unheard).map(|one| one.what.as_str()).collect();
        if !new.is_empty() {
            let (count, names) = (new.len(), new.join(", "));
            let message = "had failed before the agent was started";
            tracing::warn!(event = "preexisting_failure", count, names, "{message}");
        }
        let about = failed.iter().map(ToString::to_string).collect();
        let host = &settings.agent.name;
        let message = |new: &BTreeSet<String>| {
            let new = failed.iter().filter(|one| new.contains(&one.to_string()));
            let new: Vec<&str> = new.map(|one| one.what.as_str()).collect();
            Message::about_failed_before(host, &new, sentinel_base::clock::wall())
        };
        // A source that could not look yet may still have an older failure.
        let outdated: BTreeSet<&str> = failed.iter().map(|one| one.what.as_str()).collect();
        let still_holds = |one: &str| !outdated.contains(PreexistingFailure::what_of(one));
        let receivers = settings.alerts.rules.default.clone();
        self.announcer
            .announce(Topic::PreexistingFailure, about, still_holds, receivers, message)
            .await;
        self.logged_preexisting = failed;
    }

    /// Notifies receivers, once, of what asks to be watched and cannot be. `is_all`: every source has looked.
    async fn report_rejected(&mut self, settings: &Settings, rejected: BTreeSet<Rejected>, is_all: bool) {
        for ignored in rejected.difference(&self.logged_rejected).filter(|one| one.watched) {
            tracing::info!(reason = %ignored, "a label is ignored");
        }
        for one in rejected.difference(&self.logged_rejected).filter(|one| !one.watched) {
            let (service, origin) = (one.service.as_str(), one.kind.as_str());
            let reason = one.to_string();
            tracing::error!(
                event = "discovered_rejected",
                service,
                origin,
                reason,
                "a discovered service was rejected and is not watched"
            );
        }
        let kept_back = || rejected.iter().filter(|one| !one.watched);
        let about = kept_back().map(ToString::to_string).collect();
        let host = &settings.agent.name;
        let message = |new: &BTreeSet<String>| {
            let new = kept_back().filter(|one| new.contains(&one.to_string()));
            Message::about_rejected(host, &new.collect::<Vec<_>>(), sentinel_base::clock::wall())
        };
        let receivers = settings.alerts.rules.default.clone();
        self.announcer
            .announce(Topic::Rejected, about, |_| !is_all, receivers, message)
            .await;
        self.logged_rejected = rejected;
    }
}
