//! What a unit says of itself is a reason not to act: `RestartPreventExitStatus=`, `Type=oneshot`, `Condition...=`.

use sentinel_engine::{ActionResult, Cause, Hold, Intent, NotificationKind, Resolution, Severity, State, Supervisor};
use sentinel_simulation::{Actor, World};

/// A world with one healthy service, which is critical.
fn shop(actor: Actor) -> World {
    let mut world = World::new([actor.with(|policy| policy.severity = Severity::Critical)]);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    world
}

fn resolution(world: &World) -> Option<Resolution> {
    match world.messages().last()?.kind {
        NotificationKind::Resolved { resolution, .. } | NotificationKind::Healed { resolution, .. } => Some(resolution),
        _ => None,
    }
}

#[test]
fn restart_prevent_exit_status_is_reported_at_once_as_a_warning_and_nothing_is_done() {
    for (intent, cause) in [
        (Intent::Crash, Cause::Exited { code: 42 }),
        (Intent::CleanExit, Cause::Exited { code: 0 }),
        (
            Intent::Crash,
            Cause::Killed {
                signal: 15,
                core_dumped: false,
            },
        ),
    ] {
        let mut world = shop(Actor::new("shop"));
        world.set_down("shop", intent, cause.clone(), Supervisor::Forbids);
        world.run(1);
        assert_eq!(world.message_kinds(), ["fired"], "{:#?}", world.transcript());
        let reported = world.messages()[0];
        assert_eq!((reported.severity, &reported.cause), (Severity::Warning, &cause));
        assert_eq!(
            reported.doing,
            "not restarted: RestartPreventExitStatus= lists how it ended"
        );
        assert_eq!(world.snapshot("shop").hold, Some(Hold::RestartPrevented));
        world.run(24 * 3600);
        assert!(world.actions().is_empty());
        assert_eq!(world.message_kinds(), ["fired"]);
        // What an operator starts is a run like any other.
        world.start("shop");
        world.run(60);
        assert_eq!(world.state("shop"), State::Healthy);
        world.kill("shop");
        world.run(60);
        assert_eq!(world.actions().len(), 1);
    }
}

/// SEMANTICS 1.8, row 19.
#[test]
fn oneshot_that_failed_is_an_alert_and_is_run_again_only_where_that_is_asked_for() {
    let exit = Cause::Exited { code: 1 };
    let job = || Actor::new("shop").without_probes();
    let mut world = shop(job());
    world.set_run_down("shop", Intent::OneshotFailed, exit.clone());
    world.run(24 * 3600);
    assert!(world.actions().is_empty());
    assert_eq!(world.message_kinds(), ["fired"]);
    assert_eq!(world.messages()[0].severity, Severity::Critical);
    assert_eq!(world.snapshot("shop").hold, Some(Hold::Oneshot));
    // Its timer runs it again.
    world.set_run_down("shop", Intent::NotApplicable, Cause::Exited { code: 0 });
    world.run(10);
    assert_eq!(world.message_kinds(), ["fired", "resolved"]);
    assert_eq!(resolution(&world), Some(Resolution::Recovered));
    assert_eq!(world.state("shop"), State::Stopped);

    let mut world = shop(job().with(|policy| policy.retry_oneshot = true));
    world.set_run_down("shop", Intent::OneshotFailed, exit);
    world.run(60);
    assert_eq!(world.actions().len(), 1);
}

#[test]
fn oneshot_that_is_retried_and_does_its_work_is_healed() {
    let mut world = shop(
        Actor::new("shop")
            .without_probes()
            .with(|policy| policy.retry_oneshot = true),
    );
    world.faults.next_result = Some(ActionResult::Done);
    world.set_run_down("shop", Intent::OneshotFailed, Cause::Exited { code: 1 });
    world.run(1);
    assert_eq!(world.actions().len(), 1);
    world.set_run_down("shop", Intent::NotApplicable, Cause::Exited { code: 0 });
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(resolution(&world), Some(Resolution::Healed));
}

#[test]
fn start_that_a_condition_calls_off_is_a_warning_and_costs_nothing() {
    let reason = "ConditionPathExists=/x is not met";
    let mut world = shop(Actor::new("shop"));
    world.faults.next_result = Some(ActionResult::CalledOff(reason.into()));
    world.kill("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.message_kinds(), ["fired"]);
    assert_eq!(world.messages()[0].severity, Severity::Warning);
    assert_eq!(world.messages()[0].doing, format!("not started: {reason}"));
    assert_eq!(
        world.snapshot("shop").hold,
        Some(Hold::Condition { reason: reason.into() })
    );
    assert_eq!(world.snapshot("shop").attempts_left, 5, "nothing was done");
    // It may be met later.
    world.faults.next_result = Some(ActionResult::CalledOff(reason.into()));
    world.run(600);
    assert_eq!(world.actions().len(), 2);
    world.run(600);
    assert_eq!(world.actions().len(), 3);
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn restart_of_ours_that_a_condition_calls_off_is_no_stop_on_purpose() {
    let condition = || Cause::Other {
        result: "ConditionPathExists=/x is not met".into(),
    };
    let mut world = shop(Actor::new("shop"));
    world.hang("shop");
    world.faults.next_result = Some(ActionResult::CalledOff("ConditionPathExists=/x is not met".into()));
    world.run(40);
    assert_eq!(world.actions().len(), 1);
    world.faults.next_result = Some(ActionResult::CalledOff("ConditionPathExists=/x is not met".into()));
    world.set_down("shop", Intent::ConditionNotMet, condition(), Supervisor::Passive);
    world.run(120);
    assert_eq!(world.state("shop"), State::Held, "{:#?}", world.transcript());
    assert_eq!(world.message_kinds(), ["fired"]);
    // An operator's restart of a healthy service is the operator's.
    let mut world = shop(Actor::new("shop"));
    world.set_down("shop", Intent::ConditionNotMet, condition(), Supervisor::Passive);
    world.run(120);
    assert_eq!(world.state("shop"), State::Stopped);
    assert!(world.messages().is_empty() && world.actions().is_empty());
}
