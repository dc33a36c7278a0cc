//! Guards that nothing else missed when they were removed (`make mutants`), told as small stories.

mod world;

use std::time::Duration;

use sentinel_engine::{
    ActionResult, Activity, Cause, Event, HOST, Happening, HostPolicy, Intent, OperatorRequest, RequestError, State,
    TargetState,
};
use world::{Start, Toy, World};

#[test]
fn what_has_nothing_to_run_is_not_started() {
    let mut world = World::new([Toy::new("shop")]);
    world.run(120);
    let (intent, cause) = (Intent::NotApplicable, Cause::Exited { code: 0 });
    world.set_state("shop", TargetState::Down { intent, cause });
    world.run(3600);
    assert!(world.actions.is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Stopped);
}

#[test]
fn what_a_daemon_takes_down_with_it_is_left_to_the_daemon() {
    let mut world = World::new([Toy::new("shop")]);
    world.run(120);
    let (intent, cause) = (Intent::Shutdown, Cause::Exited { code: 137 });
    world.set_state("shop", TargetState::Down { intent, cause });
    world.run(3600);
    assert!(world.actions.is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.message_kinds(), [""; 0], "nobody is told that it crashed");
    assert_eq!(world.state("shop"), State::Shutdown);
}

#[test]
fn a_restart_of_a_slow_starter_has_the_whole_grace_to_help() {
    let slow = Toy::new("shop").starting(Start::Slowly(Duration::from_secs(40)));
    let mut world = World::new([slow.with(|policy| {
        policy.verify = Duration::from_secs(10);
        policy.start_grace = Duration::from_secs(90);
    })]);
    world.run(120);
    world.kill("shop");
    world.run(120);
    let failed = |report: &sentinel_engine::Report| matches!(report.what, Happening::ActionUnverified { .. });
    assert!(!world.reports.iter().any(failed), "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy);
}

/// The answer to the first attempt never came, and the second one is under way; and then it comes.
fn late_answer_in_the_second_attempt(result: ActionResult) -> World {
    let mut world = World::new([Toy::new("shop")]);
    world.run(120);
    world.loses_actions = true;
    world.kill("shop");
    world.run(400);
    assert_eq!(world.actions.len(), 2, "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Restarting);
    world.tell(Event::ActionFinished {
        action: world.actions[0].1.id,
        service: "shop".into(),
        result,
    });
    world
}

#[test]
fn an_answer_that_comes_late_does_not_free_the_slot_of_another_action() {
    let world = late_answer_in_the_second_attempt(ActionResult::Done);
    let asked = world.engine.check_request("shop", &OperatorRequest::Restart);
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
    let mut world = World::new([Toy::new("shop").with(|policy| policy.fall = 1)]);
    world.run(120);
    world.hang("shop");
    let rounds = |world: &World| world.rounds["shop"].len();
    let before = rounds(&world);
    while rounds(&world) == before {
        world.run_for(Duration::from_millis(100));
    }
    // What was asked of the old run fails while the new one is being started.
    world.unhang("shop");
    world.loses_actions = true;
    world.ask("shop", OperatorRequest::Restart);
    world.run(30);
    let down = |report: &sentinel_engine::Report| matches!(report.what, Happening::WentDown { .. });
    assert!(!world.reports.iter().any(down), "{:#?}", world.transcript());
}

#[test]
fn what_comes_back_by_itself_after_its_dependency_is_not_told_of() {
    let db = Toy::new("db").starting(Start::Refused);
    let mut world = World::new([db, Toy::new("page").probed_only().after(&["db"])]);
    world.run(120);
    world.kill("db");
    world.hang("page");
    world.run(60);
    assert_eq!(world.message_kinds(), ["fired"], "of the dependency");
    world.toys.get_mut("db").expect("it is there").start = Start::Well;
    world.start("db");
    world.run(15);
    assert_eq!(world.state("db"), State::Healthy);
    world.unhang("page");
    world.run(12);
    assert_eq!(world.state("page"), State::Healthy, "{:#?}", world.transcript());
    let told: Vec<_> = world.messages.iter().map(|message| message.service.as_str()).collect();
    assert_eq!(world.message_kinds(), ["fired", "resolved"], "{told:?}");
    assert_eq!(told, ["db", "db"]);
}

#[test]
fn what_was_called_off_costs_the_host_no_token() {
    let limits = HostPolicy {
        tokens: 1,
        refill: Duration::from_secs(600),
        ..HostPolicy::default()
    };
    let mut world = World::with_policy([Toy::new("shop")], limits);
    world.run(120);
    world.next_result = Some(ActionResult::Conflict("a job is pending".into()));
    world.kill("shop");
    world.run(30);
    assert_eq!(world.attempts(), [120, 125], "{:#?}", world.transcript());
}

/// Whether an attempt is said not to have helped.
fn failed(world: &World) -> bool {
    let failed = |report: &sentinel_engine::Report| matches!(report.what, Happening::ActionUnverified { .. });
    world.reports.iter().any(failed)
}

#[test]
fn a_start_that_takes_longer_than_its_proof_is_waited_for() {
    let mut world = World::new([Toy::new("shop").with(|policy| policy.verify = Duration::from_secs(30))]);
    world.run(120);
    world.next_result = Some(ActionResult::Unknown("no reply within 10s".into()));
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
    let mut world = World::new([Toy::new("shop").with(|policy| {
        policy.start_grace = Duration::ZERO;
        policy.min_uptime = Duration::from_secs(40);
        policy.verify = Duration::from_secs(60);
    })]);
    world.run(120);
    world.next_result = Some(ActionResult::Unknown("no reply within 10s".into()));
    world.kill("shop");
    world.run(50);
    world.start("shop");
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy, "{:#?}", world.transcript());
    assert!(!failed(&world), "{:#?}", world.transcript());
}

#[test]
fn what_a_dependency_takes_down_is_no_storm() {
    let db = Toy::new("db").starting(Start::Refused);
    let others = ["api", "shop", "web"].map(|name| Toy::new(name).after(&["db"]));
    let mut world = World::new([db].into_iter().chain(others));
    world.run(120);
    world.kill("db");
    world.run(1);
    for name in ["api", "shop", "web"] {
        world.kill(name);
    }
    world.run(30);
    let of_the_host = |report: &sentinel_engine::Report| report.service.as_str() == HOST;
    assert!(!world.reports.iter().any(of_the_host), "{:#?}", world.transcript());
    assert!(world.actions.len() > 1, "the dependency is healed meanwhile");
}

#[test]
fn an_hour_in_which_its_own_check_fails_is_no_good_hour() {
    let mut world = World::new([Toy::new("shop").without_probes()]);
    world.run(120);
    world.kill("shop");
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    let left = world.snapshot("shop").attempts_left;
    assert_eq!(left, 4, "one is spent");
    world.next_result = Some(ActionResult::Refused("access denied".into()));
    world.set_state("shop", TargetState::Unhealthy("no answer".into()));
    world.run(900);
    assert_eq!(world.snapshot("shop").attempts_left, left, "{:#?}", world.transcript());
}
