//! What fires, by receiver: for those that are told of states, over and over, and not of changes.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};
use sentinel_engine::IncidentId;

use super::error::StoreError;
use super::open::Database;
use super::thread::Store;
use super::value::{from_id, optional_text, text, to_id, to_wall};

/// The end of an incident whose last message was lost counts as told after this long: nothing may fire for ever.
const LOST: Duration = Duration::from_secs(60 * 60);

/// Messages on their way that are looked at: more than ever wait for a receiver that answers.
const WAITING_MAX: i64 = 1000;

/// One alert that a receiver was notified of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The incident it is about.
    pub incident: IncidentId,
    /// How urgent, which tells several alerts of one incident apart.
    pub severity: String,
    /// The outbox's row of the message that spoke of it last.
    pub notified: i64,
    /// The alert, in the receiver's own form.
    pub alert: String,
    /// When it ended, if it did.
    pub ended: Option<Timestamp>,
}

/// A message that waits for its turn, by itself or as a part of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The outbox's row.
    pub row: i64,
    /// What kind of message.
    pub kind: String,
    /// What it says.
    pub payload: Vec<u8>,
}

impl Store {
    /// What `receiver` was told fires or has ended within `lingering`, and the messages that will say more, in order.
    pub async fn firing(
        &self,
        receiver: &str,
        wall: Timestamp,
        lingering: Duration,
    ) -> Result<(Vec<Firing>, Vec<Waiting>), StoreError> {
        let receiver = receiver.to_owned();
        self.call(move |database| {
            let doing = StoreError::doing("look up what fires");
            let transaction = database
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(&doing)?;
            end_lost(&transaction, &receiver, wall).map_err(&doing)?;
            forget(&transaction, &receiver, wall, lingering).map_err(&doing)?;
            let firing = firing(&transaction, &receiver).map_err(&doing)?;
            let waiting = waiting(&transaction, &receiver).map_err(&doing)?;
            transaction.commit().map_err(&doing)?;
            Ok((firing, waiting))
        })
        .await
    }

    /// Records what `receiver` is sent from now on of these alerts.
    pub async fn fire(&self, receiver: &str, alerts: Vec<Firing>) -> Result<(), StoreError> {
        let receiver = receiver.to_owned();
        self.call(move |database| fire(database, &receiver, &alerts).map_err(StoreError::doing("record what fires")))
            .await
    }
}

fn fire(database: &mut Database, receiver: &str, alerts: &[Firing]) -> rusqlite::Result<()> {
    let transaction = database
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)?;
    for alert in alerts {
        transaction
            .prepare_cached(
                "INSERT INTO firing (receiver, incident, severity, told, alert, ended_wall) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT DO UPDATE SET told = excluded.told, alert = excluded.alert, ended_wall = excluded.ended_wall",
            )?
            .execute(params![
                receiver,
                from_id(alert.incident.0),
                alert.severity,
                alert.notified,
                alert.alert,
                alert.ended.map(Timestamp::as_microsecond),
            ])?;
    }
    transaction.commit()
}

/// Ends what belongs to an incident that is over or forgotten, and of whose end nothing is on its way.
fn end_lost(connection: &Connection, receiver: &str, wall: Timestamp) -> rusqlite::Result<()> {
    let lost = wall.as_microsecond().saturating_sub(micros(LOST));
    connection
        .prepare_cached(
            "UPDATE firing SET ended_wall = ?2 WHERE receiver = ?1 AND ended_wall IS NULL \
             AND NOT EXISTS (SELECT 1 FROM incidents WHERE id = incident AND (closed_wall IS NULL OR closed_wall > ?3)) \
             AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.receiver = ?1 AND outbox.incident = firing.incident \
             AND state IN ('pending', 'inflight', 'merged'))",
        )?
        .execute(params![receiver, wall.as_microsecond(), lost])
        .map(drop)
}

fn forget(connection: &Connection, receiver: &str, wall: Timestamp, lingering: Duration) -> rusqlite::Result<()> {
    let over = wall.as_microsecond().saturating_sub(micros(lingering));
    connection
        .prepare_cached("DELETE FROM firing WHERE receiver = ?1 AND ended_wall < ?2")?
        .execute(params![receiver, over])
        .map(drop)
}

fn firing(connection: &Connection, receiver: &str) -> rusqlite::Result<Vec<Firing>> {
    let mut statement = connection.prepare_cached(
        "SELECT incident, severity, told, alert, ended_wall FROM firing WHERE receiver = ?1 ORDER BY told",
    )?;
    let rows = statement.query_map([receiver], |row| {
        Ok(Firing {
            incident: IncidentId(to_id(row.get(0)?)),
            severity: text(row, 1)?,
            notified: row.get(2)?,
            alert: text(row, 3)?,
            ended: row.get::<_, Option<i64>>(4)?.map(to_wall),
        })
    })?;
    rows.collect()
}

fn waiting(connection: &Connection, receiver: &str) -> rusqlite::Result<Vec<Waiting>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, kind, payload FROM outbox WHERE receiver = ?1 \
         AND state IN ('pending', 'inflight', 'merged') ORDER BY id LIMIT ?2",
    )?;
    let rows = statement.query_map(params![receiver, WAITING_MAX], |row| {
        Ok(Waiting {
            row: row.get(0)?,
            kind: optional_text(row, 1)?.unwrap_or_default(),
            payload: row.get(2)?,
        })
    })?;
    rows.collect()
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
