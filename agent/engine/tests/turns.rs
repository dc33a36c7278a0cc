//! What is due at the same instant is done in turns, so that no turn is too large to be recorded.

use std::collections::BTreeSet;
use std::time::Duration;

use sentinel_engine::{ActionId, Command, Engine, HostPolicy, IncidentId, Labels, Memory, Policy, Service, Time};

#[test]
fn much_that_is_due_at_once_is_done_in_turns_and_nothing_is_left_out() {
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
    let (mut turns, mut asked) = (Vec::new(), BTreeSet::new());
    while engine.poll_timeout().is_some_and(|at| at <= now) {
        engine.handle_timeout(now);
        let before = asked.len();
        while let Some(command) = engine.poll_command() {
            if let Command::RunProbes { service, .. } = command {
                assert!(asked.insert(service.clone()), "{service} is asked twice");
            }
        }
        turns.push(asked.len() - before);
    }
    assert_eq!(turns, [256, 256, 256, 232]);
}
