//! What the recovery policy does, as small stories in a simulated world.

mod stored;

use std::time::Duration;

use sentinel_engine::{
    ActionKind, ActionResult, Activity, BlastRadius, Cause, Event, Hold, HostMemory, HostPolicy, Intent, Mode,
    NotificationKind, OnCleanExit, OperatorRequest, ReportKind, RequestError, Resolution, Severity, StartedBy, State,
    TargetState, Time,
};
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

/// A world with one healthy service.
fn shop(actor: Actor) -> World {
    let mut world = World::new([actor]);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    assert!(world.actions().is_empty() && world.messages().is_empty());
    world
}

#[test]
fn killed_service_is_restarted_at_once_and_proved() {
    let mut world = shop(Actor::new("shop"));
    world.kill("shop");
    world.run(60);
    assert_eq!(
        world.transcript()[1..],
        [
            "120.003 shop died: killed by signal KILL",
            "120.003 shop incident_opened: killed by signal KILL",
            "120.003 shop restart: start, attempt 1",
            "120.053 shop restart_ended: carried out",
            "140.056 shop verified: the restart helped",
            "140.056 shop healthy: healthy",
            "140.056 shop incident_closed: healed, down 58ms, proved after 20s",
        ]
    );
    assert_eq!(world.message_kinds(), ["healed"]);
    assert_eq!(world.messages()[0].severity, Severity::Info);
    assert_eq!(world.snapshot("shop").recoveries, 1);
}

#[test]
fn hung_service_is_restarted_after_fall_probes() {
    let mut world = shop(Actor::new("shop"));
    world.hang("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.actions()[0].1.kind, ActionKind::Restart);
    let failed = world
        .reports()
        .into_iter()
        .filter(|report| report.kind.name() == "unreachable")
        .count();
    assert_eq!(failed, 1, "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn outage_longer_than_notify_after_is_fired_and_resolved() {
    let mut world = shop(Actor::new("shop").with(|policy| policy.notify_after = Duration::ZERO));
    world.kill("shop");
    world.run(60);
    assert_eq!(world.message_kinds(), ["fired", "resolved"]);
    assert_eq!(world.messages()[0].doing, "restarting, attempt 1");
    assert_eq!(world.messages()[0].severity, Severity::Warning);
    assert!(matches!(
        world.messages()[1].kind,
        NotificationKind::Resolved {
            resolution: Resolution::Healed,
            ..
        }
    ));
    assert_eq!(
        world
            .messages()
            .into_iter()
            .map(|message| message.sequence)
            .collect::<Vec<_>>(),
        [1, 2]
    );
}

#[test]
fn service_that_never_comes_back_is_given_up_inside_its_budget() {
    let mut world = shop(Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(1))));
    world.kill("shop");
    world.run(24 * 3600);
    // At once, then 10, 20, 40, 80 seconds after each attempt.
    assert_eq!(world.attempts(), [120, 130, 150, 190, 270]);
    assert_eq!(world.message_kinds(), ["fired", "gave_up"]);
    assert_eq!(world.messages()[1].severity, Severity::Critical);
    assert_eq!(world.state("shop"), State::GaveUp);
    assert_eq!(world.snapshot("shop").attempts_left, 0);
}

