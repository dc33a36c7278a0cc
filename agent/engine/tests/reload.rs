//! What becomes of services when the configuration changes under them, as small stories in a simulated world.

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_engine::{
    ActionResult, Changed, Event, FailureKind, Memory, Mode, OperatorRequest, ProbeFailure, ProbeOutcome, Reload,
    ReportKind, RequestError, Resolution, Service, State, TargetState, Verdict,
};
use sentinel_simulation::{Actor, Start, World};

const TARGET: Changed = Changed {
    target: true,
    probes: false,
};
const PROBES: Changed = Changed {
    target: false,
    probes: true,
};
const POLICY: Changed = Changed {
    target: false,
    probes: false,
};

fn world(actors: impl IntoIterator<Item = Actor>) -> World {
    let mut world = World::new(actors);
    world.run(120);
    world
}

fn removed(name: &str) -> Reload {
    Reload {
        removed: vec![name.into()],
        ..Reload::default()
    }
}

fn added(world: &World, name: &str) -> Reload {
    Reload {
        added: vec![(world.actors[name].service.clone(), Memory::default())],
        ..Reload::default()
    }
}

fn changed(world: &World, name: &str, what: Changed, change: impl FnOnce(&mut Service)) -> Reload {
    let mut service = world.actors[name].service.clone();
    change(&mut service);
    Reload {
        changed: vec![(service, what)],
        ..Reload::default()
    }
}

fn resolutions(world: &World) -> Vec<Resolution> {
    let closed = |report: &sentinel_engine::Report| match report.kind {
        ReportKind::IncidentClosed { resolution, .. } => Some(resolution),
        _ => None,
    };
    world.reports().into_iter().filter_map(closed).collect()
}

#[test]
fn what_a_reload_does_not_name_is_not_disturbed() {
    let actors = [
        Actor::new("shop"),
        Actor::new("mail").starting(Start::DiesAfter(Duration::from_secs(1))),
    ];
    let mut world = world(actors);
    world.kill("mail");
    world.run_for(Duration::from_millis(15_500));
    let before = world.engine.as_mut().unwrap().snapshot(world.now);
    let (saved, reports) = (world.store.memories.clone(), world.reports().len());
    world.reload(Reload::default());
    assert_eq!(world.engine.as_mut().unwrap().snapshot(world.now), before);
    assert_eq!((&world.store.memories, world.reports().len()), (&saved, reports));
}

#[test]
fn what_was_refused_is_asked_for_again_by_a_reload_and_only_once() {
    let mut world = world([Actor::new("shop")]);
    for reloads in 0..3 {
        world.faults.next_result = Some(ActionResult::Refused("access denied".into()));
        if reloads == 0 {
            world.kill("shop");
        } else {
            world.reload(Reload::default());
        }
        world.run(300);
        assert_eq!(world.actions().len(), reloads + 1);
        assert_eq!(world.message_kinds(), ["fired"], "it is told once");
    }
    world.faults.next_result = None;
    world.reload(Reload::default());
    world.run(3600);
    assert_eq!(world.actions().len(), 4);
    assert_eq!(resolutions(&world), [Resolution::Healed]);
}

#[test]
fn spent_budget_stays_spent_over_change_removal_and_return() {
    let dying = Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(1)));
    let mut world = world([dying]);
    world.kill("shop");
    world.run(24 * 60);
    assert_eq!(world.state("shop"), State::GaveUp);
    let attempts = world.attempts();

    let kinder = changed(&world, "shop", TARGET, |service| {
        service.policy.burst = 100;
        service.policy.window = Duration::from_secs(60);
        service.policy.reset_after = Duration::from_secs(1);
        service.policy.backoff = Duration::from_secs(1);
    });
    world.reload(kinder);
    world.run(3600);
    assert_eq!(world.state("shop"), State::GaveUp);
    world.reload(removed("shop"));
    world.run(60);
    let back = added(&world, "shop");
    world.reload(back);
    world.run(3600);
    assert_eq!(world.state("shop"), State::GaveUp);
    assert_eq!(world.attempts(), attempts);
    assert_eq!(world.snapshot("shop").attempts_left, 0);
}

