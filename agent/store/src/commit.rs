//! A batch of what the engine decided, and the rows it makes.

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};
use sentinel_base::clock::Anchor;
use sentinel_engine::{
    Action, ActionId, ActionResult, Cause, HOST, HostMemory, IncidentId, Memory, Report, ReportKind, ServiceName,
};

use super::alerts::AlertChanges;
use super::error::StoreError;
use super::evidence::EvidenceRow;
use super::open::Database;
use super::outbox::{self, OutgoingMessage};
use super::state::State;
use super::value::{clip, from_duration, from_id, from_time};
use super::{alerts, evidence, memory, value};

/// Entries of a timeline that are kept from its beginning; how it began matters most.
const TIMELINE_HEAD: i64 = 500;

/// Entries of a timeline that are kept up to now. An incident that stays open for months must not fill the disk.
const TIMELINE_TAIL: i64 = 500;

/// Everything that came out of one event, to be recorded together.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The clock now.
    pub anchor: Anchor,
    /// What is to be kept of services from now on.
    pub saves: Vec<(ServiceName, Memory)>,
    /// What is to be kept of the host from now on, if that changed.
    pub host: Option<HostMemory>,
    /// What happened, with the wall clock at that time.
    pub reports: Vec<(Report, Timestamp)>,
    /// What was gathered about incidents.
    pub evidence: Vec<(IncidentId, EvidenceRow)>,
    /// What receivers are to be sent.
    pub messages: Vec<OutgoingMessage>,
    /// Messages that were recorded before, and say more now. Those that were tried stay as they are.
    pub completed: Vec<OutgoingMessage>,
    /// What is to be kept of who was notified, and of silences.
    pub alerts: AlertChanges,
}

/// Records `batch` in one transaction.
pub(super) fn commit(database: &mut Database, batch: &Batch) -> Result<(), StoreError> {
    let doing = StoreError::doing("record a batch");
    // Dropped without a commit it rolls back, whatever went wrong.
    let transaction = database
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&doing)?;
    let mut state = database.state.clone();
    state.anchor = Some(batch.anchor.clone());
    for (report, wall) in &batch.reports {
        record(&transaction, &mut state, report, *wall)?;
    }
    for (service, kept) in &batch.saves {
        memory::save(&transaction, service.as_str(), kept, batch.anchor.wall)?;
    }
    if let Some(host) = &batch.host {
        memory::save(&transaction, HOST, host, batch.anchor.wall)?;
    }
    evidence::add(&transaction, &batch.evidence)?;
    alerts::save(&transaction, &batch.alerts, batch.anchor.wall)?;
    let (now, installation) = (batch.anchor.last, &state.installation);
    outbox::insert_all(&transaction, installation, &batch.messages, now, &database.ledger)?;
    outbox::complete(&transaction, installation, &batch.completed)?;
    state.write(&transaction)?;
    transaction.commit().map_err(&doing)?;
    database.ledger.recorded(&state.installation, &batch.messages);
    database.state = state;
    Ok(())
}

/// Records one report: a line in its incident's timeline, and what it says of incident and action.
fn record(connection: &Connection, state: &mut State, report: &Report, wall: Timestamp) -> Result<(), StoreError> {
    let incident = Incident {
        connection,
        id: report.incident,
        service: &report.service,
        wall,
    };
    if let Some(id) = report.incident {
        state.next_incident = state.next_incident.max(id.0.saturating_add(1));
        incident.ensure(id)?;
    }
    match &report.kind {
        ReportKind::IncidentOpened { cause } | ReportKind::CauseChanged { cause } => incident.set_cause(cause),
        ReportKind::ActionStarted { action, .. } => {
            state.next_action = state.next_action.max(action.id.0.saturating_add(1));
            incident.start(action, report)
        }
        ReportKind::ActionEnded { action, result } => incident.end(*action, result),
        ReportKind::ActionVerified { action, .. } => incident.verify(*action, Some(true), None),
        ReportKind::ActionUnverified { action, reason } => incident.verify(*action, Some(false), Some(reason)),
        ReportKind::ActionUnproven { action, reason } | ReportKind::ActionCutShort { action, reason } => {
            incident.verify(*action, None, Some(reason))
        }
        ReportKind::GaveUp { .. } => incident.update("UPDATE incidents SET gave_up = 1 WHERE id = ?1", []),
        ReportKind::IncidentClosed { resolution, outage, .. } => incident.update(
            "UPDATE incidents SET closed_wall = ?2, closed_at = ?3, resolution = ?4, down = ?5, proved = ?6 WHERE id = ?1",
            [
                &wall.as_microsecond() as &dyn rusqlite::ToSql,
                &from_time(report.at),
                &resolution.as_str(),
                &outage.down.map(from_duration),
                &outage.proved.map(from_duration),
            ],
        ),
        ReportKind::StateChanged { .. }
        | ReportKind::WentDown { .. }
        | ReportKind::BecameHealthy { .. }
        | ReportKind::ActionHeld { .. }
        | ReportKind::ActionSlow { .. }
        | ReportKind::ObservationJudged { .. }
        | ReportKind::OperatorActed { .. }
        | ReportKind::MaintenanceChanged { .. }
        | ReportKind::Notified { .. }
        | ReportKind::NotNotified { .. }
        | ReportKind::Acknowledged { .. }
        | ReportKind::FlappingBegan { .. }
        | ReportKind::FlappingEnded { .. }
        | ReportKind::StoppedOnPurpose { .. } => Ok(()),
    }?;
    incident.note(&report.kind)
}