#[test]
fn deaf_service_spends_its_budget_on_failed_verifications() {
    let mut world = shop(Actor::new("shop").starting(Start::Deaf));
    world.hang("shop");
    world.run(24 * 3600);
    assert_eq!(world.actions().len(), 5, "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::GaveUp);
    assert_eq!(world.message_kinds(), ["fired", "gave_up"]);
}

#[test]
fn target_that_cannot_start_is_tried_with_backoff() {
    let mut world = shop(Actor::new("shop").starting(Start::Refused));
    world.kill("shop");
    world.run(3600);
    assert_eq!(world.attempts(), [120, 130, 150, 190, 270]);
    assert_eq!(world.state("shop"), State::GaveUp);
}

#[test]
fn operator_stop_is_never_undone() {
    let mut world = shop(Actor::new("shop"));
    world.stop("shop");
    world.run(24 * 3600);
    assert!(world.actions().is_empty() && world.messages().is_empty());
    assert_eq!(world.state("shop"), State::Stopped);
    world.start("shop");
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
    world.kill("shop");
    world.run(60);
    assert_eq!(
        world.actions().len(),
        1,
        "a crash of a later run is not taken for the old stop"
    );
}

#[test]
fn operator_stop_ends_backoff_and_verification() {
    for stopped_after in [
        Duration::from_millis(500),
        Duration::from_secs(5),
        Duration::from_secs(15),
    ] {
        let mut world = shop(Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(1))));
        world.kill("shop");
        world.run_for(stopped_after);
        let before = world.actions().len();
        world.stop("shop");
        world.run(24 * 3600);
        assert_eq!(world.actions().len(), before, "stopped after {stopped_after:?}");
        assert_eq!(world.state("shop"), State::Stopped);
        assert!(world.snapshot("shop").incident.is_none());
    }
}

#[test]
fn cancelled_restart_means_that_an_operator_won() {
    let mut world = shop(Actor::new("shop"));
    world.faults.next_result = Some(ActionResult::Cancelled("stopped meanwhile".into()));
    world.kill("shop");
    world.run_for(Duration::from_millis(54));
    world.stop("shop");
    world.run(3600);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.state("shop"), State::Stopped);
}

#[test]
fn supervisor_goes_first_and_the_agent_holds() {
    let mut world = shop(Actor::new("shop").supervised(2, 3));
    world.kill("shop");
    world.run(1);
    assert_eq!(
        world.snapshot("shop").hold,
        Some(Hold::Busy {
            activity: Activity::AutoRestart,
            longer_than: None,
        })
    );
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
    assert!(world.actions().is_empty() && world.messages().is_empty());
}

#[test]
fn after_the_supervisor_gave_up_the_agent_waits_a_minute_and_halves_its_budget() {
    let mut world = shop(
        Actor::new("shop")
            .supervised(1, 2)
            .starting(Start::DiesAfter(Duration::from_secs(1))),
    );
    world.kill("shop");
    world.run(24 * 3600);
    assert_eq!(world.actions().len(), 3, "{:#?}", world.transcript());
    // Killed at 120; the supervisor restarts twice, each run lives one second.
    assert_eq!(world.attempts()[0], 184);
    assert_eq!(world.state("shop"), State::GaveUp);
}

#[test]
fn slow_starter_is_not_killed_while_it_starts() {
    let mut world = World::new([Actor::new("shop").starting(Start::Slowly(Duration::from_secs(25)))]);
    world.run(60);
    world.kill("shop");
    world.run(120);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn unreachable_at_start_is_said_once_and_then_healthy_counts_a_recovery() {
    let mut world = World::new([Actor::new("shop")]);
    world.hang("shop");
    world.run(8);
    world.unhang("shop");
    world.run(60);
    let words: Vec<_> = world
        .reports()
        .into_iter()
        .map(|report| report.kind.name())
        .filter(|word| *word != "state")
        .collect();
    assert_eq!(words, ["unreachable", "healthy"]);
    assert_eq!(world.snapshot("shop").recoveries, 1);
    assert!(world.actions().is_empty());
}

#[test]
fn relapse_within_ten_minutes_keeps_the_backoff_and_later_forgets_it() {
    let mut world = shop(Actor::new("shop"));
    for (wait, expected) in [(0, 0), (60, 10), (60, 20), (700, 0)] {
        world.run(wait);
        let before = world.now;
        world.kill("shop");
        world.run(60);
        let (at, action) = world.actions().last().expect("it acted");
        assert_eq!(at.since(before).as_secs(), expected, "{action:?}");
    }
}

#[test]
fn ten_good_minutes_refill_the_budget() {
    let mut world = shop(Actor::new("shop"));
    world.kill("shop");
    world.run(60);
    assert_eq!(world.snapshot("shop").attempts_left, 4);
    world.run(600);
    assert_eq!(world.snapshot("shop").attempts_left, 5);
}

#[test]
fn given_up_service_that_an_operator_fixed_is_resolved() {
    let mut world = shop(Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(1))));
    world.kill("shop");
    world.run(1000);
    assert_eq!(world.state("shop"), State::GaveUp);
    world.change("shop", |actor| actor.start = Start::Well);
    world.start("shop");
    world.run(60);
    assert_eq!(world.message_kinds(), ["fired", "gave_up", "resolved"]);
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn operators_restart_forgets_a_give_up() {
    let mut world = shop(Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(1))));
    world.kill("shop");
    world.run(1000);
    world.change("shop", |actor| actor.start = Start::Well);
    world.ask("shop", OperatorRequest::Restart);
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(world.snapshot("shop").attempts_left, 5);
}

