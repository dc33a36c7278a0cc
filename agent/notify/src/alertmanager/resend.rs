//! The loop that tells one replica what fires.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use sentinel_store::{Store, StoreErrorKind};
use tokio::time::{Instant, sleep_until};

use super::level::Level;
use super::replica::Refused;
use super::{Alertmanager, LINGERING, Progress};

/// After a failure it is tried again this soon, then after twice as long, at most after `resend`.
const FIRST_GAP: Duration = Duration::from_secs(1);

/// How long to leave a store alone that cannot be read.
const STORE_GAP: Duration = Duration::from_secs(5);

/// Where one replica is.
struct State {
    /// The last message it has heard of.
    heard: i64,
    /// When it is reported again in any case.
    due: Instant,
    /// The gap after the next failure; `None` while it answers.
    gap: Option<Duration>,
    /// The incidents of which it did not take everything; said once of each.
    refused: BTreeSet<u64>,
}

/// Notifies the replica with this `index` what fires, until the store is closed. May be dropped at any time.
pub(super) async fn run(manager: &Alertmanager, index: usize, store: &Store) {
    let (mut outbox, mut news) = (store.outbox_changes(), manager.news.subscribe());
    let mut state = State {
        heard: 0,
        due: Instant::now(),
        gap: None,
        refused: BTreeSet::new(),
    };
    loop {
        // Seen before looking, so that nothing that changes meanwhile is missed. A message that is being delivered is
        // tried at once: how often that happens is the outbox's business.
        outbox.mark_unchanged();
        let is_asked = news.has_changed().unwrap_or(false);
        news.mark_unchanged();
        let wall = sentinel_base::clock::wall();
        match store.firing(&manager.name, wall, LINGERING).await {
            Ok((firing, waiting)) => {
                let level = Level::of(&firing, &waiting, &manager.zone, wall);
                let has_news = level.up_to > state.heard && (state.gap.is_none() || is_asked);
                if has_news || Instant::now() >= state.due {
                    notify(manager, index, &level, wall, &mut state).await;
                }
            }
            Err(error) if error.kind() == StoreErrorKind::Closed => return,
            Err(error) => {
                let (receiver, error) = (manager.name.as_str(), &error as &dyn std::error::Error);
                tracing::warn!(receiver, error, "failed to look up firing alerts");
                state.due = Instant::now() + STORE_GAP;
            }
        }
        tokio::select! {
            changed = outbox.changed() => if changed.is_err() { return },
            _ = news.changed() => {}
            () = sleep_until(state.due) => {}
        }
    }
}

async fn notify(manager: &Alertmanager, index: usize, level: &Level, wall: Timestamp, state: &mut State) {
    let Some(replica) = manager.replicas.get(index) else {
        return;
    };
    let notified = level.notified();
    let alerts: Vec<_> = notified
        .iter()
        .map(|(_, entry)| entry.alert.posted(wall, manager.lasting(), entry.ended))
        .collect();
    let result = replica.post(&alerts, &manager.redactor, wall).await;
    let (receiver, replica) = (manager.name.as_str(), replica.origin.as_str());
    let mut refused = BTreeMap::new();
    match &result {
        Ok(not_taken) => {
            if state.gap.take().is_some() {
                tracing::info!(receiver, replica, "the replica answers again");
            }
            let mut incidents = BTreeSet::new();
            for Refused {
                index,
                error,
                only_link,
            } in not_taken
            {
                let incident = notified.get(*index).map_or(0, |(incident, _)| *incident);
                incidents.insert(incident);
                if !state.refused.contains(&incident) {
                    let what = if *only_link {
                        "the replica refuses the link of an alert, which is sent without it"
                    } else {
                        "the replica refuses an alert; the others are sent without it"
                    };
                    tracing::warn!(receiver, replica, incident, %error, "{what}");
                }
                if !only_link {
                    refused.insert(incident, error.clone());
                }
            }
            state.refused = incidents;
            state.heard = level.up_to;
            state.due = Instant::now() + manager.resend;
        }
        Err(error) => {
            if state.gap.is_none() {
                tracing::warn!(receiver, replica, %error, "the replica did not take the firing alerts; trying again");
            }
            let gap = state.gap.unwrap_or(FIRST_GAP).min(manager.resend);
            state.due = Instant::now() + gap.max(error.retry_after().unwrap_or_default().min(manager.resend));
            state.gap = Some(gap.saturating_mul(2));
        }
    }
    manager.progress.send_modify(|progress| {
        if let Some(progress) = progress.get_mut(index) {
            *progress = Progress {
                tried: level.up_to,
                heard: state.heard,
                refused,
                error: result.err(),
            };
        }
    });
}
