//! When services are probed: spread over the interval, whatever made many be asked at once.

use std::time::Duration;

use sentinel_engine::{Changed, Event, OperatorRequest, Policy, ProbeOutcome, Reload, State, Time, Verdict};
use sentinel_simulation::{Actor, World};

const SERVICES: usize = 1000;

fn name(number: usize) -> String {
    format!("s{number:04}")
}

fn actors(probed_only: bool) -> impl Iterator<Item = Actor> {
    (0..SERVICES).map(move |number| {
        let actor = Actor::new(&name(number));
        if probed_only { actor.probed_only() } else { actor }
    })
}

/// How many rounds are asked for in each tenth of `seconds` from `from` on.
fn tenths(world: &World, from: u64, seconds: u64) -> [usize; 10] {
    let (from, width) = (Duration::from_secs(from), Duration::from_secs(seconds) / 10);
    let mut counts = [0; 10];
    for at in world.requests.rounds.values().flatten() {
        let tenth = at
            .since_epoch()
            .checked_sub(from)
            .map(|past| past.as_nanos() / width.as_nanos());
        if let Some(tenth) = tenth.and_then(|tenth| usize::try_from(tenth).ok())
            && let Some(count) = counts.get_mut(tenth)
        {
            *count += 1;
        }
    }
    counts
}

/// Nothing like a crowd: a hundred in each tenth is the mean.
fn assert_spread(world: &World, from: u64) {
    let counts = tenths(world, from, 10);
    assert_eq!(counts.iter().sum::<usize>(), SERVICES, "each once: {counts:?}");
    assert!(counts.iter().all(|count| (60..=150).contains(count)), "{counts:?}");
}

#[test]
fn after_the_first_round_probes_are_spread_over_the_interval() {
    for probed_only in [true, false] {
        let mut world = World::new(actors(probed_only));
        world.run(60);
        let second = Time::from_epoch(Duration::from_secs(1));
        let first_round_is_soon = world.requests.rounds.values().all(|rounds| rounds[0] <= second);
        assert!(first_round_is_soon && world.requests.rounds.len() == SERVICES);
        // The second confirms it, and the third is on the way to the place of each.
        let third = tenths(&world, 4, 10);
        assert!(third.iter().all(|count| *count <= 350), "{third:?}");
        assert_spread(&world, 30);
        assert_spread(&world, 50);
    }
}

#[test]
fn no_crowd_is_left_behind_by_a_common_failure() {
    let mut world = World::new(actors(true));
    world.run(65);
    for number in 0..SERVICES {
        world.hang(&name(number));
    }
    world.run(15);
    for number in 0..SERVICES {
        world.unhang(&name(number));
    }
    world.run(80);
    assert!((0..SERVICES).all(|number| world.state(&name(number)) == State::Healthy));
    assert_spread(&world, 150);
}

#[test]
fn no_crowd_is_left_behind_by_a_suspend() {
    let mut world = World::new(actors(true));
    world.run(60);
    // Everything is overdue at once.
    world.now = world.now + Duration::from_secs(3600);
    world.deliver(Event::HostResumed);
    world.run(60);
    assert_spread(&world, 3700);
}

#[test]
fn a_shorter_interval_is_kept_at_once_and_without_a_crowd() {
    let long = |policy: &mut Policy| policy.interval = Duration::from_secs(600);
    let mut world = World::new(actors(true).map(|actor| actor.with(long)));
    world.run(3600);
    let changed = (0..SERVICES).map(|number| {
        let mut service = world.actors[name(number).as_str()].service.clone();
        service.policy.interval = Duration::from_secs(10);
        (service, Changed::default())
    });
    let changed = changed.collect();
    world.reload(Reload {
        changed,
        ..Reload::default()
    });
    world.run(40);
    let counts = tenths(&world, 3600, 10);
    assert!(counts.iter().all(|count| *count <= 150), "{counts:?}");
    assert_spread(&world, 3620);
}

#[test]
fn a_service_is_never_asked_later_than_its_interval() {
    let mut world = World::new(actors(false));
    world.run(100);
    world.ask(&name(1), OperatorRequest::Restart);
    world.hang(&name(2));
    world.kill(&name(3));
    world.run(400);
    let limit = Duration::from_secs(10);
    for (service, rounds) in &world.requests.rounds {
        let last = rounds.last().copied().unwrap_or(Time::ZERO);
        assert!(world.now.since(last) <= limit, "{service}");
        let longest = rounds.windows(2).map(|pair| pair[1].since(pair[0])).max();
        assert!(
            longest.is_some_and(|longest| longest <= limit),
            "{service}: {longest:?}"
        );
    }
    // Nor much sooner, where nothing happens: only the first rounds follow each other quickly, to confirm what is seen.
    for rounds in world.requests.rounds.values().skip(10) {
        let first = rounds
            .iter()
            .filter(|at| at.since_epoch() < Duration::from_secs(2))
            .count();
        let shortest = rounds[first..].windows(2).map(|pair| pair[1].since(pair[0])).min();
        assert!(shortest >= Some(limit / 2), "{rounds:?}");
    }
}

#[test]
fn a_service_that_is_not_probed_on_time_is_said_to_be_late() {
    let mut world = World::new([Actor::new("shop"), Actor::new("page").probed_only()]);
    world.run(60);
    let late = |world: &World, name: &str| world.snapshot(name).unprobed;
    assert_eq!((late(&world, "shop"), late(&world, "page")), (None, None));
    // The agent never gets to ask.
    world.faults.hanging = vec!["page".into()];
    world.run(14);
    assert_eq!(late(&world, "page"), None, "an interval, and one for the probe itself");
    world.run(21);
    assert!(late(&world, "page") > Some(Duration::from_secs(25)));
    assert_eq!(late(&world, "shop"), None);
    // What is down is not probed, and not late.
    world.faults.loses_actions = true;
    world.kill("shop");
    world.run(100);
    assert_eq!(late(&world, "shop"), None);
}

#[test]
fn what_the_agent_could_not_ask_is_not_asked() {
    let mut world = World::new([Actor::new("page").probed_only()]);
    world.run(60);
    world.faults.hanging = vec!["page".into()];
    // Each round ends at once, and says nothing of the service.
    for _ in 0..100 {
        world.run(1);
        let round = *world.requests.asked["page"].last().expect("it was asked");
        let outcome = ProbeOutcome {
            verdict: Verdict::Skipped("no lookup thread was free".into()),
            status_code: None,
            latency: Duration::ZERO,
            answers: Vec::new(),
        };
        let service = "page".into();
        world.deliver(Event::ProbeCompleted {
            service,
            round,
            outcome,
        });
    }
    assert!(world.snapshot("page").unprobed > Some(Duration::from_secs(90)));
    assert_eq!(world.state("page"), State::Healthy);
}
