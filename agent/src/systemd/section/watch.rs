//! Looking again whenever units may have changed.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::Instant;
use zbus::message::Type;
use zbus::{Connection, Message, MessageStream};

use crate::found::{Board, Seen, Source};

use super::super::is_booted;
use super::super::message::{BUS, MANAGER, MANAGER_PATH, SYSTEMD, add_match, subscribe};
use super::super::watcher::BusAddress;
use super::look::{Known, look};

/// Gaps between attempts to connect. Nobody waits for what a package says as for a unit that died.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// The safety net for signals that never came. What did not change is not read again.
const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);

/// A reload of systemd that does not end is taken for ended.
const RELOAD_MAX: Duration = Duration::from_secs(60);

/// The signals that units may have changed by.
const SIGNALS: [&str; 3] = ["Reloading", "UnitFilesChanged", "UnitNew"];

/// Puts on the board what unit files say, for as long as it runs. What was said last stays while the bus is away.
#[derive(Debug)]
pub struct SectionWatcher {
    address: BusAddress,
    board: Board,
    known: Known,
}

impl SectionWatcher {
    /// To look over the bus at `address`.
    pub fn new(address: BusAddress, board: Board) -> Self {
        Self {
            address,
            board,
            known: Known::default(),
        }
    }

    /// Looks until dropped.
    pub async fn run(mut self) {
        let mut backoff = BACKOFF_MIN;
        loop {
            let reason = match self.address.connect().await {
                Ok(connection) => {
                    backoff = BACKOFF_MIN;
                    self.watch(&connection).await
                }
                Err(reason) => reason,
            };
            if is_booted() {
                self.board.cannot_see(Source::UnitFiles, &reason);
            } else {
                // There are none here: that is something seen.
                self.board.publish(Source::UnitFiles, Seen::default());
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// Looks again and again, until the connection is lost. Answers why.
    async fn watch(&mut self, connection: &Connection) -> String {
        match self.follow(connection).await {
            Ok(never) => match never {},
            Err(reason) => reason,
        }
    }

    async fn follow(&mut self, connection: &Connection) -> Result<std::convert::Infallible, String> {
        let mut stream = MessageStream::from(connection);
        let send = async |message: zbus::Result<Message>| {
            let sent = connection.send(&message.map_err(|error| error.to_string())?).await;
            sent.map_err(|error| format!("cannot send to the system bus: {error}"))
        };
        for member in SIGNALS {
            send(add_match(&format!(
                "type='signal',sender='{SYSTEMD}',interface='{MANAGER}',member='{member}',path='{MANAGER_PATH}'"
            )))
            .await?;
        }
        // A PID 1 that executed itself anew has forgotten who listens.
        send(add_match(&format!(
            "type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{SYSTEMD}'"
        )))
        .await?;
        loop {
            send(subscribe()).await?;
            let started = std::time::Instant::now();
            let seen = look(connection, &mut self.known).await?;
            let (services, refused) = (seen.services.len(), seen.refused.len());
            let ms = started.elapsed().as_millis();
            tracing::debug!(services, refused, ms, "looked at the sections of unit files");
            self.board.publish(Source::UnitFiles, seen);
            self.until_changed(&mut stream).await?;
        }
    }

    /// Done when units may be others than before, and systemd is at rest: a burst of signals is one change.
    async fn until_changed(&self, stream: &mut MessageStream) -> Result<(), String> {
        let lost = || "the system bus closed the connection".to_owned();
        let mut wake = Instant::now() + LOOK_EVERY;
        let (mut changed, mut reloading) = (false, false);
        loop {
            let next = if changed && !reloading {
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
            let message = next.ok_or_else(lost)?.map_err(|error| format!("{}: {error}", lost()))?;
            match self.news(&message) {
                Some(News::Reloading(active)) => {
                    (changed, reloading) = (true, active);
                    wake = Instant::now() + RELOAD_MAX;
                }
                Some(News::Changed) => changed = true,
                None => {}
            }
        }
    }

    /// What a message tells. Whoever sends a false one makes the agent look, and nothing else.
    fn news(&self, message: &Message) -> Option<News> {
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
                self.known.is_new_instance(unit).then_some(News::Changed)
            }
            "NameOwnerChanged" => {
                let (name, _, new) = body.deserialize::<(&str, &str, &str)>().ok()?;
                (name == SYSTEMD && !new.is_empty()).then_some(News::Changed)
            }
            _ => None,
        }
    }
}

/// What a signal tells.
enum News {
    /// systemd began, or ended, to read its files anew.
    Reloading(bool),
    /// Units may be others than before.
    Changed,
}
