//! Containers that are asked to stop, and take longer than their own timeout.

use crate::agent::Place;
use crate::engine::{Names, inspect, must};
use crate::watch::{Watch, named};

/// Asked to end, it answers nothing any more, and ends when it is let.
const DRAINS: &str = "docker run -d --restart always --stop-timeout 1 --name $C $I sh -c \
    'trap \"while ! test -e /go; do sleep 0.1; done; exit 0\" TERM; while :; do sleep 0.1; done'";

#[test]
fn drain_that_takes_longer_than_its_timeout_is_neither_cut_short_nor_undone() {
    for ask in [
        "docker stop -t 120 $C",
        "docker restart -t 120 $C",
        "docker kill -s TERM $C",
    ] {
        let names = Names::new();
        let container = names.of("drains");
        must(&container, DRAINS);
        let mut place = Place::new();
        let answers = place.path("answers");
        std::fs::write(&answers, "").unwrap();
        // Told ten seconds after it is down: by then a stop is late, which it is six seconds after it was asked for.
        place.configure(&format!(
            "[services.shop]\ncontainer = \"{container}\"\ncommand = [\"/usr/bin/test\", \"-e\", \"{}\"]\n\
             interval = \"1s\"\ntimeout = \"1s\"\nfall = 2\nrecovery.min_uptime = \"50ms\"\n\
             recovery.backoff = \"1ms\"\n[alerts]\nnotify_after = \"10s\"\n[receivers.file]\ncommand = {{ argv = [\"/usr/bin/true\"] }}\n",
            answers.display()
        ));
        place.start();
        place.wait_for_state("shop", "healthy");
        let before = inspect(&container, ".State.StartedAt");
        must(&container, &format!("({ask}) >/dev/null 2>&1 &"));
        place.wait_for_state("shop", "supervisor_busy");
        std::fs::remove_file(&answers).unwrap();
        place.line_after(0, &["service=shop", "event=held", "reason_kind=asked_to_stop"]);
        place.line_after(0, &["service=shop", "event=notified", "kind=fired"]);
        assert_eq!(inspect(&container, ".State.StartedAt"), before, "{ask}");
        must(&container, "docker exec $C touch /go");
        if ask.contains("restart") {
            let started =
                format!("until [ \"$(docker inspect $C -f '{{{{.State.StartedAt}}}}')\" != {before} ]; do :; done");
            must(&container, &started);
            std::fs::write(&answers, "").unwrap();
            place.line_after(0, &["service=shop", "event=incident_closed"]);
            place.wait_for_state("shop", "healthy");
        } else {
            place.wait_for_state("shop", "stopped");
            assert_eq!(inspect(&container, ".State.Status"), "exited");
        }
        let lines = place.lines().join("\n");
        assert!(!lines.contains("event=restart"), "{ask}\n{lines}");
    }
}

#[test]
fn signal_that_is_heeded_late_is_distinguished_from_a_stop_and_from_a_crash() {
    let names = Names::new();
    let container = names.of("late");
    must(&container, DRAINS);
    let watch = Watch::of(named(&[&container]));
    watch.until(&container, "running");
    must(&container, "docker kill -s TERM $C");
    watch.until(&container, "asked-to-stop");
    // Its own timeout is 1 s, and 5 s are added to it.
    must(&container, "docker exec $C sh -c 'sleep 7; touch /go'");
    watch.until(&container, "late-stop");
    assert_eq!(inspect(&container, ".RestartCount"), "0");
    // `docker stop` says when it is done, so however long that takes, it is a stop.
    must(&container, "docker rm $C");
    must(&container, DRAINS);
    watch.until(&container, "running");
    must(&container, "(docker stop -t 60 $C) >/dev/null 2>&1 &");
    watch.until(&container, "asked-to-stop");
    must(&container, "docker exec $C sh -c 'sleep 7; touch /go'");
    watch.until(&container, "operator-stop");
}
