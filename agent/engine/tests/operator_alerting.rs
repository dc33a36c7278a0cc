//! What operators ask of alerting counts at the moment at which they ask, and so does everything that is due then.

use std::time::Duration;

use sentinel_engine::alerting::{Match, Rules};
use sentinel_engine::{Command, Engine, Reload, Time};
use sentinel_simulation::{Actor, Start, World, everything_to};

const INTERVAL: Duration = Duration::from_secs(3600);

/// How many messages about the shop come out.
fn about_shop(engine: &mut Engine) -> usize {
    std::iter::from_fn(|| engine.poll_command())
        .filter(
            |command| matches!(command, Command::Notify(message) if message.notification.service.as_str() == "shop"),
        )
        .count()
}

#[test]
fn requests_of_operators_let_time_pass_for_what_is_due() {
    let mut world = World::new(["shop", "api"].map(|name| Actor::new(name).starting(Start::Refused)));
    world.run(120);
    world.kill("shop");
    world.kill("api");
    world.run(120);
    let api = world.snapshot("api").incident.expect("it is open");
    let mut now: Time = world.now;
    let engine = world.engine.as_mut().expect("it runs");
    let rules = Rules {
        repeat_interval: Some(INTERVAL),
        ..everything_to("team")
    };
    engine.reload(
        now,
        Reload {
            rules: Some(rules),
            ..Reload::default()
        },
    );
    about_shop(engine);
    let mut later = || {
        now = now + INTERVAL;
        now
    };
    let (alice, nothing) = (|| "alice".to_owned(), String::new);
    let matches = Match {
        services: vec!["other".to_owned()],
        ..Match::default()
    };
    let silence = engine.add_silence(later(), matches, INTERVAL * 10, alice(), nothing());
    assert_eq!(about_shop(engine), 1, "a silence is added");
    engine
        .expire_silence(later(), silence.expect("there is room").id, alice())
        .expect("it is there");
    assert_eq!(about_shop(engine), 1, "a silence is ended");
    engine
        .acknowledge(later(), api, alice(), nothing())
        .expect("it is open");
    assert_eq!(about_shop(engine), 1, "an incident is acknowledged");
}
