//! What becomes of a service whose socket, path or timer has failed, or was stopped. SEMANTICS 1.8, row 20.

mod stored;

use sentinel_engine::{
    ActionKind, ActionResult, Cause, FailureKind, Hold, Intent, Mode, NotificationKind, OperatorRequest, Resolution,
    Severity, StartedBy, State, TargetState, Trigger, TriggerState,
};
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

const SOCKET: &str = "shop.socket";

/// A world with one healthy service, which is critical.
fn shop(actor: Actor) -> World {
    let mut world = World::new([actor.with(|policy| policy.severity = Severity::Critical)]);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    world
}

/// The same when it has ended, as it has nothing to do until it is needed.
fn idle(actor: Actor) -> World {
    let mut world = shop(actor.without_probes());
    world.set_state("shop", nothing_to_do());
    world.run(60);
    assert_eq!(world.state("shop"), State::Stopped);
    world
}

fn nothing_to_do() -> TargetState {
    TargetState::Down {
        intent: Intent::NotApplicable,
        cause: Cause::Exited { code: 0 },
    }
}

fn trigger(name: &str, state: TriggerState) -> Vec<Trigger> {
    let name = name.to_owned();
    vec![Trigger { name, state }]
}

fn failed(name: &str) -> Vec<Trigger> {
    let unit = "shop.service".to_owned();
    let result = "trigger-limit-hit".to_owned();
    trigger(name, TriggerState::Failed { unit, result })
}

fn stopped() -> Vec<Trigger> {
    trigger(SOCKET, TriggerState::Stopped)
}

fn unseen() -> Vec<Trigger> {
    trigger(SOCKET, TriggerState::Unseen)
}

fn resolution(world: &World) -> Option<Resolution> {
    match world.messages().last()?.kind {
        NotificationKind::Resolved { resolution, .. } | NotificationKind::Healed { resolution, .. } => Some(resolution),
        _ => None,
    }
}

#[test]
fn trigger_that_failed_while_its_service_runs_is_reported_once_and_nothing_is_done() {
    for (actor, name, remedy) in [
        (
            Actor::new("shop"),
            SOCKET,
            "`systemctl stop shop.service && systemctl start shop.socket shop.service`",
        ),
        (
            Actor::new("shop").without_probes(),
            "shop.timer",
            "`systemctl start shop.timer`",
        ),
    ] {
        let mut world = shop(actor);
        world.set_triggers("shop", failed(name));
        world.run(24 * 3600);
        assert!(world.actions().is_empty(), "{:#?}", world.transcript());
        assert_eq!(world.message_kinds(), ["fired"]);
        let reported = world.messages()[0];
        assert_eq!(reported.severity, Severity::Warning);
        assert_eq!(
            reported.cause.to_string(),
            format!("{name}, which starts shop.service when it is needed, has failed (trigger-limit-hit)")
        );
        assert!(reported.doing.contains(remedy), "{}", reported.doing);
        let unit = "shop.service".to_owned();
        let name = name.to_owned();
        assert_eq!(world.snapshot("shop").hold, Some(Hold::TriggerFailed { name, unit }));
        world.set_triggers("shop", Vec::new());
        world.run(60);
        assert_eq!(world.state("shop"), State::Healthy);
        assert_eq!(world.message_kinds(), ["fired", "resolved"]);
    }
}

