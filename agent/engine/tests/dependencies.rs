//! Who waits for whom, how far down, and for how long at most.

use std::time::Duration;

use sentinel_engine::alerting::Match;
use sentinel_engine::{Hold, HostPolicy, State};
use sentinel_simulation::{Actor, Start, World};

/// A database, a shop on it, and an interface on the shop.
fn chain(db: Actor, shop: Actor) -> World {
    let api = Actor::new("api").after(&["shop"]);
    let policy = HostPolicy {
        storm_services: 10,
        ..HostPolicy::default()
    };
    let mut world = World::with_policy([db, shop.after(&["db"]), api], policy);
    world.run(120);
    for name in ["db", "shop", "api"] {
        assert_eq!(world.state(name), State::Healthy);
    }
    world
}

fn waits_for(name: &str) -> Hold {
    Hold::Dependency { name: name.into() }
}

fn restarted(world: &World) -> Vec<&str> {
    world
        .actions()
        .iter()
        .map(|(_, action)| action.service.as_str())
        .collect()
}

#[test]
fn what_lies_between_need_not_be_down_for_the_root_to_hold() {
    // It is unknown whether the shop needs its database just now: it has no probes.
    let slow = Start::Slowly(Duration::from_secs(20));
    let mut world = chain(Actor::new("db").starting(slow), Actor::new("shop").without_probes());
    world.kill("db");
    world.run(1);
    world.kill("api");
    world.run(1);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(world.snapshot("api").hold, Some(waits_for("db")));
    assert_eq!(restarted(&world), ["db"]);
    world.run(60);
    assert_eq!(restarted(&world), ["db", "api"]);
    assert_eq!(world.state("api"), State::Healthy);
}

#[test]
fn what_answers_without_its_root_does_not_pass_the_hold_on() {
    let mut world = chain(Actor::new("db").starting(Start::Refused), Actor::new("shop"));
    world.kill("db");
    // The shop's probe passes although the database is down.
    world.run(30);
    world.kill("api");
    world.run(60);
    assert_eq!(restarted(&world).iter().filter(|name| **name == "api").count(), 1);
    assert_eq!(world.state("api"), State::Healthy);
}

#[test]
fn root_that_is_not_needed_directly_holds_for_ten_minutes_at_most() {
    let mut world = chain(
        Actor::new("db").starting(Start::Refused),
        Actor::new("shop").without_probes(),
    );
    world.kill("db");
    world.run(1);
    world.kill("api");
    world.run(590);
    assert_eq!(world.snapshot("api").hold, Some(waits_for("db")));
    world.run(60);
    assert_eq!(world.state("db"), State::GaveUp);
    assert_eq!(world.state("api"), State::Healthy);
}

#[test]
fn suppressed_service_holds_those_after_it() {
    let mut world = chain(Actor::new("db").starting(Start::Refused), Actor::new("shop"));
    world.kill("db");
    world.kill("shop");
    world.kill("api");
    world.run(3600);
    assert_eq!(world.snapshot("shop").hold, Some(waits_for("db")));
    assert_eq!(world.snapshot("api").hold, Some(waits_for("shop")));
    assert!(restarted(&world).iter().all(|name| *name == "db"));
    let reported = |name: &str| {
        world
            .messages()
            .into_iter()
            .filter(|message| message.service.as_str() == name)
            .count()
    };
    assert_eq!(
        (reported("shop"), reported("api")),
        (1, 1),
        "silence about dependents is bounded"
    );
}

#[test]
fn suspect_root_holds_its_dependents_until_it_is_decided() {
    let mut world = chain(Actor::new("db"), Actor::new("shop"));
    world.hang("db");
    // Its next probe begins within ten seconds and takes three.
    let suspect = (0..14).any(|_| {
        world.run(1);
        world.state("db") == State::Suspect
    });
    assert!(suspect);
    world.kill("shop");
    world.run_for(Duration::from_millis(100));
    let hold = Some(Hold::DependencySuspect { name: "db".into() });
    assert_eq!(world.snapshot("shop").hold, hold);
    assert_eq!(world.state("shop"), State::Suppressed);
    world.run(60);
    assert_eq!(restarted(&world), ["db", "shop"], "the root goes first");
}

#[test]
fn false_alarm_of_the_root_releases_its_dependents() {
    let mut world = chain(Actor::new("db"), Actor::new("shop"));
    world.hang("db");
    while world.state("db") != State::Suspect {
        world.run(1);
    }
    world.kill("shop");
    world.run_for(Duration::from_millis(100));
    assert!(world.actions().is_empty());
    world.unhang("db");
    world.run(30);
    assert_eq!(restarted(&world), ["shop"]);
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn suspicion_that_is_never_decided_holds_for_a_bounded_time() {
    let mut world = chain(Actor::new("db"), Actor::new("shop"));
    world.hang("db");
    while world.state("db") != State::Suspect {
        world.run(1);
    }
    world.faults.hanging.push("db".into());
    world.kill("shop");
    world.run(50);
    assert_eq!(world.state("db"), State::Suspect);
    assert!(world.actions().is_empty());
    world.run(60);
    assert_eq!(restarted(&world), ["shop"]);
}

/// The alert of a dependency speaks for a service for ten minutes. A silence that lasts longer than that must not make it longer.
#[test]
fn what_a_silence_kept_back_is_sent_though_the_dependency_is_still_down() {
    let mut world = chain(
        Actor::new("db").starting(Start::Refused),
        Actor::new("shop").without_probes(),
    );
    world.kill("db");
    world.kill("shop");
    world.run(60);
    let matches = Match {
        services: vec!["shop".to_owned()],
        ..Match::default()
    };
    let span = Duration::from_secs(20 * 60);
    world
        .engine
        .as_mut()
        .unwrap()
        .add_silence(world.now, matches, span, "alice".to_owned(), String::new())
        .expect("there is room for it");
    world.run(20 * 60 - 1);
    let about_shop = |world: &World| {
        world
            .messages()
            .into_iter()
            .filter(|message| message.service.as_str() == "shop")
            .count()
    };
    assert_eq!(about_shop(&world), 0);
    world.run(30);
    assert_eq!(world.snapshot("shop").hold, Some(waits_for("db")));
    assert_eq!(about_shop(&world), 1, "{:?}", world.messages());
    // From then on the dependency speaks for it again.
    world.run(3 * 3600);
    assert_eq!(about_shop(&world), 1);
}

/// Before those ten minutes are over, the dependency speaks for it after a silence as well.
#[test]
fn what_a_silence_kept_back_waits_while_the_dependency_speaks_for_it() {
    let mut world = chain(
        Actor::new("db").starting(Start::Refused),
        Actor::new("shop").starting(Start::Refused).without_probes(),
    );
    let matches = Match {
        services: vec!["shop".to_owned()],
        ..Match::default()
    };
    let span = Duration::from_secs(180);
    world
        .engine
        .as_mut()
        .unwrap()
        .add_silence(world.now, matches, span, "alice".to_owned(), String::new())
        .expect("there is room for it");
    world.kill("shop");
    world.run(60);
    world.kill("db");
    let about_shop = |world: &World| {
        world
            .messages()
            .into_iter()
            .filter(|message| message.service.as_str() == "shop")
            .count()
    };
    world.run(500);
    assert_eq!(about_shop(&world), 0, "{:?}", world.messages());
    world.run(60);
    assert_eq!(about_shop(&world), 1, "{:?}", world.messages());
}
