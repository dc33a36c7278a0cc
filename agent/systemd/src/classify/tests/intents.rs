//! Why a unit is down: by a job, by itself, or as it is not needed.

use super::*;

#[test]
fn jobs_distinguish_a_stop_from_a_crash() {
    use ActiveState::{Active, Failed, Inactive};
    let clean = || facts(Inactive);
    let exit = || Facts {
        result: "exit-code".into(),
        exec_code: 1,
        exec_status: 143,
        ..facts(Failed)
    };
    for (what, tracker, expected) in vec![
        (
            "a clean stop",
            with_jobs(seen(clean()), &[(false, "done", Inactive)]),
            Intent::OperatorStop,
        ),
        (
            "a stop that ends failed",
            with_jobs(seen(exit()), &[(false, "done", Failed)]),
            Intent::OperatorStop,
        ),
        ("kill -9", seen(killed()), Intent::Crash),
        (
            "kill -9 after a start job",
            with_jobs(seen(killed()), &[(false, "done", Active)]),
            Intent::Crash,
        ),
        ("kill -TERM, or a clean exit", seen(clean()), Intent::CleanExit),
        (
            "a restart that runs into the start limit",
            with_jobs(
                Tracker {
                    stop_began: true,
                    ..seen(Facts {
                        result: "start-limit-hit".into(),
                        ..facts(Failed)
                    })
                },
                &[(false, "failed", Failed)],
            ),
            Intent::Crash,
        ),
        (
            "our own restart that runs into the start limit",
            with_jobs(
                Tracker {
                    stop_began: true,
                    ..seen(exit())
                },
                &[(true, "failed", Failed)],
            ),
            Intent::Crash,
        ),
        (
            "our own restart that found nothing to do after a crash",
            with_jobs(seen(killed()), &[(true, "done", Failed)]),
            Intent::Crash,
        ),
        (
            "our own restart that found nothing to do after a stop",
            with_jobs(seen(clean()), &[(false, "done", Inactive), (true, "done", Inactive)]),
            Intent::OperatorStop,
        ),
        (
            "a stop whose job's end was missed",
            Tracker {
                stop_began: true,
                ..seen(clean())
            },
            Intent::OperatorStop,
        ),
        (
            "a start that failed for a dependency",
            with_jobs(seen(clean()), &[(false, "dependency", Inactive)]),
            Intent::DependencyStop,
        ),
        (
            "an operator stopped it while our start ran",
            with_jobs(
                seen(clean()),
                &[(true, "canceled", Inactive), (false, "done", Inactive)],
            ),
            Intent::OperatorStop,
        ),
    ] {
        assert_eq!(intent(&tracker), expected, "{what}");
    }
}

#[test]
fn what_is_done_or_not_needed_is_not_missed() {
    use ActiveState::{Failed, Inactive};
    let clean = || facts(Inactive);
    let exit = || Facts {
        result: "exit-code".into(),
        exec_code: 1,
        exec_status: 1,
        ..facts(Failed)
    };
    for (what, tracker, expected) in [
        (
            "a start job whose condition was not met",
            with_jobs(
                seen(Facts {
                    condition_result: false,
                    ..clean()
                }),
                &[(false, "done", Inactive)],
            ),
            Intent::ConditionNotMet,
        ),
        (
            "a oneshot that did its work",
            with_jobs(
                seen(Facts {
                    service_type: "oneshot".into(),
                    ..clean()
                }),
                &[(false, "done", Inactive)],
            ),
            Intent::NotApplicable,
        ),
        (
            "a oneshot that failed",
            with_jobs(
                seen(Facts {
                    service_type: "oneshot".into(),
                    ..exit()
                }),
                &[(false, "failed", Failed)],
            ),
            Intent::OneshotFailed,
        ),
        (
            "a oneshot that remains, stopped",
            with_jobs(
                seen(Facts {
                    service_type: "oneshot".into(),
                    remain_after_exit: true,
                    ..clean()
                }),
                &[(false, "done", Inactive)],
            ),
            Intent::OperatorStop,
        ),
    ] {
        assert_eq!(intent(&tracker), expected, "{what}");
    }
}

