//! Mistakes that the random lives of `invariants.rs` found once more went wrong in them: suspended hosts, damaged
//! stores, other configurations. As small stories.

mod stored;

use std::time::Duration;

use sentinel_engine::{
    ActionResult, BlastRadius, Cause, Changed, Command, Event, HostMemory, HostPolicy, Intent, Memory, Mode,
    OnCleanExit, Reload, StartedBy, State, TargetState,
};
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

fn settled(actors: impl IntoIterator<Item = Actor>) -> World {
    let mut world = World::new(actors);
    world.run(120);
    assert!(world.actions().is_empty() && world.messages().is_empty());
    world
}

/// A service that was given up and came back by itself a minute ago.
fn given_up_and_back(actor: Actor) -> World {
    let mut world = settled([actor.starting(Start::DiesAfter(Duration::from_secs(1)))]);
    world.kill("shop");
    world.run(3600);
    assert_eq!(world.state("shop"), State::GaveUp);
    world.change("shop", |actor| actor.start = Start::Well);
    world.start_by("shop", StartedBy::Dependency);
    world.run(60);
    assert_eq!(
        (world.state("shop"), world.snapshot("shop").attempts_left),
        (State::Healthy, 0)
    );
    world
}

#[test]
fn a_suspended_host_has_no_good_minutes() {
    let mut world = given_up_and_back(Actor::new("shop"));
    world.now = world.now + Duration::from_secs(3600);
    world.deliver(Event::HostResumed);
    world.run(590);
    assert_eq!(world.snapshot("shop").attempts_left, 0, "nobody watched for an hour");
    world.run(60);
    assert_eq!(world.snapshot("shop").attempts_left, 5, "ten minutes were watched");
}

#[test]
fn ten_good_minutes_are_noticed_without_a_probe() {
    let mut world = given_up_and_back(Actor::new("shop").without_probes());
    world.run(600);
    assert_eq!(world.snapshot("shop").attempts_left, 5);
}

#[test]
fn what_counts_as_spent_because_the_store_was_lost_is_spent_after_the_next_start_as_well() {
    let spent = Memory {
        gave_up: true,
        ..Memory::default()
    };
    let mut world = settled([Actor::new("shop")]);
    world.store.memories.clear();
    let service = world.actors["shop"].service.clone();
    world.engine.as_mut().unwrap().add_service(world.now, service, spent);
    world.run(1);
    crash_agent(&mut world);
    world.run(1);
    assert_eq!(world.snapshot("shop").attempts_left, 0);
}

#[test]
fn what_was_called_off_for_the_sake_of_others_is_not_spent_though_it_was_stopped_meanwhile() {
    let mut world = settled([Actor::new("shop").with(|policy| policy.burst = 1)]);
    world.faults.next_result = Some(ActionResult::TooWide(BlastRadius {
        stops: vec!["other.service".to_owned()],
        ..BlastRadius::default()
    }));
    world.kill("shop");
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.state("shop"), State::Restarting);
    world.stop("shop");
    world.run(1);
    assert_eq!(world.snapshot("shop").attempts_left, 1, "{:#?}", world.transcript());
}

#[test]
fn what_a_reload_does_costs_its_token_at_once() {
    let watched = Actor::new("shop").with(|policy| policy.mode = Mode::Observe);
    let mut world = settled([watched]);
    world.kill("shop");
    world.run(60);
    let mut healed = world.actors["shop"].service.clone();
    healed.policy.mode = Mode::Heal;
    let reload = Reload {
        changed: vec![(healed, Changed::default())],
        ..Reload::default()
    };
    world.engine.as_mut().unwrap().reload(world.now, reload);
    let commands: Vec<_> = std::iter::from_fn(|| world.engine.as_mut().unwrap().poll_command()).collect();
    let acts = commands
        .iter()
        .any(|command| matches!(command, Command::RestartTarget(_)));
    let saves = commands
        .iter()
        .any(|command| matches!(command, Command::SaveHost(memory) if **memory != HostMemory::default()));
    assert!(acts && saves, "{commands:#?}");
}

