//! What operators read about how an attempt or an incident ended.

use std::time::Duration;

use sentinel_engine::{
    Activity, BlastRadius, Hold, NotificationKind, OperatorRequest, ReportKind, Resolution, StartedBy, State,
    TargetState,
};
use sentinel_simulation::{Actor, Start, World};

fn shop(actor: Actor) -> World {
    let mut world = World::new([actor]);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    world
}

fn ending(world: &World) -> Resolution {
    match world.messages().last().expect("somebody was told").kind {
        NotificationKind::Resolved { resolution, .. } | NotificationKind::Healed { resolution, .. } => resolution,
        other => panic!("{other:?}"),
    }
}

fn says(world: &World, words: &str) -> bool {
    world.transcript().iter().any(|line| line.ends_with(words))
}

#[test]
fn attempt_that_an_operators_stop_ends_was_cut_short() {
    let mut world = shop(Actor::new("shop"));
    world.kill("shop");
    world.run(5);
    world.stop("shop");
    world.run(5);
    assert!(
        says(
            &world,
            "shop cut_short: the attempt was cut short: stopped by an operator"
        ),
        "{:#?}",
        world.transcript()
    );
    assert!(!world.transcript().iter().any(|line| line.contains("did not help")));
}

#[test]
fn what_an_operator_starts_did_not_recover_by_itself() {
    let mut world = shop(Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(1))));
    world.kill("shop");
    world.run(1000);
    assert_eq!(world.state("shop"), State::GaveUp);
    world.change("shop", |actor| actor.start = Start::Well);
    world.start("shop");
    world.run(60);
    assert_eq!(ending(&world), Resolution::Started);
    assert!(
        world
            .transcript()
            .iter()
            .any(|line| line.contains("incident_closed: started by an operator, down "))
    );
}

#[test]
fn what_answers_again_in_the_same_run_recovered_by_itself() {
    let mut world = shop(Actor::new("shop").with(|policy| policy.mode = sentinel_engine::Mode::Observe));
    world.hang("shop");
    world.run(120);
    world.unhang("shop");
    world.run(60);
    assert_eq!(ending(&world), Resolution::Recovered);
}

#[test]
fn what_its_supervisor_restarts_recovered_by_itself() {
    let mut world = shop(Actor::new("shop").with(|policy| policy.mode = sentinel_engine::Mode::Observe));
    world.hang("shop");
    world.run(120);
    // It dies at last, and its supervisor starts it.
    world.set_state("shop", TargetState::Busy(Activity::AutoRestart));
    world.run(1);
    world.start_by("shop", StartedBy::Supervisor);
    world.run(60);
    assert_eq!(ending(&world), Resolution::Recovered);
}

#[test]
fn what_the_agent_restarts_for_an_operator_was_healed() {
    let mut world = shop(Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(1))));
    world.kill("shop");
    world.run(1000);
    world.change("shop", |actor| actor.start = Start::Well);
    world.ask("shop", OperatorRequest::Restart);
    world.run(60);
    assert_eq!(ending(&world), Resolution::Healed);
}

#[test]
fn what_is_restarted_with_what_it_depends_on_was_started_by_its_dependency() {
    let mut world = World::new([Actor::new("db"), Actor::new("shop").after(&["db"])]);
    world.run(120);
    world.hang("db");
    world.hang("shop");
    while world.actions().is_empty() {
        world.run(1);
    }
    world.run(20);
    // systemd restarts what has PartOf= along with it.
    world.start_by("shop", StartedBy::Dependency);
    world.run(120);
    let ended = world.reports().into_iter().filter_map(|report| match report.kind {
        sentinel_engine::ReportKind::IncidentClosed { resolution, .. } => Some((report.service.as_str(), resolution)),
        _ => None,
    });
    let ended: Vec<_> = ended.collect();
    assert!(
        !ended.iter().any(|(_, resolution)| *resolution == Resolution::Started),
        "{ended:?}"
    );
}

/// Some reasons say themselves what is not done; the timeline must not say that twice.
#[test]
fn a_hold_says_once_what_is_not_done() {
    let reason = || "access denied".to_owned();
    let holds = [
        Hold::RuntimeAway,
        Hold::Unchecked,
        Hold::RestartPrevented,
        Hold::Oneshot,
        Hold::Condition { reason: reason() },
        Hold::Unanswered { reason: reason() },
        Hold::BlastRadius(BlastRadius::default()),
        Hold::GaveUp,
        Hold::Throttled,
        Hold::ProbeNeverPassed,
    ];
    for hold in holds {
        let remaining = Some(Duration::from_secs(5));
        for remaining in [None, remaining] {
            let hold = hold.clone();
            let text = ReportKind::ActionHeld { hold, remaining }.to_string();
            let said = text.matches("not restarted").count() + text.matches("not started").count();
            assert_eq!(said, 1, "{text}");
        }
    }
}