/// The incident that a report belongs to, if any, while it is recorded.
struct Incident<'a> {
    connection: &'a Connection,
    id: Option<IncidentId>,
    service: &'a ServiceName,
    wall: Timestamp,
}

impl Incident<'_> {
    /// Makes the incident's row if there is none. Its opening may have been lost with a damaged store; what comes later
    /// must not fail for that.
    fn ensure(&self, id: IncidentId) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO incidents (id, service, opened_wall, cause_kind, cause, cause_text) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING",
            params![
                from_id(id.0),
                self.service.as_str(),
                self.wall.as_microsecond(),
                Cause::Unknown.kind(),
                cause_json(&Cause::Unknown)?,
                Cause::Unknown.to_string(),
            ],
        )?;
        let same: bool = self
            .connection
            .prepare_cached("SELECT service = ?2 FROM incidents WHERE id = ?1")
            .and_then(|mut statement| {
                statement.query_row(params![from_id(id.0), self.service.as_str()], |row| row.get(0))
            })
            .map_err(StoreError::doing("look up an incident"))?;
        if same {
            Ok(())
        } else {
            Err(StoreError::Conflict(format!(
                "incident {id} is another service's than `{}`",
                self.service
            )))
        }
    }

    fn set_cause(&self, cause: &Cause) -> Result<(), StoreError> {
        let (json, text) = (cause_json(cause)?, cause.to_string());
        self.update(
            "UPDATE incidents SET cause_kind = ?2, cause = ?3, cause_text = ?4 WHERE id = ?1",
            [&cause.kind() as &dyn rusqlite::ToSql, &json, &clip(&text)],
        )
    }

    /// The write-ahead: fails when this action's number was used before.
    fn start(&self, action: &Action, report: &Report) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO intents (action, service, incident, attempt, verb, expected, recorded_at, recorded_wall) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                from_id(action.id.0),
                action.service.as_str(),
                self.id.map(|id| from_id(id.0)),
                action.attempt,
                action.kind.as_str(),
                action.expected.as_ref().map(sentinel_engine::RunId::as_str),
                from_time(report.at),
                self.wall.as_microsecond(),
            ],
        )?;
        self.update(
            "UPDATE incidents SET attempts = max(attempts, ?2) WHERE id = ?1",
            [&action.attempt as &dyn rusqlite::ToSql],
        )
    }

    fn end(&self, action: ActionId, result: &ActionResult) -> Result<(), StoreError> {
        let text = result.to_string();
        self.execute(
            "UPDATE intents SET outcome = ?2, outcome_text = ?3, outcome_wall = ?4 WHERE action = ?1",
            params![
                from_id(action.0),
                result.kind(),
                clip(&text),
                self.wall.as_microsecond()
            ],
        )
    }

    fn verify(&self, action: ActionId, verified: Option<bool>, text: Option<&str>) -> Result<(), StoreError> {
        self.execute(
            "UPDATE intents SET verified = ?2, verdict_text = ?3, verdict_wall = ?4 WHERE action = ?1",
            params![
                from_id(action.0),
                verified,
                text.map(value::clip),
                self.wall.as_microsecond()
            ],
        )
    }

    /// Adds a line to the timeline, and takes one out of the middle of one that is too long.
    fn note(&self, what: &ReportKind) -> Result<(), StoreError> {
        let Some(id) = self.id else { return Ok(()) };
        let text = what.to_string();
        let seq: i64 = self
            .connection
            .prepare_cached(
                "INSERT INTO timeline (incident, seq, wall, kind, text) VALUES (?1, \
                 (SELECT coalesce(max(seq), 0) + 1 FROM timeline WHERE incident = ?1), ?2, ?3, ?4) RETURNING seq",
            )
            .and_then(|mut statement| {
                statement.query_row(
                    params![from_id(id.0), self.wall.as_microsecond(), what.name(), clip(&text)],
                    |row| row.get(0),
                )
            })
            .map_err(StoreError::doing("add to an incident's timeline"))?;
        if seq > TIMELINE_HEAD + TIMELINE_TAIL {
            self.execute(
                "DELETE FROM timeline WHERE incident = ?1 AND seq = ?2",
                params![from_id(id.0), seq - TIMELINE_TAIL],
            )?;
        }
        Ok(())
    }

    /// Changes the incident's row: `?1` is its id, `rest` what follows. Nothing without an incident.
    fn update<const N: usize>(&self, sql: &str, rest: [&dyn rusqlite::ToSql; N]) -> Result<(), StoreError> {
        let Some(id) = self.id else { return Ok(()) };
        let id = from_id(id.0);
        let mut values: Vec<&dyn rusqlite::ToSql> = vec![&id];
        values.extend(rest);
        self.execute(sql, values.as_slice())
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map_err(StoreError::doing("record what happened"))?;
        Ok(())
    }
}

