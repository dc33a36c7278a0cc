//! What the engine must not forget of each service, and of the host.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use sentinel_engine::{HOST, HostMemory, Memory, ServiceName};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::alerts::AlertMemory;
use super::error::StoreError;
use super::value::text;

/// The memory to assume where what was stored is lost: the budget is spent and an operator is called. The service is
/// watched on, and acting begins again after an operator asks or it has been healthy for a while.
pub fn spent() -> Memory {
    Memory {
        gave_up: true,
        ..Memory::default()
    }
}

/// Everything that is remembered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    /// What is kept of each service.
    pub services: BTreeMap<ServiceName, Memory>,
    /// Services whose memory could not be understood; in `services` it counts as [`spent`].
    pub unreadable: Vec<ServiceName>,
    /// What is kept of the host as a whole.
    pub host: HostMemory,
    /// What is kept of who was notified, and silences.
    pub alerts: AlertMemory,
}

/// Reads everything that is remembered.
pub(super) fn load(connection: &Connection) -> Result<Remembered, StoreError> {
    let rows = connection
        .prepare("SELECT name, memory, digest FROM memory")
        .and_then(|mut statement| {
            statement
                .query_map([], |row| Ok((text(row, 0)?, text(row, 1)?, row.get::<_, Vec<u8>>(2)?)))?
                .collect::<Result<Vec<_>, _>>()
        })
        .map_err(StoreError::doing("read what is remembered"))?;
    let mut remembered = Remembered::default();
    for (name, json, stored) in rows {
        if digest(&name, &json)[..] != stored[..] {
            return Err(StoreError::Damaged(format!(
                "the digest of what is remembered of `{name}` does not match"
            )));
        }
        if name == HOST {
            remembered.host = serde_json::from_str(&json).unwrap_or_else(|error| {
                tracing::error!(event = "memory_unreadable", %error, "the stored state of the host cannot be read; its limits start again from zero");
                HostMemory::default()
            });
            continue;
        }
        let name = ServiceName::from(name.as_str());
        let memory = serde_json::from_str(&json).unwrap_or_else(|error| {
            tracing::error!(event = "memory_unreadable", service = %name, %error, "the stored state of a service cannot be read; its budget counts as spent");
            remembered.unreadable.push(name.clone());
            spent()
        });
        remembered.services.insert(name, memory);
    }
    Ok(remembered)
}

/// Replaces what is remembered of `name`, a service or [`HOST`], in the caller's transaction.
pub(super) fn save(
    connection: &Connection,
    name: &str,
    memory: &impl Serialize,
    wall: Timestamp,
) -> Result<(), StoreError> {
    let json = serde_json::to_string(memory)
        .map_err(|error| StoreError::Conflict(format!("the memory of `{name}` has no JSON form: {error}")))?;
    connection
        .prepare_cached(
            "INSERT INTO memory (name, memory, digest, updated_wall) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (name) DO UPDATE SET memory = excluded.memory, digest = excluded.digest, \
             updated_wall = excluded.updated_wall",
        )
        .and_then(|mut statement| statement.execute(params![name, json, digest(name, &json), wall.as_microsecond()]))
        .map_err(StoreError::doing("record what is remembered"))?;
    Ok(())
}

/// Over the name and the memory as they are stored.
fn digest(name: &str, json: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    // The length keeps the two apart.
    hash.update((name.len() as u64).to_be_bytes());
    hash.update(name);
    hash.update(json);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::super::migrations::migrate;
    use super::*;

    fn store(json: &str) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, 0).unwrap();
        connection
            .execute(
                "INSERT INTO memory VALUES ('shop', ?1, ?2, 0)",
                params![json, digest("shop", json)],
            )
            .unwrap();
        connection
    }

    #[test]
    fn memory_that_cannot_be_understood_counts_as_spent() {
        for json in ["", "[1]", r#"{"attempts": "many"}"#, r#"{"incident": {"id": 1}}"#] {
            let remembered = load(&store(json)).unwrap();
            assert_eq!(remembered.services["shop"], spent(), "`{json}`");
            assert_eq!(remembered.unreadable, ["shop".into()], "`{json}`");
        }
    }

    #[test]
    fn memory_of_another_version_is_understood_as_far_as_it_goes() {
        let remembered = load(&store(r#"{"attempts": 3, "mood": "hopeful"}"#)).unwrap();
        let shop = &remembered.services["shop"];
        assert_eq!((shop.attempts, shop.gave_up), (3, false));
        assert_eq!(remembered.unreadable, []);
    }

    #[test]
    fn memory_that_was_tampered_with_is_damage() {
        for change in ["UPDATE memory SET name = 'mail'", "UPDATE memory SET memory = '{}'"] {
            let connection = store(r#"{"attempts": 3}"#);
            connection.execute_batch(change).unwrap();
            assert!(matches!(load(&connection), Err(StoreError::Damaged(_))), "{change}");
        }
    }
}
