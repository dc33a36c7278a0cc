//! Agreement with the reference model of the policy (`agreement/policy_model.py`), which was written before the engine
//! and knows nothing of it: both play the same scenarios, and what they do is compared action by action.
//!
//! `agreement/run_model.py` writes what the model does to `agreement/model.json`; it is needed only when a scenario is
//! added. Both run by the same numbers: `settle` fixed at 5 s, no jitter, a probe every 10 s. A difference that is not in
//! [`DIFFERENCES`] with its reason fails, and so does one in it that is none.

mod stored;

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_engine::{HostMemory, OperatorRequest, Settle, Time};
use sentinel_simulation::{Actor, Start, World};
use serde::Deserialize;
use stored::crash_agent;

/// When, what, and to which service.
type Act = (u64, String, String);

/// One scenario, as `agreement/scenarios.json` has it.
#[derive(Deserialize)]
struct Scenario {
    name: String,
    /// What becomes of what is started: `well`, `slowly` after 75 s, or `dies` a second later.
    starts: String,
    seconds: u64,
    /// Services, and what they depend on.
    services: BTreeMap<String, Vec<String>>,
    /// When, what, and to which service.
    events: Vec<(u64, String, String)>,
}

/// A scenario, what the engine does in it, and why.
type Difference = (&'static str, &'static [(u64, &'static str, &'static str)], &'static str);

/// Where the engine decides otherwise on purpose: the scenario, what the engine does, and why.
const DIFFERENCES: &[Difference] = &[
    (
        "hang",
        &[(137, "shop", "restart")],
        "once a probe has failed the engine asks five times as often, and at once where that is due when the last ends, so it \
         is certain sooner",
    ),
    (
        "dependency down",
        &[(125, "db", "start"), (145, "shop", "start")],
        "a start takes a second in the model and a few milliseconds here, and min_uptime is counted from its end",
    ),
];

fn play(scenario: &Scenario) -> Vec<Act> {
    let start = match scenario.starts.as_str() {
        "dies" => Start::DiesAfter(Duration::from_secs(1)),
        "slowly" => Start::Ready(Duration::from_secs(75)),
        _ => Start::Well,
    };
    let actors = scenario.services.iter().map(|(name, after)| {
        let after: Vec<_> = after.iter().map(String::as_str).collect();
        Actor::new(name)
            .after(&after)
            .starting(start)
            .with(|policy| policy.settle = Settle::Fixed(Duration::from_secs(5)))
    });
    let mut world = World::new(actors);
    world
        .engine
        .as_mut()
        .expect("the agent runs")
        .resume_host(HostMemory::default(), Time::ZERO);
    let mut second = 0;
    for (at, what, name) in &scenario.events {
        world.run(at - second);
        second = *at;
        match what.as_str() {
            "kill" => world.kill(name),
            "hang" => world.hang(name),
            "stop" => world.stop(name),
            "start" => world.start(name),
            "pause" => world.ask(name, OperatorRequest::Pause { duration: None }),
            "resume" => world.ask(name, OperatorRequest::Resume),
            "kill the agent" => crash_agent(&mut world),
            unknown => panic!("no scenario knows `{unknown}`"),
        }
    }
    world.run(scenario.seconds - second);
    let acts = world.actions().iter().map(|(at, action)| {
        let seconds = at.since_epoch().as_secs();
        (seconds, action.service.to_string(), action.kind.as_str().to_owned())
    });
    acts.collect()
}

#[test]
fn the_engine_does_what_the_model_does_but_for_known_reasons() {
    let scenarios: Vec<Scenario> = serde_json::from_str(include_str!("agreement/scenarios.json")).unwrap();
    let model: BTreeMap<String, Vec<Act>> = serde_json::from_str(include_str!("agreement/model.json")).unwrap();
    assert_eq!(
        scenarios.len(),
        model.len(),
        "run_model.py was not run since a scenario came or went"
    );
    let mut problems = Vec::new();
    for scenario in &scenarios {
        let (name, does) = (&scenario.name, play(scenario));
        let reason = DIFFERENCES.iter().find(|(known, ..)| known == name);
        let expected = match reason {
            Some((_, acts, _)) => owned(acts),
            None => model[name].clone(),
        };
        if does != expected {
            problems.push(format!("{name}: the engine does {does:?}, expected is {expected:?}"));
        } else if reason.is_some() && does == model[name] {
            problems.push(format!("{name}: there is no difference any more"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let unknown = DIFFERENCES.iter().find(|(name, ..)| !model.contains_key(*name));
    assert!(unknown.is_none(), "no scenario is called {unknown:?}");
}

fn owned(acts: &[(u64, &str, &str)]) -> Vec<Act> {
    let own = |(at, service, verb): &(u64, &str, &str)| (*at, (*service).to_owned(), (*verb).to_owned());
    acts.iter().map(own).collect()
}
