use sentinel_engine::{
    Action, ActionId, ActionKind, ActionResult, Cause, FailureKind, Hold, IncidentId, Outage, ProbeFailure, Starter,
};

use super::*;

fn name(text: &str) -> ServiceName {
    text.into()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn report(at: u64, kind: ReportKind) -> Report {
    Report {
        at: Time::from_epoch(seconds(at)),
        service: name("shop"),
        incident: Some(IncidentId(1)),
        kind,
    }
}

fn outcome(verdict: Verdict, latency: Duration) -> ProbeOutcome {
    ProbeOutcome {
        verdict,
        status_code: None,
        latency,
        answers: Vec::new(),
    }
}

fn refused() -> Verdict {
    Verdict::Failed(ProbeFailure::new(FailureKind::Refused, "connection refused"))
}

fn went_down() -> ReportKind {
    ReportKind::WentDown {
        cause: Cause::OomKilled,
        status_code: None,
    }
}

fn opened() -> ReportKind {
    ReportKind::IncidentOpened {
        cause: Cause::OomKilled,
    }
}

fn restart(attempt: u32, again: bool) -> ReportKind {
    let action = Action {
        id: ActionId(1),
        service: name("shop"),
        incident: Some(IncidentId(1)),
        kind: ActionKind::Restart,
        attempt,
        expected: None,
    };
    ReportKind::ActionStarted { action, again }
}

fn healthy() -> ReportKind {
    ReportKind::BecameHealthy {
        status_code: None,
        recoveries_total: 1,
        by_supervisor: false,
    }
}

fn closed(resolution: Resolution) -> ReportKind {
    ReportKind::IncidentClosed {
        resolution,
        duration: seconds(30),
        outage: Outage {
            down: Some(seconds(3)),
            proved: Some(seconds(25)),
            started_by: Starter::Agent,
        },
    }
}

#[test]
fn a_duration_is_counted_below_every_bound_that_holds_it() {
    for (micros, first) in [(0, 1), (1000, 1), (1001, 2), (2000, 2), (5_000_000, 5000)] {
        let mut histogram = Histogram::new(&PROBE_BOUNDS);
        histogram.observe(Duration::from_micros(micros));
        let found = histogram.cumulative().find(|(_, count)| *count == 1);
        assert_eq!(found, Some((first, 1)), "{micros}");
    }
    let mut histogram = Histogram::new(&PROBE_BOUNDS);
    histogram.observe(Duration::from_micros(5_000_001));
    histogram.observe(Duration::from_millis(3));
    assert_eq!(histogram.count(), 2);
    assert_eq!(histogram.sum(), Duration::from_micros(5_003_001));
    assert_eq!(histogram.cumulative().last(), Some((5000, 1)));
}

#[test]
fn an_outage_is_measured_from_its_detection_to_the_proof() {
    let mut counters = Counters::default();
    for (at, kind) in [
        (100, went_down()),
        (101, opened()),
        (102, restart(1, false)),
        // Asked for again as it was refused: the delay is that of the first time.
        (105, restart(1, true)),
        (
            106,
            ReportKind::ActionEnded {
                action: ActionId(1),
                result: ActionResult::Done,
            },
        ),
        (110, healthy()),
        (
            125,
            ReportKind::ActionVerified {
                action: ActionId(1),
                starts_slowly: None,
            },
        ),
        (125, closed(Resolution::Healed)),
    ] {
        counters.reported(&report(at, kind));
    }
    assert_eq!(counters.incidents, BTreeMap::from([("oom_killed", 1)]));
    assert_eq!(counters.closed, BTreeMap::from([("healed", 1)]));
    assert_eq!(counters.restarts, BTreeMap::from([("done", 1)]));
    assert_eq!(counters.verdicts, BTreeMap::from([("verified", 1)]));
    for (histogram, expected) in [
        (&counters.detection_to_restart, 2),
        (&counters.restart_to_healthy, 8),
        (&counters.incident_down, 3),
        (&counters.restart_proved, 25),
    ] {
        assert_eq!((histogram.count(), histogram.sum()), (1, seconds(expected)));
    }
    assert!(counters.open.is_empty());
}

#[test]
fn a_relapse_is_measured_from_itself() {
    let mut counters = Counters::default();
    for (at, kind) in [
        (100, went_down()),
        (102, restart(1, false)),
        (110, healthy()),
        (120, went_down()),
        (121, restart(2, false)),
        (130, healthy()),
    ] {
        counters.reported(&report(at, kind));
    }
    assert_eq!(counters.detection_to_restart.sum(), seconds(3));
    assert_eq!(counters.restart_to_healthy.sum(), seconds(17));
}

#[test]
fn what_the_agent_did_not_do_is_no_restart_of_its_own() {
    let mut counters = Counters::default();
    for (at, kind) in [
        (100, went_down()),
        // Asked for by an operator.
        (101, restart(0, false)),
        (110, healthy()),
        (111, closed(Resolution::Recovered)),
        // Of an incident that is older than the agent.
        (120, restart(3, false)),
        (130, healthy()),
    ] {
        counters.reported(&report(at, kind));
    }
    assert_eq!(counters.detection_to_restart.count(), 0);
    assert_eq!(counters.restart_to_healthy.count(), 0);
    assert_eq!(
        counters.restart_proved.count(),
        0,
        "nothing of it was healed by a restart"
    );
    assert_eq!(counters.incident_down.count(), 1);
}

#[test]
fn holds_and_giving_up_are_counted_by_reason() {
    let mut counters = Counters::default();
    let held = |hold| ReportKind::ActionHeld { hold, remaining: None };
    counters.reported(&report(1, held(Hold::Backoff)));
    counters.reported(&report(2, held(Hold::Storm)));
    counters.reported(&report(3, held(Hold::Backoff)));
    let gave_up = ReportKind::GaveUp {
        attempts: 5,
        window: seconds(1800),
        halved: false,
        cause: Cause::OomKilled,
    };
    counters.reported(&report(4, gave_up));
    assert_eq!(counters.holds, BTreeMap::from([("backoff", 2), ("storm", 1)]));
    assert_eq!(counters.gave_up, 1);
}

#[test]
fn probes_are_counted_by_service_while_there_are_few() {
    let mut counters = Counters::default();
    counters.keep(SERVICES_MAX, |_| true);
    let took = Duration::from_millis(3);
    for service in ["shop", "db"] {
        counters.probed(&name(service), "http", &outcome(Verdict::Passed, took));
    }
    counters.probed(&name("shop"), "http", &outcome(refused(), took));
    counters.probed(
        &name("shop"),
        "http",
        &outcome(Verdict::Skipped("no memory".into()), took),
    );
    let keys = |counters: &Counters| -> Vec<(String, &'static str, u64)> {
        let named = |key: &ProbeKey| key.service.as_ref().map_or(String::new(), ToString::to_string);
        let all = counters.probes.iter();
        all.map(|(key, histogram)| (named(key), key.result, histogram.count()))
            .collect()
    };
    let shop = || "shop".to_owned();
    assert_eq!(
        keys(&counters),
        [
            ("db".to_owned(), "passed", 1),
            (shop(), "connect", 1),
            (shop(), "passed", 1)
        ]
    );
    assert_eq!(counters.probes_skipped, 1);

    counters.keep(SERVICES_MAX, |service| service.as_str() == "shop");
    assert_eq!(
        keys(&counters),
        [(shop(), "connect", 1), (shop(), "passed", 1)],
        "`db` is gone"
    );

    counters.keep(SERVICES_MAX + 1, |_| true);
    for service in ["shop", "db"] {
        counters.probed(&name(service), "tcp", &outcome(Verdict::Passed, took));
    }
    assert_eq!(keys(&counters), [(String::new(), "passed", 2)]);
}
