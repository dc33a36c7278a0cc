//! What must never happen, and what must always happen in the end, whatever goes wrong.
//!
//! Each invariant is one function (`simulation/invariants/`), asked about everything that passes between the agent and a
//! simulated host in which everything goes wrong at random. None of them asks the engine what it thinks: they judge its
//! decisions by a ledger that counts what was reported to the agent by rules of its own (`simulation/ledger.rs`).
//!
//! An "own attempt" is a restart that the agent decided on; what an operator asked for is judged less strictly,
//! because operators win over every rule but two: two actions on a service never overlap, and nothing is done to what cannot be observed.
//!
//! ```text
//! cargo test -p sentinel-engine --test invariants                                      a few seconds
//! make simulate                                                                        a larger budget
//! SENTINEL_SIM_SEED=4711 cargo test ... --test invariants -- --nocapture               one seed, as a story
//! ```
//!
//! Every other life has several receivers, routes, escalations and repeats, and operators who silence and acknowledge; in the others
//! every message of the engine goes to one receiver, so that 17 to 19 and 23 are judged by what it says itself.
//!
//! The last large run: 20,000 lives of 1,400,574 simulated hours, with 660,071 restarts, 273,610 kills of the agent and
//! 226,414 reloads; no violation, in 592 s on two busy cores.
//!
//! | number | what holds |
//! | --- | --- |
//! | 1 | nothing is done while the host goes down |
//! | 2 | nor to what is not seen |
//! | 3 | nor in maintenance (pause, deploy, window), nor in observe mode; and nobody is alarmed then |
//! | 4 | a stop on purpose is never undone, and what was asked to end is not cut short |
//! | 5 | whoever is busy with a target is not disturbed, and waiting for its supervisor to restart it first |
//! | 6 | an action is about the run that was judged |
//! | 7 | one action per service, and `max_in_flight` on the host: of restarts whose new run has not begun; no start holds another's |
//! | 8 | the intent, and the token it cost, are on disk before the deed |
//! | 9 | nothing is done after giving up, but for the rare half-open attempt |
//! | 10 | dependencies go first |
//! | 11 | at most `burst` attempts per `window`, across crashes of the agent; an operator's start is a clean slate, up to 3 x `burst` |
//! | 12 | on the host, at most what the bucket holds and refills, in any span of time; nothing in a storm |
//! | 13 | attempts keep the distance of the backoff; what passes is asked again |
//! | 14 | probes restart nothing in a start grace, nor right after a suspend |
//! | 15 | nothing is done while the host boots |
//! | 16 | no action is ever made twice |
//! | 17 | receivers are notified once, |
//! | 18 | of the end only when they were notified of the beginning, |
//! | 19 | and called only in an incident |
//! | 20 | a service has at most one open incident, and so has the host; an outage ends after its last failure, and before its proof |
//! | 21 | what is healthy has none; and only a new run that lasts is proof of that |
//! | 22 | what can be healed is acted on in the end |
//! | 23 | no outage is kept from operators for long, and nothing that is down stays silent beyond its bound |
//! | 24 | the same events lead to the same decisions: `the_same_life_is_decided_the_same_way` |
//! | 25 | only the driver's clock counts; also `the_wall_clock_changes_nothing` |
//! | 26 | a crash of the agent, or the loss of its store, gives nothing back |
//! | 27 | neither does another configuration |
//! | 28 | nothing is done to what is not configured; an empty list is a reason for nothing |
//! | 29 | nothing that never passed is restarted for it, and nothing for what a restart cannot help |
//! | 30 | what fell with another is not started before it is back, and is started once it is |
//! | 31 | messages reach whom the routes and escalations choose, and no one else |
//! | 32 | whoever heard of the beginning hears of the end, silenced or not |
//! | 33 | a silence keeps back everything else about its services |
//! | 34 | what was acknowledged, is over or in maintenance is neither repeated nor escalated |
//! | 35 | a receiver hears once that it is down, as often that the agent gave up as it did, and is reminded in time |
//!
//! Whether the tests would notice a guard that is missing is asked by `make mutants`.

mod simulation;
mod stored;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sentinel_engine::{Command, Time};
use simulation::lives::{Circumstances, Totals, live};
use simulation::story;
use simulation::tape::Entry;

/// Seeds of an ordinary run.
const SEEDS: u64 = 200;
/// Violations after which looking for more is no use.
const VIOLATIONS_MAX: usize = 5;

/// The one seed that is asked for.
fn only_seed() -> Option<u64> {
    number_from_environment("SENTINEL_SIM_SEED")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the engine is pure, and how much of its life is looked at is asked from outside"
)]
fn number_from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}

fn print_tape(tape: &[(Time, Entry)]) {
    for line in tape.iter().filter_map(|(at, entry)| story::line(*at, entry)) {
        println!("{line}");
    }
}

