//! Guards that nothing else missed when they were removed (`make mutants`), as small stories.

use std::time::Duration;

use sentinel_engine::{
    ActionResult, Activity, Cause, Event, HOST, HostPolicy, Intent, OperatorRequest, ReportKind, RequestError, State,
    TargetState,
};
use sentinel_simulation::{Actor, Start, World};

#[test]
fn what_has_nothing_to_run_is_not_started() {
    let mut world = World::new([Actor::new("shop")]);
    world.run(120);
    let (intent, cause) = (Intent::NotApplicable, Cause::Exited { code: 0 });
    world.set_state("shop", TargetState::Down { intent, cause });
    world.run(3600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Stopped);
}

#[test]
fn what_a_daemon_takes_down_with_it_is_left_to_the_daemon() {
    let mut world = World::new([Actor::new("shop")]);
    world.run(120);
    let (intent, cause) = (Intent::Shutdown, Cause::Exited { code: 137 });
    world.set_state("shop", TargetState::Down { intent, cause });
    world.run(3600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.message_kinds(), [""; 0], "nobody is told that it crashed");
    assert_eq!(world.state("shop"), State::Shutdown);
}

#[test]
fn a_restart_of_a_slow_starter_has_the_whole_grace_to_help() {
    let slow = Actor::new("shop").starting(Start::Slowly(Duration::from_secs(40)));
    let mut world = World::new([slow.with(|policy| {
        policy.verify = Duration::from_secs(10);
        policy.start_grace = Duration::from_secs(90);
    })]);
    world.run(120);
    world.kill("shop");
    world.run(120);
    let failed = |report: &sentinel_engine::Report| matches!(report.kind, ReportKind::ActionUnverified { .. });
    assert!(!world.reports().into_iter().any(failed), "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy);
}

/// The answer to the first attempt never came, and the second one is under way; and then it comes.
fn late_answer_in_the_second_attempt(result: ActionResult) -> World {
    let mut world = World::new([Actor::new("shop")]);
    world.run(120);
    world.faults.loses_actions = true;
    world.kill("shop");
    world.run(400);
    assert_eq!(world.actions().len(), 2, "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Restarting);
    world.deliver(Event::ActionFinished {
        action: world.actions()[0].1.id,
        service: "shop".into(),
        result,
    });
    world
}

#[test]
fn an_answer_that_comes_late_does_not_free_the_slot_of_another_action() {
    let world = late_answer_in_the_second_attempt(ActionResult::Done);
    let asked = world
        .engine
        .as_ref()
        .unwrap()
        .check_request("shop", &OperatorRequest::Restart);
    assert!(matches!(asked, Err(RequestError::InFlight)), "{asked:?}");
}

#[test]
fn an_answer_that_comes_late_is_no_answer_to_another_action() {
    let left = |world: &World| world.snapshot("shop").attempts_left;
    let world = late_answer_in_the_second_attempt(ActionResult::Outdated("it runs already".into()));
    assert_eq!(world.state("shop"), State::Restarting, "{:#?}", world.transcript());
    assert_eq!(left(&world), 3, "both attempts are spent");
}

#[test]
fn a_probe_that_a_restart_cuts_off_is_no_outage() {
    let mut world = World::new([Actor::new("shop").with(|policy| policy.fall = 1)]);
    world.run(120);
    world.hang("shop");
    let rounds = |world: &World| world.requests.rounds["shop"].len();
    let before = rounds(&world);
    while rounds(&world) == before {
        world.run_for(Duration::from_millis(100));
    }
    // What was asked of the old run fails while the new one is being started.
    world.unhang("shop");
    world.faults.loses_actions = true;
    world.ask("shop", OperatorRequest::Restart);
    world.run(30);
    let down = |report: &sentinel_engine::Report| matches!(report.kind, ReportKind::WentDown { .. });
    assert!(!world.reports().into_iter().any(down), "{:#?}", world.transcript());
}

#[test]
fn what_comes_back_by_itself_after_its_dependency_is_not_reported() {
    let db = Actor::new("db").starting(Start::Refused);
    let mut world = World::new([db, Actor::new("page").probed_only().after(&["db"])]);
    world.run(120);
    world.kill("db");
    world.hang("page");
    world.run(60);
    assert_eq!(world.message_kinds(), ["fired"], "of the dependency");
    world.change("db", |actor| actor.start = Start::Well);
    world.start("db");
    world.run(15);
    assert_eq!(world.state("db"), State::Healthy);
    world.unhang("page");
    world.run(12);
    assert_eq!(world.state("page"), State::Healthy, "{:#?}", world.transcript());
    let reported: Vec<_> = world
        .messages()
        .into_iter()
        .map(|message| message.service.as_str())
        .collect();
    assert_eq!(world.message_kinds(), ["fired", "resolved"], "{reported:?}");
    assert_eq!(reported, ["db", "db"]);
}

#[test]
fn what_was_called_off_costs_the_host_no_token() {
    let limits = HostPolicy {
        tokens: 1,
        refill: Duration::from_secs(600),
        ..HostPolicy::default()
    };
    let mut world = World::with_policy([Actor::new("shop")], limits);
    world.run(120);
    world.faults.next_result = Some(ActionResult::Conflict("a job is pending".into()));
    world.kill("shop");
    world.run(30);
    assert_eq!(world.attempts(), [120, 125], "{:#?}", world.transcript());
}

/// Whether an attempt is said not to have helped.
fn failed(world: &World) -> bool {
    let failed = |report: &sentinel_engine::Report| matches!(report.kind, ReportKind::ActionUnverified { .. });
    world.reports().into_iter().any(failed)
}

#[test]
fn a_start_that_takes_longer_than_its_proof_is_waited_for() {
    let mut world = World::new([Actor::new("shop").with(|policy| policy.verify = Duration::from_secs(30))]);
    world.run(120);
    world.faults.next_result = Some(ActionResult::Unknown("no reply within 10s".into()));
    world.kill("shop");
    world.run(1);
    world.set_state("shop", TargetState::Busy(Activity::Starting));
    world.run(100);
    assert_eq!(world.state("shop"), State::Restarting, "{:#?}", world.transcript());
    world.start("shop");
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
    assert!(!failed(&world), "{:#?}", world.transcript());
}

#[test]
fn a_run_that_begins_late_has_its_whole_time_to_prove_itself() {
    let mut world = World::new([Actor::new("shop").with(|policy| {
        policy.start_grace = Duration::ZERO;
        policy.min_uptime = Duration::from_secs(40);
        policy.verify = Duration::from_secs(60);
    })]);
    world.run(120);
    world.faults.next_result = Some(ActionResult::Unknown("no reply within 10s".into()));
    world.kill("shop");
    world.run(50);
    world.start("shop");
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy, "{:#?}", world.transcript());
    assert!(!failed(&world), "{:#?}", world.transcript());
}

#[test]
fn what_a_dependency_takes_down_is_no_storm() {
    let db = Actor::new("db").starting(Start::Refused);
    let others = ["api", "shop", "web"].map(|name| Actor::new(name).after(&["db"]));
    let mut world = World::new([db].into_iter().chain(others));
    world.run(120);
    world.kill("db");
    world.run(1);
    for name in ["api", "shop", "web"] {
        world.kill(name);
    }
    world.run(30);
    let of_the_host = |report: &sentinel_engine::Report| report.service.as_str() == HOST;
    assert!(
        !world.reports().into_iter().any(of_the_host),
        "{:#?}",
        world.transcript()
    );
    assert!(world.actions().len() > 1, "the dependency is healed meanwhile");
}

#[test]
fn an_hour_in_which_its_own_check_fails_is_no_good_hour() {
    let mut world = World::new([Actor::new("shop").without_probes()]);
    world.run(120);
    world.kill("shop");
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    let left = world.snapshot("shop").attempts_left;
    assert_eq!(left, 4, "one is spent");
    world.faults.answers_with = Some(ActionResult::Refused("access denied".into()));
    world.set_state("shop", TargetState::Unhealthy("no answer".into()));
    world.run(900);
    assert_eq!(world.snapshot("shop").attempts_left, left, "{:#?}", world.transcript());
}

/// A service whose run is young, and of which one probe has passed.
fn young() -> World {
    let mut world = World::new([Actor::new("shop").with(|policy| policy.start_grace = Duration::from_secs(90))]);
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.requests.rounds["shop"].len(), 1);
    world
}

