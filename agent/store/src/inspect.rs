//! A look at the store while an agent may be using it: nothing is locked, moved, migrated or made.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use sentinel_base::clock::Anchor;

use super::error::StoreError;
use super::migrations::NEWEST;
use super::open::{BUSY_TIMEOUT, FILE, identify};
use super::state::State;

/// What a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Its schema.
    pub schema: i64,
    /// The newest schema that this agent knows.
    pub known: i64,
    /// The clock when it was last written; `None` for a store of another schema, or one that was never written.
    pub anchor: Option<Anchor>,
}

/// Looks at the store in `dir`; `None` when there is none yet. Reads all of it.
///
/// # Errors
///
/// It cannot be read, is damaged, of a newer agent, or no store.
pub fn inspect(dir: &Path) -> Result<Option<Inspection>, StoreError> {
    let path = dir.join(FILE);
    if !path.try_exists().map_err(super::open::file_error("look at", &path))? {
        return Ok(None);
    }
    let doing = StoreError::doing("open the store");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(&doing)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(&doing)?;
    let schema = identify(&connection, &path)?;
    let verdict: String = connection
        .pragma_query_value(None, "quick_check", |row| row.get(0))
        .map_err(StoreError::doing("check the store"))?;
    if verdict != "ok" {
        return Err(StoreError::Damaged(verdict));
    }
    let anchor = match schema {
        NEWEST => State::read_checked(&connection)?.anchor,
        _ => None,
    };
    Ok(Some(Inspection {
        schema,
        known: NEWEST,
        anchor,
    }))
}
