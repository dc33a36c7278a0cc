//! The engine's snapshot in the words of the API.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sentinel_api::{
    AcknowledgedStatus, FlappingStatus, HoldStatus, MaintenanceStatus, ObservedStatus, ProbeStatus, ServiceStatus,
    Waiting,
};
use sentinel_driver::control::StatusView;
use sentinel_engine::{Mode, ProbeOutcome, ServiceSnapshot, Time, Verdict};

/// One service of `view`.
pub(super) fn service(view: &StatusView, service: &ServiceSnapshot) -> ServiceStatus {
    let origin = view.origins.get(&service.name).cloned().unwrap_or_default();
    ServiceStatus {
        name: service.name.to_string(),
        state: service.state.as_str().to_owned(),
        since: wall(view, service.since),
        since_seconds: seconds(view.now.since(service.since)),
        mode: service.mode.into(),
        origin: origin.kind,
        origin_place: origin.place,
        hold: service.hold.as_ref().map(|hold| HoldStatus {
            kind: hold.kind().to_owned(),
            text: hold.to_string(),
        }),
        waiting: service
            .waiting
            .iter()
            .map(|(what, left)| waiting(what, *left))
            .collect(),
        maintenance: service
            .maintenance
            .iter()
            .map(|maintenance| MaintenanceStatus {
                reason: maintenance.reason.clone(),
                until: maintenance.until.map(|until| ahead(view, until)),
            })
            .collect(),
        target: service.target.clone(),
        last_probe: service
            .last_probe
            .as_ref()
            .map(|(at, outcome)| probe(wall(view, *at), outcome)),
        not_probed_seconds: service.unprobed.map(seconds),
        incident: service.incident.map(|incident| incident.0),
        acknowledged: service
            .incident
            .and_then(|incident| view.acknowledged.get(&incident))
            .map(|ack| AcknowledgedStatus {
                by: ack.by.clone(),
                text: ack.text.clone(),
                at: wall(view, ack.at),
            }),
        attempts_left: service.attempts_left,
        recoveries_total: service.recoveries,
        observed: observed(service),
        flapping: service.flapping.map(|flapping| FlappingStatus {
            since: wall(view, flapping.since),
            incidents: flapping.incidents,
            stable_seconds: seconds(flapping.stable),
        }),
    }
}

/// Of a service that is healed, and always was, there is nothing to tell.
fn observed(service: &ServiceSnapshot) -> Option<ObservedStatus> {
    let (would_have_restarted, right) = service.observed;
    (service.mode == Mode::Observe || would_have_restarted > 0).then_some(ObservedStatus {
        would_have_restarted,
        right,
    })
}

fn waiting(what: &str, left: Duration) -> Waiting {
    Waiting {
        what: what.to_owned(),
        seconds: seconds(left),
    }
}

fn probe(at: Timestamp, outcome: &ProbeOutcome) -> ProbeStatus {
    let (ok, text) = match &outcome.verdict {
        Verdict::Passed => (Some(true), "passed".to_owned()),
        Verdict::Failed(failure) => (Some(false), failure.to_string()),
        Verdict::Skipped(reason) => (None, format!("could not ask: {reason}")),
    };
    ProbeStatus {
        ok,
        text,
        status_code: outcome.status_code,
        latency_ms: seconds(outcome.latency * 1000),
        at,
    }
}

/// The engine's moment `at` on the wall, reckoned back from now: as right as the wall clock is now, whatever it was then.
fn wall(view: &StatusView, at: Time) -> Timestamp {
    let ago = SignedDuration::try_from(view.now.since(at)).unwrap_or(SignedDuration::ZERO);
    view.wall.checked_sub(ago).unwrap_or(view.wall)
}

/// A moment to come, on the wall.
fn ahead(view: &StatusView, at: Time) -> Timestamp {
    let left = SignedDuration::try_from(at.since(view.now)).unwrap_or(SignedDuration::MAX);
    view.wall.checked_add(left).unwrap_or(Timestamp::MAX)
}

/// To the millisecond: nobody reads more, and a JSON number stays short.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
