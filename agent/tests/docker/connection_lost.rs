//! What is seen of containers that come, go and change.

use crate::engine::{Names, must};
use crate::watch::{Watch, named};

#[test]
fn a_container_comes_to_life_when_it_is_made() {
    let names = Names::new();
    let container = names.of("late");
    let watch = Watch::of(named(&[&container]));
    watch.until(&container, "absent");
    must(&container, "docker create --name $C $I sleep 1000");
    watch.until(&container, "never-started");
    must(&container, "docker start $C");
    watch.until(&container, "running");
    // Under another name it is another party's; under its own again, this service's.
    must(&container, "docker rename $C $C-old");
    watch.until(&container, "gone");
    must(&container, "docker rename $C-old $C");
    watch.until(&container, "running");
}

#[test]
fn the_newest_state_is_seen_when_the_watcher_stood_still() {
    let names = Names::new();
    let container = names.of("renamed");
    must(&container, "docker run -d --stop-timeout 1 --name $C $I sleep 1000");
    let watch = Watch::of(named(&[&container]));
    watch.until(&container, "running");
    let before = watch.run_id(&container);
    // More events than the Engine keeps, while nobody takes them; the last ones count.
    watch.stand_still(|| {
        must(
            &container,
            "for i in $(seq 200); do docker rename $C $C-$i; docker rename $C-$i $C; done; docker kill $C",
        );
    });
    watch.until(&container, "operator-stop");
    must(&container, "docker start $C");
    watch.until(&container, "running");
    assert_ne!(watch.run_id(&container), before);
}

#[test]
fn what_happened_before_the_watch_is_remembered_by_the_engine() {
    let names = Names::new();
    let [stopped, crashed, killed] = ["stopped", "crashed", "killed"].map(|name| names.of(name));
    for container in [&stopped, &crashed, &killed] {
        must(container, "docker run -d --stop-timeout 1 --name $C $I sleep 1000");
    }
    must(&stopped, "docker stop $C");
    must(&killed, "docker kill $C");
    must(
        &crashed,
        "kill -9 $(docker inspect $C -f '{{.State.Pid}}'); docker wait $C",
    );
    let watch = Watch::of(named(&[&stopped, &crashed, &killed]));
    watch.until(&stopped, "operator-stop");
    watch.until(&killed, "operator-stop");
    watch.until(&crashed, "crash:exit-137");
}

#[test]
fn health_is_what_docker_says_it_is() {
    let names = Names::new();
    let container = names.of("health");
    let watch = Watch::of(named(&[&container]));
    must(
        &container,
        "docker run -d --stop-timeout 1 --health-cmd 'test -e /well || { echo not well; false; }' \
         --health-interval 300ms --health-retries 2 --health-start-period 5s --name $C $I sleep 1000",
    );
    watch.until(&container, "starting");
    must(&container, "docker exec $C touch /well");
    watch.until(&container, "running");
    must(&container, "docker exec $C rm /well");
    watch.until(&container, "unhealthy");
    let seen = format!("{:?}", watch.last(&container));
    assert!(seen.contains("Unhealthy(\"not well\")"), "{seen}");
    must(&container, "docker exec $C touch /well");
    watch.until(&container, "running");
}
