use super::super::attribution::Peer;
use super::super::facts::ExitSet;
use super::super::tracker::FinishedJob;
use super::*;

const WORLD: World<'static> = World {
    now: 5_000_000,
    host_stopping: false,
    own_job: false,
    jobs: &Jobs::new(),
};

fn facts(state: ActiveState) -> Facts {
    Facts {
        id: "a.service".into(),
        load_state: "loaded".into(),
        active_state: state,
        result: "success".into(),
        restart: "no".into(),
        service_type: "simple".into(),
        condition_at: 1,
        condition_result: true,
        assert_at: 1,
        assert_result: true,
        active_enter: 2_000_000,
        restart_prevent: ExitSet::default(),
        ..Facts::default()
    }
}

fn seen(facts: Facts) -> Tracker {
    Tracker {
        facts,
        instance: Some("01".into()),
        peers: Some(Vec::new()),
        ..Tracker::default()
    }
}

fn with_jobs(mut tracker: Tracker, jobs: &[(bool, &str, ActiveState)]) -> Tracker {
    tracker.jobs = (1..)
        .zip(jobs)
        .map(|(id, (own, result, state))| FinishedJob {
            id,
            own: *own,
            result: (*result).into(),
            state: *state,
            called_off: false,
        })
        .collect();
    tracker
}

fn state(tracker: &Tracker, world: World) -> TargetState {
    match classify(&mut tracker.clone(), world) {
        Verdict::Seen(observation) => observation.state,
        question => panic!("{question:?}"),
    }
}

fn intent(tracker: &Tracker) -> Intent {
    match state(tracker, WORLD) {
        TargetState::Down { intent, .. } => intent,
        other => panic!("{other:?}"),
    }
}

fn killed() -> Facts {
    Facts {
        result: "signal".into(),
        exec_code: 2,
        exec_status: 9,
        ..facts(ActiveState::Failed)
    }
}

/// SEMANTICS 1.8, rows 6 to 13: what is busy, and with what. What becomes of it is the engine's (`engine/tests/busy.rs`).
#[test]
fn what_is_not_down_is_running_or_busy() {
    let sub = |state, sub: &str| Facts {
        sub_state: sub.into(),
        ..facts(state)
    };
    let job = |state| Facts { job: 7, ..facts(state) };
    let busy = TargetState::Busy;
    for (facts, expected) in [
        (facts(ActiveState::Active), TargetState::Running),
        (sub(ActiveState::Active, "exited"), TargetState::Running),
        (job(ActiveState::Active), busy(Activity::Job)),
        (job(ActiveState::Inactive), busy(Activity::Job)),
        (job(ActiveState::Failed), busy(Activity::Job)),
        (sub(ActiveState::Activating, "start-pre"), busy(Activity::Starting)),
        (sub(ActiveState::Activating, "start"), busy(Activity::Starting)),
        (sub(ActiveState::Activating, "start-post"), busy(Activity::Starting)),
        (
            sub(ActiveState::Activating, "a-word-of-the-future"),
            busy(Activity::Starting),
        ),
        (
            sub(ActiveState::Activating, "auto-restart"),
            busy(Activity::AutoRestart),
        ),
        (
            sub(ActiveState::Activating, "auto-restart-queued"),
            busy(Activity::AutoRestart),
        ),
        (job(ActiveState::Deactivating), busy(Activity::Stopping)),
        (facts(ActiveState::Reloading), busy(Activity::Reloading)),
        (
            Facts {
                frozen: true,
                ..facts(ActiveState::Active)
            },
            busy(Activity::Frozen),
        ),
    ] {
        assert_eq!(state(&seen(facts.clone()), WORLD), expected, "{facts:?}");
    }
    let own = World { own_job: true, ..WORLD };
    assert_eq!(
        state(&seen(job(ActiveState::Failed)), own),
        TargetState::Busy(Activity::Starting)
    );
    assert!(matches!(
        state(&seen(facts(ActiveState::Other)), WORLD),
        TargetState::Unknown(_)
    ));
}

