//! Mistakes that the random lives of `invariants.rs` found, as small stories.

mod stored;

use std::time::Duration;

use sentinel_engine::{
    ActionKind, ActionResult, Activity, Cause, Event, Hold, HostPolicy, Intent, Observation, OperatorRequest, State,
    Supervisor, TargetState,
};
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

fn settled(actors: impl IntoIterator<Item = Actor>) -> World {
    let mut world = World::new(actors);
    world.run(120);
    assert!(world.actions().is_empty() && world.messages().is_empty());
    world
}

fn failed_unseen() -> TargetState {
    TargetState::Down {
        intent: Intent::Unclear,
        cause: Cause::Exited { code: 1 },
    }
}

fn pause(world: &mut World, name: &str) {
    world.ask(name, OperatorRequest::Pause { duration: None });
}

#[test]
fn what_failed_unseen_is_not_restarted_because_its_own_incident_is_open() {
    let mut world = settled([Actor::new("shop")]);
    world.set_state("shop", failed_unseen());
    world.run(3600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.snapshot("shop").hold, Some(Hold::Unclear));
    assert_eq!(world.message_kinds(), ["fired"]);
}

#[test]
fn what_hung_and_then_failed_unseen_may_have_been_stopped() {
    let mut world = settled([Actor::new("shop")]);
    world.faults.loses_actions = true;
    world.hang("shop");
    world.run(60);
    let before = world.actions().len();
    crash_agent(&mut world);
    world.set_state("shop", failed_unseen());
    world.run(3600);
    assert_eq!(world.actions().len(), before, "{:#?}", world.transcript());
    assert_eq!(world.snapshot("shop").hold, Some(Hold::Unclear));
}

#[test]
fn what_was_seen_failing_is_restarted_although_it_is_not_seen_failing_again() {
    let mut world = settled([Actor::new("shop").starting(Start::Refused)]);
    world.kill("shop");
    world.run(3);
    crash_agent(&mut world);
    world.set_state("shop", failed_unseen());
    world.change("shop", |actor| actor.start = Start::Well);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy, "{:#?}", world.transcript());
}

#[test]
fn operators_restart_that_came_to_nothing_leaves_the_operators_stop() {
    for result in [
        ActionResult::Unknown("no reply".into()),
        ActionResult::Done,
        ActionResult::Failed("no memory".into()),
        ActionResult::Outdated("not connected".into()),
    ] {
        let mut world = settled([Actor::new("shop")]);
        world.stop("shop");
        world.run(60);
        world.faults.next_result = Some(result.clone());
        world.ask("shop", OperatorRequest::Restart);
        world.run(3600);
        assert_eq!(world.actions().len(), 1, "{result:?}: {:#?}", world.transcript());
        assert_eq!(world.state("shop"), State::Stopped);
    }
}

