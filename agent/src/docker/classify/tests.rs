use super::*;
use crate::docker::facts::Facts;
use crate::docker::tracker::Happened;

/// Seconds after an arbitrary moment.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A container that ran from second 0, with a stop timeout of 10 s.
fn container(status: Status) -> Tracker {
    let started = at(0);
    Tracker {
        facts: Facts {
            id: "0123456789abcdef".into(),
            status,
            started: Some(started),
            started_text: started.to_string(),
            stop_timeout: Duration::from_secs(10),
            ..Facts::default()
        },
        ..Tracker::default()
    }
}

/// One that exited in second 100.
fn exited(code: i32, policy: RestartPolicy) -> Tracker {
    let mut tracker = container(Status::Exited);
    tracker.facts.exit_code = code;
    tracker.facts.policy = policy;
    tracker.facts.finished = Some(at(100));
    tracker
}

/// Long after, with everything heard since second 50.
const WORLD: World = World {
    now: Timestamp::UNIX_EPOCH,
    watched_since: Timestamp::UNIX_EPOCH,
    away: None,
    probed: false,
    podman: false,
};

fn world(now: i64) -> World {
    World {
        now: at(now),
        watched_since: at(50),
        ..WORLD
    }
}

/// `(intent, cause, supervisor)` in words, or what else it is.
fn judge(tracker: &mut Tracker, world: World) -> String {
    match classify(tracker, world) {
        Verdict::Wait(_) => "wait".into(),
        Verdict::Seen(seen, _) => match &seen.state {
            TargetState::Down { intent, cause } => {
                let supervisor = match seen.supervisor {
                    Supervisor::Passive => "",
                    Supervisor::Active => ", Docker goes first",
                    Supervisor::GaveUp => ", Docker gave up",
                    Supervisor::Forbids => unreachable!("Docker has no such setting"),
                };
                format!("{}: {cause}{supervisor}", intent.as_str())
            }
            TargetState::Busy(activity) => activity.as_str().into(),
            other => {
                let asked = seen
                    .asked_to_stop
                    .map(|asked| format!(", asked to stop {} s ago", asked.ago.as_secs()));
                format!("{other:?}").to_lowercase() + &asked.unwrap_or_default()
            }
        },
    }
}

fn hear(tracker: &mut Tracker, events: &[(i64, &str)]) {
    for (second, event) in events {
        let (action, value) = event.split_once(' ').unwrap_or((event, ""));
        let happened = Happened::of(action, |_| Some(value.to_owned()));
        tracker.happened(&happened, at(*second));
    }
}

#[test]
fn intent_comes_from_what_was_heard() {
    use RestartPolicy::{Always, No, OnFailure, UnlessStopped};
    for (why, events, code, policy, verdict) in [
        (
            "docker stop, exits 0",
            vec![(99, "kill 15"), (100, "die 0"), (100, "stop")],
            0,
            No,
            "operator_stop: exited with code 0",
        ),
        (
            "docker stop, ignores TERM",
            vec![(90, "kill 15"), (100, "kill 9"), (100, "die 137"), (100, "stop")],
            137,
            Always,
            "operator_stop: exited with code 137",
        ),
        (
            "docker kill has no stop",
            vec![(100, "kill 9"), (100, "die 137")],
            137,
            Always,
            "operator_stop: exited with code 137",
        ),
        (
            "a stop while Docker waits to restart it",
            vec![(100, "die 3"), (101, "stop")],
            3,
            Always,
            "operator_stop: exited with code 3",
        ),
        (
            "kill -9 from the host",
            vec![(100, "die 137")],
            137,
            No,
            "crash: exited with code 137",
        ),
        ("exit 3", vec![(100, "die 3")], 3, No, "crash: exited with code 3"),
        (
            "exit 143 by itself",
            vec![(100, "die 143")],
            143,
            No,
            "crash: exited with code 143",
        ),
        ("exit 0", vec![(100, "die 0")], 0, No, "clean_exit: exited with code 0"),
        (
            "HUP asks for a reload, and Docker takes it for a stop",
            vec![(80, "kill 1"), (100, "die 3")],
            3,
            UnlessStopped,
            "crash: exited with code 3",
        ),
        (
            "an INT that was ignored long ago is history",
            vec![(60, "kill 2"), (100, "die 3")],
            3,
            No,
            "crash: exited with code 3",
        ),
        (
            "the signal of an earlier run is history",
            vec![(-5, "kill 15"), (100, "die 3")],
            3,
            No,
            "crash: exited with code 3",
        ),
        (
            "the kernel killed it",
            vec![(100, "oom"), (100, "die 137")],
            137,
            No,
            "crash: killed by the kernel, out of memory",
        ),
        (
            "the kernel killed a child of it, long before",
            vec![(60, "oom"), (100, "die 1")],
            1,
            No,
            "crash: exited with code 1",
        ),
        (
            "on-failure, and tried in vain",
            vec![(100, "die 3")],
            3,
            OnFailure(2),
            "crash: exited with code 3, Docker gave up",
        ),
    ] {
        let mut tracker = exited(code, policy);
        tracker.facts.restarts = 2;
        hear(&mut tracker, &events);
        assert_eq!(judge(&mut tracker, world(200)), verdict, "{why}");
    }
}

