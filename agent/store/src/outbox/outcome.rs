//! What became of an attempt: for the message, and for the receiver.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sentinel_engine::Time;
use sentinel_engine::alerting::dispatch::{Health, News};

use super::super::error::StoreError;
use super::super::open::Database;
use super::super::thread::Store;
use super::super::value::{clip, from_time, text, to_id};
use super::ending::end;
use super::{WAITING, execute, page};

/// What became of an attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it, and knows it by this name.
    Delivered(Option<String>),
    /// It failed in a way that may pass.
    Postponed {
        /// Why, for operators.
        error: String,
        /// Whether it may have reached the receiver.
        ambiguous: bool,
        /// It is not tried again sooner.
        gap: Duration,
        /// How long the receiver asked to be left alone.
        wish: Option<Duration>,
    },
    /// The receiver refused it for good; holds why, for operators.
    Dead(String),
}

/// What an outcome changed for the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// What operators should know.
    pub news: News,
    /// When the first of the failures in a row was, that before this outcome too.
    pub failing_since: Option<Time>,
    /// How long the receiver asks to be left alone, from this outcome on.
    pub asked: Duration,
    /// Messages that wait for this receiver.
    pub waiting: u64,
}

impl Store {
    /// Records what became of the message `row`, at `now`.
    pub async fn attempted(
        &self,
        row: i64,
        outcome: Outcome,
        now: Time,
        wall: Timestamp,
    ) -> Result<Changed, StoreError> {
        let changed = self
            .call(move |database| attempted(database, row, &outcome, now, wall))
            .await?;
        if changed.news.opened || changed.news.closed {
            self.outbox_changed();
        }
        Ok(changed)
    }
}

fn attempted(
    database: &mut Database,
    row: i64,
    outcome: &Outcome,
    now: Time,
    wall: Timestamp,
) -> Result<Changed, StoreError> {
    let doing = StoreError::doing("record what became of a message");
    let policy = database.outbox.dispatch;
    let transaction = database
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&doing)?;
    let receiver = transaction
        .prepare_cached("SELECT receiver FROM outbox WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([row], |row| text(row, 0)).optional())
        .map_err(&doing)?
        .unwrap_or_default();
    let before = page::health(&transaction, &receiver)?;
    let mut health = before.clone();
    let news = match outcome {
        Outcome::Delivered(reference) => {
            delivered(&transaction, row, reference.as_deref(), wall)?;
            health.succeeded(&policy, now)
        }
        Outcome::Postponed {
            error,
            ambiguous,
            gap,
            wish,
        } => {
            postponed(&transaction, row, error, *ambiguous, now + *gap)?;
            health.failed(&policy, now, *wish)
        }
        Outcome::Dead(error) => {
            end(&transaction, "dead", Some(error), &[row], wall)?;
            health.refused(&policy, now)
        }
    };
    keep(&transaction, &receiver, &before, &health, outcome, wall)?;
    let changed = Changed {
        news,
        failing_since: health.failing_since.or(before.failing_since),
        asked: health.asked_until.since(now),
        waiting: count(&transaction, &receiver)?,
    };
    transaction.commit().map_err(&doing)?;
    Ok(changed)
}

/// What was delivered is not sent again: only the fact is kept.
fn delivered(connection: &Connection, row: i64, reference: Option<&str>, wall: Timestamp) -> Result<(), StoreError> {
    execute(
        connection,
        "UPDATE outbox SET state = 'delivered', payload = x'', reference = ?2, last_error = NULL, finished_wall = ?3 \
         WHERE id = ?1 OR combined = ?1 AND state = 'merged'",
        params![row, reference, wall.as_microsecond()],
    )
}

fn postponed(
    connection: &Connection,
    row: i64,
    error: &str,
    ambiguous: bool,
    not_before: Time,
) -> Result<(), StoreError> {
    execute(
        connection,
        "UPDATE outbox SET state = 'pending', last_error = ?2, ambiguous = ambiguous OR ?3, not_before_at = ?4 \
         WHERE id = ?1",
        params![row, clip(error), ambiguous, from_time(not_before)],
    )?;
    execute(
        connection,
        "UPDATE outbox SET last_error = ?2, ambiguous = ambiguous OR ?3 WHERE combined = ?1 AND state = 'merged'",
        params![row, clip(error), ambiguous],
    )
}

/// Keeps what changed for the receiver.
fn keep(
    connection: &Connection,
    receiver: &str,
    before: &Health,
    health: &Health,
    outcome: &Outcome,
    wall: Timestamp,
) -> Result<(), StoreError> {
    if health != before {
        page::save_health(connection, receiver, health)?;
    }
    let (Outcome::Postponed { error, .. } | Outcome::Dead(error)) = outcome else {
        return Ok(());
    };
    execute(
        connection,
        "UPDATE receivers SET last_error = ?2, error_wall = ?3 WHERE name = ?1",
        params![receiver, clip(error), wall.as_microsecond()],
    )
}

/// Messages that wait for `receiver`.
fn count(connection: &Connection, receiver: &str) -> Result<u64, StoreError> {
    connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM outbox WHERE receiver = ?1 AND state IN {WAITING}"
        ))
        .and_then(|mut statement| statement.query_row([receiver], |row| row.get(0).map(to_id)))
        .map_err(StoreError::doing("count what waits"))
}
