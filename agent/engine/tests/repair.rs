//! What another party's start means: an operator's repair is a clean slate, and never the agent's merit.

mod stored;

use std::time::Duration;

use sentinel_engine::{
    Activity, Cause, HostPolicy, Intent, NotificationKind, ReportKind, Resolution, StartedBy, State, TargetState,
};
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

fn dies() -> Start {
    Start::DiesAfter(Duration::from_secs(1))
}

/// A service that was given up.
fn given_up(actor: Actor) -> World {
    let mut world = World::new([actor.starting(dies())]);
    world.run(120);
    world.kill("shop");
    world.run(600);
    assert_eq!(world.state("shop"), State::GaveUp, "{:#?}", world.transcript());
    world
}

fn endings(world: &World) -> Vec<Resolution> {
    let ended = world.reports().into_iter().filter_map(|report| match report.kind {
        ReportKind::IncidentClosed { resolution, .. } => Some(resolution),
        _ => None,
    });
    ended.collect()
}

#[test]
fn operators_start_after_a_give_up_is_a_clean_slate() {
    let mut world = given_up(Actor::new("shop"));
    assert_eq!(world.actions().len(), 5);
    world.change("shop", |actor| actor.start = Start::Well);
    world.start("shop");
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(world.snapshot("shop").attempts_left, 5);
    world.kill("shop");
    world.run(60);
    assert_eq!(
        world.actions().len(),
        6,
        "the next crash is healed: {:#?}",
        world.transcript()
    );
    assert_eq!(endings(&world), [Resolution::Started, Resolution::Healed]);
}

#[test]
fn operators_start_of_what_starts_slowly_is_one() {
    let mut world = given_up(Actor::new("shop").without_probes());
    let actor = world.actors.get_mut("shop").unwrap();
    actor.start = Start::Well;
    world.start("shop");
    // READY=1 comes later: the run is first seen starting.
    world.set_state("shop", TargetState::Busy(Activity::Starting));
    world.run(20);
    assert_eq!(
        world.snapshot("shop").attempts_left,
        0,
        "nobody knows yet what becomes of it"
    );
    world.set_state("shop", TargetState::Running);
    world.run(60);
    assert_eq!(world.snapshot("shop").attempts_left, 5);
    assert_eq!(endings(&world).last(), Some(&Resolution::Started));
}

#[test]
fn operators_start_that_fails_is_one_too() {
    let mut world = given_up(Actor::new("shop"));
    world.start("shop");
    world.set_state(
        "shop",
        TargetState::Down {
            intent: Intent::Crash,
            cause: Cause::Exited { code: 1 },
        },
    );
    world.run(60);
    assert!(world.actions().len() > 5, "{:#?}", world.transcript());
}

#[test]
fn third_start_within_the_window_is_reported_and_refills_nothing() {
    let mut world = given_up(Actor::new("shop"));
    let mut attempts = vec![world.actions().len()];
    for _ in 0..3 {
        world.start("shop");
        world.run(300);
        assert_eq!(world.state("shop"), State::GaveUp, "{:#?}", world.transcript());
        attempts.push(world.actions().len());
    }
    assert_eq!(attempts, [5, 10, 15, 15]);
    let reported = world
        .messages()
        .into_iter()
        .filter(|message| matches!(message.kind, NotificationKind::Update { .. }));
    let reported: Vec<_> = reported.map(|message| message.doing.as_str()).collect();
    assert_eq!(
        reported,
        ["restarted by something else 3 times in 30m; earlier attempts are no longer forgotten"]
    );
    // Once the window is over, a repair is one again.
    world.run(1800);
    world.start("shop");
    world.run(300);
    assert_eq!(world.actions().len(), 20);
}

#[test]
fn repairs_are_counted_across_a_crash_of_the_agent() {
    let mut world = given_up(Actor::new("shop"));
    for _ in 0..2 {
        world.start("shop");
        world.run(300);
        crash_agent(&mut world);
        world.run(10);
    }
    assert_eq!(world.actions().len(), 15);
    world.start("shop");
    world.run(300);
    assert_eq!(world.actions().len(), 15, "{:#?}", world.transcript());
}

#[test]
fn what_starts_it_for_another_reason_refills_nothing() {
    for by in [
        StartedBy::Supervisor,
        StartedBy::Dependency,
        StartedBy::Trigger,
        StartedBy::Unknown,
    ] {
        let mut world = given_up(Actor::new("shop"));
        world.start_by("shop", by);
        world.run(300);
        assert_eq!(world.actions().len(), 5, "{by:?}: {:#?}", world.transcript());
        let expected = if by == StartedBy::Unknown {
            Resolution::Started
        } else {
            Resolution::Recovered
        };
        world.change("shop", |actor| actor.start = Start::Well);
        world.start_by("shop", by);
        world.run(300);
        assert_eq!(endings(&world).last(), Some(&expected), "{by:?}");
    }
}

#[test]
fn operators_start_during_an_attempt_ends_it_as_spent() {
    let mut world = World::new([Actor::new("shop").starting(Start::Deaf)]);
    world.run(120);
    world.kill("shop");
    world.run(10);
    assert_eq!(world.state("shop"), State::Verifying);
    world.change("shop", |actor| actor.start = Start::Well);
    world.start("shop");
    world.run(60);
    assert_eq!(endings(&world), [Resolution::Started], "it is not the agent's merit");
    assert_eq!(world.snapshot("shop").attempts_left, 4, "it was made all the same");
    let cut = |report: &sentinel_engine::Report| matches!(report.kind, ReportKind::ActionCutShort { .. });
    assert_eq!(world.reports().into_iter().filter(|report| cut(report)).count(), 1);
}

#[test]
fn operators_start_refills_no_token_of_the_host() {
    let policy = HostPolicy {
        tokens: 6,
        refill: Duration::from_secs(100_000),
        ..HostPolicy::default()
    };
    let actor = Actor::new("shop").starting(dies());
    let mut world = World::with_policy([actor], policy);
    world.run(120);
    world.kill("shop");
    world.run(600);
    world.start("shop");
    world.run(900);
    assert_eq!(world.actions().len(), 6, "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Throttled);
}

#[test]
fn start_that_lives_for_a_moment_in_a_start_limit_loop_is_no_recovery() {
    let mut world = World::new([Actor::new("shop").without_probes().supervised(1, 0)]);
    world.run(120);
    world.kill("shop");
    world.run(5);
    assert_eq!(world.snapshot("shop").incident.map(|id| id.0), Some(1));
    world.change("shop", |actor| actor.start = dies());
    world.start("shop");
    world.run(10);
    assert_eq!(endings(&world), [], "{:#?}", world.transcript());
    world.change("shop", |actor| actor.start = Start::Well);
    world.start("shop");
    world.run(19);
    assert_eq!(endings(&world), []);
    world.run(2);
    assert_eq!(endings(&world), [Resolution::Started]);
}
