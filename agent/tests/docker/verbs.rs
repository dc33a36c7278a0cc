//! The verbs act on what was decided about, and on nothing else.

use sentinel_config::ContainerTarget;
use sentinel_engine::{ActionKind, ActionResult, RunId};

use crate::engine::{Names, inspect, must};
use crate::watch::{Watch, named};

fn kind_of(result: &ActionResult) -> &'static str {
    result.kind()
}

#[test]
fn verbs_act_only_on_what_was_decided_about() {
    let names = Names::new();
    let container = names.of("verbs");
    must(&container, "docker run -d --stop-timeout 1 --name $C $I sleep 1000");
    let watch = Watch::of(named(&[&container]));
    watch.until(&container, "running");
    let first = watch.run_id(&container);

    // A run that is over, one that never was, and a start of what runs.
    let other = Some(RunId::from("0123456789ab@2026-01-01T00:00:00Z"));
    for (kind, expected, result) in [
        (ActionKind::Restart, &other, "outdated"),
        (ActionKind::Start, &first, "outdated"),
        (ActionKind::Restart, &None, "outdated"),
        (ActionKind::Restart, &first, "done"),
        (ActionKind::Restart, &first, "outdated"),
    ] {
        let before = inspect(&container, ".State.StartedAt");
        let answer = watch.act(&container, kind, expected.as_ref());
        assert_eq!(kind_of(&answer), result, "{kind:?} {expected:?} {answer:?}");
        let after = inspect(&container, ".State.StartedAt");
        assert_eq!(after != before, result == "done", "{kind:?} {expected:?}");
        watch.until(&container, "running");
    }
    assert!(
        !watch.story(&container).contains(&"operator-stop".to_owned()),
        "{:?}",
        watch.story(&container)
    );
}

#[test]
fn the_begin_of_the_new_run_is_reported_and_no_other() {
    let names = Names::new();
    let container = names.of("begins");
    must(&container, "docker run -d --stop-timeout 1 --name $C $I sleep 1000");
    let watch = Watch::of(named(&[&container]));
    watch.until(&container, "running");
    let run = watch.run_id(&container);
    let target = ContainerTarget::Named(container.clone());
    let (result, begun) = watch.act_and_hear(&target, ActionKind::Restart, run.as_ref());
    assert_eq!(kind_of(&result), "done");
    assert_eq!(begun.blocking_recv(), Ok(()));
    // What is called off never begins.
    let (result, begun) = watch.act_and_hear(&target, ActionKind::Restart, run.as_ref());
    assert_eq!(kind_of(&result), "outdated");
    assert!(begun.blocking_recv().is_err());
}

#[test]
fn a_pause_and_a_stop_are_respected() {
    let names = Names::new();
    let container = names.of("operator");
    // It takes its time to stop.
    must(
        &container,
        "docker run -d --stop-timeout 20 --name $C $I sh -c 'trap \"while ! test -e /go; do sleep 0.1; done; exit 0\" TERM; while :; do sleep 0.1; done'",
    );
    let watch = Watch::of(named(&[&container]));
    watch.until(&container, "running");
    let run = watch.run_id(&container);
    must(&container, "docker pause $C");
    assert_eq!(
        kind_of(&watch.act(&container, ActionKind::Restart, run.as_ref())),
        "conflict"
    );
    must(&container, "docker unpause $C");
    watch.until(&container, "running");
    must(&container, "(docker stop $C) >/dev/null 2>&1 &");
    watch.until(&container, "asked-to-stop");
    assert_eq!(
        kind_of(&watch.act(&container, ActionKind::Restart, run.as_ref())),
        "conflict"
    );
    must(&container, "docker exec $C touch /go");
    watch.until(&container, "operator-stop");
    assert_eq!(
        kind_of(&watch.act(&container, ActionKind::Restart, run.as_ref())),
        "outdated"
    );
    assert_eq!(inspect(&container, ".State.Status"), "exited");
    must(&container, "docker rm $C");
    watch.until(&container, "gone");
    assert_eq!(
        kind_of(&watch.act(&container, ActionKind::Start, run.as_ref())),
        "outdated"
    );
}