#[test]
fn attempts_made_count_against_a_new_burst() {
    let mut world = world([Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(1)))]);
    world.kill("shop");
    world.run(40);
    assert_eq!(world.attempts(), [120, 130, 150]);
    let stricter = changed(&world, "shop", POLICY, |service| service.policy.burst = 3);
    world.reload(stricter);
    world.run(3600);
    assert_eq!(world.attempts(), [120, 130, 150]);
    assert_eq!(world.state("shop"), State::GaveUp);
}

#[test]
fn good_minutes_under_the_old_rule_end_no_give_up_by_the_new_one() {
    let mut world = world([Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(1)))]);
    world.kill("shop");
    world.run(3600);
    assert_eq!(world.state("shop"), State::GaveUp);
    world.change("shop", |actor| actor.start = Start::Well);
    world.start_by("shop", sentinel_engine::StartedBy::Dependency);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    let shorter = changed(&world, "shop", POLICY, |service| {
        service.policy.reset_after = Duration::from_secs(60);
    });
    world.reload(shorter);
    assert_eq!(
        world.snapshot("shop").attempts_left,
        0,
        "a reload grants nothing by itself"
    );
    world.run(59);
    assert_eq!(world.snapshot("shop").attempts_left, 0);
    world.run(2);
    assert_eq!(
        world.snapshot("shop").attempts_left,
        5,
        "a minute under the new rule does"
    );
}

#[test]
fn removal_closes_the_incident_and_resolves_what_was_sent() {
    let mut world = world([Actor::new("shop")
        .starting(Start::Deaf)
        .with(|policy| policy.notify_after = Duration::ZERO)]);
    world.hang("shop");
    world.run(40);
    assert_eq!(world.message_kinds(), ["fired"]);
    world.reload(removed("shop"));
    assert_eq!(resolutions(&world), [Resolution::Unmanaged]);
    assert_eq!(world.message_kinds(), ["fired", "resolved"]);
    assert!(world.engine.as_mut().unwrap().snapshot(world.now).is_empty());
    assert_eq!(world.engine.as_mut().unwrap().poll_timeout(), None);
    let rounds = world.requests.rounds["shop"].len();
    world.run(3600);
    assert_eq!(world.requests.rounds["shop"].len(), rounds, "nobody asks any more");
}

#[test]
fn removal_before_anything_was_sent_sends_nothing() {
    let mut world = world([Actor::new("shop").with(|policy| policy.mode = Mode::Observe)]);
    world.kill("shop");
    world.run(5);
    world.reload(removed("shop"));
    assert_eq!(resolutions(&world), [Resolution::Unmanaged]);
    assert!(world.messages().is_empty());
}

#[test]
fn action_in_flight_is_finished_before_its_service_leaves() {
    let mut world = world([Actor::new("shop"), Actor::new("mail")]);
    world.kill("shop");
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.state("shop"), State::Restarting);
    world.reload(removed("shop"));
    assert!(
        !world
            .engine
            .as_mut()
            .unwrap()
            .snapshot(world.now)
            .iter()
            .any(|service| service.name.as_str() == "shop")
    );
    assert_eq!(
        world
            .engine
            .as_ref()
            .unwrap()
            .check_request("shop", &OperatorRequest::Restart),
        Err(RequestError::UnknownService)
    );
    assert!(resolutions(&world).is_empty());
    world.kill("mail");
    world.run_for(Duration::from_millis(5));
    assert_eq!(world.state("mail"), State::Throttled, "the slot is still taken");
    world.run(1);
    assert_eq!(resolutions(&world)[0], Resolution::Unmanaged);
    assert!(
        world
            .transcript()
            .iter()
            .any(|line| line.ends_with("shop restart_ended: carried out"))
    );
    assert_eq!(world.actions().len(), 2, "and is free now");
    world.run(60);
    assert_eq!(world.state("mail"), State::Healthy);
    assert_eq!(world.actions().len(), 2);
}

