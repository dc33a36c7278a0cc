//! What a failed probe proves: one that has never passed restarts nothing, and neither does what a restart cannot help.

mod stored;

use std::time::Duration;

use sentinel_engine::{
    ActionKind, Activity, BeforeFirstPass, Cause, Changed, Details, FailureKind, Hold, Limits, Mode, OperatorRequest,
    Reload, ReportKind, Resolution, RestartOn, RestartWord, Severity, State,
};
use sentinel_simulation::{Actor, Start, World};
use stored::crash_agent;

const REDIRECT: FailureKind = FailureKind::Status(301);

/// A world with one service whose probe asks the wrong thing from the beginning.
fn wrong(actor: Actor) -> World {
    let mut world = World::new([actor.saying(REDIRECT)]);
    world.run(120);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    world
}

/// A world with one healthy service.
fn shop(actor: Actor) -> World {
    let mut world = World::new([actor]);
    world.run(120);
    assert_eq!(world.state("shop"), State::Healthy);
    world
}

fn hold(world: &World) -> Option<Hold> {
    world.snapshot("shop").hold
}

#[allow(clippy::unnecessary_wraps, reason = "as what holds a service is asked for")]
fn left_out(word: &str) -> Option<Hold> {
    let reason = format!("{word} is not in restart_on");
    Some(Hold::RestartOn { reason })
}

