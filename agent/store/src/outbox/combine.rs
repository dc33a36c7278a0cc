//! One message instead of several. Whoever puts them in words asks for the parts first and gives the words back; what
//! changed in between makes that void, and is looked at again.

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};
use sentinel_engine::{IncidentId, Severity, Time};

use super::super::error::StoreError;
use super::super::open::Database;
use super::super::thread::Store;
use super::super::value::{text, to_id, to_time, to_wall};
use super::{Special, execute, page};

/// What is made of several messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// The beginnings of several incidents in one.
    Group,
    /// What was never delivered, and what was over before it could be.
    Digest,
    /// The end of an incident tells its beginning too. The last part is the end.
    Collapse,
}

/// Messages to be put in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Combination {
    /// To whom.
    pub receiver: String,
    /// What is made of them.
    pub combine: Combine,
    /// The messages, oldest first.
    pub parts: Vec<Part>,
    /// What was given up, for a digest.
    pub undelivered: Vec<Undelivered>,
    /// The host's name.
    pub host: String,
}

/// One of the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The outbox's row.
    pub row: i64,
    /// The incident it is about.
    pub incident: IncidentId,
    /// Its ordinal within the incident.
    pub sequence: u32,
    /// What kind of message.
    pub kind: String,
    /// How urgent.
    pub severity: Severity,
    /// What was to be sent.
    pub payload: Vec<u8>,
    /// When it was decided.
    pub created: Time,
    /// The same by the wall clock.
    pub created_wall: Timestamp,
}

/// Messages of one kind about one service that a receiver was never reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The service; empty when that is not known.
    pub service: String,
    /// What kind of message.
    pub kind: String,
    /// How many.
    pub messages: u64,
    /// When the first was decided.
    pub first: Timestamp,
    /// When the last was.
    pub last: Timestamp,
}

impl Combination {
    pub(super) fn read(
        connection: &Connection,
        receiver: &str,
        combine: Combine,
        rows: Vec<i64>,
        host: &str,
    ) -> Result<Self, StoreError> {
        let undelivered = match combine {
            Combine::Digest => undelivered(connection, receiver)?,
            Combine::Group | Combine::Collapse => Vec::new(),
        };
        Ok(Self {
            receiver: receiver.to_owned(),
            combine,
            parts: rows
                .into_iter()
                .map(|row| part(connection, row))
                .collect::<Result<_, _>>()?,
            undelivered,
            host: host.to_owned(),
        })
    }

    fn rows(&self) -> Vec<i64> {
        self.parts.iter().map(|part| part.row).collect()
    }
}

impl Store {
    /// Puts `combination` in the outbox as one message, which says `payload`, decided at `now`. Nothing is done when its
    /// parts are no longer as they were.
    pub async fn combine(
        &self,
        combination: Combination,
        payload: Vec<u8>,
        severity: Severity,
        now: Time,
        wall: Timestamp,
    ) -> Result<(), StoreError> {
        self.call(move |database| put(database, &combination, &payload, severity, now, wall))
            .await
    }
}

fn put(
    database: &mut Database,
    combination: &Combination,
    payload: &[u8],
    severity: Severity,
    now: Time,
    wall: Timestamp,
) -> Result<(), StoreError> {
    let doing = StoreError::doing("combine messages");
    let installation = database.state.installation;
    let transaction = database
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&doing)?;
    let rows = serde_json::Value::from(combination.rows()).to_string();
    let unchanged: usize = transaction
        .query_row(
            "SELECT count(*) FROM outbox WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'pending' \
             AND NOT ambiguous",
            [&rows],
            |row| row.get::<_, i64>(0),
        )
        .map_err(&doing)
        .map(|count| usize::try_from(count).unwrap_or(0))?;
    if unchanged != combination.parts.len() {
        return Ok(());
    }
    if combination.combine == Combine::Collapse {
        collapse(&transaction, combination, payload, severity, wall)?;
        return transaction.commit().map_err(&doing);
    }
    let oldest = combination.parts.iter().min_by_key(|part| part.created);
    let digest = combination.combine == Combine::Digest;
    let special = Special {
        receiver: &combination.receiver,
        kind: if digest { "digest" } else { "group" },
        severity,
        payload,
        // A group is as old as what it tells, so that it expires with it.
        created: oldest.filter(|_| !digest).map_or(now, |part| part.created),
        created_wall: wall,
        about: None,
    };
    let row = special.insert(&transaction, &installation)?;
    execute(
        &transaction,
        "UPDATE outbox SET place = coalesce((SELECT min(value) FROM json_each(?2)), 0) WHERE id = ?1",
        params![row, rows],
    )?;
    // What fires by the parts of a group is told of each, by receivers that are told of states, until the group has arrived.
    execute(
        &transaction,
        "UPDATE outbox SET state = 'merged', combined = ?1, payload = CASE WHEN ?3 THEN x'' ELSE payload END \
         WHERE id IN (SELECT value FROM json_each(?2))",
        params![row, rows, digest],
    )?;
    if digest {
        reported(&transaction, combination)?;
        let mut health = page::health(&transaction, &combination.receiver)?;
        health.digested_at = Some(now);
        page::save_health(&transaction, &combination.receiver, &health)?;
    }
    transaction.commit().map_err(&doing)
}

