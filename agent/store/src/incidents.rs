//! History for operators: incidents, what was done about them, and who was notified.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use sentinel_engine::{IncidentId, ServiceName};
use serde::Serialize;

use super::error::StoreError;
use super::evidence::{self, EvidenceRow};
use super::thread::Store;
use super::value::{from_id, optional_text, text, to_duration, to_id, to_wall};

/// Most incidents in one answer.
const PAGE_MAX: u32 = 1000;

/// Which incidents to list.
#[derive(Clone, Debug)]
pub struct IncidentFilter {
    /// Only of this service.
    pub service: Option<ServiceName>,
    /// Only those that are not over.
    pub open_only: bool,
    /// Only those older than this one: the next page.
    pub before: Option<IncidentId>,
    /// At most so many, and at most 1,000.
    pub limit: u32,
}

impl Default for IncidentFilter {
    fn default() -> Self {
        Self {
            service: None,
            open_only: false,
            before: None,
            limit: 50,
        }
    }
}

/// One incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentRow {
    /// Its number.
    pub id: IncidentId,
    /// The service.
    pub service: String,
    /// When it began.
    pub opened: Timestamp,
    /// When it ended.
    pub closed: Option<Timestamp>,
    /// How it ended: `healed`, `recovered`, `stopped`, `unmanaged`.
    pub resolution: Option<String>,
    /// How long it was down, from the first failure seen.
    pub down: Option<Duration>,
    /// After how long that was proved, from there as well.
    pub proved: Option<Duration>,
    /// The word for the kind of its last known cause.
    pub cause_kind: String,
    /// That cause with its facts; null if it was written by another version.
    pub cause: serde_json::Value,
    /// That cause as a sentence.
    pub cause_text: String,
    /// Attempts made.
    pub attempts: u32,
    /// Whether the budget was spent on it.
    pub gave_up: bool,
}

/// One incident with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentDetail {
    /// The incident.
    #[serde(flatten)]
    pub incident: IncidentRow,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// What was gathered about it, oldest first.
    pub evidence: Vec<EvidenceRow>,
    /// What was done about it, oldest first.
    pub actions: Vec<AttemptRow>,
    /// What receivers were sent, oldest first.
    pub messages: Vec<MessageRow>,
}

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimelineEntry {
    /// Its place; a gap means that lines in the middle were dropped.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The word for what happened.
    pub kind: String,
    /// The sentence.
    pub text: String,
}

/// One recovery action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptRow {
    /// Its number.
    pub action: u64,
    /// Its ordinal within the incident.
    pub attempt: u32,
    /// `start` or `restart`.
    pub kind: String,
    /// The run it was to replace.
    pub expected: Option<String>,
    /// When the intent was recorded.
    pub recorded: Timestamp,
    /// How it ended; `None` while it runs, or when the agent died meanwhile.
    pub outcome: Option<String>,
    /// The same as a sentence.
    pub outcome_text: Option<String>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Whether it helped; `None` while that is not known.
    pub verified: Option<bool>,
    /// Why it did not.
    pub verdict_text: Option<String>,
}

/// One message to one receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageRow {
    /// Its idempotency key.
    pub event: String,
    /// Its ordinal within the incident.
    pub sequence: u32,
    /// To whom.
    pub receiver: String,
    /// What kind of message.
    pub kind: String,
    /// How urgent.
    pub severity: String,
    /// When it was written.
    pub created: Timestamp,
    /// `pending`, `inflight`, `delivered`, `dead` or `expired`.
    pub state: String,
    /// Times it was sent.
    pub attempts: u32,
    /// Whether the receiver may have got it more than once, or despite an error.
    pub ambiguous: bool,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was delivered or given up.
    pub finished: Option<Timestamp>,
}

impl Store {
    /// Incidents, newest first.
    pub async fn incidents(&self, filter: IncidentFilter) -> Result<Vec<IncidentRow>, StoreError> {
        self.call(move |database| list(&database.connection, &filter).map_err(StoreError::doing("list incidents")))
            .await
    }

    /// One incident with its timeline, actions and messages; `None` when there is none of that number.
    pub async fn incident(&self, id: IncidentId) -> Result<Option<IncidentDetail>, StoreError> {
        self.call(move |database| detail(&database.connection, id).map_err(StoreError::doing("read an incident")))
            .await
    }
}

const COLUMNS: &str =
    "id, service, opened_wall, closed_wall, resolution, cause_kind, cause, cause_text, attempts, gave_up, down, proved";

