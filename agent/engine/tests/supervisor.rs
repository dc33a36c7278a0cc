//! What the agent does about services that something else restarts as well.

mod stored;

use std::time::Duration;

use sentinel_engine::{Cause, Hold, Mode, OperatorRequest, ReportKind, Severity, StartedBy, State};
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

/// A world with one healthy service.
fn shop(actor: Actor) -> World {
    let mut world = World::new([actor]);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    world
}

#[test]
fn every_time_its_supervisor_gives_up_a_target_rests_for_a_minute() {
    let dies = Start::DiesAfter(Duration::from_secs(1));
    let mut world = shop(Actor::new("shop").supervised(1, 2).starting(dies));
    world.kill("shop");
    world.run(10);
    assert_eq!(world.snapshot("shop").hold, Some(Hold::AfterSupervisor));
    assert_eq!(world.state("shop"), State::Backoff);
    world.run(24 * 3600);
    // It gave up at 124; each restart gives it two more, whose runs live a second each, and then it gives up again.
    assert_eq!(world.attempts(), [184, 249, 314]);
    let last = world.transcript().into_iter().rfind(|line| line.contains("gave_up:"));
    let said = "shop gave_up: gave up after 3 attempts within 30m (half the budget, because its supervisor had given \
                up before); manual action needed";
    assert!(last.as_ref().is_some_and(|line| line.ends_with(said)), "{last:?}");
}

#[test]
fn rest_is_given_when_the_supervisor_gives_up_in_the_middle_of_an_incident() {
    let dies = Start::DiesAfter(Duration::from_secs(1));
    let mut world = shop(Actor::new("shop").supervised(1, 1).starting(dies));
    // The incident is opened by probes, and the first attempt made at once.
    world.hang("shop");
    world.run(40);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    world.run(600);
    let attempts = world.attempts();
    // The new run dies after a second, its supervisor starts it once more, that dies, and it gives up.
    assert!(attempts[1] - attempts[0] >= 60, "{attempts:?}");
    assert_eq!(attempts.len(), 3, "half of five, rounded up");
    assert_eq!(world.state("shop"), State::GaveUp);
}

#[test]
fn budget_stays_halved_while_the_target_runs_and_until_it_was_well_for_long() {
    let mut world = shop(Actor::new("shop").supervised(1, 0));
    assert_eq!(world.snapshot("shop").attempts_left, 5);
    world.kill("shop");
    world.run(10);
    assert_eq!(world.snapshot("shop").attempts_left, 3);
    world.run(90);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(
        world.snapshot("shop").attempts_left,
        2,
        "three, less the one that was made"
    );
    crash_agent(&mut world);
    world.run(60);
    assert_eq!(world.snapshot("shop").attempts_left, 2, "remembered");
    world.run(600);
    assert_eq!(world.snapshot("shop").attempts_left, 5);
}

#[test]
fn operator_who_takes_over_restores_the_whole_budget() {
    let mut world = shop(Actor::new("shop").supervised(1, 0));
    world.kill("shop");
    world.run(10);
    world.ask("shop", OperatorRequest::Restart);
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(world.snapshot("shop").attempts_left, 5);
}

/// Restarted by its supervisor ten seconds after each crash, without end; each run lives for twenty.
fn looping() -> Actor {
    let dies = Start::DiesAfter(Duration::from_secs(20));
    Actor::new("shop").supervised(10, u32::MAX).starting(dies)
}

/// What the service was called since `from`.
fn states(world: &World, from: usize) -> Vec<State> {
    let states = world
        .reports()
        .into_iter()
        .skip(from)
        .filter_map(|report| match report.kind {
            ReportKind::StateChanged { to, .. } => Some(to),
            _ => None,
        });
    states.collect()
}

#[test]
fn crash_loop_under_a_supervisor_is_reported_once_and_left_to_it() {
    let mut world = shop(looping());
    world.kill("shop");
    world.run(3600);
    assert!(world.actions().is_empty());
    assert_eq!(world.message_kinds(), ["fired"]);
    let reported = world.messages()[0];
    assert_eq!(reported.severity, Severity::Warning);
    assert_eq!(reported.cause.kind(), "crash_loop");
    assert_eq!(
        reported.cause.to_string(),
        "its supervisor restarted it 5 times within 10m"
    );
    assert_eq!(world.state("shop"), State::SupervisorBusy);
    assert_eq!(world.snapshot("shop").hold, Some(Hold::CrashLoop));
}

