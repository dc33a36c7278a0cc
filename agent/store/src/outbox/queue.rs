//! Everything that waits, for operators.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use sentinel_engine::alerting::dispatch::{Breaker, DispatchPolicy, Health, Waiting};
use sentinel_engine::{IncidentId, Time};

use super::super::error::StoreError;
use super::super::thread::Store;
use super::super::value::{optional_text, text, to_id, to_time, to_wall};
use super::WAITING;

/// What waits at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Every receiver that takes messages from the outbox, by name.
    pub receivers: Vec<ReceiverQueue>,
    /// The first messages that wait, in the order of their places.
    pub messages: Vec<QueuedMessage>,
}

/// What waits for one receiver, and how it has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverQueue {
    /// Its name.
    pub name: String,
    /// Messages that wait for it.
    pub waiting: u64,
    /// When the oldest of them was decided.
    pub oldest: Option<Time>,
    /// How it has answered.
    pub health: Health,
    /// Its breaker.
    pub breaker: Breaker,
    /// Until when nothing is sent to it, and why.
    pub gate: Option<(Time, Waiting)>,
    /// The last failure, for operators.
    pub last_error: Option<String>,
    /// When that was.
    pub error_at: Option<Timestamp>,
    /// Messages it was never sent and no digest reported yet.
    pub undelivered: u64,
}

/// One message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedMessage {
    /// Its idempotency key.
    pub event: String,
    /// For whom.
    pub receiver: String,
    /// The incident it is about; 0 when it is about none, or several.
    pub incident: IncidentId,
    /// The incident's service; empty when that is not known.
    pub service: String,
    /// What kind of message.
    pub kind: String,
    /// How urgent.
    pub severity: String,
    /// `pending`, `inflight` or `merged`.
    pub state: String,
    /// When it was decided.
    pub created: Time,
    /// It is not sent before.
    pub not_before: Time,
    /// Attempts so far.
    pub attempts: u32,
    /// Whether an attempt may have reached the receiver.
    pub ambiguous: bool,
    /// Why the last one failed.
    pub last_error: Option<String>,
}

impl Store {
    /// What waits at `now`: every receiver, and at most `limit` messages.
    pub async fn queue(&self, now: Time, limit: u32) -> Result<Queue, StoreError> {
        self.call(move |database| {
            let policy = database.outbox.dispatch;
            let connection = &database.connection;
            let read = || {
                Ok(Queue {
                    receivers: receivers(connection, &policy, now)?,
                    messages: messages(connection, limit)?,
                })
            };
            read().map_err(StoreError::doing("read what waits"))
        })
        .await
    }
}

fn receivers(connection: &Connection, policy: &DispatchPolicy, now: Time) -> rusqlite::Result<Vec<ReceiverQueue>> {
    let sql = format!(
        "SELECT name, health, last_error, error_wall, \
         (SELECT count(*) FROM outbox WHERE receiver = name AND state IN {WAITING}), \
         (SELECT min(created_at) FROM outbox WHERE receiver = name AND state IN {WAITING}), \
         (SELECT coalesce(sum(messages), 0) FROM undelivered WHERE receiver = name) FROM receivers ORDER BY name"
    );
    connection
        .prepare_cached(&sql)?
        .query_map([], |row| {
            let health: Health = serde_json::from_str(&text(row, 1)?).unwrap_or_default();
            Ok(ReceiverQueue {
                name: text(row, 0)?,
                waiting: to_id(row.get(4)?),
                oldest: row.get::<_, Option<i64>>(5)?.map(to_time),
                breaker: health.breaker(policy, now),
                gate: health.gate(policy, now),
                health,
                last_error: optional_text(row, 2)?,
                error_at: row.get::<_, Option<i64>>(3)?.map(to_wall),
                undelivered: to_id(row.get(6)?),
            })
        })?
        .collect()
}

fn messages(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<QueuedMessage>> {
    let sql = format!(
        "SELECT event, receiver, incident, coalesce((SELECT service FROM incidents WHERE id = incident), ''), kind, \
         severity, state, created_at, not_before_at, attempts, ambiguous, last_error FROM outbox \
         WHERE state IN {WAITING} ORDER BY receiver, coalesce(place, id), id LIMIT ?1"
    );
    connection
        .prepare_cached(&sql)?
        .query_map(params![limit], |row| {
            Ok(QueuedMessage {
                event: text(row, 0)?,
                receiver: text(row, 1)?,
                incident: IncidentId(to_id(row.get(2)?)),
                service: text(row, 3)?,
                kind: text(row, 4)?,
                severity: text(row, 5)?,
                state: text(row, 6)?,
                created: to_time(row.get(7)?),
                not_before: to_time(row.get(8)?),
                attempts: row.get(9)?,
                ambiguous: row.get(10)?,
                last_error: optional_text(row, 11)?,
            })
        })?
        .collect()
}