#[test]
fn stop_seen_while_an_operators_restart_is_under_way_is_not_forgotten() {
    let mut world = settled([Actor::new("shop").starting(Start::Refused)]);
    world.kill("shop");
    world.run(3);
    world.faults.next_result = Some(ActionResult::Unknown("no reply".into()));
    world.ask("shop", OperatorRequest::Restart);
    world.run(3);
    world.stop("shop");
    world.run(3);
    let before = world.actions().len();
    crash_agent(&mut world);
    world.set_state("shop", failed_unseen());
    world.run(3600);
    assert_eq!(world.actions().len(), before, "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Stopped);
}

#[test]
fn cancelled_restart_is_not_repeated_on_a_picture_of_the_past() {
    let mut world = settled([Actor::new("shop").starting(Start::Refused)]);
    world.kill("shop");
    world.run(3);
    world.faults.next_result = Some(ActionResult::Cancelled("stopped meanwhile".into()));
    world.ask("shop", OperatorRequest::Restart);
    let before = world.actions().len();
    world.run(4);
    assert_eq!(world.actions().len(), before, "{:#?}", world.transcript());
}

#[test]
fn lost_connection_does_not_make_the_engine_spin() {
    let mut world = settled([Actor::new("shop").without_probes()]);
    world.kill("shop");
    world.run(1);
    world.set_unobservable(true);
    world.run(600);
    assert_eq!(world.state("shop"), State::Verifying);
    let next = world
        .engine
        .as_mut()
        .unwrap()
        .poll_timeout()
        .unwrap_or(world.now + Duration::from_secs(1));
    assert!(
        next.since(world.now) > Duration::from_millis(10),
        "{:?}",
        next - world.now
    );
}

#[test]
fn lost_answer_holds_up_the_others_only_for_a_while() {
    for paused in [false, true] {
        let mut world = settled([Actor::new("a"), Actor::new("b").without_probes()]);
        world.faults.loses_actions = true;
        world.kill("a");
        world.run(1);
        world.faults.loses_actions = false;
        world.kill("b");
        if paused {
            pause(&mut world, "a");
        }
        world.run(98);
        assert_eq!(world.state("b"), State::Throttled);
        world.run(60);
        assert_eq!(
            world.state("b"),
            State::Healthy,
            "paused: {paused}, {:#?}",
            world.transcript()
        );
    }
}

#[test]
fn actions_on_a_service_never_overlap_even_when_the_host_has_room() {
    let mut world = World::with_policy(
        [Actor::new("shop")],
        HostPolicy {
            max_in_flight: 2,
            ..HostPolicy::default()
        },
    );
    world.run(120);
    world.faults.loses_actions = true;
    world.kill("shop");
    world.run(1);
    world.stop("shop");
    world.run(1);
    world.start("shop");
    world.run(60);
    world.kill("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(world.snapshot("shop").hold, Some(Hold::InFlight));
}

#[test]
fn attempt_that_a_stop_overtook_is_not_spent_when_nothing_was_done() {
    let mut world = settled([Actor::new("shop")]);
    world.faults.next_result = Some(ActionResult::Conflict("a job is pending".into()));
    world.kill("shop");
    world.run_for(Duration::from_millis(10));
    world.stop("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.snapshot("shop").attempts_left, 5);
}

#[test]
fn refusal_is_not_repeated_with_every_flicker() {
    let mut world = settled([Actor::new("shop").with(|policy| policy.backoff = Duration::from_millis(100))]);
    world.kill("shop");
    world.faults.next_result = Some(ActionResult::Refused("access denied".into()));
    world.run(1);
    let down = TargetState::Down {
        intent: Intent::Crash,
        cause: Cause::Exited { code: 1 },
    };
    for _ in 0..4 {
        world.faults.next_result = Some(ActionResult::Refused("access denied".into()));
        world.set_state("shop", TargetState::Busy(Activity::Job));
        world.run_for(Duration::from_millis(500));
        world.set_state("shop", down.clone());
        world.run_for(Duration::from_millis(500));
    }
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
}

#[test]
fn minutes_between_crashes_that_a_supervisor_fixes_are_not_good_minutes() {
    let mut world = settled([Actor::new("shop").supervised(2, 100)]);
    world.hang("shop");
    world.run(60);
    assert_eq!(world.snapshot("shop").attempts_left, 4);
    for _ in 0..8 {
        world.run(100);
        world.kill("shop");
    }
    world.run(100);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.snapshot("shop").attempts_left, 4);
    // Ten quiet minutes end the crash loop, then good ones are counted.
    world.run(1200);
    assert_eq!(world.snapshot("shop").attempts_left, 5);
}

#[test]
fn frozen_and_failing_minutes_are_not_good_minutes() {
    for frozen in [false, true] {
        let mut world = settled([Actor::new("shop")]);
        world.kill("shop");
        world.run(60);
        pause(&mut world, "shop");
        world.hang("shop");
        if frozen {
            world.set_state("shop", TargetState::Busy(Activity::Frozen));
        }
        world.run(700);
        assert_eq!(world.snapshot("shop").attempts_left, 4, "frozen: {frozen}");
    }
}

#[test]
fn every_run_that_dies_is_left_to_its_supervisor_again() {
    let mut world = settled([Actor::new("shop")]);
    world.faults.unseen.push("shop".into());
    // Its supervisor restarts it after each, and it dies again before anybody looks.
    for run in ["first", "second", "third"] {
        world.deliver(Event::TargetObserved {
            service: "shop".into(),
            observation: Observation {
                supervisor: Supervisor::Active,
                ..Observation::new(
                    TargetState::Down {
                        intent: Intent::Crash,
                        cause: Cause::Exited { code: 1 },
                    },
                    Some(run.into()),
                )
            },
        });
        world.run_for(Duration::from_millis(4500));
    }
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    world.run(1);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.actions()[0].1.kind, ActionKind::Start);
}

#[test]
fn dependents_wait_for_what_is_down_in_maintenance() {
    let mut world = settled([Actor::new("db"), Actor::new("web").after(&["db"])]);
    pause(&mut world, "db");
    world.kill("db");
    world.kill("web");
    world.run(60);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.state("web"), State::Suppressed);
    world.start("db");
    world.run(60);
    assert_eq!(world.state("web"), State::Healthy);
}

