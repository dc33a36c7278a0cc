//! What spends the budget: recoveries that did not last, also when each of them passed its verification.

mod stored;

use std::time::Duration;

use sentinel_engine::State;
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

/// A service that dies this long after each start, for a day.
fn dies_after(minutes: u64) -> World {
    let life = Duration::from_secs(minutes * 60);
    let mut world = World::new([Actor::new("shop").starting(Start::DiesAfter(life))]);
    world.run(120);
    world.kill("shop");
    world.run(24 * 3600);
    world
}

#[test]
fn crash_loop_that_passes_every_verification_is_given_up() {
    for minutes in [1, 2, 3] {
        let world = dies_after(minutes);
        assert_eq!(world.state("shop"), State::GaveUp, "{minutes} min");
        assert_eq!(world.actions().len(), 5, "{minutes} min");
        let verified = world
            .reports()
            .into_iter()
            .filter(|report| report.kind.name() == "verified");
        assert_eq!(verified.count(), 5, "{minutes} min: each of them helped for a moment");
        assert!(world.message_kinds().contains(&"gave_up"));
    }
}

#[test]
fn service_that_is_well_for_ten_minutes_in_between_is_restarted_for_ever() {
    let world = dies_after(12);
    assert!(world.actions().len() > 100, "{}", world.actions().len());
    assert!(!world.message_kinds().contains(&"gave_up"));
}

#[test]
fn crashes_of_the_agent_in_a_crash_loop_grant_nothing() {
    let life = Duration::from_secs(120);
    let mut world = World::new([Actor::new("shop").starting(Start::DiesAfter(life))]);
    world.run(120);
    world.kill("shop");
    for _ in 0..60 {
        world.run(60);
        crash_agent(&mut world);
    }
    let attempts = world.attempts();
    let most = attempts
        .iter()
        .map(|end| attempts.iter().filter(|at| **at <= *end && *at + 1800 > *end).count());
    assert!(most.max().is_some_and(|most| most <= 5), "{attempts:?}");
    assert!(attempts.len() >= 5, "{attempts:?}");
}
