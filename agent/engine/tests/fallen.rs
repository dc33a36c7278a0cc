//! What falls with something that no operator configured, and what cannot be started without it.

mod stored;

use sentinel_engine::{Cause, Changed, Details, FellWith, Hold, Intent, OperatorRequest, Reload, State, TargetState};
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

fn world(actors: impl IntoIterator<Item = Actor>) -> World {
    let mut world = World::new(actors);
    world.run(120);
    world
}

/// Its watcher says with what it went down, and how that one is.
fn report_db(world: &mut World, failed: bool, is_back: bool) {
    let name = "db.service".to_owned();
    let fell_with = Some(Box::new(FellWith { name, failed, is_back }));
    let details = Details {
        fell_with,
        ..Details::default()
    };
    world.change("app", |actor| actor.target.details = details);
}

/// Systemd stops it, as the database is down.
fn take_along(world: &mut World, failed: bool) {
    report_db(world, failed, false);
    let (intent, cause) = (Intent::DependencyStop, Cause::Exited { code: 0 });
    world.set_state("app", TargetState::Down { intent, cause });
}

/// An operator asks for its start, and the database cannot be started.
fn refuse_start(world: &mut World, failed: bool) {
    report_db(world, failed, false);
    let (intent, cause) = (Intent::DependencyStop, Cause::Dependency);
    world.set_state("app", TargetState::Down { intent, cause });
}

/// The database changes, and with it what is said of the app, which is as it was.
fn db_is(world: &mut World, failed: bool, is_back: bool) {
    report_db(world, failed, is_back);
    let state = world.actors["app"].target.state.clone();
    world.set_state("app", state);
}

fn waits_for_db() -> Hold {
    Hold::Dependency {
        name: "db.service".into(),
    }
}

#[test]
fn what_fell_is_held_and_reported_and_started_when_the_other_is_back() {
    for go_down in [take_along, refuse_start] {
        let mut world = world([Actor::new("app")]);
        go_down(&mut world, true);
        world.run(3600);
        assert_eq!(world.state("app"), State::Suppressed, "{:#?}", world.transcript());
        assert_eq!(world.snapshot("app").hold, Some(waits_for_db()));
        assert!(world.actions().is_empty());
        assert_eq!(world.snapshot("app").attempts_left, 5, "none is spent");
        assert_eq!(world.message_kinds(), ["fired"], "it does not stay silent");
        assert!(
            world.messages()[0].doing.contains("db.service"),
            "{:?}",
            world.messages()
        );
        db_is(&mut world, true, true);
        world.run(60);
        assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
        assert_eq!(world.state("app"), State::Healthy);
        assert_eq!(world.message_kinds(), ["fired", "resolved"]);
    }
}

#[test]
fn what_was_stopped_with_the_other_is_left_alone() {
    for go_down in [take_along, refuse_start] {
        let mut world = world([Actor::new("app")]);
        go_down(&mut world, false);
        world.run(600);
        assert_eq!(world.state("app"), State::Stopped);
        db_is(&mut world, false, true);
        world.run(3600);
        assert_eq!(world.state("app"), State::Stopped);
        assert!(world.actions().is_empty() && world.messages().is_empty());
    }
}

#[test]
fn another_agent_goes_on_where_it_is_unknown_why_the_other_is_down() {
    let mut world = world([Actor::new("app")]);
    take_along(&mut world, true);
    world.run(60);
    report_db(&mut world, false, false);
    crash_agent(&mut world);
    world.run(600);
    assert_eq!(
        world.snapshot("app").hold,
        Some(waits_for_db()),
        "{:#?}",
        world.transcript()
    );
    assert!(world.actions().is_empty());
    db_is(&mut world, false, true);
    world.run(60);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.state("app"), State::Healthy);
}

#[test]
fn what_an_operator_stops_while_it_waits_stays_so() {
    for go_down in [take_along, refuse_start] {
        let mut world = world([Actor::new("app")]);
        go_down(&mut world, true);
        world.run(600);
        world.stop("app");
        world.run(60);
        assert_eq!(world.state("app"), State::Stopped);
        db_is(&mut world, true, true);
        world.run(60);
        // It may look again as it did, to another agent most of all.
        crash_agent(&mut world);
        go_down(&mut world, true);
        db_is(&mut world, true, true);
        world.run(600);
        assert_eq!(world.state("app"), State::Stopped, "{:#?}", world.transcript());
        assert!(world.actions().is_empty());
    }
}

