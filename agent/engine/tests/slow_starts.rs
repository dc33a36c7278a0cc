//! A process that lives and accepts no connection yet may only be slow to start.

use std::time::Duration;

use sentinel_engine::{HostPolicy, Limits, ReportKind, State, Time};
use sentinel_simulation::{Actor, Start, World};

fn slow(after: u64) -> Actor {
    Actor::new("shop").starting(Start::Slowly(Duration::from_secs(after)))
}

/// A world in which it has died at 120 s, and so many seconds have passed.
fn died(actor: Actor, seconds: u64) -> World {
    let mut world = World::with_policy(
        [actor],
        HostPolicy {
            tokens: 100,
            ..HostPolicy::default()
        },
    );
    world.run(120);
    world.kill("shop");
    world.run(seconds);
    world
}

fn reasons(world: &World) -> Vec<(Time, String)> {
    let failed = world.reports().into_iter().filter_map(|report| match &report.kind {
        ReportKind::ActionUnverified { reason, .. } => Some((report.at, reason.clone())),
        _ => None,
    });
    failed.collect()
}

/// How long each attempt had that ended because the process accepted no connection, in whole seconds.
fn waited(world: &World) -> Vec<u64> {
    let began = world.actions().iter().map(|(at, _)| *at);
    let waited = began.zip(reasons(world)).map(|(began, (ended, reason))| {
        assert!(reason.contains("raise start_grace"), "{reason}");
        ended.since(began).as_secs()
    });
    waited.collect()
}

#[test]
fn what_refuses_for_less_than_verify_is_not_restarted_again() {
    // As long as start_grace and a few rechecks, and less than verify.
    let world = died(slow(45), 120);
    assert_eq!(world.attempts(), [120], "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy);
    let slowly = "shop verified: the restart helped; starts slowly, the first answer came after 46s: raise start_grace";
    assert!(
        world.transcript().iter().any(|line| line.ends_with(slowly)),
        "{:#?}",
        world.transcript()
    );
}

#[test]
fn each_attempt_that_ends_in_refusals_doubles_the_time_of_the_next() {
    let world = died(slow(200), 700);
    let waited = waited(&world);
    // The third has four minutes, of which it needs 200 s.
    assert_eq!(waited, [60, 120], "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy, "{:#?}", world.transcript());
}

#[test]
fn no_attempt_has_more_than_ten_minutes_or_its_own_limit() {
    for (limit, longest) in [(None, 600), (Some(60), 600), (Some(900), 900)] {
        let mut actor = slow(100_000).with(|policy| policy.burst = 7);
        actor.target.limits = Limits {
            start: limit.map(Duration::from_secs),
            stop: None,
        };
        let world = died(actor, 3 * 3600);
        let waited = waited(&world);
        assert_eq!(waited.iter().max(), Some(&longest), "{waited:?}");
    }
}

#[test]
fn a_run_that_hangs_fails_as_soon_as_that_is_certain() {
    let world = died(Actor::new("shop").starting(Start::Deaf), 60);
    let failed = reasons(&world);
    assert!(failed[0].0.since_epoch() < Duration::from_secs(175), "{failed:?}");
}

#[test]
fn nothing_is_opened_before_the_first_observation() {
    let mut world = World::new([]);
    world.faults.unseen.push("shop".into());
    let actor = Actor::new("shop").with(|policy| policy.start_grace = Duration::from_secs(1));
    world.add(actor);
    world.hang("shop");
    world.run(25);
    assert!(world.snapshot("shop").incident.is_none(), "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Unknown);
    // A target that nobody ever shows is not passed over in silence.
    world.run(60);
    assert!(world.snapshot("shop").incident.is_some(), "{:#?}", world.transcript());
}
