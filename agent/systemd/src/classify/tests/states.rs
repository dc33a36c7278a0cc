//! What a unit does now: it runs, is busy or stuck, or cannot be started.

use super::*;

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
    // What an operator stopped and took away, in whichever order, stays stopped; what crashed does not become that.
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