#[test]
fn action_in_flight_whose_answer_never_comes_gives_its_slot_back() {
    let mut world = world([Actor::new("shop"), Actor::new("mail")]);
    world.faults.next_result = Some(ActionResult::Done);
    world.kill("shop");
    world.run_for(Duration::from_millis(4));
    world.reload(removed("shop"));
    // The agent's clock jumps over the answer, which is lost.
    world.lose_answers();
    world.kill("mail");
    world.run(99);
    assert_eq!(world.state("mail"), State::Throttled);
    world.run(30);
    assert_eq!(world.state("mail"), State::Healthy);
}

#[test]
fn service_that_returns_while_its_action_is_in_flight_is_never_acted_on_twice() {
    let mut world = world([Actor::new("shop")]);
    world.kill("shop");
    world.run_for(Duration::from_millis(10));
    world.reload(removed("shop"));
    let back = added(&world, "shop");
    world.reload(back);
    assert_eq!(world.state("shop"), State::Restarting);
    world.run(120);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(world.snapshot("shop").attempts_left, 4, "it counts");
    assert_eq!(
        resolutions(&world),
        [Resolution::Recovered],
        "and is no proof of anything"
    );
}

#[test]
fn another_target_in_mid_action_is_judged_by_itself() {
    let mut world = world([Actor::new("shop")]);
    world.kill("shop");
    world.run_for(Duration::from_millis(10));
    let other = changed(&world, "shop", TARGET, |_| ());
    world.reload(other);
    assert_eq!(world.state("shop"), State::Restarting, "the action is waited for");
    world.run(60);
    assert!(
        world
            .transcript()
            .iter()
            .any(|line| line.contains("its target was replaced by a reload")),
        "{:#?}",
        world.transcript()
    );
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(world.actions().len(), 1);
}

#[test]
fn refusal_of_the_old_target_does_not_hold_the_new_one() {
    let mut world = world([Actor::new("shop")]);
    world.faults.next_result = Some(ActionResult::Refused("it may not".into()));
    world.kill("shop");
    world.run_for(Duration::from_millis(10));
    let other = changed(&world, "shop", TARGET, |_| ());
    world.reload(other);
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(world.actions().len(), 2);
}

#[test]
fn nothing_is_done_to_a_new_target_before_it_was_seen() {
    let mut world = world([Actor::new("shop")]);
    world.set_state("shop", TargetState::Unknown("no bus".into()));
    world.run(10);
    let other = changed(&world, "shop", TARGET, |_| ());
    world.hang("shop");
    world.reload(other);
    world.run(3600);
    assert!(world.actions().is_empty());
}

#[test]
fn healing_turned_on_in_mid_incident_heals() {
    let mut world = world([Actor::new("shop").with(|policy| policy.mode = Mode::Observe)]);
    world.kill("shop");
    world.run(60);
    assert!(world.actions().is_empty());
    let heal = changed(&world, "shop", POLICY, |service| service.policy.mode = Mode::Heal);
    world.reload(heal);
    world.run(60);
    assert_eq!(world.attempts(), [180]);
    assert_eq!(resolutions(&world), [Resolution::Healed]);
}

#[test]
fn healing_turned_off_in_mid_incident_acts_no_more() {
    let mut world = world([Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(1)))]);
    world.kill("shop");
    world.run(5);
    let observe = changed(&world, "shop", POLICY, |service| service.policy.mode = Mode::Observe);
    world.reload(observe);
    world.run(3600);
    assert_eq!(world.attempts(), [120]);
    assert_eq!(world.state("shop"), State::Held);
}

#[test]
fn other_probes_are_asked_before_anything_is_concluded() {
    let mut world = world([Actor::new("shop")]);
    world.faults.hanging.push("shop".into());
    world.run(11);
    let round = *world.requests.asked["shop"].last().unwrap();
    let other = changed(&world, "shop", PROBES, |_| ());
    world.faults.hanging.clear();
    world.reload(other);
    assert_eq!(world.state("shop"), State::Starting);
    let failed = ProbeOutcome {
        verdict: Verdict::Failed(ProbeFailure::new(
            FailureKind::Status(500),
            "an answer to the old question",
        )),
        status_code: Some(500),
        latency: Duration::ZERO,
        answers: Vec::new(),
    };
    world.deliver(Event::ProbeCompleted {
        service: "shop".into(),
        round,
        outcome: failed,
    });
    assert_eq!(
        world.state("shop"),
        State::Starting,
        "the old question's answer says nothing"
    );
    world.run(10);
    assert_eq!(world.state("shop"), State::Healthy);
    assert!(world.actions().is_empty());
}

