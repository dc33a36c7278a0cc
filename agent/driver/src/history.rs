//! What the store remembers, in the words of the API.

use jiff::Timestamp;
use sentinel_api::{
    ActionEntry, EvidenceEntry, IncidentDetail, IncidentSummary, MessageEntry, QueueResponse, QueuedMessage,
    ReceiverStatus, TimelineEntry,
};
use sentinel_base::clock::Clock;
use sentinel_engine::{IncidentId, Report, ReportKind, ServiceName, Time};
use sentinel_notify::{EvidenceKind, Timelines};
use sentinel_store::{
    AttemptRow, EvidenceRow, IncidentFilter, IncidentRow, MessageRow, ReceiverQueue, Store, StoreError,
};

use super::control::{HistoryError, IncidentQuery};

/// Whether a report becomes part of the history. Changes of state are for the log: the timeline tells their reasons.
pub fn is_recorded(report: &Report) -> bool {
    match report.kind {
        // Who was notified what is in the incident's messages.
        ReportKind::StateChanged { .. } | ReportKind::Notified { .. } => false,
        ReportKind::ActionStarted { .. }
        | ReportKind::ActionEnded { .. }
        | ReportKind::ActionVerified { .. }
        | ReportKind::ActionUnverified { .. }
        | ReportKind::ActionUnproven { .. }
        | ReportKind::ActionCutShort { .. } => true,
        _ => report.incident.is_some(),
    }
}

/// What messages report incidents that began before the agent did: the stories of those in `open`, and how many there
/// were of each service. Without it messages say less; nothing else depends on it.
pub async fn timelines(store: &Store, clock: &Clock, open: impl IntoIterator<Item = IncidentId>) -> Timelines {
    /// As many as the store lists at a time.
    const COUNTED: u32 = 1000;
    /// More would only delay the start.
    const REPORTED: usize = 100;
    let (now, wall) = (clock.now(), sentinel_base::clock::wall());
    let time = |at: Timestamp| now.back(wall.duration_since(at).unsigned_abs());
    let mut timelines = Timelines::default();
    let filter = IncidentFilter {
        limit: COUNTED,
        ..IncidentFilter::default()
    };
    let rows = store.incidents(filter).await.unwrap_or_default();
    for row in rows.into_iter().rev().filter(|row| row.opened <= wall) {
        timelines.count(&ServiceName::from(row.service.as_str()), time(row.opened));
    }
    for id in open.into_iter().take(REPORTED) {
        let Ok(Some(detail)) = store.incident(id).await else {
            continue;
        };
        for line in detail.timeline.into_iter().filter(|line| line.at <= wall) {
            timelines.add(id, time(line.at), &line.text);
        }
        for piece in detail.evidence.into_iter().filter(|piece| !piece.missing) {
            // What another version collected stays in the history.
            if let Some(kind) = EvidenceKind::of_title(&piece.title) {
                timelines.learn(id, kind, &piece.text);
            }
        }
    }
    timelines
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
    let line = |entry: sentinel_store::TimelineEntry| TimelineEntry {
        at: entry.at,
        kind: entry.kind,
        text: entry.text,
    };
    Ok(Some(IncidentDetail {
        cause_facts: detail.incident.cause.clone(),
        summary: summary(detail.incident),
        timeline: detail.timeline.into_iter().map(line).collect(),
        evidence: detail.evidence.into_iter().map(evidence).collect(),
        actions: detail.actions.into_iter().map(action).collect(),
        messages: detail.messages.into_iter().map(message).collect(),
    }))
}

/// What waits to be reported at `now`, with at most `limit` messages.
pub async fn queue(store: &Store, now: Time, limit: u32) -> Result<QueueResponse, HistoryError> {
    let queue = store.queue(now, limit).await.map_err(|error| unreadable(&error))?;
    Ok(QueueResponse {
        receivers: queue.receivers.into_iter().map(|row| receiver(row, now)).collect(),
        messages: queue.messages.into_iter().map(|row| queued(row, now)).collect(),
    })
}

fn receiver(row: ReceiverQueue, now: Time) -> ReceiverStatus {
    ReceiverStatus {
        name: row.name,
        waiting: row.waiting,
        oldest_seconds: row.oldest.map(|at| now.since(at).as_secs_f64()),
        breaker: row.breaker.as_str().to_owned(),
        failures: row.health.failures,
        failing_seconds: row.health.failing_since.map(|at| now.since(at).as_secs_f64()),
        next_seconds: row.gate.map(|(until, _)| until.since(now).as_secs_f64()),
        next_reason: row.gate.map(|(_, why)| why.as_str().to_owned()),
        last_error: row.last_error,
        last_error_at: row.error_at,
        undelivered: row.undelivered,
    }
}

fn queued(row: sentinel_store::QueuedMessage, now: Time) -> QueuedMessage {
    QueuedMessage {
        id: row.event,
        receiver: row.receiver,
        incident: row.incident.0,
        service: row.service,
        kind: row.kind,
        severity: row.severity,
        state: row.state,
        age_seconds: now.since(row.created).as_secs_f64(),
        next_seconds: row.not_before.since(now).as_secs_f64(),
        attempts: row.attempts,
        ambiguous: row.ambiguous,
        last_error: row.last_error,
    }
}

fn unreadable(error: &StoreError) -> HistoryError {
    HistoryError(error.to_string())
}

fn summary(row: IncidentRow) -> IncidentSummary {
    let until = row.closed.unwrap_or_else(sentinel_base::clock::wall);
    IncidentSummary {
        id: row.id.0,
        service: row.service,
        cause: row.cause_text,
        cause_kind: row.cause_kind,
        opened_at: row.opened,
        closed_at: row.closed,
        duration_seconds: until.duration_since(row.opened).as_secs_f64().max(0.0),
        down_seconds: row.down.map(|down| down.as_secs_f64()),
        proved_after_seconds: row.proved.map(|proved| proved.as_secs_f64()),
        resolution: row.resolution,
        attempts: row.attempts,
    }
}

fn evidence(row: EvidenceRow) -> EvidenceEntry {
    EvidenceEntry {
        at: row.at,
        title: row.title,
        text: row.text,
        missing: row.missing,
    }
}

fn action(row: AttemptRow) -> ActionEntry {
    ActionEntry {
        id: row.action,
        attempt: row.attempt,
        kind: row.kind,
        started_at: row.recorded,
        ended_at: row.ended,
        result: match (row.verified, row.verdict_text) {
            (Some(true), _) => Some("helped".into()),
            (Some(false), Some(reason)) => Some(format!("did not help: {reason}")),
            (None, Some(reason)) => Some(format!("cut short: {reason}")),
            _ => row.outcome_text,
        },
        helped: row.verified,
    }
}

fn message(row: MessageRow) -> MessageEntry {
    MessageEntry {
        id: row.event,
        receiver: row.receiver,
        kind: row.kind,
        severity: row.severity,
        state: row.state,
        attempts: row.attempts,
        last_error: row.last_error,
    }
}