#[test]
fn what_takes_longer_than_its_timeout_is_a_stop_all_the_same() {
    use RestartPolicy::{Always, No};
    for (why, events, code, policy, verdict) in [
        (
            "docker stop -t 60 as 20.10 tells it",
            vec![(60, "kill 15"), (100, "die 0"), (100, "stop")],
            0,
            Always,
            "operator_stop: exited with code 0",
        ),
        (
            "docker stop -t 60 as 26.1 and 28.5 tell it",
            vec![(60, "kill 15"), (100, "stop"), (100, "die 0")],
            0,
            Always,
            "operator_stop: exited with code 0",
        ),
        (
            "kill -s TERM, and it drained for longer than its timeout",
            vec![(60, "kill 15"), (100, "die 0")],
            0,
            Always,
            "asked_to_stop: exited with code 0",
        ),
        (
            "a TERM and then an INT",
            vec![(60, "kill 15"), (70, "kill 2"), (100, "die 3")],
            3,
            No,
            "asked_to_stop: exited with code 3",
        ),
        (
            "a signal that this version has no number for",
            vec![(60, "kill"), (100, "die 3")],
            3,
            No,
            "asked_to_stop: exited with code 3",
        ),
    ] {
        let mut tracker = exited(code, policy);
        hear(&mut tracker, &events);
        assert_eq!(judge(&mut tracker, world(200)), verdict, "{why}");
    }
}

#[test]
fn whoever_was_asked_to_stop_has_ten_minutes() {
    // Asked in second 60, by `docker kill -s TERM`; the watch began in second 50.
    for (died, verdict) in [
        (75, "operator_stop: exited with code 0"),
        (76, "asked_to_stop: exited with code 0"),
        (660, "asked_to_stop: exited with code 0"),
        (661, "clean_exit: exited with code 0"),
    ] {
        let mut tracker = exited(0, RestartPolicy::Always);
        tracker.facts.finished = Some(at(died));
        hear(&mut tracker, &[(60, "kill 15"), (died, "die 0")]);
        assert_eq!(judge(&mut tracker, world(died + 100)), verdict, "{died}");
    }
    let mut tracker = container(Status::Running);
    hear(&mut tracker, &[(60, "kill 15")]);
    assert_eq!(judge(&mut tracker, world(659)), "running, asked to stop 599 s ago");
    assert!(matches!(classify(&mut tracker, world(659)), Verdict::Seen(_, Some(again)) if again == at(660)));
    // A watch that began anew meanwhile knows no other time.
    let gap = World {
        watched_since: at(655),
        ..world(660)
    };
    assert_eq!(judge(&mut tracker, gap), "running");
    // Nor does the agent's own restart ask for anything.
    let mut tracker = container(Status::Running);
    tracker.acting = true;
    hear(&mut tracker, &[(60, "kill 15")]);
    tracker.acting = false;
    assert_eq!(judge(&mut tracker, world(61)), "running");
}