/// Stuck states as they were recorded on real hosts (systemd 252 to 262), which nothing makes reliably.
#[test]
#[allow(clippy::too_many_lines, reason = "it is a table")]
fn what_is_stuck_is_busy_since_then_and_has_a_bound() {
    use ActiveState::{Activating, Active, Deactivating, Failed, Reloading};
    let stuck = |state, sub: &str, job| Facts {
        sub_state: sub.into(),
        job,
        state_change: 1_000_000,
        timeout_start: 90_000_000,
        timeout_stop: u64::MAX,
        result: "exit-code".into(),
        exec_code: 1,
        exec_status: 3,
        ..facts(state)
    };
    let oneshot = |timeout_start| Facts {
        service_type: "oneshot".into(),
        timeout_start,
        ..stuck(ActiveState::Activating, "start", 7)
    };
    let exited = Some(Cause::Exited { code: 3 });
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (what, facts, activity, age, starts_within, has_job, ended) in [
        (
            "257: a pause that no verb ends",
            stuck(Activating, "auto-restart-queued", 0),
            Activity::AutoRestart,
            seconds(4),
            None,
            false,
            exited.clone(),
        ),
        (
            "a pause of Restart=",
            stuck(Activating, "auto-restart", 0),
            Activity::AutoRestart,
            seconds(4),
            None,
            false,
            exited.clone(),
        ),
        (
            "252 and 257: a reload that the service never ends",
            stuck(Reloading, "reload-notify", 0),
            Activity::Reloading,
            seconds(4),
            None,
            false,
            None,
        ),
        (
            "a reload that is under way",
            stuck(Reloading, "reload", 7),
            Activity::Reloading,
            seconds(4),
            None,
            true,
            None,
        ),
        (
            "a stop without a limit",
            stuck(Deactivating, "stop-sigterm", 7),
            Activity::Stopping,
            seconds(4),
            None,
            true,
            None,
        ),
        (
            "a start that never says READY=1",
            stuck(Activating, "start", 7),
            Activity::Starting,
            seconds(4),
            None,
            true,
            None,
        ),
        (
            "a oneshot that works",
            oneshot(600_000_000),
            Activity::Starting,
            seconds(4),
            seconds(600),
            true,
            None,
        ),
        (
            "a oneshot without a limit",
            oneshot(u64::MAX),
            Activity::Starting,
            seconds(4),
            seconds(3600),
            true,
            None,
        ),
        (
            "a job that waits for another",
            stuck(Failed, "failed", 7),
            Activity::Job,
            None,
            None,
            true,
            None,
        ),
        (
            "frozen",
            Facts {
                frozen: true,
                ..stuck(Active, "running", 0)
            },
            Activity::Frozen,
            None,
            None,
            false,
            None,
        ),
    ] {
        let Verdict::Seen(seen) = classify(&mut seen(facts), WORLD) else {
            panic!("{what} needs no questions");
        };
        assert_eq!(seen.state, TargetState::Busy(activity), "{what}");
        assert_eq!(seen.age, age, "{what}");
        let details = Details {
            starts_within,
            has_job,
            ended,
            ..Details::default()
        };
        assert_eq!(seen.details, details, "{what}");
        assert_eq!(seen.limits.stop_or_usual(), Duration::from_secs(90), "{what}");
    }
}

#[test]
fn a_unit_that_cannot_be_started_is_unusable_once_it_is_down() {
    for load_state in ["not-found", "masked", "bad-setting", "error"] {
        let with = |state| {
            seen(Facts {
                load_state: load_state.into(),
                ..facts(state)
            })
        };
        assert!(matches!(
            state(&with(ActiveState::Failed), WORLD),
            TargetState::Unusable(_)
        ));
        assert_eq!(
            state(&with(ActiveState::Active), WORLD),
            TargetState::Running,
            "{load_state}"
        );
    }
    // What somebody stopped and took away, in whichever order, stays stopped; what crashed does not become that.
    for (load_state, ended, is_seen_before, is_stopped) in [
        ("masked", "stopped", true, true),
        ("masked", "stopped", false, true),
        ("not-found", "stopped", true, true),
        ("not-found", "stopped with its socket", true, true),
        ("not-found", "stopped with its socket", false, true),
        ("bad-setting", "stopped", true, false),
        ("masked", "crashed", true, false),
        ("masked", "crashed", false, false),
    ] {
        let mut tracker = match ended {
            "stopped" => with_jobs(
                seen(facts(ActiveState::Inactive)),
                &[(false, "done", ActiveState::Inactive)],
            ),
            "stopped with its socket" => {
                let mut tracker = with_jobs(
                    seen(facts(ActiveState::Inactive)),
                    &[(false, "done", ActiveState::Inactive)],
                );
                tracker.facts.bound_to = vec!["a.socket".into()];
                tracker.peers = Some(vec![Peer {
                    name: "a.socket".into(),
                    job_type: "stop".into(),
                    ..Peer::default()
                }]);
                tracker
            }
            _ => seen(killed()),
        };
        if is_seen_before {
            classify(&mut tracker, WORLD);
        }
        tracker.facts.load_state = load_state.into();
        let now = state(&tracker, WORLD);
        let stays = matches!(
            now,
            TargetState::Down {
                intent: Intent::OperatorStop,
                ..
            }
        );
        assert_eq!(stays, is_stopped, "{load_state} {ended}: {now:?}");
        assert_eq!(
            matches!(now, TargetState::Unusable(_)),
            !is_stopped,
            "{load_state} {ended}"
        );
    }
    let assert_failed = Facts {
        assert_result: false,
        ..facts(ActiveState::Inactive)
    };
    assert!(matches!(state(&seen(assert_failed), WORLD), TargetState::Unusable(_)));
}

