//! What is due at the same instant is done in batches, so that none is too large to be recorded.

#![allow(clippy::unwrap_used, reason = "a failure is the test's message")]

use std::collections::BTreeSet;
use std::time::Duration;

use sentinel_engine::{
    ActionId, Command, Engine, Event, HostPolicy, IncidentId, Intent, Labels, Memory, Observation, Policy, Service,
    TargetState, Time,
};

#[test]
fn much_that_is_due_at_once_is_done_in_batches_and_nothing_is_left_out() {
    let mut engine = Engine::new(HostPolicy::default(), IncidentId(1), ActionId(1));
    for number in 0..1000 {
        let service = Service {
            name: format!("s{number}").as_str().into(),
            has_target: false,
            has_probes: true,
            after: Vec::new(),
            labels: Labels::default(),
            policy: Policy::default(),
        };
        engine.add_service(Time::ZERO, service, Memory::default());
    }
    while engine.poll_command().is_some() {}
    // All are first asked within a second.
    let now = Time::ZERO + Duration::from_secs(2);
    let (mut batches, mut asked) = (Vec::new(), BTreeSet::new());
    while engine.poll_timeout().is_some_and(|at| at <= now) {
        engine.handle_timeout(now);
        let before = asked.len();
        while let Some(command) = engine.poll_command() {
            if let Command::RunProbes { service, .. } = command {
                assert!(asked.insert(service.clone()), "{service} is asked twice");
            }
        }
        batches.push(asked.len() - before);
    }
    assert_eq!(batches, [256, 256, 256, 232]);
}

/// The memory of the host names every service of a storm: kept once for each event of a batch, it took as much as all services.
#[test]
fn what_is_kept_of_the_host_is_kept_once_for_all_that_was_decided() {
    let mut engine = Engine::new(HostPolicy::default(), IncidentId(1), ActionId(1));
    let names: Vec<String> = (0..100).map(|number| format!("s{number}")).collect();
    for name in &names {
        let service = Service {
            name: name.as_str().into(),
            has_target: true,
            has_probes: false,
            after: Vec::new(),
            labels: Labels::default(),
            policy: Policy::default(),
        };
        engine.add_service(Time::ZERO, service, Memory::default());
    }
    let down = TargetState::Down {
        cause: sentinel_engine::Cause::Exited { code: 1 },
        intent: Intent::Crash,
    };
    let mut deliver = |at: u64, state: &TargetState| {
        for name in &names {
            let observation = Observation::new(state.clone(), Some("1".into()));
            let service = name.as_str().into();
            engine.handle_event(
                Time::from_epoch(Duration::from_secs(at)),
                Event::TargetObserved { service, observation },
            );
        }
        let mut kept = Vec::new();
        while let Some(command) = engine.poll_command() {
            if let Command::SaveHost(memory) = command {
                kept.push(serde_json::to_string(&memory).unwrap());
            }
        }
        kept
    };
    deliver(1, &TargetState::Running);
    let kept = deliver(1000, &down);
    assert_eq!(kept.len(), 1);
    for name in &names {
        assert!(kept[0].contains(&format!("\"{name}\"")), "{name}: {}", kept[0]);
    }
}
