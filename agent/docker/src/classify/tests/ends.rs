//! How a run ended: by itself, by an operator, or with its Engine.

use super::*;

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
    // A watch that began again meanwhile knows no other time.
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
fn what_ended_late_is_judged_when_docker_could_have_reported_of_its_stop() {
    let late = || {
        let mut tracker = exited(0, RestartPolicy::Always);
        hear(&mut tracker, &[(60, "kill 15"), (100, "die 0")]);
        tracker
    };
    assert_eq!(judge(&mut late(), world(100)), "wait");
    assert_eq!(judge(&mut late(), world(101)), "asked_to_stop: exited with code 0");
    let mut reported = late();
    hear(&mut reported, &[(100, "stop")]);
    assert_eq!(judge(&mut reported, world(100)), "operator_stop: exited with code 0");
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
fn what_was_not_heard_is_judged_by_what_docker_would_have_done() {
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
fn podman_reports_an_end_and_not_who_asked_for_it() {
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
        tracker.seen_running = seen_running.then(|| tracker.facts.run_id()).flatten();
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
