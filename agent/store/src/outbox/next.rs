//! What a receiver has to do next: the decision of the engine, carried out as far as the store can.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use sentinel_engine::alerting::dispatch::{Plan, plan};
use sentinel_engine::{IncidentId, Time};

use super::super::error::StoreError;
use super::super::open::Database;
use super::super::thread::Store;
use super::super::value::{from_id, optional_text, text, to_id, to_time};
use super::combine::{Combination, Combine};
use super::ending::end;
use super::{execute, page};

/// Steps of bookkeeping in one look. Each makes the queue shorter; what is left is done at the next look.
const STEPS: usize = 64;

/// A message whose turn it is. It is `inflight` in the outbox and stays so until [`Store::attempted`] says what became
/// of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The outbox's row.
    pub row: i64,
    /// The idempotency key, the same on every attempt.
    pub event: String,
    /// The incident it is about; 0 when it is about none, or several.
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
    /// The message that began the conversation about this incident with this receiver, for those that thread.
    pub first: Option<First>,
}

/// The first message of an incident that a receiver took, or may have taken. That may be one for several incidents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    /// Its idempotency key.
    pub event: String,
    /// What the receiver calls it; `None` when it gave it no name, or nobody knows.
    pub reference: Option<String>,
    /// Whether it began the conversations about other incidents as well.
    pub shared: bool,
}

/// What a receiver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send this.
    Send(Box<Delivery>),
    /// This was being sent by an agent that is gone: record with [`Store::attempted`] that it failed, and ask again.
    CutOff(Box<Delivery>),
    /// Put these in one message, give it to [`Store::combine`], and ask again.
    Combine(Box<Combination>),
    /// Nothing before this time, unless a message is added.
    Wait(Time),
    /// Nothing until a message is added.
    Idle,
}

impl Store {
    /// What `receiver` has to do next. A message to send is marked as being sent.
    pub async fn next_message(&self, receiver: &str, now: Time, wall: Timestamp) -> Result<Next, StoreError> {
        let receiver = receiver.to_owned();
        self.call(move |database| next(database, &receiver, now, wall)).await
    }
}

fn next(database: &mut Database, receiver: &str, now: Time, wall: Timestamp) -> Result<Next, StoreError> {
    let doing = StoreError::doing("look for the next message");
    let settings = database.outbox.clone();
    let transaction = database
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&doing)?;
    let mut health = page::health(&transaction, receiver)?;
    let mut next = Next::Wait(now);
    for _ in 0..STEPS {
        let rows = page::waiting(&transaction, receiver)?;
        let undelivered = page::any_undelivered(&transaction, receiver)?;
        let plan = plan(&rows, &health, undelivered, now, &settings.dispatch);
        let reason = plan.reason();
        let combined = |combine, rows| Combination::read(&transaction, receiver, combine, rows, &settings.host);
        next = match plan {
            Plan::Expire { rows } => {
                let messages = end(&transaction, "expired", None, &rows, wall)?;
                tracing::error!(
                    event = "messages_given_up",
                    receiver,
                    messages,
                    "messages expired undelivered, or ended an alert that was refused"
                );
                continue;
            }
            Plan::Supersede { rows, .. } => {
                supersede(&transaction, &rows, wall)?;
                tracing::debug!(receiver, messages = rows.len(), reason, "messages say nothing any more");
                continue;
            }
            Plan::Collapse { mut rows, ending } => {
                rows.push(ending);
                Next::Combine(Box::new(combined(Combine::Collapse, rows)?))
            }
            Plan::SendGroup { rows, .. } => Next::Combine(Box::new(combined(Combine::Group, rows)?)),
            Plan::SendDigest { rows } => Next::Combine(Box::new(combined(Combine::Digest, rows)?)),
            Plan::CutOff { row } => Next::CutOff(Box::new(read(&transaction, row)?)),
            Plan::Send { row, .. } => {
                tracing::debug!(receiver, row, reason, "a message is next");
                Next::Send(Box::new(claim(&transaction, receiver, row)?))
            }
            Plan::Wait { until, .. } => Next::Wait(until),
            Plan::Idle => {
                if health.recovering {
                    health.drained();
                    page::save_health(&transaction, receiver, &health)?;
                }
                Next::Idle
            }
        };
        break;
    }
    transaction.commit().map_err(&doing)?;
    Ok(next)
}

/// Forgets messages of which others say more.
fn supersede(connection: &Connection, rows: &[i64], wall: Timestamp) -> Result<(), StoreError> {
    execute(
        connection,
        "UPDATE outbox SET state = 'superseded', payload = x'', finished_wall = ?2 \
         WHERE id IN (SELECT value FROM json_each(?1))",
        params![serde_json::Value::from(rows).to_string(), wall.as_microsecond()],
    )
}

/// Marks a message as being sent.
fn claim(transaction: &Transaction<'_>, receiver: &str, row: i64) -> Result<Delivery, StoreError> {
    let mut delivery = read(transaction, row)?;
    delivery.attempt = delivery.attempt.saturating_add(1);
    delivery.first = first(transaction, receiver, &delivery)?;
    execute(
        transaction,
        "UPDATE outbox SET state = 'inflight', attempts = ?2 WHERE id = ?1",
        params![row, delivery.attempt],
    )?;
    Ok(delivery)
}

/// A message as it was last tried.
fn read(transaction: &Transaction<'_>, row: i64) -> Result<Delivery, StoreError> {
    transaction
        .prepare_cached(
            "SELECT id, event, incident, sequence, kind, payload, created_at, attempts, ambiguous FROM outbox WHERE id = ?1",
        )
        .and_then(|mut statement| {
            statement.query_row([row], |row| {
                Ok(Delivery {
                    row: row.get(0)?,
                    event: text(row, 1)?,
                    incident: IncidentId(to_id(row.get(2)?)),
                    sequence: row.get(3)?,
                    kind: text(row, 4)?,
                    payload: row.get(5)?,
                    created: to_time(row.get(6)?),
                    attempt: row.get(7)?,
                    ambiguous: row.get(8)?,
                    first: None,
                })
            })
        })
        .map_err(StoreError::doing("look for the next message"))
}

/// The message that began the conversation which `delivery` goes on with.
fn first(connection: &Connection, receiver: &str, delivery: &Delivery) -> Result<Option<First>, StoreError> {
    if delivery.incident == IncidentId(0) {
        return Ok(None);
    }
    connection
        .prepare_cached(
            "SELECT coalesce(whole.event, part.event), coalesce(whole.reference, part.reference), whole.id IS NOT NULL \
             FROM outbox AS part LEFT JOIN outbox AS whole ON whole.id = part.combined \
             WHERE part.receiver = ?1 AND part.incident = ?2 AND part.sequence < ?3 \
             AND (part.state = 'delivered' OR part.ambiguous) ORDER BY part.sequence LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row(
                    params![receiver, from_id(delivery.incident.0), delivery.sequence],
                    |row| {
                        Ok(First {
                            event: text(row, 0)?,
                            reference: optional_text(row, 1)?,
                            shared: row.get(2)?,
                        })
                    },
                )
                .optional()
        })
        .map_err(StoreError::doing("look for the first message of an incident"))
}