#[test]
fn dependents_wait_for_what_its_supervisor_is_restarting() {
    let mut world = settled([Actor::new("db").supervised(30, 3), Actor::new("web").after(&["db"])]);
    world.kill("db");
    world.kill("web");
    world.run(29);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.state("web"), State::Suppressed);
    world.run(60);
    assert_eq!(world.state("web"), State::Healthy);
}

#[test]
fn dependents_wait_until_it_is_known_how_their_dependency_is() {
    let mut world = settled([Actor::new("db"), Actor::new("web").after(&["db"])]);
    pause(&mut world, "web");
    world.kill("web");
    world.run(60);
    world.faults.unseen.push("db".into());
    crash_agent(&mut world);
    world.ask("web", OperatorRequest::Resume);
    world.run(60);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.state("web"), State::Suppressed);
    world.faults.unseen.clear();
    world.start("db");
    world.run(60);
    assert_eq!(world.state("web"), State::Healthy);
}

#[test]
fn run_that_was_taken_for_stopped_and_still_runs_is_restarted_when_it_dies() {
    let mut world = settled([Actor::new("shop")]);
    world.stop("shop");
    world.run(60);
    world.set_state("shop", TargetState::Running);
    world.run(60);
    world.kill("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
}

#[test]
fn new_agent_does_not_wait_for_an_answer_that_the_old_one_was_to_get() {
    let mut world = settled([Actor::new("shop")]);
    world.faults.loses_actions = true;
    world.kill("shop");
    world.run(1);
    crash_agent(&mut world);
    world.start("shop");
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy, "{:#?}", world.transcript());
    assert_eq!(world.actions().len(), 1);
}

#[test]
fn incident_of_a_service_that_is_no_longer_configured_is_closed_and_resolved() {
    let mut world = settled([Actor::new("shop").starting(Start::Refused)]);
    world.kill("shop");
    world.run(60);
    assert_eq!(world.message_kinds(), ["fired"]);
    let memory = world.store.memories["shop"].clone();
    assert!(memory.incident.is_some());
    let mut left = World::new([Actor::new("other")]);
    left.engine
        .as_mut()
        .unwrap()
        .forget_service(left.now, world.actors["shop"].service.clone(), memory);
    left.run(60);
    assert_eq!(left.message_kinds(), ["resolved"]);
    assert!(left.store.memories["shop"].incident.is_none());
    assert!(
        left.engine
            .as_mut()
            .unwrap()
            .snapshot(left.now)
            .iter()
            .all(|service| service.name.as_str() == "other")
    );
}

#[test]
fn dependents_are_woken_at_once_by_a_dependency_of_which_nothing_more_is_heard() {
    let mut world = settled([
        Actor::new("db").without_probes(),
        Actor::new("web").after(&["db"]).without_probes(),
    ]);
    world.kill("db");
    world.kill("web");
    world.run(30);
    let acted: Vec<_> = world
        .actions()
        .iter()
        .map(|(at, _)| at.since_epoch().as_secs())
        .collect();
    assert_eq!(acted, [120, 140], "db at once, web when db has lived for min_uptime");
}

#[test]
fn nothing_fires_in_maintenance_for_what_is_taken_along() {
    let shop = Actor::new("shop").after(&["db"]).starting(Start::Deaf);
    let mut world = settled([
        Actor::new("db"),
        shop.with(|policy| policy.notify_after = Duration::from_secs(60)),
    ]);
    world.hang("shop");
    world.run(60);
    assert!(world.snapshot("shop").incident.is_some() && world.messages().is_empty());
    pause(&mut world, "shop");
    world.run(120);
    world.set_state(
        "shop",
        TargetState::Down {
            intent: Intent::DependencyStop,
            cause: Cause::Exited { code: 0 },
        },
    );
    world.run(60);
    assert!(!world.message_kinds().contains(&"fired"), "{:#?}", world.transcript());
}