#[test]
fn pauses_between_crashes_are_not_called_healthy() {
    let mut world = shop(looping());
    world.kill("shop");
    world.run(200);
    assert!(world.snapshot("shop").incident.is_some());
    let from = world.reports().len();
    world.run(3600);
    let states = states(&world, from);
    assert!(states.is_empty(), "{states:?}");
    let incidents = world
        .reports()
        .into_iter()
        .filter(|report| report.kind.name() == "incident_opened");
    assert_eq!(incidents.count(), 1);
}

#[test]
fn crash_loop_is_over_after_ten_quiet_minutes() {
    let mut world = shop(looping());
    world.kill("shop");
    world.run(600);
    world.change("shop", |actor| actor.start = Start::Well);
    world.run(600);
    assert_eq!(world.message_kinds(), ["fired"]);
    world.run(60);
    assert_eq!(world.message_kinds(), ["fired", "resolved"]);
    assert_eq!(world.state("shop"), State::Healthy);
    assert!(world.actions().is_empty());
}

#[test]
fn four_restarts_by_a_supervisor_are_no_incident() {
    let mut world = shop(Actor::new("shop").supervised(10, u32::MAX));
    for _ in 0..20 {
        for _ in 0..2 {
            world.kill("shop");
            world.run(60);
        }
        world.run(300);
    }
    assert!(world.messages().is_empty() && world.actions().is_empty());
    let incidents = world.reports().into_iter().filter(|report| report.incident.is_some());
    assert_eq!(incidents.count(), 0);
}

#[test]
fn when_the_supervisor_gives_up_a_crash_loop_the_agent_takes_over_after_a_rest() {
    let dies = Start::DiesAfter(Duration::from_secs(20));
    let mut world = shop(Actor::new("shop").supervised(10, 6).starting(dies));
    world.kill("shop");
    world.run(10 + 6 * 30);
    assert_eq!(
        world.snapshot("shop").hold,
        Some(Hold::AfterSupervisor),
        "{:#?}",
        world.transcript()
    );
    assert_eq!(world.message_kinds(), ["fired"]);
    world.change("shop", |actor| actor.start = Start::Well);
    world.run(120);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(world.message_kinds(), ["fired", "resolved"]);
}

#[test]
fn restart_of_the_agent_does_not_end_a_crash_loop() {
    let mut world = shop(looping());
    world.kill("shop");
    for _ in 0..10 {
        world.run(301);
        crash_agent(&mut world);
    }
    world.run(301);
    assert_eq!(world.message_kinds(), ["fired"]);
    let incidents = world
        .reports()
        .into_iter()
        .filter(|report| report.kind.name() == "incident_opened");
    assert_eq!(incidents.count(), 1);
}

#[test]
fn stopping_what_crash_loops_ends_it() {
    let mut world = shop(looping());
    world.kill("shop");
    world.run(300);
    world.stop("shop");
    world.run(10);
    assert_eq!(world.state("shop"), State::Stopped);
    world.change("shop", |actor| actor.start = Start::Well);
    world.start("shop");
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy, "what was stopped is another story");
}

/// What the log says of the service going down and coming back.
fn downs_and_ups(world: &World) -> Vec<String> {
    let transcript = world.transcript();
    let about = transcript
        .iter()
        .filter(|line| line.contains(" died: ") || line.contains(" unreachable: ") || line.contains(" healthy: "));
    about.cloned().collect()
}

/// How the last run ended, as its watcher knows it.
fn ended(world: &mut World, code: i32) {
    world.actors.get_mut("shop").expect("it exists").target.details.ended = Some(Cause::Exited { code });
}

