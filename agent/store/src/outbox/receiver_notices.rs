//! The receivers that take messages from the outbox, and what they are notified of each other.

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};
use sentinel_engine::{Severity, Time};

use super::super::announced::Announcement;
use super::super::error::StoreError;
use super::super::open::Database;
use super::super::thread::Store;
use super::super::value::text;
use super::{Special, execute, expire_where, page};

/// What the others are told of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Messages do not arrive there.
    Stuck,
    /// It refused a message for good.
    Refused,
    /// Messages arrive there again. Sent to those who heard that they did not.
    Works,
}

impl Notice {
    /// The word in the store. A closed set.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stuck => "stuck",
            Self::Refused => "refused",
            Self::Works => "works",
        }
    }
}

impl Store {
    /// Says that `receiver` takes messages from the outbox, so that it hears of the others.
    pub async fn enroll(&self, receiver: &str) -> Result<(), StoreError> {
        let receiver = receiver.to_owned();
        self.call(move |database| {
            execute(
                &database.connection,
                "INSERT INTO receivers (name) VALUES (?1) ON CONFLICT (name) DO NOTHING",
                [&receiver],
            )
        })
        .await
    }

    /// Says that `receiver` is configured otherwise than before: what waits for it is tried at once, however long it had
    /// asked to be left alone.
    pub async fn receiver_changed(&self, receiver: &str) -> Result<(), StoreError> {
        let receiver = receiver.to_owned();
        self.call(move |database| {
            let connection = &database.connection;
            let mut health = page::health(connection, &receiver)?;
            health.changed();
            page::save_health(connection, &receiver, &health)?;
            execute(
                connection,
                "UPDATE outbox SET not_before_at = 0 WHERE receiver = ?1 AND state = 'pending' AND attempts > 0",
                [&receiver],
            )
        })
        .await
    }

    /// Gives up the messages to receivers that are no longer configured, which nobody would ever send; answers how many.
    pub async fn keep_receivers(&self, names: Vec<String>, wall: Timestamp) -> Result<usize, StoreError> {
        self.call(move |database| {
            let names = serde_json::Value::from(names).to_string();
            let gone = "NOT IN (SELECT value FROM json_each(?1))";
            let given_up = expire_where(
                &database.connection,
                &format!("state IN ('pending', 'inflight') AND receiver {gone}"),
                &[&names],
                "the receiver is no longer configured",
                wall,
            )?;
            for (table, column) in [
                ("receivers", "name"),
                ("undelivered", "receiver"),
                ("firing", "receiver"),
            ] {
                let sql = format!("DELETE FROM {table} WHERE {column} {gone}");
                execute(&database.connection, &sql, [&names])?;
            }
            if given_up > 0 {
                tracing::error!(
                    event = "messages_given_up",
                    messages = given_up,
                    "messages to removed receivers were dropped"
                );
            }
            Ok(given_up)
        })
        .await
    }

    /// Notifies the other receivers `notice` about `receiver`, in the words of `payload`. Answers how many are notified.
    pub async fn notify_others(
        &self,
        receiver: &str,
        notice: Notice,
        payload: Vec<u8>,
        severity: Severity,
        now: Time,
        wall: Timestamp,
    ) -> Result<usize, StoreError> {
        let receiver = receiver.to_owned();
        let reported = self
            .call(move |database| {
                let special = Special {
                    receiver: "",
                    kind: notice.as_str(),
                    severity,
                    payload: &payload,
                    created: now,
                    created_wall: wall,
                    about: Some(&receiver),
                };
                notify(database, &receiver, notice, special, now)
            })
            .await?;
        if reported > 0 {
            self.outbox_changed();
        }
        Ok(reported)
    }
}

/// Adds a message that is about no incident for each of its receivers, in the caller's transaction.
pub(in super::super) fn insert_notice(
    connection: &Connection,
    installation: &[u8; 16],
    announcement: &Announcement,
) -> Result<(), StoreError> {
    for receiver in &announcement.receivers {
        let special = Special {
            receiver,
            kind: "notice",
            severity: announcement.severity,
            payload: &announcement.payload,
            created: announcement.now,
            created_wall: announcement.wall,
            about: None,
        };
        special.insert(connection, installation)?;
    }
    Ok(())
}

fn notify(
    database: &mut Database,
    about: &str,
    notice: Notice,
    special: Special<'_>,
    now: Time,
) -> Result<usize, StoreError> {
    let doing = StoreError::doing("notify the other receivers");
    let installation = database.state.installation;
    let transaction = database
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&doing)?;
    let others: Vec<String> = transaction
        .prepare_cached("SELECT name FROM receivers WHERE name <> ?1 ORDER BY name")
        .and_then(|mut statement| statement.query_map([about], |row| text(row, 0))?.collect())
        .map_err(&doing)?;
    let mut reported = 0;
    for other in others {
        if notice == Notice::Works && !has_heard(&transaction, &other, about, special.created_wall)? {
            continue;
        }
        let special = Special {
            receiver: &other,
            ..special
        };
        special.insert(&transaction, &installation)?;
        reported += 1;
    }
    let mut health = page::health(&transaction, about)?;
    match notice {
        // Whoever is added while it lasts is notified then.
        Notice::Stuck if reported == 0 => {}
        Notice::Stuck => health.notified_stuck(),
        Notice::Refused => health.notified_refused(now),
        Notice::Works => health.notified_works(),
    }
    page::save_health(&transaction, about, &health)?;
    transaction.commit().map_err(&doing)?;
    Ok(reported)
}

/// Whether `other` may have heard that `about` is stuck. If that still waits to be reported, it is not reported any more.
fn has_heard(connection: &Connection, other: &str, about: &str, wall: Timestamp) -> Result<bool, StoreError> {
    execute(
        connection,
        "UPDATE outbox SET state = 'superseded', payload = x'', finished_wall = ?3 WHERE incident = 0 \
         AND receiver = ?1 AND about = ?2 AND kind = 'stuck' AND state = 'pending' AND NOT ambiguous",
        params![other, about, wall.as_microsecond()],
    )?;
    connection
        .prepare_cached(
            "SELECT coalesce((SELECT kind = 'stuck' FROM outbox WHERE incident = 0 AND receiver = ?1 AND about = ?2 \
             AND kind IN ('stuck', 'works') AND state NOT IN ('superseded', 'expired', 'dead') \
             ORDER BY sequence DESC LIMIT 1), 0)",
        )
        .and_then(|mut statement| statement.query_row([other, about], |row| row.get(0)))
        .map_err(StoreError::doing("look up what a receiver was sent"))
}
