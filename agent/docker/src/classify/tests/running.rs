//! Containers that run, or never have.

use super::*;

#[test]
fn what_runs_is_well_unless_docker_says_otherwise() {
    let ill = || Health::Unhealthy("no answer".into());
    for (status, health, events, probed, verdict) in [
        (Status::Running, Health::Unchecked, vec![], false, "running"),
        (Status::Running, Health::Healthy, vec![], false, "running"),
        (Status::Running, Health::Starting, vec![], false, "starting"),
        // Its own probes say when it has started.
        (Status::Running, Health::Starting, vec![], true, "running"),
        (Status::Running, ill(), vec![], false, "unhealthy(\"no answer\")"),
        (Status::Running, ill(), vec![], true, "unhealthy(\"no answer\")"),
        // A stop is under way; what becomes of it meanwhile is reported with that.
        (
            Status::Running,
            ill(),
            vec![(100, "kill 15")],
            false,
            "unhealthy(\"no answer\"), asked to stop 1 s ago",
        ),
        (
            Status::Running,
            Health::Unchecked,
            vec![(31, "kill 15")],
            false,
            "running, asked to stop 70 s ago",
        ),
        // An interrupt is heeded soon, or never.
        (
            Status::Running,
            Health::Unchecked,
            vec![(100, "kill 2")],
            false,
            "stopping",
        ),
        (
            Status::Running,
            Health::Unchecked,
            vec![(80, "kill 3")],
            false,
            "running",
        ),
        (
            Status::Running,
            Health::Unchecked,
            vec![(100, "kill 1")],
            false,
            "running",
        ),
        (Status::Paused, ill(), vec![], false, "frozen"),
        (
            Status::Restarting,
            Health::Unchecked,
            vec![],
            false,
            "about to be restarted by its supervisor",
        ),
        (
            Status::Running,
            Health::NotRun {
                reason: "no curl".into(),
                runtime_away: false,
            },
            vec![],
            false,
            "unchecked { reason: \"no curl\", runtime_away: false }",
        ),
        (Status::Removing, Health::Unchecked, vec![], false, "stopping"),
        (
            Status::Created,
            Health::Unchecked,
            vec![],
            false,
            "operator_stop: cause not known",
        ),
    ] {
        let mut tracker = container(status);
        tracker.facts.health = health.clone();
        hear(&mut tracker, &events);
        let world = World { probed, ..world(101) };
        assert_eq!(judge(&mut tracker, world), verdict, "{status:?} {health:?} {events:?}");
    }
}

#[test]
fn what_compose_has_made_and_does_not_start_is_reported() {
    let created = |waits_for: &[&str]| {
        let mut tracker = container(Status::Created);
        tracker.facts.started = None;
        tracker.facts.created = Some(at(100));
        tracker.facts.waits_for = waits_for.iter().map(|name| (*name).to_owned()).collect();
        tracker
    };
    // An operator made it by hand: starting it is theirs to do.
    assert_eq!(judge(&mut created(&[]), world(500)), "operator_stop: cause not known");
    let mut waits = created(&["db", "cache"]);
    assert_eq!(judge(&mut waits, world(189)), "starting");
    assert!(matches!(classify(&mut waits, world(189)), Verdict::Seen(_, Some(again)) if again == at(190)));
    let said =
        "unusable(\"it was created and is not started: compose waits for db, cache (depends_on), or has given up\")";
    assert_eq!(judge(&mut waits, world(190)), said);
}

#[test]
fn a_health_check_that_says_something_else_each_time_is_no_news() {
    let mut tracker = container(Status::Running);
    tracker.facts.health = Health::Unhealthy("first".into());
    assert_eq!(judge(&mut tracker, world(100)), "unhealthy(\"first\")");
    tracker.facts.health = Health::Unhealthy("second".into());
    assert_eq!(judge(&mut tracker, world(110)), "unhealthy(\"first\")");
    tracker.facts.health = Health::Healthy;
    assert_eq!(judge(&mut tracker, world(120)), "running");
    tracker.facts.health = Health::Unhealthy("third".into());
    assert_eq!(judge(&mut tracker, world(130)), "unhealthy(\"third\")");
}