#[test]
fn jobs_tell_a_stop_from_a_crash() {
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

#[test]
fn dead_and_frozen_is_dead_and_a_run_is_not_frozen_by_what_stood_there_before_it() {
    let dead = Facts {
        frozen: true,
        ..killed()
    };
    assert_eq!(intent(&seen(dead)), Intent::Crash);
    let frozen = Facts {
        frozen: true,
        ..facts(ActiveState::Active)
    };
    assert_eq!(state(&seen(frozen.clone()), WORLD), TargetState::Busy(Activity::Frozen));
    let tracker = Tracker {
        frozen_before: true,
        ..seen(frozen)
    };
    assert_eq!(state(&tracker, WORLD), TargetState::Running);
}

#[test]
fn a_stop_is_attributed_only_after_asking() {
    let mut tracker = with_jobs(
        seen(facts(ActiveState::Inactive)),
        &[(false, "done", ActiveState::Inactive)],
    );
    tracker.peers = None;
    assert_eq!(classify(&mut tracker, WORLD), Verdict::AskPeers);
    let stopping = World {
        host_stopping: true,
        ..WORLD
    };
    assert!(matches!(
        state(&tracker, stopping),
        TargetState::Down {
            intent: Intent::Shutdown,
            ..
        }
    ));
}

/// It went down together with its database, which has failed.
fn fallen() -> Tracker {
    let facts = Facts {
        id: "a.service".into(),
        bound_to: vec!["db.service".into()],
        needs: vec!["db.service".into()],
        active_exit: 4_000_000,
        inactive_enter: 4_000_100,
        state_change: 4_000_100,
        ..facts(ActiveState::Inactive)
    };
    let db = Peer {
        name: "db.service".into(),
        state: ActiveState::Failed,
        active_exit: 3_999_900,
        ..Peer::default()
    };
    Tracker {
        peers: Some(vec![db]),
        ..seen(facts)
    }
}

#[test]
fn with_what_a_unit_went_down_is_told_beside_why() {
    use ActiveState::Inactive;
    let mut jobs = Jobs::new();
    jobs.made(1, "a.service", 4_000_000);
    let mut ordered = Jobs::new();
    ordered.made(0, "db.service", 4_000_000);
    ordered.made(1, "a.service", 4_000_000);
    let dependency = Intent::DependencyStop;
    let stop = (false, "done", Inactive);
    for (what, finished, jobs, expected) in [
        ("systemd stopped it", &[stop][..], &jobs, (dependency, Some(true))),
        ("somebody stopped both", &[stop], &ordered, (dependency, Some(false))),
        (
            "it was not started for want of the other",
            &[(false, "dependency", Inactive)],
            &jobs,
            (dependency, Some(true)),
        ),
        (
            "nor was it when the agent asked for that",
            &[stop, (true, "dependency", Inactive)],
            &jobs,
            (dependency, Some(true)),
        ),
        (
            "somebody stopped it after it fell",
            &[stop, stop],
            &jobs,
            (Intent::OperatorStop, None),
        ),
        (
            "somebody stopped it after it was not started",
            &[(false, "dependency", Inactive), stop],
            &jobs,
            (Intent::OperatorStop, None),
        ),
    ] {
        let mut tracker = with_jobs(fallen(), finished);
        let Verdict::Seen(seen) = classify(&mut tracker, World { jobs, ..WORLD }) else {
            panic!("{what} needs no questions");
        };
        let TargetState::Down { intent, .. } = seen.state else {
            panic!("{what}: {:?}", seen.state);
        };
        let other = seen.details.fell_with;
        assert!(other.iter().all(|other| other.name == "db.service"), "{what}");
        assert_eq!((intent, other.map(|other| other.failed)), expected, "{what}");
    }
}

#[test]
fn what_was_not_started_is_judged_after_asking_why() {
    let mut tracker = with_jobs(fallen(), &[(false, "dependency", ActiveState::Inactive)]);
    tracker.peers = None;
    assert_eq!(classify(&mut tracker, WORLD), Verdict::AskPeers);
    let mut unseen = Tracker {
        unwitnessed: true,
        past: Some(Past::Dependency),
        ..fallen()
    };
    let asked = unseen.peers.take();
    assert_eq!(classify(&mut unseen, WORLD), Verdict::AskPeers);
    unseen.peers = asked;
    let Verdict::Seen(seen) = classify(&mut unseen, WORLD) else {
        panic!("everything is known");
    };
    assert_eq!(seen.details.fell_with.map(|other| other.failed), Some(true));
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
        // The engine is told of it beside.
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

#[test]
fn systemd_goes_first_until_it_is_at_rest() {
    let mut tracker = seen(Facts {
        restart: "on-failure".into(),
        ..killed()
    });
    let supervisor = |tracker: &mut Tracker| match classify(tracker, WORLD) {
        Verdict::Seen(observation) => observation.supervisor,
        question => panic!("{question:?}"),
    };
    assert_eq!(supervisor(&mut tracker), Supervisor::Active);
    tracker.at_rest = true;
    assert_eq!(supervisor(&mut tracker), Supervisor::GaveUp);

    tracker = seen(killed());
    assert_eq!(supervisor(&mut tracker), Supervisor::Passive);
}

#[test]
fn only_what_runs_has_an_age() {
    let age = |facts| match classify(&mut seen(facts), WORLD) {
        Verdict::Seen(observation) => observation.age,
        question => panic!("{question:?}"),
    };
    assert_eq!(age(facts(ActiveState::Active)), Some(Duration::from_secs(3)));
    assert_eq!(age(facts(ActiveState::Inactive)), None);
}
