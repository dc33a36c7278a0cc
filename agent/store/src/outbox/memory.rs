//! Messages that are sent from memory because they cannot be recorded: under the key they will have in the outbox, so
//! that no receiver is notified twice when they come to be recorded after all.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, params};
use sentinel_engine::Time;

use super::super::error::StoreError;
use super::super::thread::Store;
use super::super::value::from_time;
use super::{OutgoingMessage, event_id, execute};

/// A message that comes to be recorded while it is being sent from memory is left alone this long: longer than an
/// attempt takes. Should the agent die meanwhile, it is sent again after it.
const SENDING: Duration = Duration::from_secs(60);

/// Most messages sent from memory that are kept account of, those of an outage of the store.
const ENTRIES_MAX: usize = 10_000;

/// What became of a message that was sent from memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromMemory {
    /// It is being sent now. Said before it is.
    Sending,
    /// The receiver took it; holds its name there.
    Delivered(Option<String>),
    /// It is unknown whether it arrived.
    Doubtful,
    /// It did not arrive.
    Failed,
}

/// The messages that were sent from memory and are not recorded yet, by their keys.
#[derive(Debug, Default)]
pub(crate) struct Ledger(BTreeMap<String, FromMemory>);

impl Ledger {
    /// Records what became of `event`, which is in the outbox by now.
    pub(super) fn mark(&self, connection: &Connection, event: &str, now: Time) -> Result<(), StoreError> {
        self.0
            .get(event)
            .map_or(Ok(()), |state| write(connection, event, state, now))
    }

    /// Forgets those whose end is recorded: `messages` were committed.
    pub(crate) fn recorded(&mut self, installation: &[u8; 16], messages: &[OutgoingMessage]) {
        if self.0.is_empty() {
            return;
        }
        for message in messages {
            let event = event_id(installation, message.incident, message.sequence, &message.receiver);
            if self.0.get(&event).is_some_and(|state| *state != FromMemory::Sending) {
                self.0.remove(&event);
            }
        }
    }
}

impl Store {
    /// Says what becomes of a message sent from memory. Works also while the store cannot be written. Answers whether it
    /// is the sender's still: once it is recorded, the outbox sends it, unless that was reported before that it is
    /// being sent.
    pub async fn sent_from_memory(&self, event: String, state: FromMemory, now: Time) -> Result<bool, StoreError> {
        self.call(move |database| {
            let is_recorded = database
                .connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM outbox WHERE event = ?1)")
                .and_then(|mut statement| statement.query_row([&event], |row| row.get(0)))
                .map_err(StoreError::doing("look for a message"))?;
            let ledger = &mut database.ledger.0;
            if state == FromMemory::Sending && (is_recorded || ledger.len() >= ENTRIES_MAX) {
                return Ok(false);
            }
            // If it was recorded meanwhile and this cannot be written, it is sent again: once too often is better than
            // never.
            if is_recorded && write(&database.connection, &event, &state, now).is_ok() {
                ledger.remove(&event);
            } else {
                ledger.insert(event, state);
            }
            Ok(true)
        })
        .await
    }
}

fn write(connection: &Connection, event: &str, state: &FromMemory, now: Time) -> Result<(), StoreError> {
    let row = "WHERE event = ?1 AND state = 'pending'";
    match state {
        FromMemory::Sending => execute(
            connection,
            &format!("UPDATE outbox SET ambiguous = 1, attempts = attempts + 1, not_before_at = ?2, patient = 0 {row}"),
            params![event, from_time(now + SENDING)],
        ),
        FromMemory::Delivered(reference) => execute(
            connection,
            &format!(
                "UPDATE outbox SET state = 'delivered', payload = x'', reference = ?2, attempts = max(attempts, 1), \
                 finished_wall = ?3 {row}"
            ),
            params![event, reference, sentinel_base::clock::wall().as_microsecond()],
        ),
        FromMemory::Doubtful => execute(
            connection,
            &format!(
                "UPDATE outbox SET ambiguous = 1, attempts = max(attempts, 1), not_before_at = 0, patient = 0 {row}"
            ),
            params![event],
        ),
        FromMemory::Failed => execute(
            connection,
            &format!("UPDATE outbox SET ambiguous = 0, attempts = max(attempts, 1), not_before_at = 0 {row}"),
            params![event],
        ),
    }
}
