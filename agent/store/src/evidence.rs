//! What was gathered about incidents besides their timelines.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use sentinel_engine::IncidentId;
use serde::Serialize;

use super::error::StoreError;
use super::value::{clip, from_id, text, to_wall};

/// Pieces kept of one incident: that of its beginning, and the newest. One that stays open for months must not fill the disk.
const PIECES_MAX: i64 = 10;

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvidenceRow {
    /// When it was so.
    pub at: Timestamp,
    /// What it is.
    pub title: String,
    /// What it says; why it could not be had, if it is `missing`.
    pub text: String,
    /// Whether it could not be had.
    pub missing: bool,
}

/// Adds evidence to incidents, in the caller's transaction. That of an incident which is forgotten already is dropped.
pub(super) fn add(connection: &Connection, evidence: &[(IncidentId, EvidenceRow)]) -> Result<(), StoreError> {
    let doing = StoreError::doing("keep evidence of an incident");
    for (incident, piece) in evidence {
        let id = from_id(incident.0);
        connection
            .prepare_cached(
                "DELETE FROM evidence WHERE incident = ?1 AND seq > 1 AND seq <= \
                 (SELECT max(seq) FROM evidence WHERE incident = ?1) - (?2 - 2)",
            )
            .and_then(|mut statement| statement.execute([id, PIECES_MAX]))
            .map_err(&doing)?;
        connection
            .prepare_cached(
                "INSERT INTO evidence (incident, seq, wall, title, text, missing) \
                 SELECT ?1, (SELECT coalesce(max(seq), 0) + 1 FROM evidence WHERE incident = ?1), ?2, ?3, ?4, ?5 \
                 WHERE EXISTS (SELECT 1 FROM incidents WHERE id = ?1)",
            )
            .and_then(|mut statement| {
                let wall = piece.at.as_microsecond();
                statement.execute(params![id, wall, clip(&piece.title), piece.text, piece.missing])
            })
            .map_err(&doing)?;
    }
    Ok(())
}

/// What is known of an incident, oldest first.
pub(super) fn of(connection: &Connection, incident: i64) -> rusqlite::Result<Vec<EvidenceRow>> {
    connection
        .prepare_cached("SELECT wall, title, text, missing FROM evidence WHERE incident = ?1 ORDER BY seq")?
        .query_map([incident], piece)?
        .collect()
}

fn piece(row: &Row<'_>) -> rusqlite::Result<EvidenceRow> {
    Ok(EvidenceRow {
        at: to_wall(row.get(0)?),
        title: text(row, 1)?,
        text: text(row, 2)?,
        missing: row.get(3)?,
    })
}
