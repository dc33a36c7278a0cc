//! How long it was down for those who use it, who brought it back, and that nobody is woken while that is being proved.

mod stored;

use std::time::Duration;

use sentinel_engine::{
    Activity, Changed, Details, FailureKind, Intent, Limits, Mode, NotificationKind, OperatorRequest, Outage, Policy,
    Reload, ReportKind, Resolution, StartedBy, Starter, State, TargetState,
};
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

/// A world with one healthy service.
fn shop(actor: Actor) -> World {
    let mut world = World::new([actor]);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    world
}

/// How its last incident ended, in report and message alike.
fn ending(world: &World) -> (Resolution, Outage) {
    let closed = world.reports().into_iter().rev().find_map(|report| match report.kind {
        ReportKind::IncidentClosed { resolution, outage, .. } => Some((resolution, outage)),
        _ => None,
    });
    let closed = closed.unwrap_or_else(|| panic!("it is over: {:#?}", world.transcript()));
    if let Some(message) = world.messages().last() {
        let (NotificationKind::Healed { resolution, outage, .. }
        | NotificationKind::Resolved { resolution, outage, .. }) = message.kind
        else {
            panic!("its end is told last: {message:?}")
        };
        assert_eq!((resolution, outage), closed);
    }
    closed
}

/// How long it was down, and after how long that was proved, in tenths of seconds.
fn lasted(world: &World) -> (Option<u128>, Option<u128>) {
    let (_, outage) = ending(world);
    let tenths = |span: Duration| (span.as_millis() + 50) / 100;
    (outage.down.map(tenths), outage.proved.map(tenths))
}

#[test]
fn what_answers_at_once_was_down_that_long_although_its_proof_takes_longer() {
    // Killed, restarted at once, and answering when it runs.
    let mut world = shop(Actor::new("shop"));
    world.kill("shop");
    world.run(60);
    assert_eq!(lasted(&world), (Some(1), Some(201)), "{:#?}", world.transcript());
    assert_eq!(ending(&world).1.started_by, Starter::Agent);
    let words = world.transcript();
    assert!(
        words
            .iter()
            .any(|line| line.ends_with("incident_closed: healed, down 58ms, proved after 20s")),
        "{words:#?}"
    );

    // Without probes it is down until it runs.
    let mut world = shop(Actor::new("shop").without_probes());
    world.kill("shop");
    world.run(60);
    assert_eq!(lasted(&world), (Some(1), Some(201)));

    // With them, until it answers.
    let mut world = shop(Actor::new("shop").starting(Start::Slowly(Duration::from_secs(6))));
    world.kill("shop");
    world.run(60);
    let (down, proved) = lasted(&world);
    assert!(
        down >= Some(60) && down < Some(110),
        "{down:?}: {:#?}",
        world.transcript()
    );
    assert!(proved > Some(200), "{proved:?}");

    // What its supervisor calls started only later does its work from then on.
    let ready = Actor::new("shop")
        .without_probes()
        .starting(Start::Ready(Duration::from_secs(8)));
    let mut world = shop(ready);
    world.kill("shop");
    world.run(60);
    let (down, proved) = lasted(&world);
    assert_eq!(down, Some(81), "{:#?}", world.transcript());
    assert!(proved > Some(200), "{proved:?}");
}

#[test]
fn an_outage_begins_with_its_first_failure_and_not_when_that_is_certain() {
    let mut world = shop(Actor::new("shop"));
    let before = world.now;
    world.says("shop", Some(FailureKind::Status(500)));
    while world.actions().is_empty() {
        world.run(1);
    }
    world.says("shop", None);
    let incident = world.snapshot("shop").incident.expect("it is open");
    let opened = world
        .reports()
        .into_iter()
        .find(|report| report.incident == Some(incident))
        .expect("it was told")
        .at;
    let first = *world.requests.rounds["shop"]
        .iter()
        .find(|at| **at > before)
        .expect("it is probed");
    world.run(60);
    let (_, outage) = ending(&world);
    let (down, proved) = (outage.down.expect("it was down"), outage.proved.expect("it is well"));
    assert!(
        opened.since(first) > Duration::from_secs(1),
        "it was not certain at once"
    );
    assert!(down > opened.since(first), "{down:?}");
    assert!(proved >= down + Duration::from_secs(15), "{proved:?} {down:?}");
}

