//! Room in the outbox, which is bounded: a receiver that is gone for good must not fill the disk.

use jiff::Timestamp;
use rusqlite::Connection;

use super::error::StoreError;
use super::outbox::{OutgoingMessage, WAITING, expire_where};

/// How much the outbox may hold, finished messages included.
#[derive(Clone, Copy)]
struct Bounds {
    rows: usize,
    bytes: usize,
}

/// A day without any receiver on a host where everything fails stays below this, and a small disk above it.
const BOUNDS: Bounds = Bounds {
    rows: 10_000,
    bytes: 32 * 1024 * 1024,
};

/// Why a message was given up, for operators.
const FULL: &str = "the outbox was full";

/// Makes room for `added`, in the caller's transaction.
pub(super) fn make(connection: &Connection, added: &[OutgoingMessage]) -> Result<(), StoreError> {
    make_within(connection, BOUNDS, added)
}

/// Finished messages that nothing on its way goes on with. Those of incidents that are open go last: their end will be
/// sent to whoever was notified of the beginning, and in its thread.
fn finished() -> String {
    format!(
        "SELECT id FROM outbox AS o WHERE state NOT IN {WAITING} AND (state = 'superseded' OR kind = 'update' OR NOT EXISTS \
         (SELECT 1 FROM outbox AS w WHERE w.incident = o.incident AND w.receiver = o.receiver AND w.incident > 0 \
         AND w.state IN {WAITING})) ORDER BY EXISTS (SELECT 1 FROM incidents AS i WHERE i.id = o.incident \
         AND i.closed_at IS NULL), id LIMIT 100"
    )
}

/// A whole conversation with one receiver, the oldest one there is: half of it would mislead. One that a combined message
/// began goes only with that. `condition` is about all messages of it, in terms of SQL's aggregates.
fn thread(condition: &str) -> String {
    format!(
        "state = 'pending' AND (receiver, incident) = (SELECT receiver, incident FROM outbox WHERE incident > 0 \
         GROUP BY receiver, incident HAVING max(state = 'pending') AND NOT max(state = 'merged') AND {condition} \
         ORDER BY max(attempts > 0), min(id) LIMIT 1)"
    )
}

/// Keeps the outbox with what is `added` within its bounds: finished messages go first, then what matters least of what
/// no operator took. What is being sent stays.
fn make_within(connection: &Connection, bounds: Bounds, added: &[OutgoingMessage]) -> Result<(), StoreError> {
    let bytes_added: usize = added.iter().map(|message| message.payload.len()).sum();
    let wall = added
        .first()
        .map_or(Timestamp::UNIX_EPOCH, |message| message.created_wall);
    let heard = "max(state = 'delivered' OR ambiguous)";
    let given_up_in_turn = [
        // The next one says the same, and more.
        "id = (SELECT min(id) FROM outbox WHERE state = 'pending' AND kind = 'update')".to_owned(),
        thread(&format!("NOT {heard}")),
        "id = (SELECT min(id) FROM outbox WHERE incident = 0 AND state = 'pending')".to_owned(),
        // What somebody heard the beginning of goes when there is nothing else; the digest then reports it.
        thread(heard),
    ];
    loop {
        let (rows, bytes) = size(connection)?;
        if rows.saturating_add(added.len()) <= bounds.rows && bytes.saturating_add(bytes_added) <= bounds.bytes {
            return Ok(());
        }
        let removed = connection
            .prepare_cached(&format!("DELETE FROM outbox WHERE id IN ({})", finished()))
            .and_then(|mut statement| statement.execute([]))
            .map_err(StoreError::doing("make room in the outbox"))?;
        if removed > 0 {
            continue;
        }
        let mut given_up = 0;
        for condition in &given_up_in_turn {
            given_up = expire_where(connection, condition, &[], FULL, wall)?;
            if given_up > 0 {
                break;
            }
        }
        if given_up == 0 {
            return Ok(());
        }
        tracing::error!(
            event = "messages_given_up",
            messages = given_up,
            "outbox full; its oldest messages were dropped"
        );
    }
}

/// Rows, and bytes of payload.
fn size(connection: &Connection) -> Result<(usize, usize), StoreError> {
    connection
        .prepare_cached("SELECT count(*), coalesce(sum(length(payload)), 0) FROM outbox")
        .and_then(|mut statement| {
            statement.query_row([], |row| {
                let number = |column| {
                    row.get::<_, i64>(column)
                        .map(|number| usize::try_from(number).unwrap_or(usize::MAX))
                };
                Ok((number(0)?, number(1)?))
            })
        })
        .map_err(StoreError::doing("measure the outbox"))
}

#[cfg(test)]
mod tests {
    use sentinel_engine::{IncidentId, Severity, Time};

    use super::super::migrations::migrate;
    use super::super::outbox::{Ledger, insert_all};
    use super::*;

