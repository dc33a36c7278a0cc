//! Whatever else is busy with a service is left to it, and is reported once that lasts for too long.

mod stored;

use std::time::Duration;

use sentinel_engine::{
    Activity, Cause, Details, Hold, Intent, Limits, NotificationKind, OperatorRequest, Resolution, Severity, State,
    TargetState,
};
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

/// A world with one healthy service, seen for two minutes.
fn shop(actor: Actor) -> World {
    let mut world = World::new([actor]);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    world
}

fn limits(start: u64, stop: u64) -> Limits {
    Limits {
        start: Some(Duration::from_secs(start)),
        stop: Some(Duration::from_secs(stop)),
    }
}

fn job() -> Details {
    Details {
        has_job: true,
        ..Details::default()
    }
}

#[allow(clippy::unnecessary_wraps, reason = "as what holds a service is asked for")]
fn longer_than(activity: Activity, seconds: u64) -> Option<Hold> {
    Some(Hold::Busy {
        activity,
        longer_than: Some(Duration::from_secs(seconds)),
    })
}

#[test]
fn whatever_is_busy_without_an_end_is_reported_once_after_its_bound_and_left_alone() {
    let oneshot = Details {
        starts_within: Some(Duration::from_secs(3600)),
        ..job()
    };
    let none = Limits::default();
    for (what, activity, limits, details, bound) in [
        (
            "a start that hangs has its grace",
            Activity::Starting,
            limits(75, 20),
            job(),
            30,
        ),
        ("a oneshot works for an hour", Activity::Starting, none, oneshot, 3600),
        (
            "a pause of Restart= counts from the end of the run",
            Activity::AutoRestart,
            none,
            Details::default(),
            0,
        ),
        (
            "a stop has TimeoutStopSec= and 5s",
            Activity::Stopping,
            limits(75, 20),
            job(),
            25,
        ),
        ("a stop without a limit", Activity::Stopping, none, job(), 95),
        (
            "a reload has TimeoutStartSec=",
            Activity::Reloading,
            limits(40, 20),
            job(),
            40,
        ),
        ("a reload without a limit", Activity::Reloading, none, job(), 90),
        ("any other job", Activity::Job, limits(5, 5), job(), 90),
        ("frozen", Activity::Frozen, limits(5, 5), Details::default(), 90),
    ] {
        let mut world = shop(Actor::new("shop").without_probes());
        world.set_busy("shop", activity, limits, details);
        world.run(bound + 29);
        assert!(world.messages().is_empty(), "{what}: {:#?}", world.transcript());
        world.run(2);
        assert_eq!(world.message_kinds(), ["fired"], "{what}");
        assert_eq!(world.messages()[0].severity, Severity::Warning, "{what}");
        assert_eq!(world.snapshot("shop").hold, longer_than(activity, bound + 30), "{what}");
        let doing = &world.messages()[0].doing;
        assert!(
            doing.starts_with(&format!("left alone: {}, for more than", activity.as_str())),
            "{doing}"
        );
        world.run(12 * 3600);
        assert!(world.actions().is_empty(), "{what}");
        assert_eq!(world.message_kinds(), ["fired"], "{what}: once");
        world.set_state("shop", TargetState::Running);
        world.run(60);
        assert_eq!(world.state("shop"), State::Healthy, "{what}");
        assert_eq!(
            world.message_kinds(),
            ["fired", "resolved"],
            "{what}: it ends by itself"
        );
    }
}

#[test]
fn what_ends_within_its_bound_is_not_reported() {
    for (activity, seconds) in [
        (Activity::Starting, 59),
        (Activity::AutoRestart, 29),
        (Activity::Stopping, 54),
        (Activity::Reloading, 69),
    ] {
        let mut world = shop(Actor::new("shop"));
        world.set_busy("shop", activity, limits(40, 20), job());
        world.run(seconds);
        world.set_state("shop", TargetState::Running);
        world.run(600);
        assert!(world.messages().is_empty(), "{activity:?}: {:#?}", world.transcript());
        assert_eq!(world.state("shop"), State::Healthy);
    }
}

#[test]
fn dead_program_in_a_long_pause_is_reported_with_the_cause_of_its_end() {
    let mut world = shop(Actor::new("shop"));
    let details = Details {
        ended: Some(Cause::Exited { code: 3 }),
        ..Details::default()
    };
    world.set_busy("shop", Activity::AutoRestart, Limits::default(), details);
    world.run(31);
    assert_eq!(world.messages()[0].cause, Cause::Exited { code: 3 });
    assert_eq!(
        world.messages()[0].doing,
        "left alone: about to be restarted by its supervisor, for more than 30s"
    );
}