#[test]
fn a_flap_before_the_proof_extends_the_outage() {
    let mut world = shop(Actor::new("shop"));
    world.kill("shop");
    world.run(5);
    assert_eq!(world.state("shop"), State::Verifying, "it answers");
    world.says("shop", Some(FailureKind::Status(500)));
    world.run(3);
    world.says("shop", None);
    world.run(120);
    let (down, proved) = lasted(&world);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert!(down >= Some(80) && down < Some(120), "{down:?}");
    assert!(proved >= Some(200), "{proved:?}");
}

#[test]
fn what_another_run_answered_is_no_answer_of_the_one_that_was_proved() {
    let mut world = shop(Actor::new("shop").without_probes());
    world.change("shop", |actor| actor.start = Start::DiesAfter(Duration::from_secs(5)));
    world.kill("shop");
    world.run(4);
    world.change("shop", |actor| actor.start = Start::Well);
    world.run(120);
    assert_eq!(world.actions().len(), 2, "{:#?}", world.transcript());
    let (down, proved) = lasted(&world);
    assert!(down > Some(55) && down < Some(150), "{down:?}");
    assert!(proved >= down.map(|down| down + 200), "{proved:?}");
}

#[test]
fn what_answers_although_something_was_amiss_was_not_down() {
    let mut world = shop(Actor::new("shop"));
    let limits = Limits {
        start: Some(Duration::from_secs(20)),
        ..Limits::default()
    };
    let details = Details {
        has_job: true,
        ..Details::default()
    };
    world.set_busy("shop", Activity::Reloading, limits, details);
    world.run(120);
    assert_eq!(world.message_kinds(), ["fired"]);
    world.set_state("shop", TargetState::Running);
    world.run(60);
    assert_eq!(ending(&world).1.down, None, "{:#?}", world.transcript());
}

#[test]
fn a_stop_ends_an_outage_without_proof() {
    let mut world = shop(Actor::new("shop").starting(Start::Refused));
    world.kill("shop");
    world.run(90);
    world.stop("shop");
    world.run(60);
    assert_eq!(ending(&world).0, Resolution::Stopped);
    assert_eq!(lasted(&world), (Some(900), None));
}

#[test]
fn what_is_stopped_while_it_is_being_proved_was_down_until_it_answered() {
    let mut world = shop(Actor::new("shop"));
    world.kill("shop");
    world.run(10);
    world.stop("shop");
    world.run(60);
    assert_eq!(ending(&world).0, Resolution::Stopped);
    assert_eq!(lasted(&world), (Some(1), None), "{:#?}", world.transcript());
}

#[test]
fn what_its_own_check_called_unhealthy_was_down_until_that_passed() {
    let mut world = shop(
        Actor::new("shop")
            .without_probes()
            .with(|policy| policy.mode = Mode::Observe),
    );
    world.set_check("shop", true);
    world.run(60);
    world.set_check("shop", false);
    world.run(100);
    world.set_check("shop", true);
    world.run(60);
    assert_eq!(lasted(&world).0, Some(1000), "{:#?}", world.transcript());
}

#[test]
fn failures_in_maintenance_are_no_outage() {
    let mut world = shop(Actor::new("shop").with(|policy| policy.mode = Mode::Observe));
    world.ask("shop", OperatorRequest::Pause { duration: None });
    world.says("shop", Some(FailureKind::Status(500)));
    world.run(3600);
    world.ask("shop", OperatorRequest::Resume);
    world.run(100);
    world.says("shop", None);
    world.run(60);
    let (_, outage) = ending(&world);
    let down = outage.down.expect("it was down");
    assert!(
        down >= Duration::from_secs(99) && down < Duration::from_secs(120),
        "{down:?}"
    );
}