#[test]
fn a_start_that_did_nothing_is_no_stop() {
    let called_off = |state: ActiveState| FinishedJob {
        id: 2,
        own: false,
        result: "done".into(),
        state,
        called_off: true,
    };
    let failed = || Facts {
        condition_result: false,
        ..killed()
    };
    let mut tracker = with_jobs(seen(failed()), &[]);
    tracker.jobs.push(called_off(ActiveState::Failed));
    assert_eq!(intent(&tracker), Intent::Crash);
    // A stop of it later is one.
    let stop = with_jobs(seen(failed()), &[(false, "done", ActiveState::Failed)]);
    tracker.jobs.extend(stop.jobs);
    assert_eq!(intent(&tracker), Intent::OperatorStop);
    // As is one before.
    tracker.jobs.rotate_right(1);
    assert_eq!(intent(&tracker), Intent::OperatorStop);
}

/// SEMANTICS 1.8, row 20.
#[test]
fn a_service_that_ended_is_not_missed_where_something_starts_it_when_it_is_needed() {
    use ActiveState::{Active, Deactivating, Failed, Inactive};
    let mut tracker = seen(Facts {
        triggered_by: vec!["a.socket".into()],
        ..facts(Inactive)
    });
    for (state, waited, expected) in [
        (Active, 5, Intent::NotApplicable),
        // The engine is informed of it beside.
        (Failed, 5, Intent::NotApplicable),
        (Inactive, 5, Intent::NotApplicable),
        // It is not enabled.
        (Inactive, 0, Intent::CleanExit),
        (Deactivating, 5, Intent::CleanExit),
    ] {
        let peer = |name: &str| Peer {
            name: name.into(),
            state,
            active_enter: waited,
            ..Peer::default()
        };
        (tracker.peers, tracker.concluded) = (Some(vec![peer("a.socket")]), None);
        assert_eq!(intent(&tracker), expected, "{state:?} {waited}");
        (tracker.peers, tracker.concluded) = (Some(vec![peer("b.socket")]), None);
        assert_eq!(intent(&tracker), Intent::CleanExit, "another unit's");
    }
}

#[test]
fn after_a_gap_the_journal_decides() {
    let down = |state, past| Tracker {
        unwitnessed: true,
        past: Some(past),
        ..seen(if state == ActiveState::Failed {
            killed()
        } else {
            facts(state)
        })
    };
    let (inactive, failed) = (ActiveState::Inactive, ActiveState::Failed);
    for (state, past, expected) in [
        (inactive, Past::Stopped, Intent::OperatorStop),
        (failed, Past::Stopped, Intent::OperatorStop),
        (failed, Past::Crashed(None), Intent::Crash),
        (inactive, Past::Crashed(None), Intent::Unclear),
        (inactive, Past::Exited, Intent::CleanExit),
        (inactive, Past::Dependency, Intent::DependencyStop),
        (inactive, Past::Unknown, Intent::OperatorStop),
        (failed, Past::Unknown, Intent::Unclear),
    ] {
        assert_eq!(intent(&down(state, past.clone())), expected, "{state:?} {past:?}");
    }
    let mut unasked = down(inactive, Past::Unknown);
    unasked.past = None;
    assert_eq!(classify(&mut unasked, WORLD), Verdict::AskJournal);
}

#[test]
fn a_reset_does_not_change_why_it_is_down() {
    let mut tracker = seen(killed());
    let Verdict::Seen(before) = classify(&mut tracker, WORLD) else {
        panic!("a crash needs no questions");
    };
    tracker.facts = facts(ActiveState::Inactive);
    let Verdict::Seen(after) = classify(&mut tracker, WORLD) else {
        panic!("a reset needs no questions");
    };
    assert_eq!(after, before);
}
