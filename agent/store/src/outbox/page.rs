//! What waits for a receiver, as the decision sees it.

use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use sentinel_engine::alerting::dispatch::{Earlier, Health, MessageKind, Row, Standing};
use sentinel_engine::{IncidentId, Severity};

use super::super::error::StoreError;
use super::super::value::{text, to_id, to_time};
use super::{WAITING, execute};

/// Messages that are looked at at a time: the first in the queue. When all of them wait for their time, so do those
/// behind them; that takes as many failures, and the breaker opens long before.
const PAGE: u32 = 512;

/// The first messages that wait for `receiver`.
pub(super) fn waiting(connection: &Connection, receiver: &str) -> Result<Vec<Row>, StoreError> {
    let sql = format!(
        "SELECT id, coalesce(place, id), incident, sequence, kind, severity, created_at, not_before_at, attempts, \
         ambiguous, patient, state, \
         o.incident > 0 AND EXISTS (SELECT 1 FROM outbox AS e WHERE e.incident = o.incident \
             AND e.receiver = o.receiver AND e.sequence < o.sequence \
             AND (e.state = 'delivered' OR e.ambiguous AND e.state NOT IN {WAITING})), \
         o.incident > 0 AND EXISTS (SELECT 1 FROM outbox AS e WHERE e.incident = o.incident \
             AND e.receiver = o.receiver AND e.sequence < o.sequence AND e.state IN ('dead', 'expired')), \
         o.incident > 0 AND EXISTS (SELECT 1 FROM outbox AS e WHERE e.incident = o.incident \
             AND e.receiver = o.receiver AND e.sequence > o.sequence AND e.state = 'delivered'), \
         o.incident > 0 AND EXISTS (SELECT 1 FROM outbox AS e WHERE e.incident = o.incident \
             AND e.receiver = o.receiver AND e.sequence < o.sequence AND e.combined IS NOT NULL AND e.state = 'delivered') \
         FROM outbox AS o WHERE receiver = ?1 AND state IN {WAITING} ORDER BY coalesce(place, id), id LIMIT ?2"
    );
    connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_map(params![receiver, PAGE], read)?.collect())
        .map_err(StoreError::doing("look for the next message"))
}

fn read(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    let state = text(row, 11)?;
    Ok(Row {
        id: row.get(0)?,
        place: row.get(1)?,
        incident: IncidentId(to_id(row.get(2)?)),
        sequence: row.get(3)?,
        kind: MessageKind::from_word(&text(row, 4)?),
        severity: severity(&text(row, 5)?),
        created: to_time(row.get(6)?),
        not_before: to_time(row.get(7)?),
        attempts: row.get(8)?,
        ambiguous: row.get(9)?,
        patient: row.get(10)?,
        standing: match state.as_str() {
            "inflight" => Standing::Interrupted,
            "merged" => Standing::Merged,
            _ => Standing::Pending,
        },
        earlier: match (row.get(12)?, row.get(13)?) {
            (true, _) => Earlier::Delivered,
            (false, true) => Earlier::Lost,
            (false, false) => Earlier::Nothing,
        },
        overtaken: row.get(14)?,
        together: row.get(15)?,
    })
}

/// The severity that a stored word means.
pub(super) fn severity(word: &str) -> Severity {
    match word {
        "critical" => Severity::Critical,
        "info" => Severity::Info,
        _ => Severity::Warning,
    }
}

/// How `receiver` has answered so far. What cannot be understood counts as nothing known: then it is simply tried.
pub(super) fn health(connection: &Connection, receiver: &str) -> Result<Health, StoreError> {
    let stored = connection
        .prepare_cached("SELECT health FROM receivers WHERE name = ?1")
        .and_then(|mut statement| statement.query_row([receiver], |row| text(row, 0)).optional())
        .map_err(StoreError::doing("read how a receiver has answered"))?;
    Ok(stored
        .and_then(|json| serde_json::from_str(&json).ok())
        .unwrap_or_default())
}

/// Keeps how `receiver` has answered, in the caller's transaction.
pub(super) fn save_health(connection: &Connection, receiver: &str, health: &Health) -> Result<(), StoreError> {
    let json = serde_json::to_string(health)
        .map_err(|error| StoreError::Conflict(format!("the health of a receiver has no JSON form: {error}")))?;
    execute(
        connection,
        "INSERT INTO receivers (name, health) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET health = excluded.health",
        params![receiver, json],
    )
}

/// Whether something was given up that no digest told `receiver` of yet.
pub(super) fn any_undelivered(connection: &Connection, receiver: &str) -> Result<bool, StoreError> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM undelivered WHERE receiver = ?1)")
        .and_then(|mut statement| statement.query_row([receiver], |row| row.get(0)))
        .map_err(StoreError::doing("look for undelivered messages"))
}
