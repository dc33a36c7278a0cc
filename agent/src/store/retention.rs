//! What is forgotten: closed incidents that are old, or too many. Open ones never are.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::open::Database;
use super::value::from_time;

/// Time between looks at what is old.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Closed incidents are kept this long, by the engine's clock: a wall clock that jumps must not throw history away.
const AGE_MAX: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Most closed incidents kept, whatever their age.
const INCIDENTS_MAX: i64 = 10_000;

/// Closed incidents go, oldest first, while the file holds more than this.
const BYTES_MAX: i64 = 64 * 1024 * 1024;

/// Incidents forgotten at a time: a few milliseconds, so that the next commit does not wait.
const STEP: i64 = 50;

/// Free pages given back to the file system at a time.
const PAGES: i64 = 256;

/// When to look next.
pub(super) struct Retention {
    next: Instant,
}

impl Retention {
    /// Begins with a look soon after the start.
    pub(super) const fn new(now: Instant) -> Self {
        Self { next: now }
    }

    /// Forgets a little, when it is time to. More to forget makes the next request's end the time for that.
    pub(super) fn step_if_due(&mut self, database: &mut Database, now: Instant) {
        if now < self.next {
            return;
        }
        let Some(anchor) = &database.state.anchor else { return };
        let oldest = from_time(anchor.last.back(AGE_MAX));
        match step(&mut database.connection, oldest, INCIDENTS_MAX, BYTES_MAX) {
            Ok(true) => {}
            Ok(false) => self.next = now + EVERY,
            Err(error) => {
                tracing::warn!(%error, "failed to forget old incidents");
                self.next = now + EVERY;
            }
        }
    }
}

/// Forgets up to [`STEP`] closed incidents; answers whether there is more to forget.
fn step(connection: &mut Connection, oldest: i64, count_max: i64, bytes_max: i64) -> rusqlite::Result<bool> {
    let transaction = connection.transaction()?;
    let closed: i64 = transaction.query_row(
        "SELECT count(*) FROM incidents WHERE closed_at IS NOT NULL",
        [],
        |row| row.get(0),
    )?;
    let too_many = (closed - count_max).clamp(0, STEP);
    let too_large = if bytes_used(&transaction)? > bytes_max { STEP } else { 0 };
    let doomed = "SELECT id FROM (SELECT id, closed_at, row_number() OVER (ORDER BY closed_at, id) AS place \
                  FROM incidents WHERE closed_at IS NOT NULL ORDER BY closed_at, id LIMIT ?1) \
                  WHERE closed_at < ?2 OR place <= ?3";
    let values = params![STEP, oldest, too_many.max(too_large)];
    // A message that is still on its way is delivered or expires first; its row does not need the incident's.
    transaction.execute(
        &format!("DELETE FROM outbox WHERE state NOT IN ('pending', 'inflight') AND incident IN ({doomed})"),
        values,
    )?;
    let forgotten = transaction.execute(&format!("DELETE FROM incidents WHERE id IN ({doomed})"), values)?;
    // An operator's restart of a healthy service belongs to no incident.
    transaction.execute(
        "DELETE FROM intents WHERE action IN (SELECT action FROM intents WHERE incident IS NULL AND recorded_at < ?2 \
         LIMIT ?1)",
        params![STEP, oldest],
    )?;
    transaction.commit()?;
    if forgotten > 0 {
        connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        tracing::debug!(incidents = forgotten, "forgot old incidents");
    }
    Ok(i64::try_from(forgotten).is_ok_and(|forgotten| forgotten >= STEP))
}

/// Bytes of the file that hold something.
fn bytes_used(connection: &Connection) -> rusqlite::Result<i64> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    Ok((number("page_count")? - number("freelist_count")?) * number("page_size")?)
}
