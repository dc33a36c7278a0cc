//! Where what the engine reports becomes an event of the log. Metrics are counted of the same reports at the same place
//! ([`Counters::reported`](super::counters::Counters::reported)), so that the two cannot disagree.
//!
//! The order of a line's fields is part of the interface: `service`, `status`, `status_code`, `recoveries_total`, `event`,
//! then what belongs to the event.

use std::time::Duration;

use sentinel_engine::alerting::Reason;
use sentinel_engine::{Action, ActionResult, Cause, Outage, Report, ReportKind, Resolution};
use tracing::{Value, debug, error, error_span, info, warn};

/// What runs a service, and restarts it by itself where it is asked to.
#[derive(Clone, Copy, Debug)]
pub enum Runner<'a> {
    /// systemd, as this unit.
    Systemd(&'a str),
    /// The Docker Engine.
    Docker,
}

impl<'a> Runner<'a> {
    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Systemd(_) => "systemd",
            Self::Docker => "docker",
        }
    }

    const fn unit(self) -> Option<&'a str> {
        match self {
            Self::Systemd(unit) => Some(unit),
            Self::Docker => None,
        }
    }
}

/// Logs `report`, about a service that `runner` runs, if anything that is known does.
///
/// Failures and what needs a look are warnings, a service that was given up is an error; everything an operator wants
/// to see of a normal day is info; changes of state are debug, as the other events tell their story.
pub fn report(report: &Report, runner: Option<Runner<'_>>) {
    // At the level of the most urgent event, so that no filter lets an event through and holds its span back.
    let about = runner.and_then(Runner::unit).map(unit_span);
    let _entered = about.as_ref().map(tracing::Span::enter);
    let service = report.service.as_str();
    let incident = report.incident.map(|incident| incident.0);
    let event = report.kind.name();
    match &report.kind {
        ReportKind::StateChanged { from, to } => {
            debug!(service, event, from = from.as_str(), to = to.as_str(), incident);
        }
        ReportKind::WentDown { cause, status_code } => {
            let status_code = status(status_code.as_ref());
            let cause = cause_text(cause);
            warn!(service, status = "down", status_code, event, cause, incident);
        }
        ReportKind::BecameHealthy {
            status_code,
            recoveries_total,
            by_supervisor,
        } => {
            let by = by_supervisor.then(|| runner.map_or("supervisor", Runner::name));
            became_healthy(service, event, incident, status_code.as_ref(), *recoveries_total, by);
        }
        ReportKind::IncidentOpened { cause } | ReportKind::CauseChanged { cause } => {
            warn!(
                service,
                event,
                incident,
                cause = cause_text(cause),
                cause_kind = cause.kind()
            );
        }
        ReportKind::ActionHeld { hold, remaining } => {
            let remaining = remaining.map(seconds);
            info!(service, event, incident, reason = %hold, reason_kind = hold.kind(), remaining);
        }
        ReportKind::ActionStarted { action, again } => action_started(service, event, incident, action, *again),
        ReportKind::ActionSlow { action, after } => {
            warn!(service, event, incident, after = seconds(*after), action = action.0);
        }
        ReportKind::ActionEnded { action, result } => {
            action_ended(service, event, incident, action.0, result);
        }
        ReportKind::ActionVerified { action, starts_slowly } => {
            let first_answer = starts_slowly.map(seconds);
            info!(service, event, incident, first_answer, action = action.0);
        }
        ReportKind::ActionUnverified { action, reason } => {
            warn!(service, event, incident, reason, action = action.0);
        }
        ReportKind::ObservationJudged { right, after } => {
            info!(service, event, incident, right, after = seconds(*after));
        }
        ReportKind::ActionUnproven { action, reason } => info!(service, event, incident, reason, action = action.0),
        ReportKind::ActionCutShort { action, reason } => info!(service, event, incident, reason, action = action.0),
        ReportKind::GaveUp {
            attempts,
            window,
            cause,
            ..
        } => {
            error!(
                service,
                status = "down",
                event,
                incident,
                attempts,
                window = seconds(*window),
                cause = cause_text(cause),
                cause_kind = cause.kind()
            );
        }
        ReportKind::IncidentClosed {
            resolution,
            duration,
            outage,
        } => incident_closed(service, event, incident, *resolution, *duration, outage),
        ReportKind::OperatorActed { request } => info!(service, event, request, incident),
        ReportKind::MaintenanceChanged { reason } => info!(service, event, reason, open = reason.is_some(), incident),
        ReportKind::Notified { kind, receivers } => {
            let names: Vec<&str> = receivers.keys().map(String::as_str).collect();
            let reasons: std::collections::BTreeSet<&str> = receivers.values().map(Reason::kind).collect();
            let (names, reasons) = (names.join(","), reasons.into_iter().collect::<Vec<_>>().join(","));
            info!(service, event, incident, kind, receivers = names, reasons);
        }
        ReportKind::NotNotified { kind, reason } => {
            info!(service, event, incident, kind, reason = %reason, reason_kind = reason.kind());
        }
        ReportKind::Acknowledged { by, text } => info!(service, event, incident, by, text),
        ReportKind::FlappingBegan { incidents, within } => {
            warn!(service, event, incident, incidents, within = seconds(*within));
        }
        ReportKind::FlappingEnded { incidents, duration } => {
            info!(service, event, incident, incidents, duration = seconds(*duration));
        }
        ReportKind::StoppedOnPurpose { reason } => info!(service, event, reason, incident),
    }
}

