//! What becomes of a run that was asked to end, by `docker stop -t 60` or a signal, and takes longer than its own timeout.

use std::time::Duration;

use sentinel_engine::{ActionResult, Cause, DRAIN_MAX, Hold, Intent, OperatorRequest, Severity, State, TargetState};
use sentinel_simulation::{Actor, World};
use sentinel_text::span;

/// Seconds that the signal counts for.
const COUNTS: u64 = DRAIN_MAX.as_secs();

/// A world with one healthy service.
fn shop(actor: Actor) -> World {
    let mut world = World::new([actor]);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    world
}

/// It ended by itself, later than its own timeout.
fn ended_late() -> TargetState {
    TargetState::Down {
        intent: Intent::AskedToStop,
        cause: Cause::Exited { code: 0 },
    }
}

#[test]
fn drain_is_reported_and_not_cut_short() {
    let mut world = shop(Actor::new("shop"));
    world.ask_to_stop("shop");
    world.hang("shop");
    world.run(100);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.snapshot("shop").hold, Some(Hold::AskedToStop));
    assert_eq!(world.message_kinds(), ["fired"]);
    let reported = world.messages()[0];
    let ago = reported.at.since_epoch().as_secs() - 120;
    assert_eq!(
        reported.doing,
        format!("asked to stop {} ago, still running", span(Duration::from_secs(ago)))
    );
    assert!((40..=75).contains(&ago), "{ago}");

    // Its end is the stop that was asked for, told once with how to undo it.
    world.set_state("shop", ended_late());
    world.run(COUNTS);
    assert!(world.actions().is_empty());
    assert_eq!(world.state("shop"), State::Stopped);
    assert_eq!(world.message_kinds(), ["fired", "resolved"]);
    let cause = world.messages()[1].cause.to_string();
    assert_eq!(cause, "ended 1m40s after it was asked to stop");
}

#[test]
fn drain_is_not_cut_short_by_what_follows_a_restart_that_did_nothing() {
    let mut world = shop(Actor::new("shop"));
    world.ask_to_stop("shop");
    world.hang("shop");
    world.run(60);
    world.faults.next_result = Some(ActionResult::Done);
    world.ask("shop", OperatorRequest::Restart);
    world.run(120);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(world.snapshot("shop").hold, Some(Hold::AskedToStop));
}

#[test]
fn end_that_comes_late_is_reported_once_as_information() {
    let mut world = shop(Actor::new("shop"));
    world.ask_to_stop("shop");
    world.run(25);
    world.set_state("shop", ended_late());
    world.run(60);
    assert_eq!(world.state("shop"), State::Stopped);
    assert_eq!(world.message_kinds(), ["healed"]);
    assert_eq!(world.messages()[0].severity, Severity::Info);
    assert_eq!(world.messages()[0].cause.kind(), "asked_to_stop");
    assert!(world.messages()[0].cause.to_string().contains("25s after it was asked"));
}

#[test]
fn end_that_comes_in_time_is_a_stop_like_any_other() {
    let mut world = shop(Actor::new("shop"));
    world.ask_to_stop("shop");
    world.run(10);
    world.stop("shop");
    world.run(60);
    assert_eq!(world.state("shop"), State::Stopped);
    assert!(world.messages().is_empty());
    assert!(world.snapshot("shop").incident.is_none());
}

#[test]
fn what_serves_on_although_it_was_asked_to_stop_is_reported_at_warning_at_most() {
    let mut world = shop(Actor::new("shop").with(|policy| policy.severity = Severity::Critical));
    world.ask_to_stop("shop");
    world.run(60);
    assert_eq!(world.message_kinds(), ["fired"]);
    assert_eq!(world.messages()[0].severity, Severity::Warning);
    assert_eq!(world.messages()[0].cause, Cause::AskedToStop { after: None });
    world.run(COUNTS);
    assert_eq!(world.state("shop"), State::Healthy);
    assert_eq!(world.message_kinds(), ["fired", "resolved"]);
    assert_eq!(world.snapshot("shop").recoveries, 0, "it was never down");
}

#[test]
fn signal_is_forgotten_after_ten_minutes() {
    let mut world = shop(Actor::new("shop"));
    world.ask_to_stop("shop");
    world.hang("shop");
    world.run(COUNTS - 1);
    assert!(world.actions().is_empty());
    // Restarted as what hangs is, and no later than the probes' own time.
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(world.attempts(), [120 + COUNTS]);
    assert_eq!(world.state("shop"), State::Healthy);
}

#[test]
fn lost_connection_does_not_make_the_ten_minutes_longer() {
    let mut world = shop(Actor::new("shop"));
    world.ask_to_stop("shop");
    world.hang("shop");
    world.run(300);
    world.set_unobservable(true);
    world.run(200);
    world.set_unobservable(false);
    world.run(COUNTS - 500 - 1);
    assert!(world.actions().is_empty());
    world.run(60);
    assert_eq!(world.attempts(), [120 + COUNTS]);
}

#[test]
fn failure_and_then_health_ends_it_and_nothing_else_does() {
    let mut world = shop(Actor::new("shop"));
    world.ask_to_stop("shop");
    // Answers say nothing: what drains serves on.
    world.run(100);
    world.hang("shop");
    world.run(60);
    assert!(world.actions().is_empty());
    world.unhang("shop");
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy);
    // Now it is a hang like any other, and an end is a crash.
    world.hang("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());

    let mut world = shop(Actor::new("shop").without_probes());
    world.ask_to_stop("shop");
    for state in [TargetState::Unhealthy("no".into()), TargetState::Running] {
        world.run(30);
        world.set_state("shop", state);
    }
    world.run(30);
    assert_eq!(world.state("shop"), State::Healthy);
    assert!(world.actions().is_empty());
    world.set_state("shop", ended_late());
    world.run(30);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
}

#[test]
fn health_check_that_fails_restarts_nothing_that_was_asked_to_stop() {
    let mut world = shop(Actor::new("shop").without_probes());
    world.ask_to_stop("shop");
    world.run(5);
    world.set_state("shop", TargetState::Unhealthy("draining".into()));
    world.run(COUNTS - 10);
    assert!(world.actions().is_empty());
    assert_eq!(world.message_kinds(), ["fired"]);
    world.run(10);
    // The world lets no unhealthy target be restarted; that it is tried is what counts.
    assert_eq!(world.attempts()[0], 120 + COUNTS, "{:#?}", world.transcript());
}

#[test]
fn second_signal_begins_ten_minutes_of_its_own() {
    let mut world = shop(Actor::new("shop"));
    world.ask_to_stop("shop");
    world.hang("shop");
    world.run(500);
    world.ask_to_stop("shop");
    world.run(COUNTS - 1);
    assert!(world.actions().is_empty());
    world.run(60);
    assert_eq!(world.attempts(), [620 + COUNTS]);
}

#[test]
fn many_that_drain_at_once_are_no_storm() {
    let names = ["a", "b", "c", "d"];
    let mut world = World::new(names.map(Actor::new));
    world.run(120);
    for name in names {
        world.ask_to_stop(name);
        world.hang(name);
    }
    world.run(100);
    assert_eq!(world.message_kinds(), ["fired"; 4], "{:#?}", world.messages());
}
