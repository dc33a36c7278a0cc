//! Messages on their way: recorded together with what they tell of, then sent until somebody took them.
//!
//! A row goes `pending` -> `inflight` -> `delivered`, back to `pending` after a failure that may pass, or ends `dead`
//! (the receiver refused it for good) or `expired` (nobody took it in time). Every change is durable before the next
//! step. A row found `inflight` may have been sent by an agent that died: it is sent again under the same key.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sentinel_engine::{IncidentId, Severity, Time};
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::open::Database;
use super::room;
use super::thread::Store;
use super::value::{clip, from_id, from_time, text, to_id, to_time};

/// After this long a message is no news any more.
const EXPIRY: Duration = Duration::from_secs(24 * 60 * 60);

/// The end of an incident whose beginning was told is news for longer: without it, it looks open for ever.
const EXPIRY_OF_ENDING: Duration = Duration::from_secs(7 * 24 * 60 * 60);

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
}

/// A message whose turn it is. It is `inflight` in the outbox and stays so until one of [`Store::delivered`],
/// [`Store::postponed`] and [`Store::dead`] says what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The outbox's row.
    pub row: i64,
    /// The idempotency key, the same on every attempt.
    pub event: String,
    /// The incident it is about.
    pub incident: IncidentId,
    /// Its ordinal within the incident.
    pub sequence: u32,
    /// What kind of message.
    pub kind: String,
    /// What to send.
    pub payload: Vec<u8>,
    /// When it was decided.
    pub created: Time,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Whether an earlier attempt may have reached the receiver.
    pub ambiguous: bool,
}

/// What a receiver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send this.
    Send(Box<Delivery>),
    /// Nothing before this time.
    Wait(Time),
    /// Nothing until a message is added.
    Idle,
}

impl Store {
    /// The next message to `receiver`, marked as being sent. Messages come in the order in which they were recorded;
    /// while the first one waits for its time, so do those behind it.
    pub async fn next_message(&self, receiver: &str, now: Time, wall: Timestamp) -> Result<Next, StoreError> {
        let receiver = receiver.to_owned();
        self.call(move |database| next(database, &receiver, now, wall)).await
    }

    /// Records that the receiver took a message, and by which name it knows it.
    pub async fn delivered(&self, row: i64, reference: Option<String>, wall: Timestamp) -> Result<(), StoreError> {
        self.call(move |database| {
            // What was delivered is not sent again: only the fact is kept.
            execute(
                &database.connection,
                "UPDATE outbox SET state = 'delivered', payload = x'', reference = ?2, last_error = NULL, \
                 finished_wall = ?3 WHERE id = ?1",
                params![row, reference, wall.as_microsecond()],
            )
        })
        .await
    }

    /// Records that an attempt failed in a way that may pass; `ambiguous` when it may have reached the receiver.
    pub async fn postponed(
        &self,
        row: i64,
        error: String,
        ambiguous: bool,
        not_before: Time,
    ) -> Result<(), StoreError> {
        self.call(move |database| {
            execute(
                &database.connection,
                "UPDATE outbox SET state = 'pending', last_error = ?2, ambiguous = ambiguous OR ?3, \
                 not_before_at = ?4 WHERE id = ?1",
                params![row, clip(&error), ambiguous, from_time(not_before)],
            )
        })
        .await
    }

    /// Records that the receiver refused a message for good.
    pub async fn dead(&self, row: i64, error: String, wall: Timestamp) -> Result<(), StoreError> {
        self.call(move |database| {
            execute(
                &database.connection,
                "UPDATE outbox SET state = 'dead', last_error = ?2, finished_wall = ?3 WHERE id = ?1",
                params![row, clip(&error), wall.as_microsecond()],
            )
        })
        .await
    }