#[test]
fn what_ended_late_is_judged_when_docker_could_have_told_of_its_stop() {
    let late = || {
        let mut tracker = exited(0, RestartPolicy::Always);
        hear(&mut tracker, &[(60, "kill 15"), (100, "die 0")]);
        tracker
    };
    assert_eq!(judge(&mut late(), world(100)), "wait");
    assert_eq!(judge(&mut late(), world(101)), "asked_to_stop: exited with code 0");
    let mut told = late();
    hear(&mut told, &[(100, "stop")]);
    assert_eq!(judge(&mut told, world(100)), "operator_stop: exited with code 0");
}

#[test]
fn its_own_stop_signal_asks_it_to_end() {
    let mut tracker = exited(0, RestartPolicy::No);
    tracker.facts.stop_signal = Some(37);
    hear(&mut tracker, &[(99, "kill 37"), (100, "die 0")]);
    assert_eq!(judge(&mut tracker, world(200)), "operator_stop: exited with code 0");
    // Like TERM, it may take longer than the timeout.
    let mut tracker = container(Status::Running);
    tracker.facts.stop_signal = Some(3);
    hear(&mut tracker, &[(60, "kill 3")]);
    assert_eq!(judge(&mut tracker, world(100)), "running, asked to stop 40 s ago");
}

#[test]
fn what_nobody_heard_is_judged_by_what_docker_would_have_done() {
    use RestartPolicy::{Always, No, OnFailure, UnlessStopped};
    for (policy, code, verdict) in [
        (Always, 1, "operator_stop: exited with code 1"),
        (UnlessStopped, 137, "operator_stop: exited with code 137"),
        (OnFailure(3), 1, "crash: exited with code 1, Docker gave up"),
        (OnFailure(0), 1, "operator_stop: exited with code 1"),
        (OnFailure(3), 0, "operator_stop: exited with code 0"),
        (No, 0, "operator_stop: exited with code 0"),
        (No, 137, "unclear: exited with code 137"),
        (No, 143, "unclear: exited with code 143"),
        (No, 2, "crash: exited with code 2"),
    ] {
        let mut tracker = exited(code, policy);
        tracker.facts.restarts = 3;
        assert_eq!(judge(&mut tracker, world(200)), verdict, "{policy:?} {code}");
    }
}

#[test]
fn news_that_may_be_on_its_way_is_waited_for() {
    let mut tracker = exited(137, RestartPolicy::No);
    assert_eq!(judge(&mut tracker, world(100)), "wait");
    hear(&mut tracker, &[(100, "die 137")]);
    assert_eq!(judge(&mut tracker, world(100)), "crash: exited with code 137");
    // Nothing can come of an end before the watch.
    let mut tracker = exited(137, RestartPolicy::No);
    let late = World {
        watched_since: at(150),
        ..world(100)
    };
    assert_eq!(judge(&mut tracker, late), "unclear: exited with code 137");
}

#[test]
fn podman_tells_an_end_and_not_who_asked_for_it() {
    // `podman stop` and a crash: both are a `die` and nothing else.
    for (code, verdict) in [
        (0, "unclear: exited with code 0"),
        (137, "unclear: exited with code 137"),
        (143, "unclear: exited with code 143"),
        (3, "crash: exited with code 3"),
    ] {
        let mut tracker = exited(code, RestartPolicy::Always);
        hear(&mut tracker, &[(100, "die")]);
        let podman = World {
            podman: true,
            ..world(200)
        };
        assert_eq!(judge(&mut tracker, podman), verdict, "{code}");
    }
}

