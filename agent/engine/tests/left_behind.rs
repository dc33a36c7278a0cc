//! What systemd stopped together with its database, and left down when that was started again.

mod stored;

use std::time::Duration;

use sentinel_engine::{Cause, Event, Intent, OnDependencyReturn, Resolution, State, TargetState};
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

fn world(on_return: OnDependencyReturn) -> World {
    let app = Actor::new("app")
        .after(&["db"])
        .with(|policy| policy.on_dependency_return = on_return);
    let mut world = World::new([Actor::new("db"), app]);
    world.run(120);
    world
}

fn taken_along() -> TargetState {
    TargetState::Down {
        intent: Intent::DependencyStop,
        cause: Cause::Exited { code: 0 },
    }
}

/// `systemctl stop db`, which takes the app along.
fn stop_both(world: &mut World) {
    world.set_state("app", taken_along());
    world.stop("db");
    world.run(60);
    assert_eq!(world.state("app"), State::Stopped, "{:#?}", world.transcript());
    assert_eq!(world.message_kinds(), [""; 0]);
}

#[test]
fn semantics_1_8_row_15_what_was_stopped_with_its_database_is_reported_once_when_that_is_back() {
    let mut world = world(OnDependencyReturn::Alert);
    stop_both(&mut world);
    world.start("db");
    world.run(24 * 3600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.message_kinds(), ["fired"]);
    let reported = world.messages()[0];
    assert!(
        matches!(&reported.cause, Cause::StoppedWith { name, .. } if name.as_str() == "db"),
        "{reported:?}"
    );
    assert!(
        reported.doing.contains("on_dependency_return leaves it"),
        "{reported:?}"
    );
    assert_eq!(world.state("app"), State::Held);
    // It is over when an operator starts it.
    world.start("app");
    world.run(60);
    assert_eq!(world.state("app"), State::Healthy);
    let ended = world.reports().into_iter().find_map(|report| match report.kind {
        sentinel_engine::ReportKind::IncidentClosed { resolution, .. } => Some(resolution),
        _ => None,
    });
    assert_eq!(ended, Some(Resolution::Started));
}

#[test]
fn what_was_stopped_with_its_database_is_started_where_that_is_wanted() {
    let mut world = world(OnDependencyReturn::Start);
    stop_both(&mut world);
    world.run(600);
    assert!(world.actions().is_empty(), "not before the other is back");
    world.start("db");
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(world.state("app"), State::Healthy);
    assert_eq!(world.snapshot("app").attempts_left, 4, "it is an attempt");
    assert_eq!(world.message_kinds(), ["healed"]);
}

#[test]
fn start_of_what_was_left_behind_that_fails_is_within_the_budget() {
    let mut world = world(OnDependencyReturn::Start);
    stop_both(&mut world);
    world.change("app", |actor| actor.start = Start::DiesAfter(Duration::from_secs(1)));
    world.start("db");
    world.run(1800);
    assert_eq!(world.actions().len(), 5, "{:#?}", world.transcript());
    assert_eq!(world.state("app"), State::GaveUp);
}

#[test]
fn what_was_stopped_with_its_database_stays_so_where_that_is_wanted() {
    let mut world = world(OnDependencyReturn::Ignore);
    stop_both(&mut world);
    world.start("db");
    world.run(3600);
    assert_eq!(world.state("app"), State::Stopped);
    assert_eq!(world.message_kinds(), [""; 0]);
    assert!(world.actions().is_empty());
}

#[test]
fn an_upgrade_under_way_delays_it() {
    for (on_return, attempts) in [(OnDependencyReturn::Alert, 0), (OnDependencyReturn::Start, 1)] {
        let mut world = world(on_return);
        world.deliver(Event::PackagesChange { under_way: true });
        stop_both(&mut world);
        world.start("db");
        world.run(600);
        assert_eq!(world.message_kinds(), [""; 0], "{:#?}", world.transcript());
        assert!(world.actions().is_empty());
        world.deliver(Event::PackagesChange { under_way: false });
        world.run(120);
        assert_eq!(world.actions().len(), attempts);
        assert_eq!(world.messages().len(), 1);
    }
}

#[test]
fn what_the_upgrade_starts_again_is_no_incident() {
    let mut world = world(OnDependencyReturn::Alert);
    world.deliver(Event::PackagesChange { under_way: true });
    stop_both(&mut world);
    world.start("db");
    world.run(60);
    world.start("app");
    world.run(1);
    world.deliver(Event::PackagesChange { under_way: false });
    world.run(600);
    assert_eq!(world.message_kinds(), [""; 0]);
    assert_eq!(world.state("app"), State::Healthy);
}

#[test]
fn what_an_operator_starts_a_moment_after_its_database_is_no_incident() {
    let mut world = world(OnDependencyReturn::Start);
    stop_both(&mut world);
    world.start("db");
    world.run(8);
    world.start("app");
    world.run(600);
    assert_eq!(world.message_kinds(), [""; 0]);
    assert!(world.actions().is_empty());
}

#[test]
fn what_was_not_stopped_together_or_was_not_well_is_not_missed() {
    // Stopped long before the other.
    let mut apart = world(OnDependencyReturn::Start);
    apart.set_state("app", taken_along());
    apart.run(60);
    apart.stop("db");
    apart.run(60);
    // It hung for minutes before an operator stopped both.
    let app = Actor::new("app").after(&["db"]).with(|policy| {
        policy.on_dependency_return = OnDependencyReturn::Start;
        policy.mode = sentinel_engine::Mode::Observe;
    });
    let mut unwell = World::new([Actor::new("db"), app]);
    unwell.run(120);
    unwell.hang("app");
    unwell.run(180);
    unwell.set_state("app", taken_along());
    unwell.stop("db");
    unwell.run(60);
    // An operator stopped it by itself since.
    let mut by_itself = world(OnDependencyReturn::Start);
    stop_both(&mut by_itself);
    by_itself.stop("app");
    by_itself.run(5);
    by_itself.set_state("app", taken_along());
    for (what, mut world) in [("apart", apart), ("unwell", unwell), ("by itself", by_itself)] {
        world.start("db");
        world.run(600);
        assert!(world.actions().is_empty(), "{what}: {:#?}", world.transcript());
        assert_eq!(world.state("app"), State::Stopped, "{what}");
    }
}

#[test]
fn what_was_stopped_together_is_remembered_across_a_crash_of_the_agent() {
    let mut world = world(OnDependencyReturn::Alert);
    stop_both(&mut world);
    crash_agent(&mut world);
    world.run(60);
    world.start("db");
    world.run(120);
    assert_eq!(world.message_kinds(), ["fired"], "{:#?}", world.transcript());
}
