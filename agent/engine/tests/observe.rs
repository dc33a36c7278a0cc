//! `mode = "observe"`: what would have been done, and whether that would have been right.

mod stored;

use std::time::Duration;

use sentinel_engine::{Hold, Mode, OperatorRequest, State};
use sentinel_simulation::{Actor, World};
use stored::crash_agent;

/// A world with one healthy service that is only observed.
fn shop() -> World {
    let mut world = World::new([Actor::new("shop").with(|policy| policy.mode = Mode::Observe)]);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    world
}

/// Would have restarted, and rightly so.
fn ledger(world: &World) -> (u64, u64) {
    assert!(world.actions().is_empty());
    world.snapshot("shop").observed
}

fn says(world: &World, words: &str) -> bool {
    world.transcript().iter().any(|line| line.ends_with(words))
}

#[test]
fn restart_would_have_been_right_when_another_helped_then() {
    let mut world = shop();
    world.kill("shop");
    world.run(1);
    assert_eq!(ledger(&world), (1, 0));
    assert!(says(
        &world,
        "shop held: would restart it now (attempt 1), but mode = observe"
    ));
    world.run(24 * 3600);
    assert_eq!(ledger(&world), (1, 0), "nobody knows whether one would have helped");
    world.start("shop");
    world.run(60);
    assert_eq!(ledger(&world), (1, 1), "one outage, one restart");
    let line = world.transcript().into_iter().find(|line| line.contains("observed:"));
    assert!(
        line.as_ref()
            .is_some_and(|line| line.contains("was restarted by other means")),
        "{line:?}"
    );
}

#[test]
fn restart_would_not_have_been_needed_when_it_comes_back_by_itself() {
    let mut world = shop();
    world.hang("shop");
    while world.snapshot("shop").hold != Some(Hold::Observe) {
        world.run(1);
    }
    world.run(20);
    world.unhang("shop");
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(ledger(&world), (1, 0));
    let line = world.transcript().into_iter().find(|line| line.contains("observed:"));
    assert!(
        line.as_ref()
            .is_some_and(|line| line.contains("would not have been needed")),
        "{line:?}"
    );
}

#[test]
fn restart_is_right_only_when_a_restart_then_helped() {
    // Down for long, and then well again in the same run.
    let mut world = shop();
    world.hang("shop");
    world.run(600);
    assert_eq!(ledger(&world), (1, 0));
    world.unhang("shop");
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(ledger(&world), (1, 0), "{:#?}", world.transcript());
}

#[test]
fn operator_who_starts_it_agrees_and_one_who_stops_it_is_no_judge() {
    let mut world = shop();
    world.kill("shop");
    world.run(10);
    world.start("shop");
    world.run(120);
    assert_eq!(ledger(&world), (1, 1));
    world.kill("shop");
    world.run(10);
    assert_eq!(ledger(&world), (2, 1));
    world.stop("shop");
    world.run(120);
    assert_eq!(ledger(&world), (1, 1), "not counted");
}

#[test]
fn ledger_outlives_the_agent_which_does_not_judge_what_it_did_not_see() {
    let mut world = shop();
    world.kill("shop");
    world.run(100);
    crash_agent(&mut world);
    world.run(10);
    assert_eq!(ledger(&world), (0, 0), "what it did not see it cannot judge");
    world.start("shop");
    world.run(60);
    world.kill("shop");
    world.run(30);
    crash_agent(&mut world);
    world.run(10);
    world.start("shop");
    world.run(60);
    assert_eq!(ledger(&world), (1, 1), "it was back in time to see");
}

#[test]
fn what_would_not_be_restarted_is_not_counted() {
    let db = Actor::new("db").with(|policy| policy.mode = Mode::Observe);
    let shop = Actor::new("shop")
        .after(&["db"])
        .with(|policy| policy.mode = Mode::Observe);
    let mut world = World::new([db, shop]);
    world.run(120);
    world.kill("db");
    world.run_for(Duration::from_millis(10));
    world.kill("shop");
    world.run(3600);
    assert_eq!(world.snapshot("db").observed, (1, 0));
    assert_eq!(ledger(&world), (0, 0), "it waits for its database");
}

#[test]
fn nothing_is_decided_in_maintenance() {
    let mut world = shop();
    world.ask("shop", OperatorRequest::Pause { duration: None });
    world.kill("shop");
    world.run(3600);
    assert_eq!(ledger(&world), (0, 0));
}
