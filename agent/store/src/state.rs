//! The one row that there is once: the installation, the next numbers, and the clock's anchor.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use sentinel_base::clock::Anchor;
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::value::{from_id, from_time, optional_text, to_id, to_time, to_wall};

/// The row of table `state`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    /// The schema's version, repeated from the header.
    pub(super) schema: i64,
    /// Random, made with the store: tells the messages of two hosts, or of two lives of one host, apart.
    pub(super) installation: [u8; 16],
    /// The next incident's number.
    pub(super) next_incident: u64,
    /// The next action's number.
    pub(super) next_action: u64,
    /// The clock at the last commit; `None` before the first.
    pub(super) anchor: Option<Anchor>,
}

impl State {
    /// Reads the row as it is, for a step of the migrations.
    pub(super) fn read(connection: &Connection) -> Result<Self, StoreError> {
        Self::read_with_digest(connection).map(|(state, _)| state)
    }

    /// Reads the row and checks its digest: a flipped bit in a number or a time could refill budgets.
    pub(super) fn read_checked(connection: &Connection) -> Result<Self, StoreError> {
        let (state, digest) = Self::read_with_digest(connection)?;
        if state.digest() == digest[..] {
            Ok(state)
        } else {
            Err(StoreError::Damaged("the digest of its state does not match".to_owned()))
        }
    }

    fn read_with_digest(connection: &Connection) -> Result<(Self, Vec<u8>), StoreError> {
        connection
            .query_row(
                "SELECT schema, installation, next_incident, next_action, boot_id, boot_offset, last_at, last_wall, \
                 digest FROM state",
                [],
                |row| {
                    let boot = (optional_text(row, 4)?, row.get(5)?, row.get(6)?, row.get(7)?);
                    let anchor = match boot {
                        (Some(boot_id), Some(offset), Some(last), Some(wall)) => Some(Anchor {
                            boot_id,
                            offset: to_time(offset).since_epoch(),
                            last: to_time(last),
                            wall: to_wall(wall),
                        }),
                        _ => None,
                    };
                    let state = Self {
                        schema: row.get(0)?,
                        installation: row.get(1)?,
                        next_incident: to_id(row.get(2)?),
                        next_action: to_id(row.get(3)?),
                        anchor,
                    };
                    Ok((state, row.get(8)?))
                },
            )
            .optional()
            .map_err(StoreError::doing("read the store's state"))?
            .ok_or_else(|| StoreError::Damaged("its state is missing".to_owned()))
    }

    /// Replaces the row, in the caller's transaction.
    pub(super) fn write(&self, connection: &Connection) -> Result<(), StoreError> {
        let anchor = self.anchor.as_ref();
        connection
            .prepare_cached(
                "UPDATE state SET schema = ?1, next_incident = ?2, next_action = ?3, boot_id = ?4, boot_offset = ?5, \
                 last_at = ?6, last_wall = ?7, digest = ?8",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    self.schema,
                    from_id(self.next_incident),
                    from_id(self.next_action),
                    anchor.map(|anchor| &anchor.boot_id),
                    anchor.map(|anchor| micros(anchor.offset)),
                    anchor.map(|anchor| from_time(anchor.last)),
                    anchor.map(|anchor| anchor.wall.as_microsecond()),
                    self.digest(),
                ])
            })
            .map_err(StoreError::doing("record the store's state"))?;
        Ok(())
    }

    /// Over every column as it is stored.
    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.schema.to_be_bytes());
        hash.update(self.installation);
        hash.update(self.next_incident.to_be_bytes());
        hash.update(self.next_action.to_be_bytes());
        if let Some(anchor) = &self.anchor {
            hash.update(micros(anchor.offset).to_be_bytes());
            hash.update(from_time(anchor.last).to_be_bytes());
            hash.update(anchor.wall.as_microsecond().to_be_bytes());
            hash.update(&anchor.boot_id);
        }
        hash.finalize().into()
    }
}

/// Whole microseconds, as times are stored.
fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
