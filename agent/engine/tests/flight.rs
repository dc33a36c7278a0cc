//! The slot of an action: held until its new run begins, and by nothing that takes long after that.

use std::time::Duration;

use sentinel_engine::{ActionResult, Event, Hold, Limits, OperatorRequest, ReportKind, RequestError, State};
use sentinel_simulation::{Actor, Start, World};

/// `db` takes 75 s to say that it is ready; `shop` has nothing to do with it.
fn beside_a_slow_start() -> World {
    let slow = Actor::new("db").starting(Start::Ready(Duration::from_secs(75)));
    let mut world = World::new([slow, Actor::new("shop")]);
    world.run(120);
    world.kill("db");
    world.run(2);
    assert_eq!(world.state("db"), State::Restarting);
    world
}

#[test]
fn a_slow_start_holds_no_other_restart() {
    let mut world = beside_a_slow_start();
    world.kill("shop");
    world.run(30);
    assert_eq!(world.attempts(), [120, 122], "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(world.state("db"), State::Restarting, "its outcome is waited for");
    world.run(75);
    assert_eq!(world.state("db"), State::Healthy);
    assert_eq!(world.actions().len(), 2, "{:#?}", world.transcript());
}

#[test]
fn a_slow_start_is_still_one_action_of_its_service() {
    let world = beside_a_slow_start();
    let asked = world
        .engine
        .as_ref()
        .unwrap()
        .check_request("db", &OperatorRequest::Restart);
    assert_eq!(asked, Err(RequestError::InFlight));
}

#[test]
fn only_the_action_under_way_begins() {
    let mut world = World::new([Actor::new("db"), Actor::new("shop")]);
    world.run(120);
    world.faults.loses_actions = true;
    world.kill("db");
    world.run(1);
    let (_, action) = world.actions()[0].clone();
    // One of an earlier life says so late.
    world.deliver(Event::ActionBegun {
        action: sentinel_engine::ActionId(action.id.0 + 40),
        service: "db".into(),
    });
    world.kill("shop");
    world.run(1);
    assert_eq!(world.snapshot("shop").hold, Some(Hold::InFlight));
    world.deliver(Event::ActionBegun {
        action: action.id,
        service: "db".into(),
    });
    assert_eq!(world.actions().len(), 2, "{:#?}", world.transcript());
}

/// When the other is acted on, in seconds after an action whose new run does not begin.
fn freed_after(stop: Option<u64>) -> (u64, World) {
    let mut db = Actor::new("db");
    db.target.limits.stop = stop.map(Duration::from_secs);
    let mut world = World::new([db, Actor::new("shop")]);
    world.run(120);
    world.faults.loses_actions = true;
    world.hang("db");
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    let began = world.actions()[0].0;
    world.kill("shop");
    world.run(240);
    let freed = world.actions()[1].0.since(began);
    (freed.as_secs(), world)
}

#[test]
fn a_stop_that_does_not_end_frees_the_slot_and_that_is_reported() {
    // The limit of the stop, and when the others go on.
    for (stop, expected) in [(Some(60), 70), (Some(120), 130), (None, 100)] {
        let (freed, world) = freed_after(stop);
        assert_eq!(freed, expected, "{:#?}", world.transcript());
        let slow = |what: &ReportKind| matches!(what, ReportKind::ActionSlow { .. });
        let reported: Vec<_> = world
            .reports()
            .into_iter()
            .filter(|report| slow(&report.kind))
            .collect();
        assert_eq!(reported[0].service, "db".into());
        assert_eq!(reported[0].kind.name(), "restart_slow");
        let once = reported.iter().filter(|report| report.service == "db".into()).count();
        assert_eq!(once, 1, "{:#?}", world.transcript());
    }
}

#[test]
fn the_outcome_of_a_start_that_may_take_long_is_waited_for() {
    let mut db = Actor::new("db").starting(Start::Ready(Duration::from_secs(800)));
    db.target.limits = Limits {
        start: Some(Duration::from_secs(900)),
        stop: Some(Duration::from_secs(10)),
    };
    let mut world = World::new([db]);
    world.run(120);
    world.kill("db");
    world.run(790);
    assert_eq!(world.state("db"), State::Restarting, "{:#?}", world.transcript());
    world.run(60);
    assert_eq!(world.state("db"), State::Healthy, "{:#?}", world.transcript());
    let verified = |what: &ReportKind| matches!(what, ReportKind::ActionVerified { .. });
    assert!(
        world.reports().into_iter().any(|report| verified(&report.kind)),
        "{:#?}",
        world.transcript()
    );
}

#[test]
fn what_begins_and_then_fails_is_an_ordinary_failure() {
    let mut world = World::new([Actor::new("db")]);
    world.run(120);
    world.faults.loses_actions = true;
    world.kill("db");
    world.run(1);
    let (_, action) = world.actions()[0].clone();
    let (id, service) = (action.id, action.service);
    world.deliver(Event::ActionBegun {
        action: id,
        service: service.clone(),
    });
    world.deliver(Event::ActionFinished {
        action: id,
        service,
        result: ActionResult::Failed("exit code 1".into()),
    });
    assert_eq!(world.state("db"), State::Backoff);
    assert_eq!(world.snapshot("db").attempts_left, 4);
}
