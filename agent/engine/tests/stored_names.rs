//! What an earlier version stored under other names is read.

use std::collections::BTreeSet;
use std::time::Duration;

use sentinel_engine::alerting::NotificationLog;
use sentinel_engine::alerting::dispatch::Health;
use sentinel_engine::{DryRunStats, GivenUp, Incident, RunId, Starter, Time};

fn at(micros: u64) -> Time {
    Time::from_epoch(Duration::from_micros(micros))
}

#[test]
fn incident_is_read_by_the_earlier_names_of_its_fields() {
    let incident = r#"{
        "id": 7, "opened_at": 1, "own_since": 1, "cause": {"kind": "exited", "code": 1}, "attempts": 1,
        "instance": "run-1", "started_by": "nobody", "fired": true, "messages": 1, "proof_awaited": 3
    }"#;
    let incident: Incident = serde_json::from_str(incident).expect("it is read");
    assert_eq!(incident.run, Some(RunId::from("run-1")));
    assert_eq!(incident.started_by, Starter::SameRun);
    assert_eq!(incident.proof_pending, Some(at(3)));
    let given_up: GivenUp = serde_json::from_str(r#"{"at": 1, "instance": "run-1"}"#).expect("it is read");
    assert_eq!(given_up.run, Some(RunId::from("run-1")));
}

#[test]
fn pending_dry_run_is_read_by_its_earlier_name() {
    let stats = r#"{"would_restart": 2, "right": 1, "trial": {"began": 1, "until": 2, "run": "run-1"}}"#;
    let stats: DryRunStats = serde_json::from_str(stats).expect("it is read");
    assert_eq!(stats.dry_run.map(|pending| pending.until), Some(at(2)));
}

#[test]
fn notified_receivers_are_read_by_their_earlier_name() {
    let log = r#"{
        "incident": 7, "service": "shop", "opened_at": 1, "severity": "warning",
        "cause": {"kind": "exited", "code": 1}, "attempts": 1, "doing": "", "told": ["team"], "told_at": 2
    }"#;
    let log: NotificationLog = serde_json::from_str(log).expect("it is read");
    assert_eq!(log.notified, BTreeSet::from(["team".to_owned()]));
    assert_eq!(log.notified_at, Some(at(2)));
    let health: Health = serde_json::from_str(r#"{"stuck_told": true, "refused_told_at": 2}"#).expect("it is read");
    assert!(health.stuck_notified);
    assert_eq!(health.refused_notified_at, Some(at(2)));
}
