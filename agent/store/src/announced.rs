//! What receivers are sent once that is about no incident, and what they were notified.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use sentinel_engine::{Severity, Time};

use super::error::StoreError;
use super::outbox::insert_notice;
use super::thread::Store;
use super::value::text;

/// Subjects that are remembered of a topic: more than a host has services. Those that are too many are reported again
/// by the next agent.
const ABOUT_MAX: usize = 10_000;

/// What a message that is about no incident is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// What had failed before the agent looked.
    PreexistingFailure,
    /// What asks to be watched, and cannot be.
    Rejected,
    /// A store that was damaged and put away.
    Damaged,
}

impl Topic {
    /// The word in the store. A closed set.
    const fn as_str(self) -> &'static str {
        match self {
            Self::PreexistingFailure => "failed_before",
            Self::Rejected => "refused",
            Self::Damaged => "damaged",
        }
    }
}

/// A message that is about no incident.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// To whom.
    pub receivers: Vec<String>,
    /// How urgent.
    pub severity: Severity,
    /// What is sent, to the byte.
    pub payload: Vec<u8>,
    /// When it was decided.
    pub now: Time,
    /// The same by the wall clock.
    pub wall: Timestamp,
    /// What it is about.
    pub topic: Topic,
    /// All that receivers then know of that topic and that is still so.
    pub about: BTreeSet<String>,
}

impl Store {
    /// What receivers were sent of this topic, also by an agent before this one.
    pub async fn announced(&self, topic: Topic) -> Result<BTreeSet<String>, StoreError> {
        self.call(move |database| {
            announced(&database.connection, topic).map_err(StoreError::doing("look up what receivers were sent"))
        })
        .await
    }

    /// Puts a message on its way, and remembers what it told, or does neither.
    pub async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        if announcement.receivers.is_empty() {
            return Ok(());
        }
        self.call(move |database| {
            let doing = StoreError::doing("tell receivers");
            let installation = database.state.installation;
            let transaction = database
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(&doing)?;
            insert_notice(&transaction, &installation, &announcement)?;
            remember(&transaction, announcement.topic, &announcement.about).map_err(&doing)?;
            transaction.commit().map_err(&doing)
        })
        .await?;
        self.outbox_changed();
        Ok(())
    }

    /// Remembers that of this topic only `about` is still so.
    pub async fn keep_announced(&self, topic: Topic, about: BTreeSet<String>) -> Result<(), StoreError> {
        self.call(move |database| {
            let doing = StoreError::doing("forget what is over");
            let transaction = database
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(&doing)?;
            remember(&transaction, topic, &about).map_err(&doing)?;
            transaction.commit().map_err(&doing)
        })
        .await
    }
}

fn announced(connection: &Connection, topic: Topic) -> rusqlite::Result<BTreeSet<String>> {
    connection
        .prepare_cached("SELECT about FROM announced WHERE topic = ?1")?
        .query_map([topic.as_str()], |row| text(row, 0))?
        .collect()
}

/// Makes `about` all that is remembered of `topic`, in the caller's transaction.
fn remember(connection: &Connection, topic: Topic, about: &BTreeSet<String>) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM announced WHERE topic = ?1")?
        .execute([topic.as_str()])?;
    let mut insert = connection.prepare_cached("INSERT INTO announced (topic, about) VALUES (?1, ?2)")?;
    for about in about.iter().take(ABOUT_MAX) {
        insert.execute([topic.as_str(), about])?;
    }
    Ok(())
}
