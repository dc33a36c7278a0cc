//! Incidents of the past as scenarios, played: what is known of them comes again.

use std::time::Duration;

use sentinel_engine::{Cause, FailureKind, HOST, ProbeFailure, Time};
use sentinel_simulation::{Past, PastEnd, run, scenario_of};

use super::{defaults, read};

/// This many seconds into an arbitrary day.
fn at(seconds: u64) -> Time {
    Time::from_epoch(Duration::from_secs(1_900_000_000 + seconds))
}

fn killed(id: u64, opened: u64, closed: u64, attempts: &[(u64, bool)]) -> Past {
    Past {
        id,
        service: "shop".into(),
        cause: Cause::Killed {
            signal: 9,
            core_dumped: false,
        },
        opened: at(opened),
        closed: Some((at(closed), PastEnd::Healthy)),
        attempts: attempts.iter().map(|(second, helped)| (at(*second), *helped)).collect(),
    }
}

fn hung(past: Past) -> Past {
    let failure = ProbeFailure::new(FailureKind::Timeout, "no answer within 3s");
    Past {
        cause: Cause::Probe(failure),
        ..past
    }
}

fn text(pasts: &[Past]) -> String {
    scenario_of(pasts, &defaults(), |at| format!("{at:?}"))
}

/// `AT WHAT` of every event, and (restarts, kinds of messages) of the play.
fn play(pasts: &[Past]) -> (Vec<String>, usize, Vec<&'static str>) {
    let policies = defaults();
    let text = text(pasts);
    let events = text
        .split("[[events]]\nat = ")
        .skip(1)
        .map(|event| event.trim().replace('\n', " "))
        .collect();
    let scenario = read("replay", &text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    let outcome = run(&scenario, &policies).unwrap();
    let messages = outcome.summary.rows.iter().flat_map(|row| row.messages.clone());
    (events, outcome.summary.restarts(), messages.collect())
}

#[test]
fn a_crash_that_the_first_restart_healed() {
    let (events, restarts, messages) = play(&[killed(7, 0, 20, &[(0, true)])]);
    assert_eq!(events, ["\"2m\" kill = \"shop\""]);
    assert_eq!((restarts, &messages[..]), (1, &["healed"][..]));
}

#[test]
fn a_crash_that_the_third_restart_healed_takes_three_again() {
    let (events, restarts, _) = play(&[killed(7, 0, 80, &[(0, false), (12, false), (40, true)])]);
    assert_eq!(
        events,
        [
            "\"2m\" starts = { service = \"shop\", dies_after = \"1s\" }",
            "\"2m\" kill = \"shop\"",
            "\"2m26s\" fix = \"shop\"",
        ]
    );
    assert_eq!(restarts, 3);
}

#[test]
fn a_hang_begins_before_it_counts() {
    let (events, restarts, messages) = play(&[hung(killed(7, 0, 30, &[(0, true)]))]);
    assert_eq!(
        events,
        ["\"2m\" hang = \"shop\""],
        "the lead ends where the trouble begins"
    );
    assert_eq!((restarts, &messages[..]), (1, &["healed"][..]));
}

#[test]
fn what_no_restart_helped_comes_back_when_it_did() {
    let (events, restarts, messages) = play(&[hung(killed(7, 0, 600, &[(0, false), (70, false)]))]);
    assert_eq!(
        events,
        [
            "\"2m\" starts = { service = \"shop\", how = \"deaf\" }",
            "\"2m\" hang = \"shop\"",
            "\"12m\" fix = \"shop\"",
            "\"12m\" answer = \"shop\"",
        ]
    );
    assert!(restarts > 1);
    assert_eq!(messages.last(), Some(&"resolved"));
}

#[test]
fn what_was_stopped_is_started_before_it_fails_again() {
    let first = Past {
        closed: Some((at(30), PastEnd::Stopped)),
        ..killed(7, 0, 30, &[(0, false)])
    };
    let (events, ..) = play(&[killed(8, 300, 320, &[(300, true)]), first]);
    assert_eq!(
        events[2..],
        [
            "\"2m30s\" stop = \"shop\"",
            "\"2m30s\" fix = \"shop\"",
            "\"6m59s\" start = \"shop\"",
            "\"7m\" kill = \"shop\"",
        ]
    );
}

#[test]
fn the_status_and_the_exit_code_are_the_same() {
    let status = ProbeFailure::new(FailureKind::Status(503), "status 503");
    let wrong = Past {
        cause: Cause::Probe(status),
        ..killed(7, 0, 20, &[(0, true)])
    };
    assert_eq!(play(&[wrong]).0, ["\"2m\" fail = { service = \"shop\", status = 503 }"]);
    let exited = Past {
        cause: Cause::Exited { code: 0 },
        ..killed(7, 0, 20, &[(0, true)])
    };
    assert_eq!(play(&[exited]).0, ["\"2m\" exit = { service = \"shop\", code = 0 }"]);
}

#[test]
fn what_never_ended_is_played_on_and_the_host_is_unnamed() {
    let open = Past {
        closed: None,
        ..killed(7, 0, 0, &[(0, false)])
    };
    let (_, restarts, messages) = play(&[open]);
    assert!(
        restarts >= 5 && messages.contains(&"gave_up"),
        "{restarts} {messages:?}"
    );
    let host = Past {
        service: HOST.into(),
        ..killed(7, 0, 20, &[])
    };
    assert_eq!(text(&[host]), "");
    assert_eq!(text(&[]), "");
}

#[test]
fn clocks_that_were_set_back_do_no_harm() {
    let (events, ..) = play(&[killed(7, 100, 0, &[(90, false), (50, true)])]);
    assert_eq!(events.len(), 3);
}
