//! Whose a start is, and one run after another.

use super::*;

#[test]
fn what_the_agent_does_itself_is_unnameds_stop() {
    let mut tracker = container(Status::Running);
    tracker.acting = true;
    hear(&mut tracker, &[(99, "kill 15"), (100, "die 137"), (100, "stop")]);
    tracker.acting = false;
    // The start that should have followed failed.
    let failed = exited(137, RestartPolicy::No).facts;
    tracker.read(failed);
    assert_eq!(judge(&mut tracker, world(200)), "crash: exited with code 137");
}

#[test]
fn the_agents_own_start_is_its_own_however_late_it_is_reported() {
    let begun_by = |tracker: &mut Tracker| match classify(tracker, world(10)) {
        Verdict::Seen(seen, _) => seen.started_by,
        Verdict::Wait(_) => panic!("it runs"),
    };
    // The answer and the event come by ways of their own, in either order; a refusal brings no start.
    for (done, answered_first, by) in [
        (true, false, StartedBy::Unknown),
        (true, true, StartedBy::Unknown),
        (false, true, StartedBy::Other),
    ] {
        let mut tracker = container(Status::Running);
        tracker.acting = true;
        if answered_first {
            tracker.answered(done);
            hear(&mut tracker, &[(0, "start")]);
        } else {
            hear(&mut tracker, &[(0, "start")]);
            tracker.answered(done);
        }
        assert_eq!(begun_by(&mut tracker), by, "{done} {answered_first}");
        // One action explains one start.
        hear(&mut tracker, &[(1, "start")]);
        assert_eq!(begun_by(&mut tracker), StartedBy::Other, "{done} {answered_first}");
    }
}

#[test]
fn each_end_is_judged_again() {
    let mut tracker = exited(0, RestartPolicy::No);
    hear(&mut tracker, &[(99, "kill 15"), (100, "die 0"), (100, "stop")]);
    assert_eq!(judge(&mut tracker, world(101)), "operator_stop: exited with code 0");
    let mut next = exited(3, RestartPolicy::No).facts;
    next.started = Some(at(150));
    next.started_text = at(150).to_string();
    next.finished = Some(at(160));
    tracker.read(next);
    hear(&mut tracker, &[(160, "die 3")]);
    assert_eq!(judge(&mut tracker, world(161)), "crash: exited with code 3");
}

#[test]
fn the_next_run_of_a_restart_policy_reports_how_the_one_before_ended() {
    let restarted = |events: &[(i64, &str)]| {
        let mut tracker = container(Status::Running);
        hear(&mut tracker, events);
        let mut next = tracker.facts.clone();
        next.policy = RestartPolicy::UnlessStopped;
        next.restarts = 1;
        next.started = Some(at(101));
        next.started_text = at(101).to_string();
        tracker.read(next);
        match classify(&mut tracker, world(101)) {
            Verdict::Seen(seen, _) => (seen.state, seen.started_by, seen.details.ended),
            Verdict::Wait(_) => panic!("the Engine counts it"),
        }
    };
    for (what, events, ended) in [
        (
            "seen before the start is heard",
            &[(100, "die 3")][..],
            Some(Cause::Exited { code: 3 }),
        ),
        (
            "heard as well",
            &[(100, "die 3"), (101, "start")],
            Some(Cause::Exited { code: 3 }),
        ),
        (
            "killed for want of memory",
            &[(100, "oom"), (100, "die 137"), (101, "start")],
            Some(Cause::OomKilled),
        ),
        (
            "short of memory long before",
            &[(60, "oom"), (100, "die 137"), (101, "start")],
            Some(Cause::Exited { code: 137 }),
        ),
        ("nobody heard the end", &[], None),
    ] {
        let expected = (TargetState::Running, StartedBy::Supervisor, ended);
        assert_eq!(restarted(events), expected, "{what}");
    }
}

#[test]
fn who_began_a_run_is_waited_for_a_moment() {
    let mut tracker = container(Status::Running);
    tracker.facts.started = Some(at(100));
    tracker.facts.started_text = at(100).to_string();
    assert_eq!(classify(&mut tracker, world(100)), Verdict::Wait(at(101)));
    let mut reported = tracker.clone();
    hear(&mut reported, &[(100, "start")]);
    assert!(
        matches!(classify(&mut reported, world(100)), Verdict::Seen(seen, _) if seen.started_by == StartedBy::Other)
    );
    assert!(
        matches!(classify(&mut tracker, world(101)), Verdict::Seen(seen, _) if seen.started_by == StartedBy::Unknown)
    );
    // It ran before the agent listened.
    tracker.facts.started = Some(at(49));
    assert!(matches!(classify(&mut tracker, world(49)), Verdict::Seen(..)));
}