#[test]
fn what_has_been_up_has_no_grace_any_more() {
    let mut world = young();
    world.run(10);
    assert_eq!(world.state("shop"), State::Healthy);
    world.hang("shop");
    world.run(50);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
}

#[test]
fn successes_in_the_grace_count_only_in_a_row() {
    let mut world = young();
    let next_round = |world: &mut World| {
        let before = world.requests.rounds["shop"].len();
        while world.requests.rounds["shop"].len() == before {
            world.run_for(Duration::from_millis(10));
        }
    };
    world.hang("shop");
    next_round(&mut world);
    world.unhang("shop");
    next_round(&mut world);
    world.run_for(Duration::from_millis(100));
    assert_eq!(world.state("shop"), State::Starting, "{:#?}", world.transcript());
    world.run(10);
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn a_restart_that_is_asked_for_during_another_is_not_made() {
    let mut world = World::new([Actor::new("shop")]);
    world.run(120);
    world.faults.loses_actions = true;
    world.kill("shop");
    world.run(1);
    world.ask("shop", OperatorRequest::Restart);
    world.run(10);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
}

#[test]
fn what_was_refused_is_tried_again_after_an_operator_has_tried() {
    let mut world = World::new([Actor::new("shop")]);
    world.run(120);
    world.faults.next_result = Some(ActionResult::Refused("access denied".into()));
    world.kill("shop");
    world.run(60);
    assert_eq!((world.state("shop"), world.actions().len()), (State::Held, 1));
    world.faults.next_result = Some(ActionResult::Failed("no memory".into()));
    world.ask("shop", OperatorRequest::Restart);
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy, "{:#?}", world.transcript());
}