#[test]
fn operators_restart_starts_what_an_operator_stopped() {
    let mut world = shop(Actor::new("shop"));
    world.stop("shop");
    world.run(60);
    world.ask("shop", OperatorRequest::Restart);
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(world.actions().len(), 1);
    assert!(world.messages().is_empty());
}

#[test]
fn paused_service_is_left_alone_until_the_pause_ends() {
    let mut world = shop(Actor::new("shop"));
    world.ask(
        "shop",
        OperatorRequest::Pause {
            duration: Some(Duration::from_secs(300)),
        },
    );
    world.kill("shop");
    world.run(299);
    assert_eq!(world.state("shop"), State::Maintenance);
    assert!(world.actions().is_empty() && world.messages().is_empty());
    world.run(60);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn observed_service_is_reported_and_never_restarted() {
    let mut world = shop(Actor::new("shop").with(|policy| policy.mode = Mode::Observe));
    world.kill("shop");
    world.run(3600);
    assert!(world.actions().is_empty());
    assert_eq!(world.snapshot("shop").hold, Some(Hold::Observe));
    assert_eq!(world.message_kinds(), ["fired"]);
}

#[test]
fn clean_exit_follows_its_setting() {
    for (setting, actions, messages, state) in [
        (OnCleanExit::Restart, 1, vec!["healed"], State::Healthy),
        (OnCleanExit::Alert, 0, vec!["fired"], State::Held),
        (OnCleanExit::Ignore, 0, vec![], State::Stopped),
    ] {
        let mut world = shop(Actor::new("shop").with(|policy| policy.on_clean_exit = setting));
        world.die("shop", Cause::Exited { code: 0 });
        world.run(100);
        assert_eq!(world.actions().len(), actions, "{setting:?}");
        assert_eq!(world.message_kinds(), messages, "{setting:?}");
        assert_eq!(world.state("shop"), state, "{setting:?}");
    }
}

#[test]
fn dependents_wait_for_what_they_depend_on() {
    let mut world = World::new([Actor::new("db"), Actor::new("web").after(&["db"])]);
    world.run(120);
    world.kill("db");
    world.kill("web");
    world.run(10);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.actions()[0].1.service.as_str(), "db");
    assert_eq!(world.state("web"), State::Suppressed);
    world.run(60);
    assert_eq!(world.actions().len(), 2);
    assert_eq!(world.state("web"), State::Healthy);
}

#[test]
fn one_restart_at_a_time_and_the_others_follow() {
    let names = ["a", "b", "c", "d"];
    let policy = HostPolicy {
        storm_services: 10,
        tokens: 10,
        ..HostPolicy::default()
    };
    let mut world = World::with_policy(names.map(Actor::new), policy);
    world.run(120);
    for name in names {
        world.kill(name);
    }
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.actions().len(), 1);
    world.run(60);
    let order: Vec<_> = world
        .actions()
        .iter()
        .map(|(_, action)| action.service.as_str().to_owned())
        .collect();
    assert_eq!(order, names);
    assert!(names.iter().all(|name| world.state(name) == State::Healthy));
}