/// The end tells everything, in the place of the beginning and under its own key: it was never sent.
fn collapse(
    connection: &Connection,
    combination: &Combination,
    payload: &[u8],
    severity: Severity,
    wall: Timestamp,
) -> Result<(), StoreError> {
    let Some((ending, earlier)) = combination.parts.split_last() else {
        return Ok(());
    };
    let earlier: Vec<i64> = earlier.iter().map(|part| part.row).collect();
    let earlier = serde_json::Value::from(earlier).to_string();
    execute(
        connection,
        "UPDATE outbox SET kind = 'healed', payload = ?2, severity = ?3, \
         place = (SELECT min(value) FROM json_each(?4)) WHERE id = ?1",
        params![ending.row, payload, severity.as_str(), earlier],
    )?;
    execute(
        connection,
        "UPDATE outbox SET state = 'superseded', combined = ?1, payload = x'', finished_wall = ?3 \
         WHERE id IN (SELECT value FROM json_each(?2))",
        params![ending.row, earlier, wall.as_microsecond()],
    )
}

/// What a digest tells is counted no longer; what was given up since it was read, is.
fn reported(connection: &Connection, combination: &Combination) -> Result<(), StoreError> {
    for count in &combination.undelivered {
        execute(
            connection,
            "UPDATE undelivered SET messages = messages - ?4 WHERE receiver = ?1 AND service = ?2 AND kind = ?3",
            params![
                combination.receiver,
                count.service,
                count.kind,
                i64::try_from(count.messages).unwrap_or(i64::MAX)
            ],
        )?;
    }
    execute(connection, "DELETE FROM undelivered WHERE messages <= 0", [])
}

fn part(connection: &Connection, row: i64) -> Result<Part, StoreError> {
    connection
        .prepare_cached(
            "SELECT id, incident, sequence, kind, severity, payload, created_at, created_wall FROM outbox WHERE id = ?1",
        )
        .and_then(|mut statement| {
            statement.query_row([row], |row| {
                Ok(Part {
                    row: row.get(0)?,
                    incident: IncidentId(to_id(row.get(1)?)),
                    sequence: row.get(2)?,
                    kind: text(row, 3)?,
                    severity: page::severity(&text(row, 4)?),
                    payload: row.get(5)?,
                    created: to_time(row.get(6)?),
                    created_wall: to_wall(row.get(7)?),
                })
            })
        })
        .map_err(StoreError::doing("read a message"))
}

fn undelivered(connection: &Connection, receiver: &str) -> Result<Vec<Undelivered>, StoreError> {
    connection
        .prepare_cached(
            "SELECT service, kind, messages, first_wall, last_wall FROM undelivered WHERE receiver = ?1 \
             ORDER BY messages DESC, service, kind",
        )
        .and_then(|mut statement| {
            let rows = statement.query_map([receiver], |row| {
                Ok(Undelivered {
                    service: text(row, 0)?,
                    kind: text(row, 1)?,
                    messages: to_id(row.get(2)?),
                    first: to_wall(row.get(3)?),
                    last: to_wall(row.get(4)?),
                })
            })?;
            rows.collect()
        })
        .map_err(StoreError::doing("read what was not delivered"))
}