#[test]
fn a_storm_is_over_when_all_it_is_about_is_no_longer_configured() {
    let names = ["api", "mail", "shop"];
    let mut world = settled(names.map(|name| Actor::new(name).starting(Start::Refused)));
    for name in names {
        let cause = sentinel_engine::Cause::OomKilled;
        let intent = Intent::Crash;
        world.set_state(name, TargetState::Down { intent, cause });
    }
    world.run(5);
    assert_eq!(world.message_kinds(), ["fired"], "{:#?}", world.messages());
    let reload = Reload {
        removed: names.map(Into::into).to_vec(),
        ..Reload::default()
    };
    world.reload(reload);
    assert_eq!(world.message_kinds(), ["fired", "resolved"], "{:#?}", world.messages());
}

#[test]
fn what_probes_said_before_a_suspend_restarts_no_dependent_after_it() {
    let suspected = Actor::new("cache").with(|policy| policy.fall = 20);
    let dependent = Actor::new("job").after(&["cache"]).with(|policy| policy.fall = 1);
    let mut world = settled([suspected, dependent]);
    world.hang("cache");
    world.run(15);
    world.hang("job");
    world.run(15);
    assert_eq!(world.state("cache"), State::Suspect);
    assert_eq!(world.state("job"), State::Suppressed);
    world.now = world.now + Duration::from_secs(600);
    world.deliver(Event::HostResumed);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
}

#[test]
fn a_suspended_host_has_no_good_minutes_until_probes_pass_again() {
    let mut world = settled([Actor::new("shop").with(|policy| policy.fall = 1000)]);
    world.kill("shop");
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    world.now = world.now + Duration::from_secs(3600);
    world.hang("shop");
    world.deliver(Event::HostResumed);
    world.run(900);
    assert_ne!(world.state("shop"), State::Healthy);
    assert_eq!(
        world.store.memories["shop"].healthy_since,
        None,
        "{:#?}",
        world.transcript()
    );
}

#[test]
fn what_ended_by_itself_and_was_left_so_is_not_started_by_a_reload_but_its_next_run_is_kept_up() {
    let mut world = settled([Actor::new("shop").with(|policy| policy.on_clean_exit = OnCleanExit::Ignore)]);
    world.die("shop", Cause::Exited { code: 0 });
    world.run(600);
    assert!(world.actions().is_empty());
    assert_eq!(world.state("shop"), State::Stopped);
    let mut service = world.actors["shop"].service.clone();
    service.policy.on_clean_exit = OnCleanExit::Restart;
    world.reload(Reload {
        changed: vec![(service, Changed::default())],
        ..Reload::default()
    });
    world.run(600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Stopped);
    world.start("shop");
    world.run(60);
    world.die("shop", Cause::Exited { code: 0 });
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn a_token_that_was_put_back_has_not_begun_the_wait_for_the_next_one() {
    let actors = ["api", "shop"].map(|name| Actor::new(name).with(|policy| policy.backoff = Duration::from_secs(1)));
    let policy = HostPolicy {
        max_in_flight: 2,
        tokens: 2,
        refill: Duration::from_secs(60),
        ..HostPolicy::default()
    };
    let mut world = World::with_policy(actors, policy);
    world.run(120);
    world.faults.loses_actions = true;
    world.kill("api");
    world.run(30);
    world.faults.loses_actions = false;
    world.kill("shop");
    world.run(10);
    let [(_, called_off), (first, _)] = world.actions() else {
        panic!("{:#?}", world.transcript());
    };
    let (called_off, first) = (called_off.id, *first);
    world.deliver(Event::ActionFinished {
        action: called_off,
        service: "api".into(),
        result: ActionResult::Conflict("a job is pending".into()),
    });
    world.run(30);
    assert_eq!(
        world.actions().len(),
        3,
        "api was tried again: {:#?}",
        world.transcript()
    );
    world.kill("shop");
    world.run(60);
    let (last, action) = &world.actions()[3];
    assert_eq!((action.service.as_str(), action.attempt), ("shop", 1));
    assert!(
        last.since(first) >= Duration::from_secs(60),
        "{:#?}",
        world.transcript()
    );
}
