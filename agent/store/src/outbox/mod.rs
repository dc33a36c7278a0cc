//! Messages on their way: recorded together with what they report, then sent until somebody took them.
//!
//! A row goes `pending` -> `inflight` -> `delivered`, back to `pending` after a failure that may pass, or ends `dead`
//! (the receiver refused it for good), `expired` (no operator took it in time) or `superseded` (another message says more).
//! As part of a combined message it is `merged`, and ends as that does. Every change is durable before the next step. A
//! row found `inflight` may have been sent by an agent that died: that attempt counts as failed, and it is sent again after a
//! gap under the same key, byte for byte.
//!
//! What comes next is decided by `sentinel_engine::alerting::dispatch`, in one transaction with what follows from it.
//!
//! * `insert`: new messages; `memory`: those that were sent before they could be recorded
//! * `page`: what waits, as the decision sees it; `next`: the decision, carried out
//! * `outcome`: what became of an attempt; `combine`: one message instead of several; `ending`: those no operator took
//! * `receiver_notices`: the receivers, and what they are notified of each other; `queue`: all of it for operators

mod combine;
mod ending;
mod insert;
mod memory;
mod next;
mod outcome;
mod page;
mod queue;
mod receiver_notices;

use std::fmt::Write as _;

use jiff::Timestamp;
use rusqlite::Connection;
use sentinel_engine::alerting::dispatch::DispatchPolicy;
use sentinel_engine::{IncidentId, Severity, Time};
use sha2::{Digest, Sha256};

use super::error::StoreError;

pub use combine::{Combination, Combine, Part, Undelivered};
pub(super) use ending::{execute, expire_where};
pub(super) use insert::{complete, insert_all};
pub use memory::FromMemory;
pub(super) use memory::Ledger;
pub use next::{Delivery, First, Next};
pub use outcome::{Changed, Outcome};
pub use queue::{Queue, QueuedMessage, ReceiverQueue};
pub use receiver_notices::Notice;
pub(super) use receiver_notices::insert_notice;

/// The states of a message that is still on its way, as SQL.
pub(super) const WAITING: &str = "('pending', 'inflight', 'merged')";

/// One message to one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The incident it is about.
    pub incident: IncidentId,
    /// Its ordinal within the incident.
    pub sequence: u32,
    /// To whom: the receiver's name.
    pub receiver: String,
    /// What kind of message: a word of `NotificationKind`.
    pub kind: &'static str,
    /// How urgent.
    pub severity: Severity,
    /// What is sent, to the byte: retries must not differ.
    pub payload: Vec<u8>,
    /// When it was decided.
    pub created: Time,
    /// The same by the wall clock.
    pub created_wall: Timestamp,
    /// It is not sent before: a first message may wait for others that could be reported together with it.
    pub not_before: Time,
    /// What an earlier message of this incident says instead, if it was not tried yet; this one is not added then.
    pub revises: Option<Revision>,
}

/// Other words for a message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its ordinal within the incident.
    pub sequence: u32,
    /// What is sent.
    pub payload: Vec<u8>,
}

/// What the outbox works with that is not stored.
#[derive(Clone, Debug, Default)]
pub struct OutboxSettings {
    /// The host's name, for messages that the outbox makes itself.
    pub host: String,
    /// The limits.
    pub dispatch: DispatchPolicy,
}

impl super::Store {
    /// From now on the outbox works with `settings`.
    pub async fn configure_outbox(&self, settings: OutboxSettings) -> Result<(), StoreError> {
        self.call(move |database| {
            database.outbox = settings;
            Ok(())
        })
        .await
    }

    /// The host's name in messages.
    pub async fn host(&self) -> Result<String, StoreError> {
        self.call(|database| Ok(database.outbox.host.clone())).await
    }
}

/// The key of one message to one receiver, from what identifies it.
pub(super) fn event_id(installation: &[u8; 16], incident: IncidentId, sequence: u32, receiver: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(installation);
    hash.update(incident.0.to_be_bytes());
    hash.update(sequence.to_be_bytes());
    hash.update(receiver);
    hash.finalize()[..16].iter().fold("msg_".to_owned(), |mut id, byte| {
        // Writing to a string cannot fail.
        let _ = write!(id, "{byte:02x}");
        id
    })
}

/// A message that is about no single incident.
#[derive(Clone, Copy)]
struct Special<'a> {
    receiver: &'a str,
    kind: &'a str,
    severity: Severity,
    payload: &'a [u8],
    created: Time,
    created_wall: Timestamp,
    about: Option<&'a str>,
}

impl Special<'_> {
    /// Adds it, in the caller's transaction. Its number in the outbox, which is never used twice, makes its key.
    fn insert(&self, connection: &Connection, installation: &[u8; 16]) -> Result<i64, StoreError> {
        use super::value::from_time;
        let add = || {
            connection
                .prepare_cached(
                    "INSERT INTO outbox (event, incident, sequence, receiver, kind, severity, payload, created_at, \
                     created_wall, about) VALUES (hex(randomblob(16)), 0, 0, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(rusqlite::params![
                    self.receiver,
                    self.kind,
                    self.severity.as_str(),
                    self.payload,
                    from_time(self.created),
                    self.created_wall.as_microsecond(),
                    self.about,
                ])?;
            Ok(connection.last_insert_rowid())
        };
        let row: i64 = add().map_err(StoreError::doing("add to the outbox"))?;
        let sequence = u32::try_from(row).unwrap_or(u32::MAX);
        execute(
            connection,
            "UPDATE outbox SET event = ?2, sequence = ?3 WHERE id = ?1",
            rusqlite::params![
                row,
                event_id(installation, IncidentId(0), sequence, self.receiver),
                sequence
            ],
        )?;
        Ok(row)
    }
}