#[test]
fn pauses_with_short_runs_between_them_are_one_outage() {
    // Four minutes of pause, and a run of a second: restarts too rare for a crash loop, and none of them lasts.
    let dies = Start::DiesAfter(Duration::from_secs(1));
    let mut world = shop(
        Actor::new("shop")
            .without_probes()
            .supervised(240, u32::MAX)
            .starting(dies),
    );
    world.kill("shop");
    world.run(3600);
    assert_eq!(world.message_kinds(), ["fired"], "{:#?}", world.transcript());
    assert!(world.actions().is_empty());
}

#[test]
fn pauses_shorter_than_notify_after_are_reported_in_the_end() {
    let dies = Start::DiesAfter(Duration::from_secs(1));
    let actor = Actor::new("shop")
        .without_probes()
        .supervised(240, u32::MAX)
        .starting(dies);
    let mut world = shop(actor.with(|policy| policy.notify_after = Duration::from_secs(300)));
    world.kill("shop");
    world.run(595);
    assert!(world.messages().is_empty());
    world.run(300);
    assert_eq!(world.message_kinds(), ["fired"], "{:#?}", world.transcript());
}

#[test]
fn stop_that_hangs_is_reported_and_ends_as_a_stop() {
    let mut world = shop(Actor::new("shop"));
    world.set_busy("shop", Activity::Stopping, limits(90, 90), job());
    world.run(126);
    assert_eq!(world.message_kinds(), ["fired"]);
    assert_eq!(
        world.messages()[0].cause.to_string(),
        "its stop has not finished after 2m5s"
    );
    world.stop("shop");
    world.run(60);
    assert_eq!(world.state("shop"), State::Stopped);
    assert!(matches!(
        world.messages()[1].kind,
        NotificationKind::Resolved {
            resolution: Resolution::Stopped,
            ..
        }
    ));
    assert!(world.actions().is_empty());
}

#[test]
fn start_that_hangs_and_then_fails_is_healed_in_the_same_incident() {
    let mut world = shop(Actor::new("shop"));
    world.set_busy("shop", Activity::Starting, Limits::default(), Details::default());
    world.run(90);
    let incident = world.snapshot("shop").incident;
    assert!(incident.is_some());
    let (intent, cause) = (Intent::Crash, Cause::Timeout);
    world.set_state("shop", TargetState::Down { intent, cause });
    world.run(60);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.messages()[0].incident, incident.expect("it is open"));
    assert_eq!(world.message_kinds(), ["fired", "resolved"]);
}

#[test]
fn reload_without_a_job_that_outlasts_its_bound_and_fails_its_probes_is_a_hang() {
    let reloading = |has_job| Details { has_job, ..job() };
    for (what, has_job, hangs, restarts) in [
        ("a job is under way", true, true, 0),
        ("probes pass", false, false, 0),
        ("neither", false, true, 1),
    ] {
        let mut world = shop(Actor::new("shop"));
        if hangs {
            world.hang("shop");
        }
        world.set_busy("shop", Activity::Reloading, limits(40, 20), reloading(has_job));
        world.run(39);
        assert!(world.actions().is_empty(), "{what}: within its bound");
        world.run(20);
        assert_eq!(world.actions().len(), restarts, "{what}: {:#?}", world.transcript());
    }
    // A run that never passed may just be slow.
    let mut world = World::new([Actor::new("shop")]);
    world.hang("shop");
    world.set_busy("shop", Activity::Reloading, limits(40, 20), reloading(false));
    world.run(3600);
    assert!(world.actions().is_empty());
    assert_eq!(world.message_kinds(), ["fired"]);
}

#[test]
fn probes_that_fail_during_a_reload_say_nothing_after_it() {
    let mut world = shop(Actor::new("shop"));
    world.hang("shop");
    world.set_busy("shop", Activity::Reloading, limits(90, 90), job());
    world.run(60);
    world.unhang("shop");
    world.set_state("shop", TargetState::Running);
    world.run(600);
    assert!(
        world.actions().is_empty() && world.messages().is_empty(),
        "{:#?}",
        world.transcript()
    );
}

