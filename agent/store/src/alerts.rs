//! Who was notified of what is open, and silences.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use sentinel_engine::IncidentId;
use sentinel_engine::alerting::{NotificationLog, Silence};

use super::error::StoreError;
use super::value::{from_id, from_time, text, to_id, to_time};

/// What is to be kept of alerting from now on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertChanges {
    /// Conversations; `None` for one that is over.
    pub notification_logs: BTreeMap<IncidentId, Option<NotificationLog>>,
    /// Silences; `None` for one that is over.
    pub silences: BTreeMap<u64, Option<Silence>>,
}

impl AlertChanges {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.notification_logs.is_empty() && self.silences.is_empty()
    }
}

/// What was kept of alerting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertMemory {
    /// Every conversation.
    pub notification_logs: Vec<NotificationLog>,
    /// Every silence in force.
    pub silences: Vec<Silence>,
    /// The next silence's number.
    pub next_silence: u64,
}

/// Records what changed, in the caller's transaction.
pub(super) fn save(connection: &Connection, changes: &AlertChanges, wall: Timestamp) -> Result<(), StoreError> {
    for (id, log) in &changes.notification_logs {
        match log {
            Some(log) => save_notification_log(connection, log, wall)?,
            None => execute(
                connection,
                "DELETE FROM conversations WHERE incident = ?1",
                [from_id(id.0)],
            )?,
        }
    }
    for (id, silence) in &changes.silences {
        match silence {
            Some(silence) => save_silence(connection, silence, wall)?,
            None => execute(connection, "DELETE FROM silences WHERE id = ?1", [from_id(*id)])?,
        }
    }
    Ok(())
}

fn save_notification_log(connection: &Connection, log: &NotificationLog, wall: Timestamp) -> Result<(), StoreError> {
    let json = serde_json::to_string(log)
        .map_err(|error| StoreError::Conflict(format!("a conversation has no JSON form: {error}")))?;
    execute(
        connection,
        "INSERT INTO conversations VALUES (?1, ?2, ?3) ON CONFLICT (incident) DO UPDATE SET \
         conversation = excluded.conversation, updated_wall = excluded.updated_wall",
        params![from_id(log.incident.0), json, wall.as_microsecond()],
    )
}

fn save_silence(connection: &Connection, silence: &Silence, wall: Timestamp) -> Result<(), StoreError> {
    let matches = serde_json::to_string(&silence.matches)
        .map_err(|error| StoreError::Conflict(format!("a silence has no JSON form: {error}")))?;
    let until = wall.checked_add(silence.until.since(silence.since)).unwrap_or(wall);
    execute(
        connection,
        "INSERT INTO silences VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
        params![
            from_id(silence.id),
            matches,
            silence.by,
            silence.comment,
            from_time(silence.since),
            wall.as_microsecond(),
            from_time(silence.until),
            until.as_microsecond(),
        ],
    )
}

/// Reads everything. What cannot be understood is left out: the worst that follows is a message too many.
pub(super) fn load(connection: &Connection) -> Result<AlertMemory, StoreError> {
    let doing = StoreError::doing("read which receivers were notified");
    let rows: Vec<String> = connection
        .prepare("SELECT conversation FROM conversations ORDER BY incident")
        .and_then(|mut statement| statement.query_map([], |row| text(row, 0))?.collect())
        .map_err(&doing)?;
    let notification_logs = rows.iter().filter_map(|json| match serde_json::from_str(json) {
        Ok(log) => Some(log),
        Err(error) => {
            tracing::error!(event = "memory_unreadable", %error, "the receivers notified of an incident cannot be read");
            None
        }
    });
    let silences: Vec<(u64, String, String, String, i64, i64)> = connection
        .prepare("SELECT id, matches, author, comment, since_at, until_at FROM silences ORDER BY id")
        .and_then(|mut statement| {
            let row = |row: &rusqlite::Row<'_>| {
                let words = (text(row, 1)?, text(row, 2)?, text(row, 3)?);
                Ok((to_id(row.get(0)?), words.0, words.1, words.2, row.get(4)?, row.get(5)?))
            };
            statement.query_map([], row)?.collect()
        })
        .map_err(&doing)?;
    let silences = silences
        .into_iter()
        .filter_map(|(id, matches, by, comment, since, until)| {
            let matches = serde_json::from_str(&matches).ok();
            if matches.is_none() {
                tracing::error!(
                    event = "memory_unreadable",
                    silence = id,
                    "a stored silence cannot be read and is over"
                );
            }
            Some(Silence {
                id,
                matches: matches?,
                by,
                comment,
                since: to_time(since),
                until: to_time(until),
            })
        });
    let last: Option<i64> = connection
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'silences'", [], |row| {
            row.get(0)
        })
        .optional()
        .map_err(&doing)?;
    Ok(AlertMemory {
        notification_logs: notification_logs.collect(),
        silences: silences.collect(),
        next_silence: last.map_or(1, |last| to_id(last).saturating_add(1)),
    })
}

fn execute(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(values))
        .map_err(StoreError::doing("record which receivers were notified"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sentinel_engine::Time;
    use sentinel_engine::alerting::Match;

    use super::super::migrations::migrate;
    use super::*;

    fn silence(id: u64) -> Silence {
        Silence {
            id,
            matches: Match {
                services: vec!["db-*".to_owned()],
                ..Match::default()
            },
            by: "alice".to_owned(),
            comment: "new disks".to_owned(),
            since: Time::ZERO,
            until: Time::from_epoch(Duration::from_secs(7200)),
        }
    }

    fn keep(connection: &Connection, id: u64, silence: Option<Silence>) {
        let changes = AlertChanges {
            silences: BTreeMap::from([(id, silence)]),
            ..AlertChanges::default()
        };
        save(connection, &changes, Timestamp::UNIX_EPOCH).unwrap();
    }

    #[test]
    fn silences_are_kept_and_their_numbers_are_not_used_again() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, 0).unwrap();
        assert_eq!(load(&connection).unwrap().next_silence, 1);
        keep(&connection, 1, Some(silence(1)));
        keep(&connection, 2, Some(silence(2)));
        keep(&connection, 2, None);
        let kept = load(&connection).unwrap();
        assert_eq!((kept.silences, kept.next_silence), (vec![silence(1)], 3));
        let until: i64 = connection
            .query_row("SELECT until_wall FROM silences", [], |row| row.get(0))
            .unwrap();
        assert_eq!(until, 7_200_000_000, "for people who look with sqlite3");
    }

    #[test]
    fn what_cannot_be_understood_is_left_out() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, 0).unwrap();
        keep(&connection, 1, Some(silence(1)));
        connection
            .execute_batch("UPDATE silences SET matches = '['; INSERT INTO conversations VALUES (7, '{}', 0)")
            .unwrap();
        let kept = load(&connection).unwrap();
        assert!(kept.silences.is_empty() && kept.notification_logs.is_empty());
    }
}