#[test]
fn failed_trigger_neither_hides_an_outage_nor_outlasts_its_end() {
    let mut world = shop(Actor::new("shop"));
    world.set_triggers("shop", failed(SOCKET));
    world.run(60);
    world.hang("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(world.actions()[0].1.kind, ActionKind::Restart);
    world.run(120);
    // It is well again, and its socket is not.
    assert_eq!(
        world.message_kinds(),
        ["fired", "resolved", "fired"],
        "{:#?}",
        world.transcript()
    );
    assert_eq!(world.state("shop"), State::Held);
    assert_eq!(world.actions().len(), 1);
}

#[test]
fn failed_trigger_of_a_service_that_runs_holds_up_nothing_that_depends_on_it() {
    let mut world = World::new([Actor::new("db"), Actor::new("shop").after(&["db"])]);
    world.run(120);
    world.set_triggers("db", failed("db.socket"));
    world.run(60);
    world.kill("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn failed_triggers_make_no_storm_and_take_no_good_minutes() {
    let names: Vec<String> = (0..20).map(|number| format!("s{number}")).collect();
    let mut world = World::new(names.iter().map(|name| Actor::new(name)));
    world.run(120);
    let healthy_since = world.store.memories["s0"].healthy_since;
    assert!(healthy_since.is_some());
    for name in &names {
        world.set_triggers(name, failed(SOCKET));
    }
    world.run(60);
    assert_eq!(world.store.memories["s0"].healthy_since, healthy_since);
    world.kill("s0");
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
}

#[test]
fn trigger_that_failed_while_nothing_was_to_do_is_started_and_its_service_is_not() {
    let mut world = idle(Actor::new("shop"));
    world.set_triggers("shop", failed(SOCKET));
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(world.actions()[0].1.kind, ActionKind::StartTrigger);
    assert_eq!(world.state("shop"), State::Stopped);
    assert_eq!(world.message_kinds(), ["healed"]);
    assert_eq!(resolution(&world), Some(Resolution::Healed));
    let words: Vec<&str> = world.reports().into_iter().map(|report| report.kind.name()).collect();
    assert!(
        words.contains(&"verified") && !words.contains(&"cut_short"),
        "{words:?}"
    );
    world.run(24 * 3600);
    assert_eq!(world.actions().len(), 1);
}

#[test]
fn trigger_that_cannot_be_started_spends_the_budget_of_its_service() {
    let mut world = idle(Actor::new("shop").starting(Start::Refused));
    world.set_triggers("shop", failed(SOCKET));
    world.run(24 * 3600);
    assert_eq!(world.actions().len(), 5, "{:#?}", world.transcript());
    assert!(
        world
            .actions()
            .iter()
            .all(|(_, action)| action.kind == ActionKind::StartTrigger)
    );
    assert_eq!(world.state("shop"), State::GaveUp);
    assert_eq!(world.message_kinds(), ["fired", "gave_up"]);
    assert_eq!(world.messages()[0].severity, Severity::Critical, "nobody is served");
    // An operator brings it back.
    world.set_triggers("shop", Vec::new());
    world.run(60);
    assert_eq!(resolution(&world), Some(Resolution::Recovered));
}

#[test]
fn trigger_that_was_started_and_is_not_seen_to_wait_did_not_help() {
    let mut world = idle(Actor::new("shop"));
    world.faults.answers_with = Some(ActionResult::Done);
    world.set_triggers("shop", failed(SOCKET));
    world.run(24 * 3600);
    assert_eq!(world.actions().len(), 5, "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::GaveUp);
}

#[test]
fn service_that_is_down_is_started_whatever_its_trigger_does() {
    let mut world = shop(Actor::new("shop"));
    world.set_triggers("shop", failed(SOCKET));
    world.kill("shop");
    world.run(10);
    // Its adapter starts both: one attempt.
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(world.actions()[0].1.kind, ActionKind::Start);
}

#[test]
fn service_that_begins_to_run_ends_the_start_of_its_trigger() {
    let mut world = idle(Actor::new("shop"));
    world.faults.next_result = Some(ActionResult::Done);
    world.set_triggers("shop", failed(SOCKET));
    world.run(1);
    assert_eq!(world.actions().len(), 1);
    world.start_by("shop", StartedBy::Dependency);
    world.run(20);
    assert_eq!(world.state("shop"), State::Held, "{:#?}", world.transcript());
    world.run(3600);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_ne!(resolution(&world), Some(Resolution::Healed), "it is still failed");
}

#[test]
fn operator_asks_for_the_service_and_not_for_its_trigger() {
    let mut world = idle(Actor::new("shop").with(|policy| policy.mode = Mode::Observe));
    world.set_triggers("shop", failed(SOCKET));
    world.run(60);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    world.ask("shop", OperatorRequest::Restart);
    world.run(1);
    assert_eq!(world.actions()[0].1.kind, ActionKind::Start);
}

#[test]
fn trigger_that_was_stopped_is_shown_and_never_started() {
    let mut world = idle(Actor::new("shop"));
    world.set_triggers("shop", stopped());
    world.run(24 * 3600);
    assert_eq!(world.state("shop"), State::Stopped);
    assert!(world.actions().is_empty() && world.messages().is_empty());

    let mut world = shop(Actor::new("shop"));
    world.set_triggers("shop", stopped());
    world.run(24 * 3600);
    assert_eq!(world.state("shop"), State::Healthy);
    assert!(world.actions().is_empty() && world.messages().is_empty());
    let target = world.snapshot("shop").target;
    assert!(
        target.contains("shop.socket, which starts it when it is needed, was stopped"),
        "{target}"
    );
}

#[test]
fn what_is_not_seen_of_a_trigger_ends_no_incident() {
    for (actor, settled) in [
        (Actor::new("shop"), State::Healthy),
        (Actor::new("shop").without_probes(), State::Stopped),
    ] {
        let runs = settled == State::Healthy;
        let mut world = shop(actor);
        if !runs {
            world.faults.answers_with = Some(ActionResult::Refused("the agent's user is not allowed to".into()));
            world.set_state("shop", nothing_to_do());
        }
        world.set_triggers("shop", failed(SOCKET));
        world.run(120);
        assert_eq!(world.message_kinds(), ["fired"]);
        // The agent begins again, and sees the service before its socket.
        world.set_triggers("shop", unseen());
        crash_agent(&mut world);
        world.run(120);
        world.set_unobservable(true);
        world.set_triggers("shop", Vec::new());
        world.run(120);
        world.set_triggers("shop", unseen());
        world.set_unobservable(false);
        world.run(120);
        assert_eq!(world.message_kinds(), ["fired"], "{:#?}", world.transcript());
        world.set_triggers("shop", Vec::new());
        world.run(120);
        assert_eq!(world.message_kinds(), ["fired", "resolved"]);
        assert_eq!(world.state("shop"), settled);
    }
    // And begins none.
    let mut world = shop(Actor::new("shop"));
    world.set_triggers("shop", unseen());
    world.run(3600);
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn what_a_stopped_trigger_forbade_is_asked_for_again_when_it_is_started() {
    let mut world = shop(Actor::new("shop"));
    world.set_triggers("shop", stopped());
    world.faults.next_result = Some(ActionResult::Refused("`shop.socket` was stopped on purpose".into()));
    world.kill("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1);
    assert_eq!(world.state("shop"), State::Held);
    world.set_triggers("shop", Vec::new());
    world.run(30);
    assert_eq!(world.actions().len(), 2, "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn maintenance_ends_nothing_that_a_trigger_did() {
    let mut world = shop(Actor::new("shop"));
    world.set_triggers("shop", failed(SOCKET));
    world.run(120);
    world.ask("shop", OperatorRequest::Pause { duration: None });
    world.run(120);
    assert_eq!(world.message_kinds(), ["fired"], "{:#?}", world.transcript());
    world.set_triggers("shop", Vec::new());
    world.run(120);
    assert_eq!(world.message_kinds(), ["fired", "resolved"]);
}

#[test]
fn outage_that_ended_is_resolved_before_a_trigger_fires() {
    let mut world = shop(Actor::new("shop"));
    world.says("shop", Some(FailureKind::Status(404)));
    world.run(60);
    world.set_triggers("shop", failed(SOCKET));
    world.says("shop", None);
    world.run(120);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.message_kinds(), ["fired", "resolved", "fired"]);
}
