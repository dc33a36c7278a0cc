//! What other units have to do with it: the one that stopped it, fell before it, or kept it from starting.

use super::*;

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
fn with_what_a_unit_went_down_is_reported_beside_why() {
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
