//! What becomes of a container whose health check could not be run.

use sentinel_engine::{Hold, Severity, State, TargetState};
use sentinel_simulation::{Actor, World};

/// A world with one healthy service.
fn shop(actor: Actor) -> World {
    let mut world = World::new([actor]);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    world
}

fn not_run(runtime_away: bool) -> TargetState {
    TargetState::Unchecked {
        reason: "\"curl\": executable file not found in $PATH".into(),
        runtime_away,
    }
}

#[test]
fn check_that_cannot_be_run_is_reported_and_restarts_nothing() {
    for actor in [Actor::new("shop"), Actor::new("shop").without_probes()] {
        let mut world = shop(actor.with(|policy| policy.severity = Severity::Critical));
        world.set_state("shop", not_run(false));
        world.run(3600);
        assert!(world.actions().is_empty(), "{:#?}", world.transcript());
        assert_eq!(world.snapshot("shop").hold, Some(Hold::Unchecked));
        assert_eq!(world.message_kinds(), ["fired"]);
        assert_eq!(world.messages()[0].severity, Severity::Warning);
        assert_eq!(
            world.messages()[0].cause.to_string(),
            "its health check cannot be run: \"curl\": executable file not found in $PATH"
        );
        world.set_state("shop", TargetState::Running);
        world.run(60);
        assert_eq!(world.state("shop"), State::Healthy);
        assert_eq!(world.message_kinds(), ["fired", "resolved"]);
    }
}

#[test]
fn probes_of_its_own_decide_where_the_check_cannot_be_run() {
    let mut world = shop(Actor::new("shop"));
    world.set_state("shop", not_run(false));
    world.run(60);
    world.hang("shop");
    world.run(60);
    assert!(!world.actions().is_empty(), "{:#?}", world.transcript());
}

#[test]
fn nothing_at_all_is_done_while_the_runtime_is_away() {
    let mut world = shop(Actor::new("shop"));
    world.set_state("shop", not_run(true));
    world.hang("shop");
    world.run(3600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.snapshot("shop").hold, Some(Hold::RuntimeAway));
    assert_eq!(world.message_kinds(), ["fired"]);
    world.set_state("shop", TargetState::Running);
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
}

#[test]
fn check_that_cannot_be_run_holds_up_nothing_that_depends_on_the_service() {
    let mut world = World::new([Actor::new("db").without_probes(), Actor::new("shop").after(&["db"])]);
    world.run(120);
    world.set_state("db", not_run(false));
    world.run(60);
    world.kill("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy);
}