#[test]
fn an_end_says_who_began_the_run_that_is_well() {
    let observe = || Actor::new("shop").with(|policy| policy.mode = Mode::Observe);
    let hung = |actor: Actor| {
        let mut world = shop(actor);
        world.hang("shop");
        world.run(120);
        world
    };
    let mut by_itself = hung(observe());
    by_itself.unhang("shop");
    let mut by_other = hung(observe());
    by_other.start("shop");
    let mut by_dependency = hung(observe());
    by_dependency.start_by("shop", StartedBy::Dependency);
    let mut by_trigger = hung(observe());
    by_trigger.start_by("shop", StartedBy::Trigger);
    let mut by_supervisor = hung(observe());
    by_supervisor.set_state("shop", TargetState::Busy(Activity::AutoRestart));
    by_supervisor.run(1);
    by_supervisor.start_by("shop", StartedBy::Supervisor);
    let mut by_operator = hung(observe());
    by_operator.ask("shop", OperatorRequest::Restart);
    let mut by_agent = shop(Actor::new("shop"));
    by_agent.kill("shop");
    let mut unseen = hung(observe());
    crash_agent(&mut unseen);
    unseen.unhang("shop");
    for (mut world, resolution, starter) in [
        (by_itself, Resolution::Recovered, Starter::SameRun),
        (by_other, Resolution::Started, Starter::Other),
        (by_dependency, Resolution::Recovered, Starter::Dependency),
        (by_trigger, Resolution::Recovered, Starter::Trigger),
        (by_supervisor, Resolution::Recovered, Starter::Supervisor),
        (by_operator, Resolution::Healed, Starter::Operator),
        (by_agent, Resolution::Healed, Starter::Agent),
        (unseen, Resolution::Recovered, Starter::Unknown),
    ] {
        world.run(120);
        let (how, outage) = ending(&world);
        assert_eq!(
            (how, outage.started_by),
            (resolution, starter),
            "{:#?}",
            world.transcript()
        );
        assert!(
            outage.down <= outage.proved && outage.down.is_some(),
            "{starter:?}: {outage:?}"
        );
    }
}

#[test]
fn nothing_fires_while_it_answers_and_is_being_proved() {
    // It would be told 5 s after it went down; by then it answers.
    let actor = || Actor::new("shop").with(|policy| policy.notify_after = Duration::from_secs(5));
    let mut world = shop(actor());
    world.kill("shop");
    world.run(300);
    assert_eq!(world.message_kinds(), ["healed"], "{:#?}", world.transcript());

    // The proof fails: told at once.
    let mut world = shop(actor());
    world.change("shop", |actor| actor.start = Start::DiesAfter(Duration::from_secs(12)));
    world.kill("shop");
    world.run(12);
    assert!(world.messages().is_empty());
    world.run(1);
    assert_eq!(world.message_kinds(), ["fired"], "{:#?}", world.transcript());

    // Between two crashes of a loop nothing is being proved.
    let mut world = shop(
        Actor::new("shop")
            .without_probes()
            .starting(Start::DiesAfter(Duration::from_secs(45)))
            .supervised(1, 1000),
    );
    world.kill("shop");
    world.run(600);
    let reported = world.messages()[0];
    assert_eq!(
        (reported.kind.as_str(), reported.cause.kind()),
        ("fired", "crash_loop"),
        "{:#?}",
        world.transcript()
    );
    assert!(
        reported.at.since(reported.opened_at) <= Duration::from_secs(31),
        "{reported:?}"
    );

    // It runs, and does not answer: there is nothing to wait for.
    let mut world = shop(actor().starting(Start::Deaf));
    world.kill("shop");
    world.run(6);
    assert_eq!(world.message_kinds(), ["fired"]);
}

