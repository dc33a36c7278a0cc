//! Containers that ask to be watched by their labels, and, for an agent that observes whatever there is, the others.
//!
//! One task beside the watcher of what is configured: it lists all containers whenever one was made, started, renamed or
//! removed, and puts what it sees on the feed. While the Engine cannot be asked, what was seen last stays.

mod candidates;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::fs::{Access, access};
use sentinel_config::DockerAddress;
use sentinel_config::discovery::{DiscoveryFeed, Source, SourceSnapshot};
use sentinel_text::chain;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::Instant;

use self::candidates::{Candidates, Snapshots, State};
use super::answers::{Inspected, Listed};
use super::client::{Client, LIST_WITHIN};
use super::daemon::Daemon;
use super::error::{CallError, SessionError};
use super::inventory::{RunningContainer, describe, name_of};
use super::self_container;

/// The safety net: whatever no event told is found within this time.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Gaps between attempts to connect.
const GAP_MIN: Duration = Duration::from_millis(500);
const GAP_MAX: Duration = Duration::from_secs(10);

/// Events that may wait; each says no more than that it is time to look.
const QUEUE: usize = 256;

/// What is to be looked for, and at which Engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// The Engine.
    pub address: DockerAddress,
    /// Containers with labels.
    pub labels: bool,
    /// All the others.
    pub host: bool,
}

/// Looks for containers as `search` says, until dropped. Those of `continuing` had an incident before the agent was
/// started, which goes on.
pub async fn discover(feed: DiscoveryFeed, mut search: watch::Receiver<Search>, continuing: BTreeSet<String>) {
    let daemon = Arc::new(Mutex::new(Daemon::default()));
    let mut candidates = Candidates::new(continuing);
    let mut gap = GAP_MIN;
    loop {
        let wanted = search.borrow_and_update().clone();
        if !wanted.labels && !wanted.host {
            if search.changed().await.is_err() {
                return;
            }
            continue;
        }
        let connected = Instant::now();
        let reason = tokio::select! {
            changed = search.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            reason = follow(&wanted, &daemon, &mut candidates, &feed) => chain(&reason),
        };
        let has_looked = candidates.has_looked();
        if !has_looked && is_absent(&wanted.address) {
            // There is no Docker here: that is something seen.
            publish(&feed, &wanted, &Snapshots::default());
        } else {
            // Nothing waits for what may never be seen to hear of what failed elsewhere.
            for (wanted, source, waits) in [
                (wanted.labels, Source::Labels, !is_out_of_reach(&wanted.address)),
                (wanted.host, Source::HostContainers, false),
            ] {
                match wanted {
                    true if has_looked || waits => feed.cannot_see(source, &reason),
                    true => feed.gives_up(source, &reason),
                    false => {}
                }
            }
        }
        gap = if connected.elapsed() > GAP_MAX {
            GAP_MIN
        } else {
            (gap * 2).min(GAP_MAX)
        };
        tokio::select! {
            () = tokio::time::sleep(gap) => {}
            changed = search.changed() => if changed.is_err() { return },
        }
    }
}

/// Looks once, for whoever only wants to know.
pub async fn discover_once(wanted: &Search) -> Result<Vec<(Source, SourceSnapshot)>, CallError> {
    if is_absent(&wanted.address) {
        return Ok(Vec::new());
    }
    let client = Client::connect(&wanted.address, &Arc::default()).await?;
    let listed = look(&client, wanted, true).await?;
    let seen = Candidates::new(BTreeSet::new()).take(listed);
    let sources = [
        (wanted.labels, Source::Labels, seen.labelled),
        (wanted.host, Source::HostContainers, seen.others),
    ];
    let sources = sources.into_iter().filter(|(wanted, ..)| *wanted);
    Ok(sources.map(|(_, source, seen)| (source, seen)).collect())
}

fn is_absent(address: &DockerAddress) -> bool {
    matches!(address, DockerAddress::Unix(path) if !Path::exists(path))
}

/// Whether it will not answer however often it is asked.
fn is_out_of_reach(address: &DockerAddress) -> bool {
    matches!(address, DockerAddress::Unix(path) if access(path, Access::READ_OK | Access::WRITE_OK).is_err())
}

fn publish(feed: &DiscoveryFeed, wanted: &Search, seen: &Snapshots) {
    if wanted.labels {
        feed.publish(Source::Labels, seen.labelled.clone());
    }
    if wanted.host {
        feed.publish(Source::HostContainers, seen.others.clone());
    }
}

/// Looks again and again over one connection; answers why it cannot any more.
async fn follow(
    wanted: &Search,
    daemon: &Arc<Mutex<Daemon>>,
    candidates: &mut Candidates,
    feed: &DiscoveryFeed,
) -> SessionError {
    let client = match Client::connect(&wanted.address, daemon).await {
        Ok(client) => client,
        Err(error) => return error.into(),
    };
    let (sender, mut events) = mpsc::channel(QUEUE);
    let behind = Arc::new(AtomicBool::new(false));
    // Events from before the first look on: what happens during it is not missed.
    let lost = client.follow(sentinel_base::clock::wall(), &sender, &behind);
    tokio::pin!(lost);
    loop {
        let looked = tokio::select! {
            lost = &mut lost => return lost,
            looked = look(&client, wanted, !candidates.has_looked()) => looked,
        };
        let listed = match looked {
            Ok(listed) => listed,
            Err(error) => return error.into(),
        };
        publish(feed, wanted, &candidates.take(listed));
        let next = tokio::time::sleep(LOOK_EVERY);
        tokio::pin!(next);
        loop {
            tokio::select! {
                lost = &mut lost => return lost,
                () = &mut next => break,
                Some(heard) = events.recv() => if heard.happened.changes_the_set() {
                    // What came together is looked at once.
                    while events.try_recv().is_ok() {}
                    break;
                },
            }
        }
    }
}

/// Every container; those with labels of ours in full, and at the first look those that had failed before.
async fn look(client: &Client, wanted: &Search, is_first: bool) -> Result<Vec<(RunningContainer, State)>, CallError> {
    let mut listed = client.list_all(LIST_WITHIN).await?;
    listed.sort_by_cached_key(name_of);
    let own = self_container::container();
    let mut containers = Vec::new();
    for summary in listed {
        let is_ours = summary
            .labels
            .iter()
            .any(|(name, _)| name.starts_with(super::labels::PREFIX));
        if !(is_ours && wanted.labels || wanted.host) {
            continue;
        }
        let id = summary.id.clone().unwrap_or_default();
        let state = state(&summary);
        let details = if is_ours || is_first && state == State::Failed {
            match client.describe(&id).await? {
                Some(answer) => answer,
                // It is gone.
                None => continue,
            }
        } else {
            Inspected::default()
        };
        let mut container = describe(summary, details);
        container.left_alone |= own.as_deref() == Some(id.as_str());
        containers.push((container, state));
    }
    Ok(containers)
}

fn state(summary: &Listed) -> State {
    match summary.state.as_str() {
        "running" | "paused" => State::Runs,
        "restarting" => State::Restarts,
        "exited" | "dead" if !summary.status.starts_with("Exited (0)") => State::Failed,
        // Ended well, never ran, or a word that is not known here.
        _ => State::Rests,
    }
}
