//! Messages that no operator took: each is counted, until a digest says how many there were.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::super::error::StoreError;
use super::super::value::clip;
use super::WAITING;

/// Services and kinds that are counted apart, by receiver. What exceeds it is counted together.
const COUNTS_MAX: u32 = 1000;

/// Ends the waiting messages that `rows` (a condition on `outbox`, with `values` from ?1 on) names, and those that are
/// part of them, as `state`, and counts them for a digest. Answers how many.
pub(super) fn end(
    connection: &Connection,
    state: &str,
    reason: Option<&str>,
    rows: &[i64],
    wall: Timestamp,
) -> Result<usize, StoreError> {
    let rows = serde_json::Value::from(rows).to_string();
    let which = format!(
        "state IN {WAITING} AND (id IN (SELECT value FROM json_each(?1)) \
         OR state = 'merged' AND combined IN (SELECT value FROM json_each(?1)))"
    );
    // A message about receivers says nothing that would still be news.
    execute(
        connection,
        &format!(
            "INSERT INTO undelivered (receiver, service, kind, messages, first_wall, last_wall) \
             SELECT receiver, iif((SELECT count(*) FROM undelivered AS u WHERE u.receiver = outbox.receiver) < ?2, \
             coalesce((SELECT service FROM incidents WHERE id = incident), ''), ''), kind, count(*), \
             min(created_wall), max(created_wall) FROM outbox WHERE incident > 0 AND {which} GROUP BY 1, 2, 3 \
             ON CONFLICT (receiver, service, kind) DO UPDATE SET messages = messages + excluded.messages, \
             first_wall = min(first_wall, excluded.first_wall), last_wall = max(last_wall, excluded.last_wall)"
        ),
        params![rows, COUNTS_MAX],
    )?;
    execute_counted(
        connection,
        &format!(
            "UPDATE outbox SET state = ?2, last_error = coalesce(?3, last_error), payload = x'', finished_wall = ?4 \
             WHERE {which}"
        ),
        params![rows, state, reason.map(clip), wall.as_microsecond()],
    )
}

/// Gives up the pending messages that `condition` names, which has `values` from ?1 on, with what is part of them.
/// Answers how many.
pub(crate) fn expire_where(
    connection: &Connection,
    condition: &str,
    values: &[&dyn rusqlite::ToSql],
    reason: &str,
    wall: Timestamp,
) -> Result<usize, StoreError> {
    let rows: Vec<i64> = connection
        .prepare_cached(&format!("SELECT id FROM outbox WHERE {condition}"))
        .and_then(|mut statement| statement.query_map(values, |row| row.get(0))?.collect())
        .map_err(StoreError::doing("look for messages to give up"))?;
    end(connection, "expired", Some(reason), &rows, wall)
}

pub(crate) fn execute(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
    execute_counted(connection, sql, values).map(|_| ())
}

/// As [`execute`], answering how many rows it changed.
fn execute_counted(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<usize, StoreError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(values))
        .map_err(StoreError::doing("update the outbox"))
}
