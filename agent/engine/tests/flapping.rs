//! A service that goes down over and over: what receivers are sent of it, and what they are not.

mod stored;

use std::time::Duration;

use sentinel_engine::alerting::Rules;
use sentinel_engine::{NotificationKind, Reload, Severity, State};
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

/// A service whose budget is not the point: restarted at once, however often.
fn tireless(name: &str) -> Actor {
    Actor::new(name).with(|policy| {
        policy.burst = 1000;
        policy.backoff = Duration::from_secs(1);
        policy.backoff_max = Duration::from_secs(1);
    })
}

/// A world with one such service, well for two minutes.
fn shop(actor: Actor) -> World {
    let mut world = World::new([actor]);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    world
}

/// Kills it so many times, two minutes apart; each time it is healed.
fn killed(world: &mut World, times: usize) {
    for _ in 0..times {
        world.kill("shop");
        world.run(120);
        assert_eq!(world.state("shop"), State::Healthy);
    }
}

#[test]
fn sixth_incident_in_a_quarter_of_an_hour_is_reported_as_flapping_and_then_there_is_silence() {
    let mut world = shop(tireless("shop"));
    killed(&mut world, 20);
    let mut expected = vec!["healed"; 5];
    expected.push("flapping");
    assert_eq!(world.message_kinds(), expected);
    let reported = world.messages()[5];
    assert_eq!(reported.severity, Severity::Warning);
    assert_eq!(
        reported.kind,
        NotificationKind::Flapping {
            incidents: 6,
            within: Duration::from_secs(600)
        }
    );
    assert_eq!(world.actions().len(), 20, "it is healed as before");
    assert_eq!(world.snapshot("shop").flapping.map(|seen| seen.incidents), Some(20));
}

#[test]
fn end_of_flapping_is_reported_once_when_it_was_stable_for_ten_minutes() {
    let mut world = shop(tireless("shop"));
    killed(&mut world, 8);
    // The last of them was healed 99 seconds ago.
    world.run(480);
    assert_eq!(world.message_kinds().last(), Some(&"flapping"));
    world.run(40);
    assert_eq!(world.message_kinds()[5..], ["flapping", "flapping_ended"]);
    let [began, ended] = &world.messages()[5..] else {
        panic!("two messages")
    };
    assert_eq!((began.incident, ended.incident), (began.incident, began.incident));
    assert_eq!((began.sequence, ended.sequence), (1, 2), "one conversation");
    assert_eq!(ended.severity, Severity::Info);
    assert!(world.snapshot("shop").flapping.is_none());
    world.run(24 * 3600);
    world.kill("shop");
    world.run(120);
    assert_eq!(world.message_kinds().last(), Some(&"healed"), "told one by one again");
}

#[test]
fn restart_of_the_agent_does_not_forget_that_a_service_flaps() {
    let mut world = shop(tireless("shop"));
    for crashes in 0..10 {
        killed(&mut world, 1);
        crash_agent(&mut world);
        world.run(20);
        let flaps = world.snapshot("shop").flapping.is_some();
        assert_eq!(flaps, crashes >= 5, "after {} incidents", crashes + 1);
    }
    let reported = world.message_kinds().iter().filter(|kind| **kind == "flapping").count();
    assert_eq!(reported, 1);
}

#[test]
fn giving_up_is_reported_while_it_flaps_and_so_is_its_end() {
    let mut world = shop(tireless("shop").with(|policy| policy.burst = 7));
    killed(&mut world, 7);
    world.kill("shop");
    world.run(30);
    assert_eq!(world.state("shop"), State::GaveUp);
    assert_eq!(world.message_kinds()[5..], ["flapping", "gave_up"]);
    assert_eq!(world.messages()[6].severity, Severity::Critical);
    world.start("shop");
    world.run(30);
    assert_eq!(world.message_kinds()[5..], ["flapping", "gave_up", "resolved"]);
    world.run(900);
    assert_eq!(
        world.message_kinds()[5..],
        ["flapping", "gave_up", "resolved", "flapping_ended"]
    );
}

#[test]
fn outage_that_lasts_is_fired_when_flapping_ends() {
    let actor = Actor::new("shop").probed_only();
    let mut world = shop(actor);
    for _ in 0..6 {
        world.hang("shop");
        world.run(60);
        world.unhang("shop");
        world.run(60);
    }
    let before = world.message_kinds();
    assert_eq!(before.last(), Some(&"flapping"));
    world.hang("shop");
    world.run(590);
    assert_eq!(world.message_kinds(), before, "withheld");
    world.run(60);
    assert_eq!(world.message_kinds()[before.len()..], ["flapping_ended", "fired"]);
    world.unhang("shop");
    world.run(60);
    assert_eq!(world.message_kinds().last(), Some(&"resolved"));
}

#[test]
fn what_a_dependency_explains_is_not_the_dependents_flapping() {
    let db = tireless("db");
    let shop = tireless("shop").after(&["db"]);
    let mut world = World::new([db, shop]);
    world.run(120);
    for _ in 0..8 {
        world.kill("db");
        world.run_for(Duration::from_millis(10));
        world.kill("shop");
        world.run(110);
    }
    let flapping: Vec<_> = world
        .messages()
        .into_iter()
        .filter(|message| matches!(message.kind, NotificationKind::Flapping { .. }))
        .map(|message| message.service.as_str().to_owned())
        .collect();
    assert_eq!(flapping, ["db"]);
}

#[test]
fn stopping_what_flaps_ends_it() {
    let mut world = shop(tireless("shop").starting(Start::Well));
    killed(&mut world, 6);
    world.stop("shop");
    world.run(599);
    assert_eq!(world.message_kinds().last(), Some(&"flapping"));
    world.run(10);
    assert_eq!(world.message_kinds().last(), Some(&"flapping_ended"));
    assert_eq!(world.actions().len(), 6);
}

/// The incident in which flapping was told may be over long before its end is reported: nothing is called to mind
/// meanwhile.
#[test]
fn nothing_is_repeated_of_what_flaps_and_is_well() {
    let mut world = shop(tireless("shop"));
    let rules = Rules {
        receivers: ["chat".to_owned()].into(),
        default: vec!["chat".to_owned()],
        repeat_interval: Some(Duration::from_secs(60)),
        ..Rules::without_receivers()
    };
    world.reload(Reload {
        rules: Some(rules),
        ..Reload::default()
    });
    killed(&mut world, 6);
    assert_eq!(world.message_kinds().last(), Some(&"flapping"));
    world.run(3600);
    assert_eq!(world.message_kinds()[5..], ["flapping", "flapping_ended"]);
}