fn list(connection: &Connection, filter: &IncidentFilter) -> rusqlite::Result<Vec<IncidentRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM incidents WHERE (?1 IS NULL OR service = ?1) AND (NOT ?2 OR closed_at IS NULL) \
         AND (?3 IS NULL OR id < ?3) ORDER BY id DESC LIMIT ?4"
    );
    connection
        .prepare_cached(&sql)?
        .query_map(
            params![
                filter.service.as_ref().map(ServiceName::as_str),
                filter.open_only,
                filter.before.map(|id| from_id(id.0)),
                filter.limit.min(PAGE_MAX)
            ],
            incident_row,
        )?
        .collect()
}

fn detail(connection: &Connection, id: IncidentId) -> rusqlite::Result<Option<IncidentDetail>> {
    let id = from_id(id.0);
    let incident = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM incidents WHERE id = ?1"))?
        .query_row([id], incident_row)
        .optional()?;
    let Some(incident) = incident else { return Ok(None) };
    let timeline = connection
        .prepare_cached("SELECT seq, wall, kind, text FROM timeline WHERE incident = ?1 ORDER BY seq")?
        .query_map([id], timeline_entry)?
        .collect::<Result<_, _>>()?;
    let actions = connection
        .prepare_cached(
            "SELECT action, attempt, verb, expected, recorded_wall, outcome, outcome_text, outcome_wall, verified, \
             verdict_text FROM intents WHERE incident = ?1 ORDER BY action",
        )?
        .query_map([id], attempt_row)?
        .collect::<Result<_, _>>()?;
    let messages = connection
        .prepare_cached(
            "SELECT event, sequence, receiver, kind, severity, created_wall, state, attempts, ambiguous, last_error, \
             finished_wall FROM outbox WHERE incident = ?1 ORDER BY id",
        )?
        .query_map([id], message_row)?
        .collect::<Result<_, _>>()?;
    Ok(Some(IncidentDetail {
        incident,
        timeline,
        evidence: evidence::of(connection, id)?,
        actions,
        messages,
    }))
}

fn incident_row(row: &Row<'_>) -> rusqlite::Result<IncidentRow> {
    Ok(IncidentRow {
        id: IncidentId(to_id(row.get(0)?)),
        service: text(row, 1)?,
        opened: to_wall(row.get(2)?),
        closed: row.get::<_, Option<i64>>(3)?.map(to_wall),
        resolution: optional_text(row, 4)?,
        cause_kind: text(row, 5)?,
        cause: serde_json::from_str(&text(row, 6)?).unwrap_or_default(),
        cause_text: text(row, 7)?,
        attempts: count(row, 8)?,
        gave_up: row.get(9)?,
        down: row.get::<_, Option<i64>>(10)?.map(to_duration),
        proved: row.get::<_, Option<i64>>(11)?.map(to_duration),
    })
}

fn timeline_entry(row: &Row<'_>) -> rusqlite::Result<TimelineEntry> {
    Ok(TimelineEntry {
        seq: to_id(row.get(0)?),
        at: to_wall(row.get(1)?),
        kind: text(row, 2)?,
        text: text(row, 3)?,
    })
}

fn attempt_row(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    Ok(AttemptRow {
        action: to_id(row.get(0)?),
        attempt: count(row, 1)?,
        kind: text(row, 2)?,
        expected: optional_text(row, 3)?,
        recorded: to_wall(row.get(4)?),
        outcome: optional_text(row, 5)?,
        outcome_text: optional_text(row, 6)?,
        ended: row.get::<_, Option<i64>>(7)?.map(to_wall),
        verified: row.get(8)?,
        verdict_text: optional_text(row, 9)?,
    })
}

fn message_row(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    Ok(MessageRow {
        event: text(row, 0)?,
        sequence: count(row, 1)?,
        receiver: text(row, 2)?,
        kind: text(row, 3)?,
        severity: text(row, 4)?,
        created: to_wall(row.get(5)?),
        state: text(row, 6)?,
        attempts: count(row, 7)?,
        ambiguous: row.get(8)?,
        last_error: optional_text(row, 9)?,
        finished: row.get::<_, Option<i64>>(10)?.map(to_wall),
    })
}

/// A count; one that makes no sense is shown as the largest there is rather than hiding its row.
fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u32> {
    row.get::<_, i64>(column)
        .map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}