#[test]
fn frozen_says_nothing_against_a_probe_that_passes() {
    let mut world = shop(Actor::new("shop"));
    world.set_busy("shop", Activity::Frozen, Limits::default(), Details::default());
    world.run(3600);
    assert_eq!(world.state("shop"), State::Healthy);
    assert!(world.messages().is_empty());
    // And is left alone, and told, when they fail.
    world.hang("shop");
    world.run(3600);
    assert!(world.actions().is_empty());
    assert_eq!(world.message_kinds(), ["fired"]);
    assert_eq!(world.messages()[0].cause.kind(), "busy");
}

#[test]
fn maintenance_keeps_what_is_busy_quiet() {
    let mut world = shop(Actor::new("shop"));
    world.ask("shop", OperatorRequest::Pause { duration: None });
    world.set_busy("shop", Activity::Starting, Limits::default(), Details::default());
    world.run(3600);
    assert!(world.messages().is_empty());
    world.ask("shop", OperatorRequest::Resume);
    world.run(1);
    assert_eq!(world.message_kinds(), ["fired"]);
}

#[test]
fn agent_that_is_killed_meanwhile_reports_it_all_the_same_and_once() {
    let mut world = shop(Actor::new("shop"));
    world.set_busy("shop", Activity::Job, Limits::default(), Details::default());
    world.run(100);
    crash_agent(&mut world);
    world.run(125);
    assert_eq!(world.message_kinds(), ["fired"]);
    crash_agent(&mut world);
    world.run(3600);
    assert_eq!(world.message_kinds(), ["fired"], "{:#?}", world.transcript());
}

/// SEMANTICS 1.8, row 9: a start is waited for, whoever began it; the agent's own for as long as its unit may stop and start,
/// and a little longer.
#[test]
fn row_9_a_start_under_way_is_waited_for_whoever_began_it() {
    // Another party's, which comes up in time: nothing is said and nothing done.
    let mut world = shop(Actor::new("shop"));
    world.set_busy("shop", Activity::Starting, limits(75, 20), job());
    world.run(55);
    assert_eq!(world.state("shop"), State::Starting);
    world.set_state("shop", TargetState::Running);
    world.run(600);
    assert!(
        world.actions().is_empty() && world.messages().is_empty(),
        "{:#?}",
        world.transcript()
    );

    // The agent's own, which takes nearly as long as it may.
    let own = |ready: u64| {
        let mut actor = Actor::new("shop").starting(Start::Ready(Duration::from_secs(ready)));
        actor.target.limits = limits(600, 20);
        let mut world = shop(actor);
        world.kill("shop");
        world
    };
    let mut world = own(590);
    world.run(589);
    assert_eq!(world.state("shop"), State::Restarting);
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy, "{:#?}", world.transcript());
    assert_eq!(world.actions().len(), 1);

    // And one of which systemd never says that it ended: not for ever.
    let mut world = own(24 * 3600);
    world.run(620);
    assert_eq!((world.state("shop"), world.actions().len()), (State::Restarting, 1));
    world.run(180);
    assert_ne!(world.state("shop"), State::Restarting, "{:#?}", world.transcript());
}

/// SEMANTICS 1.8, row 11: what reloads or is frozen is left alone, and told past its bound. Probes go on, and count only
/// where a reload has ended without a word: that is
/// `reload_without_a_job_that_outlasts_its_bound_and_fails_its_probes_is_a_hang`.
#[test]
fn row_11_reloading_and_frozen_are_held_whatever_probes_say_meanwhile() {
    for (activity, details) in [(Activity::Reloading, job()), (Activity::Frozen, Details::default())] {
        let mut world = shop(Actor::new("shop"));
        world.hang("shop");
        // A probe that passed a moment ago lets nobody take `frozen` for a word of an earlier run.
        world.run(4);
        let asked = world.requests.rounds["shop"].len();
        world.set_busy("shop", activity, limits(40, 20), details);
        world.run(3600);
        assert!(world.actions().is_empty(), "{activity:?}: {:#?}", world.transcript());
        assert_eq!(world.message_kinds(), ["fired"], "{activity:?}");
        assert!(matches!(world.snapshot("shop").hold, Some(Hold::Busy { .. })));
        assert!(
            world.requests.rounds["shop"].len() > asked + 10,
            "{activity:?}: probes go on"
        );
        // What they said says nothing of the time after.
        world.unhang("shop");
        world.set_state("shop", TargetState::Running);
        world.run(600);
        assert!(world.actions().is_empty(), "{activity:?}: {:#?}", world.transcript());
        assert_eq!(world.message_kinds(), ["fired", "resolved"], "{activity:?}");
    }
}
