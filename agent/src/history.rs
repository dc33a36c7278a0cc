//! What the store remembers, in the words of the API.

use jiff::Timestamp;
use sentinel_engine::{Happening, IncidentId, Report, ServiceName};

use crate::server::api::{ActionEntry, IncidentDetail, IncidentSummary, MessageEntry, TimelineEntry};
use crate::server::{HistoryError, IncidentQuery};
use crate::store::{AttemptRow, IncidentFilter, IncidentRow, MessageRow, Store, StoreError};

/// Whether a report becomes part of the history. Changes of state are for the log: the timeline tells their reasons.
pub fn is_recorded(report: &Report) -> bool {
    match report.what {
        Happening::StateChanged { .. } => false,
        Happening::ActionStarted { .. }
        | Happening::ActionEnded { .. }
        | Happening::ActionVerified { .. }
        | Happening::ActionUnverified { .. } => true,
        _ => report.incident.is_some(),
    }
}

/// The newest incidents.
pub async fn incidents(store: &Store, query: IncidentQuery) -> Result<Vec<IncidentSummary>, HistoryError> {
    let service = query.service.map(|name| ServiceName::from(name.as_str()));
    let filter = IncidentFilter {
        service,
        limit: query.limit,
        ..IncidentFilter::default()
    };
    let rows = store.incidents(filter).await.map_err(|error| unreadable(&error))?;
    Ok(rows.into_iter().map(summary).collect())
}

/// One incident with its story.
pub async fn incident(store: &Store, id: IncidentId) -> Result<Option<IncidentDetail>, HistoryError> {
    let Some(detail) = store.incident(id).await.map_err(|error| unreadable(&error))? else {
        return Ok(None);
    };
    let line = |entry: crate::store::TimelineEntry| TimelineEntry {
        at: entry.at,
        kind: entry.kind,
        text: entry.text,
    };
    Ok(Some(IncidentDetail {
        summary: summary(detail.incident),
        timeline: detail.timeline.into_iter().map(line).collect(),
        actions: detail.actions.into_iter().map(action).collect(),
        messages: detail.messages.into_iter().map(message).collect(),
    }))
}

fn unreadable(error: &StoreError) -> HistoryError {
    HistoryError(error.to_string())
}

fn summary(row: IncidentRow) -> IncidentSummary {
    let until = row.closed.unwrap_or_else(Timestamp::now);
    IncidentSummary {
        id: row.id.0,
        service: row.service,
        cause: row.cause_text,
        cause_kind: row.cause_kind,
        opened_at: row.opened,
        closed_at: row.closed,
        duration_seconds: until.duration_since(row.opened).as_secs_f64().max(0.0),
        resolution: row.resolution,
        attempts: row.attempts,
    }
}

fn action(row: AttemptRow) -> ActionEntry {
    ActionEntry {
        id: row.action,
        attempt: row.attempt,
        verb: row.verb,
        started_at: row.recorded,
        ended_at: row.ended,
        result: match (row.verified, row.verdict_text) {
            (Some(true), _) => Some("helped".into()),
            (Some(false), Some(reason)) => Some(format!("did not help: {reason}")),
            _ => row.outcome_text,
        },
    }
}

fn message(row: MessageRow) -> MessageEntry {
    MessageEntry {
        id: row.event,
        receiver: row.receiver,
        kind: row.kind,
        state: row.state,
        attempts: row.attempts,
        last_error: row.last_error,
    }
}
