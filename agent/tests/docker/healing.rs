//! The whole agent and containers that fail.

use crate::agent::Place;
use crate::engine::{Names, inspect, must};

/// `[services.NAME]` for a container that is quickly proved, and `more`.
fn service(name: &str, container: &str, more: &str) -> String {
    format!(
        "[services.{name}]\ncontainer = \"{container}\"\n\
         recovery.min_uptime = \"50ms\"\nrecovery.verify = \"20s\"\nrecovery.backoff = \"1ms\"\n{more}\n"
    )
}

#[test]
fn what_dies_without_a_policy_is_started_again() {
    let names = Names::new();
    let container = names.of("plain");
    must(&container, "docker run -d --stop-timeout 1 --name $C $I sleep 1000");
    let mut place = Place::new();
    place.configure(&service("shop", &container, ""));
    place.start();
    place.wait_for_state("shop", "healthy");
    let before = inspect(&container, ".State.StartedAt");

    must(&container, "kill -9 $(docker inspect $C -f '{{.State.Pid}}')");
    place.line_after(0, &["service=shop", "event=verified"]);
    assert_ne!(inspect(&container, ".State.StartedAt"), before);
    place.wait_for_state("shop", "healthy");
}

#[test]
fn what_an_operator_stopped_stays_stopped() {
    let names = Names::new();
    let container = names.of("stopped");
    must(&container, "docker run -d --stop-timeout 1 --name $C $I sleep 1000");
    let mut place = Place::new();
    place.configure(&service("shop", &container, ""));
    place.start();
    for end in ["docker stop $C", "docker kill $C"] {
        place.wait_for_state("shop", "healthy");
        must(&container, end);
        place.wait_for_state("shop", "stopped");
        assert_eq!(inspect(&container, ".State.Status"), "exited");
        must(&container, "docker start $C");
    }
    place.wait_for_state("shop", "healthy");
    let lines = place.lines().join("\n");
    assert!(!lines.contains("event=restart"), "{lines}");
}

#[test]
fn docker_goes_first_where_it_has_a_policy() {
    let names = Names::new();
    let container = names.of("always");
    must(
        &container,
        "docker run -d --restart always --stop-timeout 1 --name $C $I sleep 1000",
    );
    let mut place = Place::new();
    place.configure(&service("shop", &container, ""));
    place.start();
    place.wait_for_state("shop", "healthy");
    let before = inspect(&container, ".State.StartedAt");
    must(&container, "kill -9 $(docker inspect $C -f '{{.State.Pid}}')");
    must(
        &container,
        &format!("until [ \"$(docker inspect $C -f '{{{{.State.StartedAt}}}}')\" != {before} ]; do :; done"),
    );
    place.wait_for_state("shop", "healthy");
    assert_eq!(inspect(&container, ".RestartCount"), "1");
    // Docker pauses for a tenth of a second, and no probe failed: the log says down and up all the same.
    let died = ["service=shop", "status=down", "event=died", "exited with code 137"];
    place.line_after(0, &died);
    let back = [
        "service=shop",
        "status=up",
        "recoveries_total=1",
        "event=healthy",
        "by=docker",
    ];
    place.line_after(0, &back);
    let lines = place.lines().join("\n");
    assert!(!lines.contains("event=restart"), "{lines}");
}

/// What runs until it is killed while `fixed` is there, and ends at once while it is not.
fn broken(folder: &std::path::Path) -> String {
    format!(
        "--volume {}:/fixed:ro $I sh -c 'test -e /fixed/yes && exec sleep 1000; exit 3'",
        folder.display()
    )
}

#[test]
fn what_an_operator_starts_or_restarts_after_a_give_up_is_healed_again() {
    for repair in ["docker restart $C", "docker start $C"] {
        let names = Names::new();
        let container = names.of("given-up");
        let folder = tempfile::tempdir().unwrap();
        let mut place = Place::new();
        must(
            &container,
            &format!("docker create --name $C {}", broken(folder.path())),
        );
        place.configure(&format!(
            "[services.shop]\ncontainer = \"{container}\"\nrecovery.burst = 2\nrecovery.reset_after = \"1h\"\n\
             recovery.min_uptime = \"1s\"\nrecovery.verify = \"20s\"\nrecovery.backoff = \"1ms\"\n"
        ));
        std::fs::write(folder.path().join("yes"), "").unwrap();
        must(&container, "docker start $C");
        place.start();
        place.wait_for_state("shop", "healthy");
        std::fs::remove_file(folder.path().join("yes")).unwrap();
        let kill = "kill -9 $(docker inspect $C -f '{{.State.Pid}}')";
        must(&container, kill);
        place.wait_for_state("shop", "gave_up");

        std::fs::write(folder.path().join("yes"), "").unwrap();
        must(&container, repair);
        place.wait_for_state("shop", "healthy");
        let seen = place.lines().len();
        let by_hand = inspect(&container, ".State.StartedAt");
        must(&container, kill);
        place.line_after(seen, &["service=shop", "event=verified"]);
        assert_ne!(inspect(&container, ".State.StartedAt"), by_hand, "{repair}");
        place.wait_for_state("shop", "healthy");
    }
}