fn cause_json(cause: &Cause) -> Result<String, StoreError> {
    serde_json::to_string(cause).map_err(|error| StoreError::Conflict(format!("a cause has no JSON form: {error}")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use sentinel_engine::{Hold, Time};

    use super::super::error::StoreErrorKind;
    use super::*;

    fn database(dir: &Path) -> Database {
        Database::open(dir).unwrap().0
    }

    fn batch(what: &ReportKind, times: usize) -> Batch {
        let report = Report {
            at: Time::ZERO,
            service: "shop".into(),
            incident: Some(IncidentId(1)),
            kind: what.clone(),
        };
        Batch {
            anchor: Anchor {
                boot_id: String::new(),
                offset: Duration::ZERO,
                last: Time::ZERO,
                wall: Timestamp::UNIX_EPOCH,
            },
            saves: Vec::new(),
            host: None,
            reports: vec![(report, Timestamp::UNIX_EPOCH); times],
            evidence: Vec::new(),
            messages: Vec::new(),
            completed: Vec::new(),
            alerts: AlertChanges::default(),
        }
    }

    #[test]
    fn a_long_timeline_keeps_its_beginning_and_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut database = database(dir.path());
        let hold = ReportKind::ActionHeld {
            hold: Hold::GaveUp,
            remaining: None,
        };
        commit(&mut database, &batch(&hold, 1234)).unwrap();
        let mut statement = database
            .connection
            .prepare("SELECT seq FROM timeline ORDER BY seq")
            .unwrap();
        let kept: Vec<i64> = statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(kept, (1..=500).chain(735..=1234).collect::<Vec<i64>>());
    }

    #[test]
    fn a_full_store_takes_batches_again_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let mut database = database(dir.path());
        let pages: i64 = database
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        let limit = |database: &Database, pages: i64| {
            database
                .connection
                .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
                .unwrap();
        };
        limit(&database, pages + 1);
        let large = batch(
            &ReportKind::OperatorActed {
                request: "x".repeat(4000),
            },
            20,
        );
        for _ in 0..2 {
            let error = commit(&mut database, &large).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Full, "{error:?}");
        }
        assert_eq!(
            database.state.anchor, None,
            "what was not stored is not taken for stored"
        );
        commit(
            &mut database,
            &batch(&ReportKind::OperatorActed { request: String::new() }, 1),
        )
        .unwrap();
        limit(&database, 1_000_000);
        commit(&mut database, &large).unwrap();
        let lines: i64 = database
            .connection
            .query_row("SELECT count(*) FROM timeline", [], |row| row.get(0))
            .unwrap();
        assert_eq!(lines, 21, "nothing of the refused batches was kept");
    }
}