fn unit_span(unit: &str) -> tracing::Span {
    error_span!("service", unit)
}

fn became_healthy(
    service: &str,
    event: &str,
    incident: Option<u64>,
    status_code: Option<&u16>,
    recoveries_total: u64,
    by: Option<&str>,
) {
    let status_code = status(status_code);
    info!(
        service,
        status = "up",
        status_code,
        recoveries_total,
        event,
        by,
        incident
    );
}

fn action_started(service: &str, event: &str, incident: Option<u64>, action: &Action, again: bool) {
    let kind = action.kind.as_str();
    let by = if action.attempt == 0 { "operator" } else { "agent" };
    let attempt = (action.attempt > 0).then_some(action.attempt);
    if again {
        // What was refused is asked for again and again: its answer is the one line of it.
        debug!(
            service,
            event,
            incident,
            attempt,
            action_kind = kind,
            by,
            action = action.id.0
        );
    } else {
        info!(
            service,
            event,
            incident,
            attempt,
            action_kind = kind,
            by,
            action = action.id.0
        );
    }
}

fn action_ended(service: &str, event: &str, incident: Option<u64>, action: u64, result: &ActionResult) {
    if *result == ActionResult::Done {
        info!(service, event, incident, result = result.kind(), action);
    } else {
        warn!(service, event, incident, result = result.kind(), reason = %result, action);
    }
}

fn incident_closed(
    service: &str,
    event: &str,
    incident: Option<u64>,
    resolution: Resolution,
    duration: Duration,
    outage: &Outage,
) {
    info!(
        service,
        event,
        incident,
        resolution = resolution.as_str(),
        duration = seconds(duration),
        down_seconds = outage.down.map(seconds),
        proved_after_seconds = outage.proved.map(seconds),
        started_by = outage.started_by.as_str()
    );
}

/// The HTTP status; `na` when no answer came or none was asked for over HTTP.
fn status(code: Option<&u16>) -> &dyn Value {
    code.map_or(&"na" as &dyn Value, |code| code)
}

/// Why, as short as it can be said beside an `event=` that already says that a probe failed.
fn cause_text(cause: &Cause) -> String {
    match cause {
        Cause::Probe(failure) => failure.to_string(),
        cause => cause.to_string(),
    }
}

/// A duration in seconds, to the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
