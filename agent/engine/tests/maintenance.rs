//! Pauses, deploys and maintenance windows, as small stories in a simulated world.

mod stored;

use std::time::Duration;

use sentinel_engine::{Event, OperatorRequest, State, Time, Window};
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

fn shop() -> World {
    let mut world = World::new([Actor::new("shop")]);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    world
}

fn window(world: &mut World, reason: Option<&str>) {
    let until = world.now + Duration::from_secs(3600);
    let window = reason.map(|reason| Window {
        reason: reason.to_owned(),
        until,
    });
    world.deliver(Event::MaintenanceChanged {
        service: "shop".into(),
        window,
    });
}

fn begin(id: u64, seconds: u64) -> OperatorRequest {
    OperatorRequest::BeginDeploy {
        id,
        duration: Duration::from_secs(seconds),
    }
}

fn end(id: u64) -> OperatorRequest {
    OperatorRequest::EndDeploy { id }
}

fn reasons(world: &World) -> Vec<(String, Option<u64>)> {
    let seconds = |at: Time| at.since_epoch().as_secs();
    let all = world.snapshot("shop").maintenance.into_iter();
    all.map(|maintenance| (maintenance.reason, maintenance.until.map(seconds)))
        .collect()
}

#[test]
fn nothing_happens_in_a_window_and_everything_after_it() {
    let mut world = shop();
    window(&mut world, Some("backup"));
    assert_eq!(world.state("shop"), State::Maintenance);
    assert_eq!(reasons(&world), [("backup".to_owned(), Some(3720))]);
    world.kill("shop");
    world.run(3600 * 2);
    assert!(world.actions().is_empty() && world.messages().is_empty());
    assert!(!world.transcript().iter().any(|line| line.contains("incident_opened")));
    window(&mut world, None);
    assert_eq!(reasons(&world), []);
    world.run(60);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn window_that_becomes_another_is_said_once_each() {
    let mut world = shop();
    for reason in [Some("backup"), Some("backup"), Some("patches"), None, None] {
        window(&mut world, reason);
    }
    let said: Vec<_> = world
        .transcript()
        .into_iter()
        .filter(|line| line.contains(" maintenance: "))
        .collect();
    assert_eq!(
        said,
        [
            "120.000 shop maintenance: maintenance: backup",
            "120.000 shop maintenance: maintenance: patches",
            "120.000 shop maintenance: the maintenance window ended",
        ]
    );
}

#[test]
fn pause_deploy_and_window_do_not_end_one_another() {
    type Step = fn(&mut World);
    let pairs: [(Step, Step); 4] = [
        (
            |world| world.ask("shop", OperatorRequest::Pause { duration: None }),
            |world| world.ask("shop", OperatorRequest::Resume),
        ),
        (
            |world| world.ask("shop", begin(1, 900)),
            |world| world.ask("shop", end(1)),
        ),
        (
            |world| world.ask("shop", begin(2, 900)),
            |world| world.ask("shop", end(2)),
        ),
        (|world| window(world, Some("backup")), |world| window(world, None)),
    ];
    for last in 0..pairs.len() {
        let mut world = shop();
        for (begin, _) in pairs {
            begin(&mut world);
        }
        world.kill("shop");
        for (index, (_, end)) in pairs.iter().enumerate() {
            if index != last {
                end(&mut world);
                world.run(10);
            }
        }
        assert_eq!(world.state("shop"), State::Maintenance, "{last} is left");
        assert!(world.actions().is_empty(), "{last} is left");
        pairs[last].1(&mut world);
        world.run(60);
        assert_eq!(world.state("shop"), State::Healthy);
        assert_eq!(world.actions().len(), 1);
    }
}

#[test]
fn deploy_whose_end_is_never_reported_ends_by_itself_also_over_a_crash_of_the_agent() {
    let mut world = shop();
    world.ask("shop", begin(7, 900));
    world.kill("shop");
    world.run(300);
    crash_agent(&mut world);
    world.run(590);
    assert!(world.actions().is_empty());
    world.run(20);
    assert_eq!(world.attempts(), [1020]);
}

#[test]
fn end_of_a_deploy_that_is_over_changes_nothing() {
    let mut world = shop();
    world.ask("shop", begin(7, 60));
    world.ask("shop", begin(8, 600));
    world.run(120);
    world.ask("shop", end(7));
    assert_eq!(reasons(&world), [("a deploy is under way".to_owned(), Some(720))]);
}

#[test]
fn window_in_mid_incident_stops_the_restarts() {
    let mut world = World::new([Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(1)))]);
    world.run(120);
    world.kill("shop");
    world.run(15);
    let before = world.actions().len();
    window(&mut world, Some("backup"));
    world.run(3600);
    assert_eq!(world.actions().len(), before);
    let messages = world.messages().len();
    window(&mut world, None);
    world.run(3600);
    assert!(world.actions().len() > before);
    assert!(world.messages().len() > messages);
}