#[test]
fn a_probe_that_has_never_passed_restarts_nothing_and_alerts_until_its_first_pass() {
    let mut world = World::new([Actor::new("shop").saying(REDIRECT)]);
    world.run(24 * 3600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(world.state("shop"), State::Held);
    assert_eq!(hold(&world), Some(Hold::ProbeNeverPassed));
    assert_eq!(world.message_kinds(), ["fired"]);
    let message = world.messages()[0];
    assert_eq!(message.severity, Severity::Warning);
    assert_eq!(
        message.cause.to_string(),
        "this probe has never passed since it was configured: redirect; is the probe configured correctly?"
    );
    assert_eq!(
        message.doing,
        "not restarted: a probe that has never passed restarts nothing, unless recovery.before_first_pass = \"restart\""
    );
    // Start grace, `fall` and `notify_after`, all with their defaults.
    let reported = message.at.since_epoch().as_secs();
    assert!((60..=75).contains(&reported), "told after {reported} s");

    world.says("shop", None);
    // One round: the first pass ends it, whatever `rise` says.
    world.run(11);
    assert_eq!(world.message_kinds(), ["fired", "resolved"]);
    assert_eq!(world.state("shop"), State::Healthy);
    let closed = world.reports().into_iter().find_map(|report| match report.kind {
        ReportKind::IncidentClosed { resolution, .. } => Some(resolution),
        _ => None,
    });
    assert_eq!(closed, Some(Resolution::Recovered), "no restart had a part in it");
}

#[test]
fn what_passed_once_is_remembered_over_restarts_of_the_agent() {
    let mut world = shop(Actor::new("shop"));
    crash_agent(&mut world);
    world.hang("shop");
    world.run(120);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());

    let mut world = wrong(Actor::new("shop"));
    crash_agent(&mut world);
    world.run(3600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
}

#[test]
fn another_question_has_to_pass_for_itself_and_so_has_another_target() {
    for target in [false, true] {
        let mut world = shop(Actor::new("shop"));
        if !target {
            world.change("shop", |actor| actor.asks = Some("another"));
        }
        let service = world.actors["shop"].service.clone();
        let changed = Changed { target, probes: true };
        world.hang("shop");
        world.reload(Reload {
            changed: vec![(service, changed)],
            ..Reload::default()
        });
        world.run(3600);
        assert!(world.actions().is_empty(), "{:#?}", world.transcript());
        assert_eq!(hold(&world), Some(Hold::ProbeNeverPassed));
    }
}

#[test]
fn a_question_that_comes_back_after_another_need_not_pass_again() {
    let mut world = shop(Actor::new("shop"));
    for asks in ["another", "first"] {
        world.change("shop", |actor| actor.asks = Some(asks));
        let service = world.actors["shop"].service.clone();
        let changed = Changed {
            target: false,
            probes: true,
        };
        world.reload(Reload {
            changed: vec![(service, changed)],
            ..Reload::default()
        });
    }
    world.hang("shop");
    world.run(120);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
}

#[test]
fn each_probe_is_apart() {
    let mut actor = Actor::new("shop");
    actor.second = Some(Err(FailureKind::Status(401)));
    let mut world = World::new([actor]);
    world.run(120);
    assert_eq!(hold(&world), Some(Hold::ProbeNeverPassed));
    // The one that never passed does not keep the other from being acted on.
    world.hang("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(world.actions()[0].1.kind, ActionKind::Restart);
    // Its restart helped as far as is known, and what is left is the question.
    world.run(60);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    assert_eq!(hold(&world), Some(Hold::ProbeNeverPassed));
    // Failures of the other with passes in between are no reason, however many there are.
    for _ in 0..10 {
        world.says("shop", Some(FailureKind::Timeout));
        world.run(11);
        world.says("shop", None);
        world.run(40);
    }
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
    // The first pass of the second makes the service healthy.
    world.second_says("shop", None);
    world.run(11);
    assert_eq!(world.state("shop"), State::Healthy);
    // And from now on it can say that it is down.
    world.second_says("shop", Some(FailureKind::Refused));
    world.run(30);
    assert_eq!(world.actions().len(), 2, "{:#?}", world.transcript());
}

#[test]
fn before_first_pass_restart_is_the_way_out() {
    let restarts = |kind| {
        let actor = Actor::new("shop").with(|policy| {
            policy.before_first_pass = BeforeFirstPass::Restart;
            policy.burst = 1;
        });
        let mut world = World::new([actor.saying(kind)]);
        world.run(300);
        !world.actions().is_empty()
    };
    for (kind, expected) in [
        (FailureKind::Refused, true),
        (FailureKind::Timeout, true),
        // What a restart does not help against it does not help against now either.
        (REDIRECT, false),
        // What is asked for may never have been there.
        (FailureKind::Body, false),
        (FailureKind::Command, false),
    ] {
        assert_eq!(restarts(kind), expected, "{}", kind.word());
    }
}

#[test]
fn deaths_are_acted_on_as_ever_and_a_run_that_lives_ends_the_attempt_unproven() {
    let mut world = wrong(Actor::new("shop"));
    world.kill("shop");
    world.run(120);
    assert_eq!(world.attempts(), [120], "{:#?}", world.transcript());
    let ended: Vec<_> = world
        .transcript()
        .into_iter()
        .filter(|line| line.contains("unproven") || line.contains("verified"))
        .collect();
    assert_eq!(
        ended,
        [
            "140.056 shop unproven: running, unproven: this probe has never passed since it was configured: redirect; \
          is the probe configured correctly?"
        ]
    );
    // The outage is over; what is left is the question, in the same incident.
    assert_eq!(hold(&world), Some(Hold::ProbeNeverPassed));
    assert_eq!(world.message_kinds(), ["fired"]);
    world.kill("shop");
    world.run(60);
    assert_eq!(world.attempts(), [120, 240], "the next death is acted on at once");
}

#[test]
fn an_operators_restart_always_works_and_ends_unproven_as_well() {
    let mut world = wrong(Actor::new("shop"));
    world.ask("shop", OperatorRequest::Restart);
    world.run(120);
    assert_eq!(world.attempts(), [120]);
    assert!(world.transcript().iter().any(|line| line.contains("running, unproven")));
    assert!(!world.transcript().iter().any(|line| line.contains("did not help")));
}

#[test]
fn a_new_run_that_dies_is_no_proof_of_anything() {
    let mut world = wrong(Actor::new("shop").starting(Start::DiesAfter(Duration::from_secs(10))));
    world.kill("shop");
    world.run(30);
    assert!(!world.transcript().iter().any(|line| line.contains("unproven")));
    assert_eq!(world.attempts(), [120, 130]);
}

#[test]
fn observe_counts_nothing_of_it_as_right() {
    let mut world = wrong(Actor::new("shop").with(|policy| policy.mode = Mode::Observe));
    world.run(3600);
    assert_eq!(hold(&world), Some(Hold::ProbeNeverPassed));
    assert_eq!(world.snapshot("shop").observed, (0, 0));
}

#[test]
fn what_the_store_of_an_older_version_knows_as_healthy_has_passed() {
    let older = |world: &mut World| {
        let memory = world.store.memories.get_mut("shop").expect("it was saved");
        let mut json = serde_json::to_value(&*memory).expect("memory is plain data");
        json.as_object_mut().expect("an object").remove("passed");
        *memory = serde_json::from_value(json).expect("an older memory is read");
        assert_eq!(memory.passed, None);
    };
    let mut world = shop(Actor::new("shop"));
    older(&mut world);
    world.hang("shop");
    crash_agent(&mut world);
    world.run(120);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());

    let mut world = wrong(Actor::new("shop"));
    older(&mut world);
    crash_agent(&mut world);
    world.run(3600);
    assert!(
        world.actions().is_empty(),
        "it was never healthy: {:#?}",
        world.transcript()
    );
}

#[test]
fn a_containers_own_check_has_to_have_passed_too() {
    let mut world = World::new([Actor::new("shop").without_probes()]);
    world.set_check("shop", false);
    world.run(3600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(hold(&world), Some(Hold::ProbeNeverPassed));
    assert_eq!(
        world.messages()[0].cause.to_string(),
        "this probe has never passed since it was configured: exit code 1; is the probe configured correctly?"
    );
    world.kill_unhealthy("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1, "a death is one: {:#?}", world.transcript());
    world.set_check("shop", true);
    world.run(60);
    world.set_check("shop", false);
    world.run(60);
    assert_eq!(world.actions().len(), 2, "{:#?}", world.transcript());
}

#[test]
fn a_containers_check_restarts_only_where_restart_on_says_so() {
    let mut world = World::new([Actor::new("shop")
        .without_probes()
        .with(|policy| policy.restart_on = RestartOn::new([RestartWord::Kind(FailureKind::Timeout)]))]);
    world.set_check("shop", true);
    world.run(60);
    world.set_check("shop", false);
    world.run(3600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(hold(&world), left_out("health-check"));
}

#[test]
fn what_a_restart_cannot_help_alerts_and_names_its_word() {
    for (kind, word) in [
        (FailureKind::Status(404), "status-4xx"),
        (REDIRECT, "redirect"),
        (FailureKind::Status(204), "status-204"),
        (FailureKind::Slow, "slow"),
        (FailureKind::Dns, "dns"),
        (FailureKind::Tls, "tls"),
        (FailureKind::Unreachable, "unreachable"),
        (FailureKind::Protocol, "protocol"),
        (FailureKind::Agent, "agent"),
    ] {
        let mut world = shop(Actor::new("shop"));
        world.says("shop", Some(kind));
        world.run(3600);
        assert!(world.actions().is_empty(), "{word}: {:#?}", world.transcript());
        assert_eq!(hold(&world), left_out(word));
        assert_eq!(world.message_kinds(), ["fired"], "{word}");
        let message = world.messages()[0];
        assert_eq!(message.doing, format!("not restarted: {word} is not in restart_on"));
        let failing = message.failing.as_ref().expect("what it says is told");
        assert_eq!(failing.before.as_deref(), Some("200"));
        assert!(matches!(message.cause, Cause::Probe(_)), "{word}");
        world.says("shop", None);
        world.run(60);
        assert_eq!(world.message_kinds(), ["fired", "resolved"], "{word}");
    }
}

#[test]
fn an_empty_restart_on_only_alerts() {
    let mut world = shop(Actor::new("shop").with(|policy| policy.restart_on = RestartOn::new([])));
    world.hang("shop");
    world.run(3600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(hold(&world), left_out("timeout"));
    // What is dead is started all the same: that is no probe's word.
    world.kill("shop");
    world.run(60);
    assert_eq!(world.actions().len(), 1);
}

#[test]
fn a_hang_behind_a_proxy_is_found_in_whatever_order_its_failures_come() {
    let mut world = shop(Actor::new("shop"));
    for kind in [FailureKind::Timeout, FailureKind::Status(404)]
        .into_iter()
        .cycle()
        .take(5)
    {
        assert!(world.actions().is_empty(), "{:#?}", world.transcript());
        world.says("shop", Some(kind));
        let rounds = world.requests.rounds["shop"].len();
        while world.requests.rounds["shop"].len() == rounds {
            world.run_for(Duration::from_millis(100));
        }
    }
    world.run(1);
    assert_eq!(world.actions().len(), 1, "{:#?}", world.transcript());
}

#[test]
fn a_pass_in_between_forgives_what_was_counted() {
    let mut world = shop(Actor::new("shop"));
    world.says("shop", Some(FailureKind::Status(404)));
    world.run(60);
    for _ in 0..5 {
        world.says("shop", Some(FailureKind::Timeout));
        world.run(20);
        // One pass, too few to be up.
        world.says("shop", None);
        world.run(10);
        world.says("shop", Some(FailureKind::Status(404)));
        world.run(20);
    }
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
}

#[test]
fn three_wrong_questions_are_no_storm_and_hold_nothing_up() {
    let mut world = World::new([
        Actor::new("api").saying(REDIRECT),
        Actor::new("db").saying(REDIRECT),
        Actor::new("mail").saying(REDIRECT),
        Actor::new("web").after(&["db"]),
    ]);
    world.run(120);
    assert_eq!(
        world.message_kinds(),
        ["fired", "fired", "fired"],
        "{:#?}",
        world.transcript()
    );
    world.kill("web");
    world.run(1);
    assert_eq!(world.attempts(), [120], "what it needs runs, as far as can be told");
}

#[test]
fn a_hang_is_found_in_the_time_that_check_says() {
    let policy = Actor::new("shop").service.policy;
    let timeout = Duration::from_secs(3);
    assert_eq!(policy.detection(), Duration::from_secs(14));
    assert_eq!(policy.hang_detection(timeout), Duration::from_secs(19));
    for offset in [1, 4, 7, 9] {
        let mut world = shop(Actor::new("shop"));
        world.run(offset);
        world.hang("shop");
        world.run_for(policy.hang_detection(timeout) + Duration::from_millis(10));
        assert_eq!(
            world.actions().len(),
            1,
            "hung {offset} s later: {:#?}",
            world.transcript()
        );
    }
}

#[test]
fn semantics_6_row_22_dns_failures_restart_nothing_also_when_only_one_fails_by_dns() {
    // All of them.
    let mut world = World::new([Actor::new("api"), Actor::new("db"), Actor::new("shop")]);
    world.run(120);
    for name in ["api", "db", "shop"] {
        world.says(name, Some(FailureKind::Dns));
    }
    world.run(3600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    // One of several services, and one of two probes of one.
    for second in [None, Some(Ok(()))] {
        let mut actor = Actor::new("shop");
        actor.second = second;
        let mut world = World::new([actor, Actor::new("api")]);
        world.run(120);
        world.says("shop", Some(FailureKind::Dns));
        world.run(3600);
        assert!(world.actions().is_empty(), "{:#?}", world.transcript());
        assert_eq!(hold(&world), left_out("dns"));
    }
}

#[test]
fn semantics_6_row_26_certificates_restart_nothing() {
    let mut world = shop(Actor::new("shop"));
    world.says("shop", Some(FailureKind::Tls));
    world.run(24 * 3600);
    assert!(world.actions().is_empty(), "{:#?}", world.transcript());
    assert_eq!(hold(&world), left_out("tls"));
    assert_eq!(world.message_kinds(), ["fired"]);
}

#[test]
fn a_restart_is_no_explanation_of_a_name_that_resolves_again() {
    let mut world = shop(Actor::new("shop"));
    world.says("shop", Some(FailureKind::Dns));
    world.run(60);
    world.ask("shop", OperatorRequest::Restart);
    world.run(1);
    world.says("shop", None);
    world.run(60);
    let transcript = world.transcript();
    assert!(
        !transcript.iter().any(|line| line.contains("helped")),
        "{transcript:#?}"
    );
    let closed = world.reports().into_iter().find_map(|report| match report.kind {
        ReportKind::IncidentClosed { resolution, .. } => Some(resolution),
        _ => None,
    });
    assert_eq!(closed, Some(Resolution::Recovered), "{transcript:#?}");
}

/// What probes say is told wherever it is why nothing is done: also of a run that failed from the first, and of one that
/// hangs in a reload.
#[test]
fn since_when_it_fails_and_what_was_before_is_reported_however_it_came_to_fail() {
    let mut restarted = shop(Actor::new("shop"));
    restarted.says("shop", Some(FailureKind::Status(404)));
    restarted.start("shop");
    let mut reloading = shop(Actor::new("shop"));
    reloading.says("shop", Some(FailureKind::Status(404)));
    let limits = Limits {
        start: Some(Duration::from_secs(20)),
        ..Limits::default()
    };
    reloading.set_busy("shop", Activity::Reloading, limits, Details::default());
    for (what, mut world) in [("in its grace", restarted), ("in a reload", reloading)] {
        let began = world.now;
        world.run(3600);
        assert!(world.actions().is_empty(), "{what}: {:#?}", world.transcript());
        assert_eq!(hold(&world), left_out("status-4xx"), "{what}");
        let failing = world.messages()[0].failing.clone();
        let failing = failing.unwrap_or_else(|| panic!("{what}: what it says is told: {:#?}", world.messages()));
        assert_eq!(failing.before.as_deref(), Some("200"), "{what}");
        let since = failing.since.since(began);
        assert!(
            since < Duration::from_secs(11),
            "{what}: since its first failure, {since:?}"
        );
    }
}

#[test]
fn what_another_question_was_answered_is_not_what_was_before() {
    let mut world = shop(Actor::new("shop"));
    let mut service = world.actors["shop"].service.clone();
    service.policy.before_first_pass = BeforeFirstPass::Restart;
    world.says("shop", Some(FailureKind::Status(404)));
    let changed = Changed {
        target: false,
        probes: true,
    };
    world.reload(Reload {
        changed: vec![(service, changed)],
        ..Reload::default()
    });
    world.run(3600);
    let failing = world.messages()[0].failing.as_ref().expect("what it says is told");
    assert_eq!((failing.now.as_str(), failing.before.as_deref()), ("404", None));
}
