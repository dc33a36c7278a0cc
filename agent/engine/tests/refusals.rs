//! What was refused is asked for again: soon where nothing answered, seldom where the answer was no, and at once by a
//! change.

use std::time::Duration;

use sentinel_engine::{ActionResult, Cause, Event, Hold, Intent, ReportKind, State, TargetState};
use sentinel_simulation::{Actor, World};

/// A world with a healthy service whose restarts are answered so, from its death at 120 s on, for this long.
fn answered_for(seconds: u64, result: &ActionResult) -> World {
    let mut world = World::new([Actor::new("shop")]);
    world.run(120);
    world.faults.answers_with = Some(result.clone());
    world.kill("shop");
    world.run(seconds);
    world
}

fn unanswered() -> ActionResult {
    ActionResult::Unanswered("Unit polkit.service is masked".into())
}

fn denied() -> ActionResult {
    ActionResult::Refused("access denied".into())
}

#[test]
fn a_refusal_that_passes_is_asked_again_after_ever_longer() {
    let world = answered_for(1500, &unanswered());
    // Each question takes 50 ms, which is below what is counted here.
    assert_eq!(
        world.attempts(),
        [120, 130, 150, 190, 270, 430, 730, 1030, 1330],
        "{:#?}",
        world.transcript()
    );
    assert_eq!(world.state("shop"), State::Held);
    let hold = world.snapshot("shop").hold;
    assert!(matches!(hold, Some(Hold::Unanswered { .. })), "{hold:?}");
    assert_eq!(world.snapshot("shop").attempts_left, 5, "no attempt is spent");
}

#[test]
fn what_was_refused_in_passing_is_healed_when_it_has_passed() {
    let mut world = answered_for(12, &unanswered());
    world.faults.answers_with = None;
    world.run(60);
    assert_eq!(world.state("shop"), State::Healthy, "{:#?}", world.transcript());
    assert_eq!(world.snapshot("shop").attempts_left, 4);
}

#[test]
fn a_change_of_what_the_agent_may_is_a_reason_to_ask_at_once() {
    for result in [unanswered(), denied()] {
        let mut world = answered_for(200, &result);
        let asked = world.actions().len();
        world.faults.answers_with = None;
        world.deliver(Event::PermissionsChanged);
        assert_eq!(world.actions().len(), asked + 1, "{:#?}", world.transcript());
        world.run(60);
        assert_eq!(world.state("shop"), State::Healthy);
    }
}

#[test]
fn an_answer_that_is_no_is_asked_again_every_ten_minutes() {
    let world = answered_for(1900, &denied());
    assert_eq!(world.attempts(), [120, 720, 1320, 1920], "{:#?}", world.transcript());
    assert_eq!(world.snapshot("shop").attempts_left, 5);
}

#[test]
fn the_same_refusal_is_held_once_and_asked_again_without_a_word() {
    let world = answered_for(700, &unanswered());
    let count = |is: fn(&ReportKind) -> bool| world.reports().into_iter().filter(|report| is(&report.kind)).count();
    let held = |what: &ReportKind| {
        matches!(
            what,
            ReportKind::ActionHeld {
                hold: Hold::Unanswered { .. },
                ..
            }
        )
    };
    let said = |what: &ReportKind| matches!(what, ReportKind::ActionStarted { again: false, .. });
    assert_eq!((count(held), count(said)), (1, 1), "{:#?}", world.transcript());
}

#[test]
fn what_is_seen_to_be_unusable_is_not_asked_about() {
    let mut world = World::new([Actor::new("shop")]);
    world.run(120);
    world.set_state("shop", TargetState::Unusable("the unit is masked".into()));
    world.run(3600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    let (intent, cause) = (Intent::Crash, Cause::Exited { code: 1 });
    world.set_state("shop", TargetState::Down { intent, cause });
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.actions().len(), 1, "and at once when it no longer is");
}