#[test]
fn lost_connection_is_unknown_and_never_acted_on() {
    let mut world = shop(Actor::new("shop"));
    world.set_unobservable(true);
    world.run(60);
    assert_eq!(world.state("shop"), State::Unknown);
    world.hang("shop");
    world.run(600);
    assert_eq!(world.snapshot("shop").hold, Some(Hold::Unobservable));
    assert!(world.actions().is_empty());
    assert_eq!(
        world.message_kinds(),
        ["fired"],
        "people hear of it although nothing can be done"
    );
    world.unhang("shop");
    world.run(60);
    world.set_unobservable(false);
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn host_shutdown_freezes_everything() {
    let mut world = shop(Actor::new("shop"));
    world.deliver(Event::HostShutdownChanged { going_down: true });
    world.kill("shop");
    world.run(600);
    assert_eq!(world.state("shop"), State::Shutdown);
    assert!(world.actions().is_empty() && world.messages().is_empty());
    world.deliver(Event::HostShutdownChanged { going_down: false });
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn nothing_is_done_that_cannot_be_recorded() {
    let mut world = shop(Actor::new("shop"));
    world.deliver(Event::StoreChanged { writable: false });
    world.kill("shop");
    world.run(60);
    assert_eq!(world.snapshot("shop").hold, Some(Hold::Store));
    assert!(world.actions().is_empty());
    world.deliver(Event::StoreChanged { writable: true });
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn what_was_not_done_is_not_spent() {
    for result in [
        ActionResult::Outdated("another run".into()),
        ActionResult::Conflict("another job".into()),
        ActionResult::NotRecorded("disk full".into()),
    ] {
        let mut world = shop(Actor::new("shop"));
        world.faults.next_result = Some(result.clone());
        world.kill("shop");
        world.run(60);
        assert_eq!(world.actions().len(), 2, "{result:?}");
        assert_eq!(world.actions()[1].1.attempt, 1);
        assert_eq!(world.snapshot("shop").attempts_left, 4);
    }
}

#[test]
fn refusal_is_reported_and_not_repeated_at_once() {
    let mut world = shop(Actor::new("shop"));
    world.faults.next_result = Some(ActionResult::Refused("access denied".into()));
    world.kill("shop");
    world.run(9 * 60);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(
        world.snapshot("shop").hold,
        Some(Hold::Refused {
            reason: "access denied".into()
        })
    );
    assert_eq!(world.message_kinds(), ["fired"]);
}

#[test]
fn restart_that_would_hurt_others_is_held_and_asked_about_again_later() {
    let radius = BlastRadius {
        restarts: vec!["worker.service".into()],
        ..BlastRadius::default()
    };
    let mut world = shop(Actor::new("shop"));
    world.faults.next_result = Some(ActionResult::TooWide(radius.clone()));
    world.kill("shop");
    world.run(9 * 60);
    assert_eq!(world.actions().len(), 1);
    let snapshot = world.snapshot("shop");
    assert_eq!(snapshot.hold, Some(Hold::BlastRadius(radius)));
    assert_eq!(snapshot.attempts_left, 5, "what was not done is not spent");
    assert_eq!(world.message_kinds(), ["fired"]);
    // Whatever stood in the way is gone.
    world.run(120);
    assert_eq!(world.actions().len(), 2);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(world.message_kinds(), ["fired", "resolved"]);
}

#[test]
fn refusal_leaves_what_probes_have_found() {
    let mut world = shop(Actor::new("shop"));
    world.faults.next_result = Some(ActionResult::TooWide(BlastRadius::default()));
    world.hang("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1);
    let reported = world.messages()[0];
    assert!(reported.doing.contains("may_affect"), "{reported:?}");
    let states: Vec<State> = world
        .reports()
        .into_iter()
        .filter_map(|report| match report.kind {
            ReportKind::StateChanged { to, .. } => Some(to),
            _ => None,
        })
        .collect();
    assert!(states.ends_with(&[State::Restarting, State::Held]), "{states:?}");
}

#[test]
fn unknown_outcome_is_judged_by_what_is_seen_and_never_repeated_unseen() {
    let mut world = shop(Actor::new("shop"));
    world.faults.next_result = Some(ActionResult::Unknown("no reply".into()));
    world.kill("shop");
    world.run_for(Duration::from_millis(60));
    world.start("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn killed_agent_repeats_no_action_and_goes_on_with_the_incident() {
    // Before the call, while it is carried out, and while it is verified.
    for after in [
        Duration::from_millis(4),
        Duration::from_millis(54),
        Duration::from_secs(10),
    ] {
        let mut world = shop(Actor::new("shop"));
        world.kill("shop");
        world.run_for(after);
        assert_eq!(world.actions().len(), 1);
        crash_agent(&mut world);
        world.run(120);
        assert_eq!(
            world.actions().len(),
            1,
            "killed after {after:?}: {:#?}",
            world.transcript()
        );
        assert_eq!(world.state("shop"), State::Healthy);
        assert_eq!(world.message_kinds(), ["healed"], "killed after {after:?}");
        assert_eq!(world.snapshot("shop").attempts_left, 4);
    }
}

#[test]
fn killed_agent_does_not_refill_the_budget() {
    let mut world = shop(Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(1))));
    world.kill("shop");
    for _ in 0..100 {
        world.run(20);
        crash_agent(&mut world);
    }
    assert_eq!(world.actions().len(), 5, "{:?}", world.attempts());
    let given_up = world.message_kinds().iter().filter(|kind| **kind == "gave_up").count();
    assert_eq!(given_up, 1);
}

#[test]
fn hung_probes_delay_no_other_service() {
    let names: Vec<String> = (0..1000).map(|number| format!("s{number:03}")).collect();
    let schedule = |hanging: usize| {
        let mut world = World::new(names.iter().map(|name| Actor::new(name).probed_only()));
        world.faults.hanging = names[..hanging].iter().map(|name| name.as_str().into()).collect();
        world.run(600);
        let first = names[hanging.max(20)..]
            .iter()
            .map(|name| world.requests.rounds[name.as_str()].clone());
        first.collect::<Vec<_>>()
    };
    assert!(
        schedule(20) == schedule(0),
        "the schedule of the others is the same to the microsecond"
    );
}

#[test]
fn probes_keep_their_period() {
    let mut world = World::new([Actor::new("shop").probed_only()]);
    world.run(3600);
    let rounds = &world.requests.rounds["shop"];
    let gaps: Vec<_> = rounds.windows(2).map(|pair| pair[1].since(pair[0])).skip(6).collect();
    assert!(gaps.len() > 300);
    assert!(gaps.iter().all(|gap| *gap == Duration::from_secs(10)), "{gaps:?}");
}

#[test]
fn unusable_target_is_reported_and_left() {
    let mut world = shop(Actor::new("shop"));
    world.set_state("shop", TargetState::Unusable("unit not found".into()));
    world.run(3600);
    assert!(world.actions().is_empty());
    assert_eq!(world.message_kinds(), ["fired"]);
    assert_eq!(
        world.snapshot("shop").hold,
        Some(Hold::Refused {
            reason: "unit not found".into()
        })
    );
    assert_eq!(
        world
            .engine
            .as_ref()
            .unwrap()
            .check_request("shop", &OperatorRequest::Restart),
        Err(RequestError::Unusable)
    );
}

#[test]
fn reload_of_a_healthy_service_opens_nothing() {
    let mut world = shop(Actor::new("shop"));
    world.set_state("shop", TargetState::Busy(Activity::Reloading));
    world.run(5);
    world.set_state("shop", TargetState::Running);
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(
        world
            .reports()
            .into_iter()
            .filter(|report| report.kind.name() == "healthy")
            .count(),
        1
    );
}

#[test]
fn dependency_speaks_for_its_dependents_but_not_for_ever() {
    let mut world = World::new([Actor::new("db").starting(Start::Deaf), Actor::new("web").after(&["db"])]);
    world.run(120);
    world.hang("db");
    world.hang("web");
    world.run(300);
    assert!(
        world
            .messages()
            .into_iter()
            .all(|message| message.service.as_str() == "db"),
        "{:?}",
        world.messages()
    );
    world.run(600);
    assert_eq!(
        world
            .messages()
            .into_iter()
            .filter(|message| message.service.as_str() == "web")
            .count(),
        1
    );
    assert!(
        world
            .actions()
            .iter()
            .all(|(_, action)| action.service.as_str() == "db")
    );
}

/// Down because what it is bound to went down.
fn taken_along() -> TargetState {
    TargetState::Down {
        intent: Intent::DependencyStop,
        cause: Cause::Exited { code: 0 },
    }
}

fn actions_on(world: &World, name: &str) -> usize {
    let on = |action: &&(sentinel_engine::Time, sentinel_engine::Action)| action.1.service.as_str() == name;
    world.actions().iter().filter(on).count()
}

#[test]
fn stop_together_with_a_dependency_is_not_undone_when_that_one_crashes_later() {
    for agent_killed in [false, true] {
        let mut world = World::new([Actor::new("db"), Actor::new("web").after(&["db"])]);
        world.run(120);
        world.stop("db");
        world.set_state("web", taken_along());
        world.run(60);
        assert_eq!(world.state("web"), State::Stopped);
        world.start("db");
        world.run(60);
        if agent_killed {
            crash_agent(&mut world);
        }
        world.kill("db");
        world.run(120);
        assert_eq!(world.state("db"), State::Healthy);
        assert_eq!(world.state("web"), State::Stopped);
        assert_eq!((actions_on(&world, "db"), actions_on(&world, "web")), (1, 0));
        // Until an operator starts it.
        world.start("web");
        world.run(60);
        assert_eq!(world.state("web"), State::Healthy);
    }
}

#[test]
fn stop_together_with_a_dependency_ends_an_outage_of_its_own() {
    let mut world = World::new([Actor::new("db"), Actor::new("web").after(&["db"]).starting(Start::Deaf)]);
    world.run(120);
    world.kill("web");
    world.run(300);
    let before = actions_on(&world, "web");
    assert!(before > 0);
    // A stop of both: to start the one would start the other as well.
    world.set_state("web", taken_along());
    world.stop("db");
    world.run(3600);
    assert_eq!((actions_on(&world, "db"), actions_on(&world, "web")), (0, before));
    assert_eq!(world.state("web"), State::Stopped);
}

#[test]
fn what_fell_with_a_dependency_that_its_supervisor_restarts_is_started_once() {
    // At once, or after the dependency has come back: it may take long to stop.
    for stops_for in [0, 1, 8] {
        let mut world = World::new([Actor::new("db").supervised(1, 10), Actor::new("web").after(&["db"])]);
        world.run(120);
        world.kill("db");
        world.set_state("web", TargetState::Busy(Activity::Stopping));
        world.run(stops_for);
        world.set_state("web", taken_along());
        world.run(120);
        assert_eq!(world.state("db"), State::Healthy, "{stops_for}");
        assert_eq!(
            world.state("web"),
            State::Healthy,
            "{stops_for}: {:#?}",
            world.transcript()
        );
        assert_eq!(
            (actions_on(&world, "db"), actions_on(&world, "web")),
            (0, 1),
            "{stops_for}"
        );
    }
}

#[test]
fn service_stopped_with_what_it_is_bound_to_is_left_and_restarted_only_after_a_failure() {
    let bound = TargetState::Down {
        intent: Intent::DependencyStop,
        cause: Cause::Exited { code: 0 },
    };
    for (crash, actions, state) in [(false, 0, State::Stopped), (true, 2, State::Healthy)] {
        let mut world = World::new([Actor::new("db"), Actor::new("web").after(&["db"])]);
        world.run(120);
        // What is bound goes down first, as far as watchers see.
        world.set_state("web", bound.clone());
        if crash {
            world.kill("db");
        } else {
            world.stop("db");
        }
        world.run(120);
        assert_eq!(world.actions().len(), actions, "{:#?}", world.transcript());
        assert_eq!(world.state("web"), state);
        assert_eq!(world.message_kinds().len(), actions, "only what failed is told");
    }
}

#[test]
fn storm_stops_every_restart_and_is_reported_with_its_size() {
    let names = ["a", "b", "c", "d", "e"];
    let mut world = World::new(names.map(Actor::new));
    world.run(120);
    for name in names {
        world.kill(name);
    }
    world.run(119);
    assert!(world.actions().len() <= 1, "{:?}", world.attempts());
    assert_eq!(world.snapshot("e").hold, Some(Hold::Storm));
    let reported: Vec<_> = world
        .messages()
        .into_iter()
        .map(|message| {
            (
                message.service.as_str(),
                message.kind.as_str(),
                message.cause.to_string(),
            )
        })
        .collect();
    let all = "all of them: killed by signal KILL";
    assert_eq!(
        reported,
        [
            (
                "(host)",
                "fired",
                format!("3 services went down at once (a, b, c): {all}")
            ),
            (
                "(host)",
                "update",
                format!("5 services went down at once (a, b, c, d, e): {all}")
            ),
        ]
    );
    world.run(600);
    assert!(
        names.iter().all(|name| world.state(name) == State::Healthy),
        "{:#?}",
        world.transcript()
    );
    assert_eq!(world.message_kinds(), ["fired", "update", "resolved"]);
    let end = world.messages().last().unwrap().cause.to_string();
    assert!(
        end.starts_with("5 services went down at once (a, b, c, d, e): "),
        "{end}"
    );
}

/// The first message goes when there are just enough of them; how many there are by now is reported as it grows.
#[test]
fn a_storm_that_grows_is_reported_again_and_its_end_has_the_true_number() {
    let names: Vec<String> = (0..60).map(|n| format!("s{n:02}")).collect();
    let mut world = World::new(names.iter().map(|name| Actor::new(name)));
    world.run(120);
    for name in &names {
        world.kill(name);
        world.run(1);
    }
    world.run(45);
    let sizes = |world: &World| -> Vec<usize> {
        let sizes = world
            .messages()
            .into_iter()
            .filter(|message| message.service.as_str() == "(host)");
        sizes
            .map(|message| match &message.cause {
                Cause::HostWide { services, .. } => *services,
                other => panic!("{other}"),
            })
            .collect()
    };
    let reported = sizes(&world);
    assert_eq!(
        (reported.first(), reported.last()),
        (Some(&3), Some(&60)),
        "{reported:?}"
    );
    assert!(reported.len() <= 7, "it is told as it doubles: {reported:?}");
    world.run(4000);
    assert_eq!(sizes(&world).last(), Some(&60), "also its end");
    assert_eq!(world.message_kinds().last(), Some(&"resolved"));
}

#[test]
fn storm_survives_the_agent() {
    let names = ["a", "b", "c", "d", "e"];
    let mut world = World::new(names.map(Actor::new));
    world.run(120);
    for name in names {
        world.kill(name);
    }
    world.run(1);
    let before = world.actions().len();
    crash_agent(&mut world);
    world.run(115);
    assert_eq!(world.actions().len(), before);
    world.run(600);
    assert!(names.iter().all(|name| world.state(name) == State::Healthy));
    assert_eq!(world.message_kinds(), ["fired", "update", "resolved"]);
}

#[test]
fn host_allows_three_restarts_at_once_and_then_one_a_minute() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let policy = HostPolicy {
        storm_services: 100,
        ..HostPolicy::default()
    };
    let mut world = World::with_policy(names.map(Actor::new), policy);
    world.run(120);
    for name in names {
        world.kill(name);
    }
    world.run(1);
    crash_agent(&mut world);
    world.run(300);
    assert_eq!(
        world.attempts(),
        [120, 120, 120, 180, 240, 300],
        "a killed agent does not refill it"
    );
}

#[test]
fn nothing_is_restarted_while_the_host_boots() {
    let mut world = World::new([Actor::new("shop")]);
    world
        .engine
        .as_mut()
        .unwrap()
        .resume_host(HostMemory::default(), Time::ZERO);
    world.kill("shop");
    world.run(59);
    assert_eq!(world.snapshot("shop").hold, Some(Hold::BootGrace));
    assert!(world.actions().is_empty());
    world.run(2);
    assert_eq!(world.attempts(), [60]);
}

#[test]
fn probes_that_failed_over_a_suspend_say_nothing() {
    let mut world = shop(Actor::new("shop"));
    world.hang("shop");
    while world.state("shop") != State::Suspect {
        world.run_for(Duration::from_millis(100));
    }
    world.deliver(Event::HostResumed);
    world.run(25);
    world.unhang("shop");
    world.run(60);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn given_up_service_is_tried_once_an_hour_and_not_reported_again() {
    let actor = Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(1)));
    let mut world = shop(actor.with(|policy| policy.half_open = Duration::from_secs(3600)));
    world.kill("shop");
    world.run(3 * 3600 + 600);
    assert_eq!(world.actions().len(), 5 + 3, "{:?}", world.attempts());
    assert_eq!(world.message_kinds(), ["fired", "gave_up"]);
    world.change("shop", |actor| actor.start = Start::Well);
    world.run(3600);
    assert_eq!(world.message_kinds(), ["fired", "gave_up", "resolved"]);
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn dependent_that_comes_back_with_what_it_depends_on_is_not_reported() {
    let mut world = World::new([Actor::new("db"), Actor::new("shop").after(&["db"])]);
    world.run(120);
    world.faults.next_result = Some(ActionResult::Failed("not yet".into()));
    world.kill("db");
    world.run(1);
    world.hang("shop");
    world.run(20);
    assert_eq!(world.state("shop"), State::Suppressed);
    world.start_by("db", StartedBy::Supervisor);
    world.unhang("shop");
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
    let reported: Vec<_> = world
        .messages()
        .into_iter()
        .map(|message| message.service.as_str())
        .collect();
    assert_eq!(world.message_kinds(), ["healed"], "{reported:?}");
    assert_eq!(reported, ["db"]);
}

#[test]
fn no_outage_is_reported_before_the_restarted_agent_has_looked() {
    let mut world = shop(Actor::new("shop").starting(Start::Refused));
    world.kill("shop");
    world.run(25);
    // The next agent would tell at once, but meanwhile an operator has stopped it for good.
    let actor = world.actors.get_mut("shop").expect("it is there");
    actor.service.policy.notify_after = Duration::from_secs(20);
    world.stop("shop");
    crash_agent(&mut world);
    world.run(3600);
    assert_eq!(world.state("shop"), State::Stopped);
    assert!(world.messages().is_empty(), "{:?}", world.message_kinds());
}

/// An operator may acknowledge an incident before any receiver was notified of it. What is kept of that goes with the incident.
#[test]
fn what_was_acknowledged_before_it_was_sent_is_forgotten_when_it_is_over() {
    let mut world = World::new([Actor::new("shop")]);
    world.run(120);
    world.kill("shop");
    world.run(1);
    let incident = world.snapshot("shop").incident.expect("it is open");
    let acknowledged =
        world
            .engine
            .as_mut()
            .unwrap()
            .acknowledge(world.now, incident, "alice".to_owned(), String::new());
    assert_eq!(acknowledged, Ok("shop".into()));
    world.run(10);
    assert_eq!(world.store.logs.len(), 1);
    world.run(600);
    assert_eq!(world.message_kinds(), ["healed"]);
    assert!(world.store.logs.is_empty(), "{:?}", world.store.logs);
}