#[test]
fn start_that_is_refused_is_wanted_though_it_was_stopped_before() {
    let mut world = world([Actor::new("app")]);
    world.stop("app");
    world.run(600);
    refuse_start(&mut world, true);
    world.run(600);
    assert_eq!(
        world.snapshot("app").hold,
        Some(waits_for_db()),
        "{:#?}",
        world.transcript()
    );
    assert_eq!(world.message_kinds(), ["fired"]);
    db_is(&mut world, true, true);
    world.run(60);
    assert_eq!(world.state("app"), State::Healthy);
}

#[test]
fn start_that_was_not_seen_to_be_asked_for_undoes_no_stop() {
    let mut world = world([Actor::new("app").without_probes()]);
    world.stop("app");
    world.run(60);
    world.set_unobservable(true);
    world.run(60);
    refuse_start(&mut world, true);
    world.run(60);
    world.set_unobservable(false);
    world.run(60);
    db_is(&mut world, true, true);
    world.run(600);
    assert_eq!(world.state("app"), State::Stopped, "{:#?}", world.transcript());
    assert!(world.actions().is_empty() && world.messages().is_empty());
}

#[test]
fn what_falls_while_something_it_comes_after_is_stopped_was_stopped() {
    let mut world = world([Actor::new("db"), Actor::new("app").after(&["db"])]);
    world.stop("db");
    world.run(60);
    take_along(&mut world, true);
    world.run(600);
    assert_eq!(world.state("app"), State::Stopped, "{:#?}", world.transcript());
    assert!(world.messages().is_empty());
}

#[test]
fn what_was_stopped_with_what_it_came_after_stays_so_when_that_leaves_the_configuration() {
    let mut world = world([Actor::new("db"), Actor::new("app").after(&["db"])]);
    world.stop("db");
    world.run(60);
    take_along(&mut world, true);
    world.run(600);
    let mut app = world.actors["app"].service.clone();
    app.after.clear();
    let unchanged = Changed {
        target: false,
        probes: false,
    };
    world.reload(Reload {
        removed: vec!["db".into()],
        changed: vec![(app, unchanged)],
        ..Reload::default()
    });
    world.run(3600);
    assert_eq!(world.state("app"), State::Stopped, "{:#?}", world.transcript());
    assert!(world.actions().is_empty() && world.messages().is_empty());
}

#[test]
fn attempt_that_is_refused_for_want_of_the_other_is_not_repeated_before_that_is_back() {
    let mut world = world([Actor::new("app").starting(Start::Refused)]);
    world.kill("app");
    world.run(2);
    let before = world.actions().len();
    assert!(before > 0);
    refuse_start(&mut world, true);
    world.change("app", |actor| actor.start = Start::Well);
    world.run(3600);
    assert_eq!(world.actions().len(), before, "{:#?}", world.transcript());
    assert_eq!(world.snapshot("app").hold, Some(waits_for_db()));
    db_is(&mut world, true, true);
    world.run(60);
    assert_eq!(world.state("app"), State::Healthy);
}

#[test]
fn one_that_falls_again_and_again_is_given_up() {
    let mut world = world([Actor::new("app")]);
    for _ in 0..10 {
        take_along(&mut world, true);
        world.run(60);
        db_is(&mut world, true, true);
        world.run(60);
    }
    assert_eq!(world.actions().len(), 5, "{:#?}", world.transcript());
    assert_eq!(world.state("app"), State::GaveUp);
}

#[test]
fn operator_may_start_it_without_the_other() {
    let mut world = world([Actor::new("app")]);
    take_along(&mut world, true);
    world.run(60);
    world.ask("app", OperatorRequest::Restart);
    world.run(60);
    assert_eq!(world.state("app"), State::Healthy);
}

#[test]
fn alert_of_a_configured_one_speaks_for_what_fell_with_it() {
    let app = Actor::new("app").after(&["db"]);
    let mut world = world([Actor::new("db").starting(Start::Refused), app]);
    // The news of the other one comes later.
    take_along(&mut world, true);
    world.run(1);
    world.kill("db");
    world.run(300);
    assert_eq!(world.snapshot("app").hold, Some(Hold::Dependency { name: "db".into() }));
    let about_app = |message: &&sentinel_engine::Notification| message.service.as_str() == "app";
    assert_eq!(
        world.messages().into_iter().filter(about_app).count(),
        0,
        "{:?}",
        world.messages()
    );
    assert!(
        world
            .actions()
            .iter()
            .all(|(_, action)| action.service.as_str() == "db")
    );
}
