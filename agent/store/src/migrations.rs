//! The schema, and how an older store comes to have it.

use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;
use super::state::State;

/// Marks the file as the agent's: `Sntl`.
pub(super) const APPLICATION_ID: i32 = 0x536e_746c;

/// The steps from nothing to the schema of today, with the version each makes. Released steps never change.
const MIGRATIONS: [(i64, &str); 7] = [
    (1, include_str!("schema/0001.sql")),
    (2, include_str!("schema/0002.sql")),
    (3, include_str!("schema/0003.sql")),
    (4, include_str!("schema/0004.sql")),
    (5, include_str!("schema/0005.sql")),
    (6, include_str!("schema/0006.sql")),
    (7, include_str!("schema/0007.sql")),
];

/// The newest schema known here. A store of a newer one is refused. It is the `user_version` of the file, of whose header
/// it is bytes 60 to 63, the highest first (the file format of `SQLite`, 1.3).
pub const NEWEST: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// Brings a store of version `from` to the newest one, each step in one transaction: after a crash a step was made or was not.
pub(super) fn migrate(connection: &mut Connection, from: i64) -> Result<(), StoreError> {
    migrate_to(connection, from, NEWEST)
}

/// The tables and indexes of a store of `version`, by name, and the statements that made them. What an operator added
/// beside them is no matter.
pub(super) fn schema_of(version: i64) -> Result<Vec<(String, String)>, StoreError> {
    let doing = StoreError::doing("make out what the store should look like");
    let mut connection = Connection::open_in_memory().map_err(&doing)?;
    migrate_to(&mut connection, 0, version)?;
    connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        .and_then(|mut statement| statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .map_err(&doing)
}

fn migrate_to(connection: &mut Connection, from: i64, to: i64) -> Result<(), StoreError> {
    let doing = StoreError::doing("bring the store's schema up to date");
    let steps = MIGRATIONS
        .into_iter()
        .filter(|(version, _)| *version > from && *version <= to);
    for (version, sql) in steps {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&doing)?;
        transaction.execute_batch(sql).map_err(&doing)?;
        transaction
            .pragma_update(None, "user_version", version)
            .map_err(&doing)?;
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(&doing)?;
        let mut state = State::read(&transaction)?;
        state.schema = version;
        state.write(&transaction)?;
        transaction.commit().map_err(&doing)?;
    }
    Ok(())
}
