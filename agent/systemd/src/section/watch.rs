//! Looking again whenever units may have changed.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use sentinel_config::discovery::{DiscoveryFeed, Source, SourceSnapshot};
use sentinel_text::chain;
use tokio::time::Instant;
use zbus::message::Type;
use zbus::{Connection, Message, MessageStream};

use super::super::error::SectionError;
use super::super::is_booted;
use super::super::message::{BUS, MANAGER, MANAGER_PATH, SYSTEMD, add_match, subscribe};
use super::super::watcher::BusAddress;
use super::look::{Known, look};

/// Gaps between attempts to connect. Nothing waits for what a package says as for a unit that died.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// The safety net for signals that never came. What did not change is not read again.
const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);

/// A reload of systemd that does not end is taken for ended.
const RELOAD_MAX: Duration = Duration::from_secs(60);

/// Names of loaded units kept during a look. One that loads more is followed by another.
const LOADED_MAX: usize = 10_000;

/// The signals that units may have changed by.
const SIGNALS: [&str; 3] = ["Reloading", "UnitFilesChanged", "UnitNew"];

/// Puts on the feed what unit files say, for as long as it runs. What was said last stays while the bus is away.
#[derive(Debug)]
pub struct SectionWatcher {
    address: BusAddress,
    feed: DiscoveryFeed,
    known: Known,
    /// Looks that succeeded, and whether one is under way.
    looks: u64,
    looking: bool,
    /// Why the last one failed, if it did.
    failure: Option<String>,
}

impl SectionWatcher {
    /// To look over the bus at `address`.
    pub fn new(address: BusAddress, feed: DiscoveryFeed) -> Self {
        Self {
            address,
            feed,
            known: Known::default(),
            looks: 0,
            looking: false,
            failure: None,
        }
    }

