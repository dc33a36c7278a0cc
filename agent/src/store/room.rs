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

/// Why a message was given up, for people.
const FULL: &str = "the outbox was full";

/// Makes room for `added`, in the caller's transaction.
pub(super) fn make(connection: &Connection, added: &[OutgoingMessage]) -> Result<(), StoreError> {
    make_within(connection, BOUNDS, added)
}

/// Keeps the outbox with what is `added` within its bounds: finished messages go first, then whole conversations that
/// nobody took. What is being sent stays.
fn make_within(connection: &Connection, bounds: Bounds, added: &[OutgoingMessage]) -> Result<(), StoreError> {
    let bytes_added: usize = added.iter().map(|message| message.payload.len()).sum();
    let wall = added
        .first()
        .map_or(Timestamp::UNIX_EPOCH, |message| message.created_wall);
    loop {
        let (rows, bytes) = size(connection)?;
        if rows.saturating_add(added.len()) <= bounds.rows && bytes.saturating_add(bytes_added) <= bounds.bytes {
            return Ok(());
        }
        let removed = connection
            .prepare_cached(&format!(
                "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state NOT IN {WAITING} ORDER BY id LIMIT 100)"
            ))
            .and_then(|mut statement| statement.execute([]))
            .map_err(StoreError::doing("make room in the outbox"))?;
        if removed > 0 {
            continue;
        }
        // Half a conversation would mislead, so it goes as a whole, and first one of which nobody heard yet. One that a
        // combined message began goes only with that, which is the last that goes.
        let conversation = "state = 'pending' AND (receiver, incident) = (SELECT receiver, incident FROM outbox \
             WHERE incident > 0 GROUP BY receiver, incident HAVING max(state = 'pending') AND NOT max(state = 'merged') \
             ORDER BY max(attempts > 0), min(id) LIMIT 1)";
        let combined = "id = (SELECT min(id) FROM outbox WHERE incident = 0 AND state = 'pending')";
        let mut given_up = expire_where(connection, conversation, &[], FULL, wall)?;
        if given_up == 0 {
            given_up = expire_where(connection, combined, &[], FULL, wall)?;
        }
        if given_up == 0 {
            return Ok(());
        }
        tracing::error!(
            event = "messages_given_up",
            messages = given_up,
            "the outbox was full; its oldest messages were given up"
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
    fn whole_conversations_make_room_and_nothing_goes_without_need() {
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
    fn what_is_being_sent_is_never_given_up() {
        let connection = outbox(1);
        connection
            .execute_batch("UPDATE outbox SET state = 'inflight'")
            .unwrap();
        make_within(&connection, Bounds { rows: 1, bytes: 1 }, &[message(2, 1)]).unwrap();
        assert_eq!(rows(&connection), ["1/1 inflight", "1/2 inflight"]);
    }
}
