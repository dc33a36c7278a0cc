//! Guards that nothing else missed when they were removed (`make mutants`), told as small stories.

mod world;

use std::time::Duration;

use sentinel_engine::{Cause, Happening, Intent, State, TargetState};
use world::{Start, Toy, World};

#[test]
fn what_has_nothing_to_run_is_not_started() {
    let mut world = World::new([Toy::new("shop")]);
    world.run(120);
    let (intent, cause) = (Intent::NotApplicable, Cause::Exited { code: 0 });
    world.set_state("shop", TargetState::Down { intent, cause });
    world.run(3600);
    assert!(world.actions.is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Stopped);
}

#[test]
fn what_a_daemon_takes_down_with_it_is_left_to_the_daemon() {
    let mut world = World::new([Toy::new("shop")]);
    world.run(120);
    let (intent, cause) = (Intent::Shutdown, Cause::Exited { code: 137 });
    world.set_state("shop", TargetState::Down { intent, cause });
    world.run(3600);
    assert!(world.actions.is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.message_kinds(), [""; 0], "nobody is told that it crashed");
    assert_eq!(world.state("shop"), State::Shutdown);
}

#[test]
fn a_restart_of_a_slow_starter_has_the_whole_grace_to_help() {
    let slow = Toy::new("shop").starting(Start::Slowly(Duration::from_secs(40)));
    let mut world = World::new([slow.with(|policy| {
        policy.verify = Duration::from_secs(10);
        policy.start_grace = Duration::from_secs(90);
    })]);
    world.run(120);
    world.kill("shop");
    world.run(120);
    let failed = |report: &sentinel_engine::Report| matches!(report.what, Happening::ActionUnverified { .. });
    assert!(!world.reports.iter().any(failed), "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy);
}
