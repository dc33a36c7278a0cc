//! New messages, and more of what they say.

use rusqlite::{Connection, params};
use sentinel_engine::Time;

use super::super::capacity;
use super::super::error::StoreError;
use super::super::value::{from_id, from_time};
use super::memory::Ledger;
use super::{OutgoingMessage, event_id, execute};

/// Adds messages at `now`, in the caller's transaction, and makes room for them. What `ledger` says was sent from memory
/// is recorded as that.
pub(crate) fn insert_all(
    connection: &Connection,
    installation: &[u8; 16],
    messages: &[OutgoingMessage],
    now: Time,
    ledger: &Ledger,
) -> Result<(), StoreError> {
    if messages.is_empty() {
        return Ok(());
    }
    capacity::make(connection, messages)?;
    messages.iter().try_for_each(|message| {
        if revise(connection, installation, message)? {
            return Ok(());
        }
        let event = event_id(installation, message.incident, message.sequence, &message.receiver);
        insert(connection, &event, message, now)?;
        ledger.mark(connection, &event, now)
    })
}

/// Has messages say what `messages` say, in the caller's transaction. One that was tried, or is part of another, stays as it
/// is: retries must not differ.
pub(crate) fn complete(
    connection: &Connection,
    installation: &[u8; 16],
    messages: &[OutgoingMessage],
) -> Result<(), StoreError> {
    messages.iter().try_for_each(|message| {
        let event = event_id(installation, message.incident, message.sequence, &message.receiver);
        execute(
            connection,
            "UPDATE outbox SET payload = ?2 WHERE event = ?1 AND state = 'pending' AND attempts = 0",
            params![event, message.payload],
        )
    })
}

/// Whether `message` is said by an earlier one from now on, which was not tried yet.
fn revise(connection: &Connection, installation: &[u8; 16], message: &OutgoingMessage) -> Result<bool, StoreError> {
    let Some(revision) = &message.revises else {
        return Ok(false);
    };
    let earlier = event_id(installation, message.incident, revision.sequence, &message.receiver);
    connection
        .prepare_cached("UPDATE outbox SET payload = ?2 WHERE event = ?1 AND state = 'pending' AND attempts = 0")
        .and_then(|mut statement| statement.execute(params![earlier, revision.payload]))
        .map(|revised| revised > 0)
        .map_err(StoreError::doing("bring a message up to date"))
}

fn insert(connection: &Connection, event: &str, message: &OutgoingMessage, now: Time) -> Result<(), StoreError> {
    let added = connection
        .prepare_cached(
            "INSERT INTO outbox (event, incident, sequence, receiver, kind, severity, payload, created_at, \
             created_wall, not_before_at, patient) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
             ON CONFLICT (event) DO NOTHING",
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
                from_time(message.not_before),
                message.not_before > now,
            ])
        })
        .map_err(StoreError::doing("add to the outbox"))?;
    if added == 0 {
        // The same key means the same place in the same conversation. Failing would keep a service from being healed.
        tracing::warn!(event, incident = %message.incident, "a message is in the outbox already");
    }
    Ok(())
}