#[test]
fn a_proof_is_waited_for_no_longer_than_verify_in_all() {
    let proved_slowly = |policy: &mut Policy| {
        policy.notify_after = Duration::from_secs(5);
        policy.verify = Duration::from_secs(30);
        // Its proof takes far longer.
        (policy.min_uptime, policy.start_grace) = (Duration::from_secs(280), Duration::from_secs(300));
        policy.rise = 1000;
    };
    let fired_after = |world: &World| {
        assert_eq!(world.message_kinds(), ["fired"], "{:#?}", world.transcript());
        world.messages()[0].at.since(world.messages()[0].opened_at).as_secs()
    };
    let down = |actor: Actor| {
        let mut world = World::new([actor]);
        world.run(120);
        let mut service = world.actors["shop"].service.clone();
        proved_slowly(&mut service.policy);
        let changed = Changed {
            target: false,
            probes: false,
        };
        world.reload(Reload {
            changed: vec![(service, changed)],
            ..Reload::default()
        });
        world.kill("shop");
        world
    };
    let mut steady = down(Actor::new("shop"));
    steady.run(29);
    assert!(steady.messages().is_empty(), "{:#?}", steady.transcript());
    steady.run(60);
    assert!((29..=31).contains(&fired_after(&steady)));

    // It answers, and so does the next run, and the next, none of which is seen to fail.
    let mut hasty = down(Actor::new("shop").without_probes());
    for _ in 0..20 {
        hasty.run(4);
        hasty.start_by("shop", StartedBy::Trigger);
    }
    let reported = fired_after(&hasty);
    assert!((29..=36).contains(&reported), "{reported}: {:#?}", hasty.transcript());

    // No receiver could be notified before.
    let mut paused = down(Actor::new("shop"));
    paused.run(1);
    paused.ask("shop", OperatorRequest::Pause { duration: None });
    paused.says("shop", Some(FailureKind::Status(500)));
    paused.run(60);
    paused.says("shop", None);
    paused.run(10);
    paused.ask("shop", OperatorRequest::Resume);
    paused.run(5);
    assert!(paused.messages().is_empty(), "{:#?}", paused.transcript());
    paused.run(60);
    let reported = fired_after(&paused);
    assert!((80..=105).contains(&reported), "{reported}: {:#?}", paused.transcript());
}

#[test]
fn a_run_that_answers_keeps_its_time_when_the_agent_is_killed_before_the_proof() {
    let mut world = shop(Actor::new("shop"));
    world.kill("shop");
    world.run(10);
    assert_eq!(world.state("shop"), State::Verifying);
    crash_agent(&mut world);
    world.run(120);
    let (down, proved) = lasted(&world);
    assert_eq!(down, Some(1), "{:#?}", world.transcript());
    assert!(proved > Some(200), "{proved:?}");

    // Another run that came up meanwhile answers from when it was seen to.
    let mut world = shop(Actor::new("shop"));
    world.kill("shop");
    world.run(10);
    world.start("shop");
    crash_agent(&mut world);
    world.run(120);
    let (down, _) = lasted(&world);
    assert!(down >= Some(100), "{down:?}: {:#?}", world.transcript());
}

#[test]
fn an_incident_of_an_earlier_version_is_reported_from_when_it_opened() {
    let mut world = shop(Actor::new("shop").starting(Start::Refused));
    world.kill("shop");
    world.run(90);
    let kept = world.store.memories.get_mut("shop").expect("it was saved");
    let incident = kept.incident.as_mut().expect("it is open");
    let mut older = serde_json::to_value(&*incident).expect("plain data");
    for field in ["failed_at", "answered", "started_by"] {
        older
            .as_object_mut()
            .expect("an object")
            .remove(field)
            .expect("it is kept");
    }
    *incident = serde_json::from_value(older).expect("an older one is read");
    crash_agent(&mut world);
    world.change("shop", |actor| actor.start = Start::Well);
    world.start("shop");
    world.run(120);
    let (_, outage) = ending(&world);
    let down = outage.down.expect("it was down");
    assert!(
        down >= Duration::from_secs(89) && down < Duration::from_secs(100),
        "{down:?}"
    );
}

#[test]
fn stopped_on_purpose_is_no_failure_of_the_next_run() {
    let mut world = shop(Actor::new("shop"));
    world.says("shop", Some(FailureKind::Status(404)));
    world.run(12);
    world.set_state(
        "shop",
        TargetState::Down {
            intent: Intent::OperatorStop,
            cause: sentinel_engine::Cause::Exited { code: 0 },
        },
    );
    world.run(3600);
    world.start("shop");
    world.run(200);
    let message = world.messages()[0];
    let failing = message.failing.as_ref().expect("what it says is told");
    assert!(
        message.at.since(failing.since) < Duration::from_secs(200),
        "{failing:?}"
    );
}