#[test]
fn a_crash_that_docker_takes_for_a_stop_is_healed() {
    let names = Names::new();
    let container = names.of("reloaded");
    must(
        &container,
        "docker run -d --restart unless-stopped --stop-timeout 1 --name $C $I sh -c 'trap : HUP; while :; do sleep 0.1; done'",
    );
    let mut place = Place::new();
    place.configure(&service("shop", &container, ""));
    place.start();
    place.wait_for_state("shop", "healthy");
    must(&container, "docker kill -s HUP $C");
    must(&container, "kill -9 $(docker inspect $C -f '{{.State.Pid}}')");
    place.line_after(0, &["service=shop", "event=verified"]);
    // By the agent: Docker counts its own.
    assert_eq!(inspect(&container, ".RestartCount"), "0");
}

#[test]
fn what_is_unhealthy_is_restarted_and_verified() {
    let names = Names::new();
    let container = names.of("ill");
    // What the check looks for is lost while it runs, and there again after a restart.
    must(
        &container,
        "docker run -d --restart always --stop-timeout 1 --health-cmd 'test -e /run/well || { echo not well; false; }' \
         --health-interval 300ms --health-retries 2 --name $C $I sh -c 'touch /run/well; exec sleep 1000'",
    );
    let mut place = Place::new();
    place.configure(&service("shop", &container, ""));
    place.start();
    place.wait_for_state("shop", "healthy");
    let before = inspect(&container, ".State.StartedAt");
    must(&container, "docker exec $C rm /run/well");
    let line = place.line_after(0, &["service=shop", "event=unhealthy"]);
    assert!(line.contains("its health check fails: not well"), "{line}");
    place.line_after(0, &["service=shop", "event=verified"]);
    place.wait_for_state("shop", "healthy");
    assert_ne!(inspect(&container, ".State.StartedAt"), before);
    assert_eq!(inspect(&container, ".State.Health.Status"), "healthy");
}

#[test]
fn a_paused_container_is_left_alone() {
    let names = Names::new();
    let container = names.of("paused");
    must(&container, "docker run -d --stop-timeout 1 --name $C $I sleep 1000");
    let mut place = Place::new();
    // A probe that fails while it is paused.
    let answers = place.path("answers");
    std::fs::write(&answers, "").unwrap();
    let probe = format!(
        "command = [\"/usr/bin/test\", \"-e\", \"{}\"]\ninterval = \"1s\"\ntimeout = \"1s\"\nfall = 3",
        answers.display()
    );
    place.configure(&service("shop", &container, &probe));
    place.start();
    place.wait_for_state("shop", "healthy");
    must(&container, "docker pause $C");
    place.wait_for_state("shop", "supervisor_busy");
    std::fs::remove_file(&answers).unwrap();
    place.wait_for_state("shop", "supervisor_busy");
    std::fs::write(&answers, "").unwrap();
    must(&container, "docker unpause $C");
    place.wait_for_state("shop", "healthy");
    let lines = place.lines().join("\n");
    assert!(!lines.contains("event=restart"), "{lines}");
}

#[test]
fn a_container_removed_in_an_incident_ends_it() {
    let names = Names::new();
    let container = names.of("removed");
    must(&container, "docker run -d --stop-timeout 1 --name $C $I sh -c 'exit 3'");
    let mut place = Place::new();
    place.configure(&service("shop", &container, "mode = \"observe\""));
    place.start();
    place.wait_for_state("shop", "held");
    must(&container, "docker rm $C");
    place.wait_for_state("shop", "stopped");
    must(&container, "docker run -d --stop-timeout 1 --name $C $I sleep 1000");
    place.wait_for_state("shop", "healthy");
}

#[test]
fn the_agent_leaves_its_own_container_alone() {
    let names = Names::new();
    let container = names.of("own");
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "[agent]\nlabels = false\nlog = \"logfmt\"\nstate_dir = \"/tmp\"\ncontrol_socket = \"/tmp/control.sock\"\n{}",
        service("self", &container, "")
    );
    std::fs::write(folder.path().join("sentinel.toml"), config).unwrap();
    let script = format!(
        "docker run -d --stop-timeout 1 --name $C --volume /var/run/docker.sock:/var/run/docker.sock \
         --volume {}:/usr/bin/sentinel:ro --volume {}:/etc/sentinel:ro $I sentinel run",
        env!("CARGO_BIN_EXE_sentinel"),
        folder.path().display(),
    );
    must(&container, &script);
    must(
        &container,
        "for i in $(seq 300); do docker exec $C sentinel --config /etc/sentinel/sentinel.toml status self 2>/dev/null | grep -q healthy && exit 0; sleep 0.1; done; \
         docker logs $C; exit 1",
    );
    let before = inspect(&container, ".State.StartedAt");
    must(&container, "docker exec $C sentinel restart self || true");
    must(
        &container,
        "for i in $(seq 300); do docker logs $C 2>&1 | grep -q 'the agent itself runs in this container' && exit 0; sleep 0.1; done; \
         docker logs $C; exit 1",
    );
    assert_eq!(inspect(&container, ".State.StartedAt"), before);
}