    /// Gives up the messages to receivers that are no longer configured, which nobody would ever send; answers how many.
    pub async fn keep_receivers(&self, names: Vec<String>, wall: Timestamp) -> Result<usize, StoreError> {
        self.call(move |database| {
            let names = serde_json::Value::from(names).to_string();
            let given_up = database
                .connection
                .execute(
                    "UPDATE outbox SET state = 'expired', last_error = 'the receiver is no longer configured', \
                     finished_wall = ?2 WHERE state IN ('pending', 'inflight') \
                     AND receiver NOT IN (SELECT value FROM json_each(?1))",
                    params![names, wall.as_microsecond()],
                )
                .map_err(StoreError::doing("update the outbox"))?;
            if given_up > 0 {
                tracing::error!(messages = given_up, "messages to receivers that are gone were given up");
            }
            Ok(given_up)
        })
        .await
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

/// Adds messages, in the caller's transaction, and makes room for them.
pub(super) fn insert_all(
    connection: &Connection,
    installation: &[u8; 16],
    messages: &[OutgoingMessage],
) -> Result<(), StoreError> {
    if messages.is_empty() {
        return Ok(());
    }
    room::make(connection, messages)?;
    messages
        .iter()
        .try_for_each(|message| insert(connection, installation, message))
}

fn insert(connection: &Connection, installation: &[u8; 16], message: &OutgoingMessage) -> Result<(), StoreError> {
    let event = event_id(installation, message.incident, message.sequence, &message.receiver);
    let added = connection
        .prepare_cached(
            "INSERT INTO outbox (event, incident, sequence, receiver, kind, severity, payload, created_at, \
             created_wall) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (event) DO NOTHING",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                event,
                from_id(message.incident.0),
                message.sequence,
                message.receiver,
                message.kind,
                message.severity.as_str(),
                message.payload,
                from_time(message.created),
                message.created_wall.as_microsecond(),
            ])
        })
        .map_err(StoreError::doing("add to the outbox"))?;
    if added == 0 {
        // The same key means the same place in the same conversation. Failing would keep a service from being healed.
        tracing::warn!(event, incident = %message.incident, "a message is in the outbox already");
    }
    Ok(())
}

fn next(database: &mut Database, receiver: &str, now: Time, wall: Timestamp) -> Result<Next, StoreError> {
    let doing = StoreError::doing("look for the next message");
    let transaction = database
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&doing)?;
    expire(&transaction, receiver, now, wall)?;
    let found = transaction
        .prepare_cached(
            "SELECT id, event, incident, sequence, kind, payload, created_at, attempts, ambiguous, state, \
             not_before_at FROM outbox WHERE receiver = ?1 AND state IN ('pending', 'inflight') ORDER BY id LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([receiver], |row| {
                    let delivery = Delivery {
                        row: row.get(0)?,
                        event: text(row, 1)?,
                        incident: IncidentId(to_id(row.get(2)?)),
                        sequence: row.get(3)?,
                        kind: text(row, 4)?,
                        payload: row.get(5)?,
                        created: to_time(row.get(6)?),
                        attempt: row.get::<_, u32>(7)?.saturating_add(1),
                        // It was being sent when the agent died.
                        ambiguous: row.get::<_, bool>(8)? || text(row, 9)? == "inflight",
                    };
                    Ok((delivery, to_time(row.get(10)?)))
                })
                .optional()
        })
        .map_err(&doing)?;
    let next = match found {
        None => Next::Idle,
        Some((_, not_before)) if not_before > now => Next::Wait(not_before),
        Some((delivery, _)) => {
            execute(
                &transaction,
                "UPDATE outbox SET state = 'inflight', attempts = ?2, ambiguous = ?3 WHERE id = ?1",
                params![delivery.row, delivery.attempt, delivery.ambiguous],
            )?;
            Next::Send(Box::new(delivery))
        }
    };
    transaction.commit().map_err(&doing)?;
    Ok(next)
}

/// Gives up what nobody took in time, by the engine's clock: a wall clock that jumps must not throw messages away.
fn expire(connection: &Connection, receiver: &str, now: Time, wall: Timestamp) -> Result<(), StoreError> {
    let expired = execute_counted(
        connection,
        "UPDATE outbox SET state = 'expired', finished_wall = ?4 \
         WHERE receiver = ?1 AND state IN ('pending', 'inflight') AND created_at < ?2 AND (created_at < ?3 \
         OR kind <> 'resolved' OR NOT EXISTS (SELECT 1 FROM outbox AS told WHERE told.receiver = outbox.receiver \
         AND told.incident = outbox.incident AND told.id < outbox.id AND (told.state = 'delivered' OR told.ambiguous)))",
        params![
            receiver,
            from_time(now.back(EXPIRY)),
            from_time(now.back(EXPIRY_OF_ENDING)),
            wall.as_microsecond()
        ],
    )?;
    if expired > 0 {
        tracing::error!(
            receiver,
            messages = expired,
            "messages were not delivered in time and are given up"
        );
    }
    Ok(())
}

fn execute(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
    execute_counted(connection, sql, values).map(|_| ())
}

/// As [`execute`], answering how many rows it changed.
pub(super) fn execute_counted(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<usize, StoreError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(values))
        .map_err(StoreError::doing("update the outbox"))
}