#[test]
fn round_of_a_removed_service_is_not_taken_for_one_of_its_return() {
    let mut world = world([Actor::new("shop").probed_only()]);
    let asked = world.requests.asked["shop"].clone();
    world.reload(removed("shop"));
    let back = added(&world, "shop");
    world.reload(back);
    world.run(60);
    let since = &world.requests.asked["shop"][asked.len()..];
    assert!(!since.is_empty());
    assert!(since.iter().all(|round| !asked.contains(round)));
}

#[test]
fn restart_under_proof_has_its_whole_time_with_other_probes() {
    let mut world = world([Actor::new("shop").with(|policy| policy.min_uptime = Duration::from_secs(55))]);
    world.kill("shop");
    world.run(59);
    let other = changed(&world, "shop", PROBES, |_| ());
    world.reload(other);
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(resolutions(&world), [Resolution::Healed]);
}

#[test]
fn dependents_wait_for_the_new_dependency_and_no_longer_for_the_old() {
    let actors = [
        Actor::new("db").with(|policy| policy.mode = Mode::Observe),
        Actor::new("shop").after(&["db"]),
    ];
    let mut world = world(actors);
    world.kill("db");
    world.kill("shop");
    world.run(30);
    assert_eq!(world.state("shop"), State::Suppressed);
    let mut freed = changed(&world, "shop", POLICY, |service| service.after.clear());
    freed.removed.push("db".into());
    world.reload(freed);
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(world.attempts(), [150]);

    let mut bound = added(&world, "db");
    let mut shop = world.actors["shop"].service.clone();
    shop.after = vec!["db".into()];
    bound.changed.push((shop, POLICY));
    world.reload(bound);
    world.run(1);
    world.kill("shop");
    world.run(60);
    assert_eq!(world.state("shop"), State::Suppressed);
}

#[test]
fn an_empty_configuration_does_nothing() {
    let mut world = world([Actor::new("shop"), Actor::new("mail")]);
    world.reload(Reload {
        removed: vec!["mail".into(), "shop".into()],
        ..Reload::default()
    });
    world.kill("shop");
    world.kill("mail");
    world.run(24 * 3600);
    assert!(world.actions().is_empty() && world.messages().is_empty());
}

#[test]
fn pause_of_an_operator_outlives_reload_and_return() {
    let mut world = world([Actor::new("shop")]);
    world.ask("shop", OperatorRequest::Pause { duration: None });
    world.reload(removed("shop"));
    let back = added(&world, "shop");
    world.reload(back);
    world.kill("shop");
    world.run(3600);
    assert_eq!(world.state("shop"), State::Maintenance);
    assert!(world.actions().is_empty());
}

/// Labels are what messages say of a service, and no reason to judge it otherwise.
#[test]
fn other_labels_disturb_no_proof() {
    let judged_at = |relabel: bool| {
        let mut world = world([Actor::new("shop").starting(Start::Slowly(Duration::from_secs(3600)))]);
        world.kill("shop");
        world.run(10);
        assert_eq!(world.state("shop"), State::Verifying);
        if relabel {
            let relabelled = changed(&world, "shop", POLICY, |service| {
                service.labels = BTreeMap::from([("team".to_owned(), "web".to_owned())]).into();
            });
            world.reload(relabelled);
        }
        world.run(600);
        let judged = |report: &&sentinel_engine::Report| report.kind.name() == "not_verified";
        let at = world.reports().into_iter().find(judged).expect("it is judged").at;
        (at, world.messages().last().expect("it is notified").labels.clone())
    };
    let (before, after) = (judged_at(false), judged_at(true));
    assert_eq!(before.0, after.0);
    assert_eq!((before.1.len(), after.1["team"].as_str()), (0, "web"));
}