#[test]
fn deploys_that_never_end_do_not_pile_up() {
    let mut world = World::new([Actor::new("shop")]);
    world.run(120);
    let duration = Duration::from_secs(3600);
    for id in 0..100 {
        world.ask("shop", OperatorRequest::BeginDeploy { id, duration });
    }
    assert_eq!(world.snapshot("shop").maintenance.len(), 16);
}

/// Something it is bound to took it along.
fn take_along(world: &mut World, name: &str) {
    let (intent, cause) = (Intent::DependencyStop, Cause::Exited { code: 0 });
    world.set_state(name, TargetState::Down { intent, cause });
    world.run(60);
}

#[test]
fn what_was_stopped_with_its_dependency_stays_so_though_another_fell() {
    let shop = Actor::new("shop").after(&["db", "cache"]);
    let mut world = World::new([Actor::new("cache"), Actor::new("db"), shop]);
    world.run(120);
    world.stop("db");
    world.kill("cache");
    take_along(&mut world, "shop");
    assert_eq!(world.state("shop"), State::Stopped, "{:#?}", world.transcript());
}

#[test]
fn what_is_stopped_a_minute_after_its_dependency_fell_was_stopped() {
    let mut world = World::new([Actor::new("db"), Actor::new("shop").after(&["db"])]);
    world.run(120);
    world.kill("db");
    world.run(60);
    assert_eq!(world.state("db"), State::Healthy);
    take_along(&mut world, "shop");
    assert_eq!(world.state("shop"), State::Stopped, "{:#?}", world.transcript());
}

#[test]
fn what_is_taken_along_by_a_stop_is_stopped_though_that_one_had_just_fallen() {
    let cache = Actor::new("cache").starting(Start::Refused);
    let shop = Actor::new("shop").after(&["cache", "db"]);
    let mut world = World::new([cache, Actor::new("db"), shop]);
    world.run(120);
    world.kill("cache");
    world.run(60);
    world.faults.loses_actions = true;
    world.kill("db");
    world.run_for(Duration::from_millis(300));
    world.stop("db");
    world.run_for(Duration::from_millis(300));
    take_along(&mut world, "shop");
    assert_eq!(world.state("shop"), State::Stopped, "{:#?}", world.transcript());
}

#[test]
fn a_pause_in_a_crash_loop_takes_no_moment_of_it_for_health() {
    let actor = Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(25)));
    let mut world = World::new([actor.supervised(1, 1000)]);
    world.run(120);
    world.kill("shop");
    world.run(400);
    let over = |report: &sentinel_engine::Report| matches!(report.kind, ReportKind::IncidentClosed { .. });
    let before = world.reports().into_iter().filter(|report| over(report)).count();
    assert!(matches!(
        world.snapshot("shop").hold,
        Some(sentinel_engine::Hold::CrashLoop)
    ));
    world.ask("shop", OperatorRequest::Pause { duration: None });
    world.run(300);
    let after = world.reports().into_iter().filter(|report| over(report)).count();
    assert_eq!(before, after, "{:#?}", world.transcript());
}
