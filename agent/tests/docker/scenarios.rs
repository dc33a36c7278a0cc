//! What was done to containers, and what the watcher makes of it.

use crate::engine::{Names, must, sh};
use crate::watch::{Watch, named};

/// What is done, how, and what it is. `$C` is the container, `$R` runs one.
const SCENARIOS: [(&str, &str, &str, &str); 20] = [
    (
        "docker stop, exits 0",
        "$R --name $C $I sh -c 'trap \"exit 0\" TERM; while :; do sleep 0.1; done'",
        "docker stop $C",
        "operator-stop",
    ),
    (
        "docker stop, exits 137",
        "$R --name $C $I sleep 1000",
        "docker stop $C",
        "operator-stop",
    ),
    (
        "docker kill",
        "$R --name $C $I sleep 1000",
        "docker kill $C",
        "operator-stop",
    ),
    (
        "kill -9 from the host",
        "$R --name $C $I sleep 1000",
        "kill -9 $(docker inspect $C -f '{{.State.Pid}}')",
        "crash:exit-137",
    ),
    (
        "exit 1",
        "$R --name $C $I sh -c 'sleep .3; exit 1'",
        "docker wait $C",
        "crash:exit-1",
    ),
    (
        "exit 0",
        "$R --name $C $I sh -c 'sleep .3; exit 0'",
        "docker wait $C",
        "self-exit",
    ),
    (
        "exit 143 by itself",
        "$R --name $C $I sh -c 'sleep .3; exit 143'",
        "docker wait $C",
        "crash:exit-143",
    ),
    (
        "out of memory, main process",
        "$R -m 20m --name $C $I sh -c 'sleep .3; exec tail /dev/zero'",
        "docker wait $C",
        "crash:oom",
    ),
    (
        "out of memory, child",
        "$R -m 20m --name $C $I sh -c 'sleep .3; tail /dev/zero; touch /died; sleep 1000'",
        "until docker exec $C test -e /died; do :; done",
        "running",
    ),
    (
        "HUP, later a crash",
        "$R --name $C $I sh -c 'trap : HUP; sleep 1; sleep 1; exit 3'",
        "sleep .3; docker kill -s HUP $C; docker wait $C",
        "crash:exit-3",
    ),
    (
        "docker restart",
        "$R --name $C $I sleep 1000",
        "docker restart $C",
        "running",
    ),
    ("pause", "$R --name $C $I sleep 1000", "docker pause $C", "paused"),
    ("rm -f", "$R --name $C $I sleep 1000", "docker rm -f $C", "gone"),
    (
        "crash loop",
        "$R --restart always --name $C $I sh -c 'exit 3'",
        "until [ $(docker inspect $C -f '{{.RestartCount}}') -ge 4 ]; do :; done",
        "supervisor-busy",
    ),
    (
        "stop in a crash loop",
        "$R --restart always --name $C $I sh -c 'exit 3'",
        "until [ $(docker inspect $C -f '{{.RestartCount}}') -ge 4 ]; do :; done; docker stop $C",
        "operator-stop",
    ),
    (
        "on-failure:1, tried in vain",
        "$R --restart on-failure:1 --name $C $I sh -c 'exit 3'",
        "until docker inspect $C -f '{{.RestartCount}} {{.State.Status}}' | grep '1 exited'; do :; done",
        "crash:exit-3",
    ),
    (
        "a program that is not there",
        "$R --name $C $I /nope || :",
        ":",
        "unusable",
    ),
    (
        "unhealthy",
        "$R --name $C --health-cmd 'echo no answer; false' --health-interval 1s --health-retries 1 $I sleep 1000",
        ":",
        "unhealthy",
    ),
    (
        "a health check that is not there",
        "$R --name $C --health-cmd /nope --health-interval 1s --health-retries 1 $I sleep 1000",
        ":",
        "unchecked",
    ),
    (
        "a health check whose tool is not there",
        "$R --name $C --health-cmd 'nope http://localhost || exit 1' --health-interval 1s --health-retries 1 $I sleep 1000",
        ":",
        "unchecked",
    ),
];

/// How a container is run here: quick to stop, and with nothing it may do.
const RUN: &str = "R='docker run -d --cap-drop ALL --stop-timeout 1';";

#[test]
fn intent_and_cause_agree_with_what_was_done() {
    let names = Names::new();
    let repeat: usize = std::env::var("SENTINEL_DOCKER_REPEAT")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(1);
    let (mut right, mut total, mut wrong) = (0, 0, Vec::new());
    for round in 0..repeat {
        let containers: Vec<String> = (0..SCENARIOS.len())
            .map(|number| names.of(&format!("{round}-{number}")))
            .collect();
        let marker = names.of(&format!("{round}-marker"));
        let all: Vec<&str> = containers.iter().chain([&marker]).map(String::as_str).collect();
        let watch = Watch::of(named(&all));
        for (container, (what, run, act, truth)) in containers.iter().zip(SCENARIOS) {
            watch.until(container, "absent");
            must(container, &format!("{RUN} {run}"));
            sh(container, act);
            total += 1;
            if watch.comes(container, truth) && settled(&watch, &marker, container) == truth {
                right += 1;
            } else {
                wrong.push(format!("{what}: {:?}, truth {truth}", watch.story(container)));
            }
        }
        // None of those before was changed by what came after.
        for (container, (what, _, _, truth)) in containers.iter().zip(SCENARIOS) {
            let label = watch.label(container);
            // The one in a crash loop comes up for a moment now and then.
            if label != truth && what != "crash loop" {
                wrong.push(format!("{what}: in the end {label}, truth {truth}"));
            }
        }
    }
    println!("intent and cause: {right} of {total} right");
    assert!(wrong.is_empty(), "{right} of {total} right\n{}", wrong.join("\n"));
}

/// What is seen of the container once everything that was done before has arrived for certain: events come in order, and
/// that of a new container is the last.
fn settled(watch: &Watch, marker: &str, container: &str) -> String {
    must(marker, "docker create --name $C $I true");
    watch.until(marker, "never-started");
    must(marker, "docker rm $C");
    watch.until(marker, "gone");
    watch.label(container)
}