#[test]
fn what_its_supervisor_restarts_within_milliseconds_is_logged_as_down_and_up() {
    let mut world = shop(Actor::new("shop"));
    let before = downs_and_ups(&world).len();
    ended(&mut world, 3);
    // The agent did not see it down: the next look finds another run.
    world.start_by("shop", StartedBy::Supervisor);
    world.run(30);
    assert_eq!(
        downs_and_ups(&world)[before..],
        [
            "120.003 shop died: exited with code 3",
            "122.008 shop healthy: healthy, restarted by its supervisor",
        ]
    );
    assert_eq!(world.snapshot("shop").recoveries, 1);
    assert!(world.actions().is_empty() && world.messages().is_empty());
    assert_eq!(world.snapshot("shop").incident, None, "nobody else's business");
}

#[test]
fn what_its_supervisor_is_about_to_restart_is_logged_as_down_at_once() {
    let mut world = shop(Actor::new("shop").supervised(10, 1));
    let before = downs_and_ups(&world).len();
    ended(&mut world, 137);
    world.kill("shop");
    world.run(60);
    assert_eq!(
        downs_and_ups(&world)[before..],
        [
            "120.003 shop died: exited with code 137",
            "132.008 shop healthy: healthy, restarted by its supervisor",
        ]
    );
    assert_eq!(world.snapshot("shop").recoveries, 1);
}

#[test]
fn what_comes_back_after_a_lost_connection_as_a_run_of_its_supervisors_was_down() {
    let mut world = shop(Actor::new("shop"));
    let before = downs_and_ups(&world).len();
    world.set_unobservable(true);
    world.run(1);
    world.start_by("shop", StartedBy::Supervisor);
    world.set_unobservable(false);
    world.run(30);
    let said = downs_and_ups(&world);
    assert!(said[before].ends_with("died: cause not known"), "{said:?}");
    assert!(said[before + 1].ends_with("restarted by its supervisor"), "{said:?}");
}

#[test]
fn another_run_begun_by_something_else_is_no_crash() {
    for by in [
        StartedBy::Other,
        StartedBy::Dependency,
        StartedBy::Trigger,
        StartedBy::Unknown,
    ] {
        let mut world = shop(Actor::new("shop"));
        let before = downs_and_ups(&world).len();
        world.start_by("shop", by);
        world.run(30);
        assert_eq!(downs_and_ups(&world)[before..], [""; 0], "{by:?}");
        assert_eq!(world.snapshot("shop").recoveries, 0);
    }
}

#[test]
fn what_was_never_called_up_is_not_called_down_for_a_restart_by_its_supervisor() {
    let mut world = World::new([Actor::new("shop").starting(Start::Deaf)]);
    world.hang("shop");
    // It has been seen, and nothing more is known.
    world.run_for(Duration::from_millis(4));
    world.start_by("shop", StartedBy::Supervisor);
    world.run_for(Duration::from_millis(4));
    assert_eq!(world.transcript(), [""; 0]);
}

#[test]
fn what_answers_again_within_a_run_is_not_its_supervisors_doing() {
    let mut world = shop(Actor::new("shop").with(|policy| policy.mode = Mode::Observe));
    world.start_by("shop", StartedBy::Supervisor);
    world.run(120);
    world.hang("shop");
    world.run(60);
    world.unhang("shop");
    world.run(60);
    let said = downs_and_ups(&world);
    let last: Vec<&str> = said[said.len() - 2..]
        .iter()
        .map(|line| line.split_once(' ').map_or("", |(_, said)| said))
        .collect();
    assert!(last[0].starts_with("shop unreachable: "), "{said:?}");
    assert_eq!(last[1], "shop healthy: healthy");
}

#[test]
fn crash_loop_with_unseen_pauses_is_reported_and_fills_no_log() {
    let mut world = shop(Actor::new("shop"));
    for _ in 0..5 {
        world.start_by("shop", StartedBy::Supervisor);
        world.run(20);
    }
    world.run(60);
    assert_eq!(world.message_kinds(), ["fired"], "{:#?}", world.transcript());
    assert_eq!(world.messages()[0].cause.kind(), "crash_loop");
    let said = downs_and_ups(&world).len();
    for _ in 0..20 {
        world.start_by("shop", StartedBy::Supervisor);
        world.run(20);
    }
    assert_eq!(downs_and_ups(&world).len(), said);
    assert!(world.actions().is_empty());
}
