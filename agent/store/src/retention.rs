//! What is forgotten: closed incidents that are old, or too many. Open ones never are.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::open::Database;
use super::outbox::WAITING;
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
        &format!("DELETE FROM outbox WHERE state NOT IN {WAITING} AND incident IN ({doomed})"),
        values,
    )?;
    let forgotten = transaction.execute(&format!("DELETE FROM incidents WHERE id IN ({doomed})"), values)?;
    // An operator's restart of a healthy service belongs to no incident.
    transaction.execute(
        "DELETE FROM intents WHERE action IN (SELECT action FROM intents WHERE incident IS NULL AND recorded_at < ?2 \
         LIMIT ?1)",
        params![STEP, oldest],
    )?;
    // Nor does a message about several, or about receivers.
    transaction.execute(
        &format!(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE incident = 0 AND state NOT IN {WAITING} \
             AND created_at < ?2 LIMIT ?1)"
        ),
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

#[cfg(test)]
mod tests {
    use super::super::migrations::migrate;
    use super::*;

    /// Incidents 1 to `count` with a line, an action and a delivered message each, closed at ten times their number; every
    /// tenth is still open.
    fn history(count: i64) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, 0).unwrap();
        for id in 1..=count {
            let closed = (id % 10 != 0).then_some(id * 10);
            let run = |sql: &str| connection.execute(sql, params![id, closed]).unwrap();
            run("INSERT INTO incidents VALUES (?1, 'shop', 0, ?2, ?2, NULL, '', '', '', 0, 0, NULL, NULL)");
            run("INSERT INTO timeline SELECT ?1, 1, 0, '', '' WHERE ?2 IS NULL OR true");
            run(
                "INSERT INTO intents (action, service, incident, attempt, verb, recorded_at, recorded_wall) \
                 SELECT ?1, 'shop', ?1, 1, 'restart', 0, 0 WHERE ?2 IS NULL OR true",
            );
            run(
                "INSERT INTO outbox (event, incident, sequence, receiver, kind, severity, payload, created_at, \
                 created_wall, state) SELECT ?1, ?1, 1, 'team', 'fired', '', x'', 0, 0, \
                 iif(?2 IS NULL OR ?1 % 10 = 5, 'pending', 'delivered')",
            );
        }
        connection
    }

    /// Steps until there is nothing more to forget; answers with the incidents left.
    fn forget(connection: &mut Connection, oldest: i64, count_max: i64, bytes_max: i64) -> Vec<i64> {
        let mut steps = 0;
        while step(connection, oldest, count_max, bytes_max).unwrap() {
            steps += 1;
            assert!(steps < 100, "it ends");
        }
        let ids = |table: &str, id: &str| -> Vec<i64> {
            let mut statement = connection
                .prepare(&format!("SELECT {id} FROM {table} ORDER BY {id}"))
                .unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        };
        let left = ids("incidents", "id");
        assert_eq!(ids("timeline", "incident"), left, "lines go with their incident");
        assert_eq!(ids("intents", "incident"), left, "actions go with their incident");
        left
    }

    #[test]
    fn what_is_old_is_forgotten_unless_it_is_open() {
        let mut connection = history(200);
        let left = forget(&mut connection, 1500, i64::MAX, i64::MAX);
        assert!(left.iter().all(|id| id % 10 == 0 || *id >= 150), "{left:?}");
        assert_eq!(left.iter().filter(|id| **id < 150).count(), 14, "open ones stay");
        assert_eq!(left.iter().filter(|id| **id >= 150).count(), 51, "young ones stay");
        let pending: i64 = connection
            .query_row("SELECT count(*) FROM outbox WHERE incident = 5", [], |row| row.get(0))
            .unwrap();
        assert_eq!(pending, 1, "a message on its way stays");
    }

    #[test]
    fn what_is_too_much_is_forgotten_from_the_oldest() {
        let left = forget(&mut history(200), 0, 100, i64::MAX);
        let closed: Vec<i64> = left.into_iter().filter(|id| id % 10 != 0).collect();
        assert_eq!(closed.len(), 100);
        assert_eq!((closed[0], closed[99]), (89, 199));
    }

    #[test]
    fn a_store_that_is_too_large_keeps_what_is_open() {
        let left = forget(&mut history(200), 0, i64::MAX, 0);
        assert!(left.iter().all(|id| id % 10 == 0) && left.len() == 20, "{left:?}");
        assert_eq!(
            forget(&mut history(200), 0, i64::MAX, i64::MAX).len(),
            200,
            "and nothing goes without need"
        );
    }
}