    fn message(incident: u64, sequence: u32) -> OutgoingMessage {
        OutgoingMessage {
            incident: IncidentId(incident),
            sequence,
            receiver: "team".to_owned(),
            kind: "fired",
            severity: Severity::Warning,
            payload: vec![b'x'; 100],
            created: Time::ZERO,
            created_wall: Timestamp::UNIX_EPOCH,
            not_before: Time::ZERO,
            revises: None,
        }
    }

    /// An outbox with two messages of each of `incidents`.
    fn outbox(incidents: u64) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, 0).unwrap();
        for incident in 1..=incidents {
            let messages = [message(incident, 1), message(incident, 2)];
            insert_all(&connection, &[0; 16], &messages, Time::ZERO, &Ledger::default()).unwrap();
        }
        connection
    }

    /// Every row as `incident/sequence state`.
    fn rows(connection: &Connection) -> Vec<String> {
        let sql = "SELECT incident || '/' || sequence || ' ' || state FROM outbox ORDER BY id";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn finished_messages_make_room_first() {
        let connection = outbox(2);
        connection
            .execute_batch("UPDATE outbox SET state = 'delivered' WHERE incident = 1")
            .unwrap();
        let bounds = Bounds { rows: 4, bytes: 10_000 };
        make_within(&connection, bounds, &[message(3, 1)]).unwrap();
        assert_eq!(rows(&connection), ["2/1 pending", "2/2 pending"]);
    }

    #[test]
    fn whole_threads_make_room_and_nothing_goes_without_need() {
        let connection = outbox(3);
        // Somebody may have heard of the first one.
        connection
            .execute_batch("UPDATE outbox SET attempts = 1 WHERE incident = 1 AND sequence = 1")
            .unwrap();
        let bytes = Bounds { rows: 100, bytes: 700 };
        make_within(&connection, bytes, &[message(4, 1)]).unwrap();
        assert_eq!(rows(&connection).len(), 6, "it fits");
        make_within(&connection, bytes, &[message(4, 1), message(4, 2)]).unwrap();
        assert_eq!(
            rows(&connection),
            [
                "1/1 pending",
                "1/2 pending",
                "2/1 expired",
                "2/2 expired",
                "3/1 pending",
                "3/2 pending"
            ],
            "what is given up holds no bytes any more"
        );
        let rows_max = Bounds { rows: 4, bytes: 10_000 };
        make_within(&connection, rows_max, &[message(4, 1)]).unwrap();
        assert_eq!(rows(&connection), ["1/1 pending", "1/2 pending"]);
    }

    #[test]
    fn the_end_of_what_was_notified_outlives_what_no_receiver_heard_of() {
        let connection = outbox(4);
        // Incident 1 was reported and is over; 2 was reported and goes on, and so does 3, of which nobody heard.
        connection
            .execute_batch(
                "UPDATE outbox SET state = 'delivered', attempts = 1, payload = x'' WHERE incident < 3 AND sequence = 1; \
                 UPDATE outbox SET kind = 'resolved' WHERE incident = 1 AND sequence = 2; \
                 UPDATE outbox SET kind = 'update' WHERE incident = 2 AND sequence = 2",
            )
            .unwrap();
        make_within(&connection, Bounds { rows: 8, bytes: 10_000 }, &[message(5, 1)]).unwrap();
        assert_eq!(
            rows(&connection),
            [
                "1/1 delivered",
                "1/2 pending",
                "3/1 pending",
                "3/2 pending",
                "4/1 pending",
                "4/2 pending"
            ],
            "an update is no loss, and nothing goes on with its beginning now"
        );
        make_within(&connection, Bounds { rows: 4, bytes: 10_000 }, &[message(5, 1)]).unwrap();
        assert_eq!(rows(&connection), ["1/1 delivered", "1/2 pending"]);
        make_within(&connection, Bounds { rows: 2, bytes: 10_000 }, &[message(5, 1)]).unwrap();
        assert_eq!(rows(&connection), [""; 0], "the bound holds whatever it takes");
    }

    #[test]
    fn what_goes_on_with_open_incidents_is_forgotten_last() {
        let connection = outbox(3);
        connection
            .execute_batch(
                "UPDATE outbox SET state = 'delivered'; \
                 INSERT INTO incidents SELECT 1, 'shop', 0, NULL, NULL, NULL, '', '', '', 0, 0, NULL, NULL",
            )
            .unwrap();
        connection
            .execute_batch("DELETE FROM outbox WHERE sequence = 2")
            .unwrap();
        let sql = finished().replace("LIMIT 100", "LIMIT 2");
        let mut statement = connection.prepare(&sql).unwrap();
        let ids: Vec<i64> = statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(ids, [3, 5], "incident 1 is open");
    }

    #[test]
    fn what_is_being_sent_is_never_given_up() {
        let connection = outbox(1);
        connection
            .execute_batch("UPDATE outbox SET state = 'inflight'")
            .unwrap();
        make_within(&connection, Bounds { rows: 1, bytes: 1 }, &[message(2, 1)]).unwrap();
        assert_eq!(rows(&connection), ["1/1 inflight", "1/2 inflight"]);
    }
}