#[test]
fn an_absence_of_the_engine_explains_ends() {
    use RestartPolicy::{No, UnlessStopped};
    let away = |now, gone, back| World {
        away: Some((at(gone), at(back))),
        watched_since: at(back),
        ..world(now)
    };
    for (why, seen_running, events, world, verdict) in [
        (
            "lost with a daemon that was killed",
            true,
            vec![],
            away(200, 99, 101),
            "crash: its supervisor reports `went down with the Docker daemon: exited with code 137`",
        ),
        (
            "the daemon may still be starting it",
            true,
            vec![],
            away(105, 99, 101),
            "crash: its supervisor reports `went down with the Docker daemon: exited with code 137`, Docker goes first",
        ),
        (
            "down before that",
            true,
            vec![],
            away(200, 150, 160),
            "operator_stop: exited with code 137",
        ),
        (
            "nobody knows that it ran",
            false,
            vec![],
            away(200, 99, 101),
            "operator_stop: exited with code 137",
        ),
        (
            "stopped by a daemon on its way out",
            true,
            vec![(99, "kill 15"), (100, "die 137"), (100, "stop")],
            away(200, 103, 105),
            "crash: its supervisor reports `went down with the Docker daemon: exited with code 137`",
        ),
        (
            "stopped by a daemon that came back and found it running",
            true,
            vec![(100, "kill 15"), (110, "kill 9"), (110, "die 137"), (110, "stop")],
            away(200, 99, 111),
            "crash: its supervisor reports `went down with the Docker daemon: exited with code 137`",
        ),
        (
            "stopped well before",
            true,
            vec![(59, "kill 15"), (60, "die 137"), (60, "stop")],
            away(200, 103, 105),
            "operator_stop: exited with code 137",
        ),
    ] {
        let mut tracker = exited(137, UnlessStopped);
        tracker.seen_running = seen_running.then(|| tracker.facts.instance()).flatten();
        hear(&mut tracker, &events);
        assert_eq!(judge(&mut tracker, world), verdict, "{why}");
    }
    // What was known to be a stop before the daemon went stays one.
    let mut tracker = exited(0, No);
    hear(&mut tracker, &[(99, "kill 15"), (100, "die 0"), (100, "stop")]);
    assert_eq!(judge(&mut tracker, world(101)), "operator_stop: exited with code 0");
    assert_eq!(
        judge(&mut tracker, away(200, 103, 105)),
        "operator_stop: exited with code 0"
    );
}

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
        // A stop is under way; what becomes of it meanwhile is told with that.
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
fn what_compose_has_made_and_does_not_start_is_told() {
    let created = |waits_for: &[&str]| {
        let mut tracker = container(Status::Created);
        tracker.facts.started = None;
        tracker.facts.created = Some(at(100));
        tracker.facts.waits_for = waits_for.iter().map(|name| (*name).to_owned()).collect();
        tracker
    };
    // Somebody made it by hand: starting it is theirs to do.
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

#[test]
fn what_the_agent_does_itself_is_nobodys_stop() {
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
fn the_agents_own_start_is_its_own_however_late_it_is_told() {
    let begun_by = |tracker: &mut Tracker| match classify(tracker, world(10)) {
        Verdict::Seen(seen, _) => seen.started_by,
        Verdict::Wait(_) => panic!("it runs"),
    };
    // The answer and the event come by ways of their own, in either order; a refusal brings no start.
    for (done, answered_first, by) in [
        (true, false, StartedBy::Unknown),
        (true, true, StartedBy::Unknown),
        (false, true, StartedBy::Somebody),
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
        assert_eq!(begun_by(&mut tracker), StartedBy::Somebody, "{done} {answered_first}");
    }
}

#[test]
fn each_end_is_judged_anew() {
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
fn the_next_run_of_a_restart_policy_tells_how_the_one_before_ended() {
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
    let mut told = tracker.clone();
    hear(&mut told, &[(100, "start")]);
    assert!(
        matches!(classify(&mut told, world(100)), Verdict::Seen(seen, _) if seen.started_by == StartedBy::Somebody)
    );
    assert!(
        matches!(classify(&mut tracker, world(101)), Verdict::Seen(seen, _) if seen.started_by == StartedBy::Unknown)
    );
    // It ran before anybody listened.
    tracker.facts.started = Some(at(49));
    assert!(matches!(classify(&mut tracker, world(49)), Verdict::Seen(..)));
}