#[test]
fn invariants_hold_whatever_goes_wrong() {
    if let Some(seed) = only_seed() {
        let whole = Circumstances {
            whole: true,
            ..Circumstances::default()
        };
        match live(seed, whole, &mut Totals::default()) {
            Ok(tape) => print_tape(&tape),
            Err(violation) => panic!("{violation}"),
        }
        return;
    }
    let count = number_from_environment("SENTINEL_SIM_SEEDS").unwrap_or(SEEDS);
    #[expect(
        clippy::disallowed_methods,
        reason = "how long the lives took is told, and decides nothing"
    )]
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let totals = Mutex::new(Totals::default());
    let violations = Mutex::new(Vec::new());
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut mine = Totals::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count || violations.lock().unwrap().len() >= VIOLATIONS_MAX {
                        break;
                    }
                    if let Err(violation) = live(seed, Circumstances::default(), &mut mine) {
                        violations.lock().unwrap().push(violation);
                    }
                }
                *totals.lock().unwrap() += mine;
            });
        }
    });
    let totals = totals.into_inner().unwrap();
    println!("{}", summary(totals, began.elapsed()));
    let violations = violations.into_inner().unwrap();
    assert!(violations.is_empty(), "{}", violations.join("\n\n"));
    assert!(totals.restarts > count, "too little happened to show anything");
}

fn summary(totals: Totals, took: Duration) -> String {
    let Totals {
        lives,
        hours,
        restarts,
        messages,
        kills,
        reloads,
        events,
    } = totals;
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let (per_hour, per_second) = (restarts as f64 / hours, lives as f64 / took.as_secs_f64());
    format!(
        "{hours:.0} simulated hours: {lives} lives of a host, {restarts} restarts ({per_hour:.1} an hour), {messages} \
         messages, {kills} kills of the agent, {reloads} reloads, {events} events; in {:.1} s, {per_second:.0} lives a \
         second",
        took.as_secs_f64()
    )
}

/// 24: the same events at the same times lead to the same decisions.
#[test]
fn the_same_life_is_decided_the_same_way() {
    let whole = Circumstances {
        whole: true,
        ..Circumstances::default()
    };
    for seed in 0..10 {
        let first = live(seed, whole, &mut Totals::default());
        let second = live(seed, whole, &mut Totals::default());
        assert!(first.is_ok(), "{first:?}");
        assert!(first == second, "seed {seed} was not decided the same way twice");
    }
}

/// What a decision is, apart from the moments in it.
fn timeless(entry: &Entry) -> Option<String> {
    match entry {
        Entry::Decided(Command::RestartTarget(action)) => Some(format!("{action:?}")),
        Entry::Decided(Command::RunProbes { service, round }) => Some(format!("{service} {round:?}")),
        Entry::Decided(Command::Report(report)) => {
            Some(format!("{} {:?} {}", report.service, report.kind, report.kind))
        }
        Entry::Decided(Command::Notify(outgoing)) => {
            let message = &outgoing.notification;
            Some(format!(
                "{} {} {} {:?} {} {} {:?} {:?}",
                message.incident,
                message.sequence,
                message.service,
                message.kind,
                message.cause,
                message.doing,
                message.at.since(message.opened_at),
                outgoing.receivers
            ))
        }
        Entry::Decided(Command::Save { service, .. }) => Some(format!("save {service}")),
        Entry::Decided(Command::SaveHost(_)) => Some("save the host".to_owned()),
        Entry::Shown(services) => {
            let shown = services
                .iter()
                .map(|shown| (&shown.name, shown.state, &shown.hold, shown.attempts_left));
            Some(format!("{:?}", shown.collect::<Vec<_>>()))
        }
        _ => None,
    }
}

/// 25: the engine has no wall clock, so nothing can set it. The same life thirty years later, with a wall clock that
/// shows something else and jumps, is decided the same way after the same spans of time.
#[test]
fn the_wall_clock_changes_nothing() {
    let decade = Duration::from_secs(10 * 365 * 24 * 3600);
    let now = Circumstances {
        whole: true,
        ..Circumstances::default()
    };
    let later = Circumstances {
        epoch: Time::from_epoch(decade * 3),
        wall: Time::from_epoch(decade * 5),
        whole: true,
    };
    for seed in 0..20 {
        let decisions = |how: Circumstances| {
            let tape = live(seed, how, &mut Totals::default()).expect("invariants hold");
            let decided = tape
                .iter()
                .filter_map(|(at, entry)| Some((at.since(how.epoch), timeless(entry)?)));
            decided.collect::<Vec<_>>()
        };
        let (first, second) = (decisions(now), decisions(later));
        let differs = first.iter().zip(&second).find(|(first, second)| first != second);
        assert!(
            first.len() > 50 && first.len() == second.len(),
            "seed {seed}: {}, {}",
            first.len(),
            second.len()
        );
        assert!(differs.is_none(), "seed {seed}: {differs:#?}");
    }
}