    /// Looks until dropped.
    pub async fn run(mut self) {
        let mut backoff = BACKOFF_MIN;
        loop {
            let looks = self.looks;
            self.looking = false;
            let reason = match self.address.connect().await {
                Ok(connection) => match self.follow(&connection).await {
                    Ok(never) => match never {},
                    Err(error) => chain(&error),
                },
                Err(error) => chain(&error),
            };
            if self.looks > looks {
                backoff = BACKOFF_MIN;
            }
            if !is_booted() {
                // There are none here: that is something seen.
                tracing::debug!(reason, "unit files cannot be read");
                self.feed.publish(Source::UnitFiles, SourceSnapshot::default());
            } else if self.looking || self.looks == looks {
                self.failed(reason);
            } else {
                tracing::debug!(reason, "the connection for reading unit files was lost");
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// A look failed, or could not begin: said in the log once, and in `status` from the second time in a row until it is
    /// over, as a bus that restarts is soon back.
    fn failed(&mut self, reason: String) {
        if self.failure.as_ref() == Some(&reason) {
            self.feed.cannot_see(Source::UnitFiles, &reason);
            return;
        }
        tracing::warn!(
            event = "connection_lost",
            of = "unit files",
            reason,
            "the [X-Sentinel] sections of unit files cannot be read"
        );
        if self.failure.is_some() {
            self.feed.cannot_see(Source::UnitFiles, &reason);
        }
        self.failure = Some(reason);
    }

    /// Looks again and again, until the connection is lost. Answers why.
    async fn follow(&mut self, connection: &Connection) -> Result<std::convert::Infallible, SectionError> {
        let mut stream = MessageStream::from(connection);
        let send = async |message: zbus::Result<Message>| {
            let message = message.map_err(SectionError::Send)?;
            connection.send(&message).await.map_err(SectionError::Send)
        };
        for member in SIGNALS {
            send(add_match(&format!(
                "type='signal',sender='{SYSTEMD}',interface='{MANAGER}',member='{member}',path='{MANAGER_PATH}'"
            )))
            .await?;
        }
        // A PID 1 that executed itself again has forgotten who listens.
        send(add_match(&format!(
            "type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{SYSTEMD}'"
        )))
        .await?;
        loop {
            send(subscribe()).await?;
            let started = std::time::Instant::now();
            self.looking = true;
            let (seen, news) = self.look(connection, &mut stream).await?;
            self.looking = false;
            let (services, refused) = (seen.services.len(), seen.rejected.len());
            let ms = started.elapsed().as_millis();
            tracing::debug!(services, refused, ms, "read the sections of unit files");
            self.looks += 1;
            self.failure = None;
            self.feed.publish(Source::UnitFiles, seen);
            self.until_changed(&mut stream, news).await?;
        }
    }

    /// Looks once, and takes what comes meanwhile: asking for a unit loads it, which systemd tells everyone, and a
    /// connection of which nothing is taken delivers no answers either.
    async fn look(
        &mut self,
        connection: &Connection,
        stream: &mut MessageStream,
    ) -> Result<(SourceSnapshot, Pending), SectionError> {
        let mut pending = Pending::default();
        let mut loaded = BTreeSet::new();
        let seen = {
            let mut look = std::pin::pin!(look(connection, &mut self.known));
            loop {
                tokio::select! {
                    seen = &mut look => break seen?,
                    next = stream.next() => match news(&taken(next)?) {
                        Some(News::Loaded(_)) if loaded.len() == LOADED_MAX => pending.changed = true,
                        Some(News::Loaded(unit)) => drop(loaded.insert(unit)),
                        Some(news) => pending.take(&news),
                        None => {}
                    },
                }
            }
        };
        pending.changed |= loaded.iter().any(|unit| self.known.is_new_instance(unit));
        Ok((seen, pending))
    }

    /// Done when units may be others than before, and systemd is at rest: a burst of signals is one change.
    async fn until_changed(&self, stream: &mut MessageStream, mut pending: Pending) -> Result<(), SectionError> {
        let mut wake = Instant::now() + LOOK_EVERY;
        let mut bounded = false;
        loop {
            if pending.changed && !bounded {
                // From the first of a storm of reloads, however long it lasts.
                bounded = true;
                wake = Instant::now() + RELOAD_MAX;
            }
            let next = if pending.changed && !pending.reloading {
                // What is there already belongs to the same burst.
                match stream.next().now_or_never() {
                    Some(next) => next,
                    None => return Ok(()),
                }
            } else {
                tokio::select! {
                    next = stream.next() => next,
                    () = tokio::time::sleep_until(wake) => return Ok(()),
                }
            };
            match news(&taken(next)?) {
                Some(News::Loaded(unit)) => pending.changed |= self.known.is_new_instance(&unit),
                Some(news) => pending.take(&news),
                None => {}
            }
            if bounded && wake <= Instant::now() {
                return Ok(());
            }
        }
    }
}

/// What has changed since the last look.
#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    changed: bool,
    reloading: bool,
}

impl Pending {
    fn take(&mut self, news: &News) {
        match news {
            News::Reloading(active) => (self.changed, self.reloading) = (true, *active),
            News::Changed => self.changed = true,
            News::Loaded(_) => {}
        }
    }
}

/// What a signal tells.
enum News {
    /// systemd began, or ended, to read its files again.
    Reloading(bool),
    /// Units may be others than before.
    Changed,
    /// This unit was loaded.
    Loaded(String),
}

fn taken(next: Option<zbus::Result<Message>>) -> Result<Message, SectionError> {
    let message = next.ok_or(SectionError::Closed(None))?;
    message.map_err(|error| SectionError::Closed(Some(error)))
}

/// What a message tells. Whoever sends a false one makes the agent look, and nothing else.
fn news(message: &Message) -> Option<News> {
    if message.message_type() != Type::Signal {
        return None;
    }
    let header = message.header();
    let body = message.body();
    match header.member()?.as_str() {
        "Reloading" => body
            .deserialize::<(bool,)>()
            .ok()
            .map(|(active,)| News::Reloading(active)),
        "UnitFilesChanged" => Some(News::Changed),
        "UnitNew" => {
            let (unit, _) = body.deserialize::<(&str, zbus::wire::ObjectPath<'_>)>().ok()?;
            Some(News::Loaded(unit.to_owned()))
        }
        "NameOwnerChanged" => {
            let (name, _, new) = body.deserialize::<(&str, &str, &str)>().ok()?;
            (name == SYSTEMD && !new.is_empty()).then_some(News::Changed)
        }
        _ => None,
    }
}
