//! Which services a seed has, and how much goes wrong.

use std::time::Duration;

use sentinel_engine::{HostPolicy, Labels, Mode, OnCleanExit, OnDependencyReturn, Policy, Service, Settle};

use super::faults::Fault;
use super::rng::Rng;

pub const NAMES: [&str; 6] = ["api", "cache", "db", "job", "mail", "web"];

/// In a long life everything is looked at so many times more seldom.
pub const SLOW: u32 = 30;

/// How much goes wrong in a seed, per thousand where nothing else is said.
#[derive(Clone, Debug)]
pub struct Weather {
    /// How long things go wrong.
    pub storm: Duration,
    /// How long nothing goes wrong after that: everything that must happen has to have happened by then.
    pub calm: Duration,
    /// Milliseconds between two faults, on average.
    pub gap: u64,
    /// The most milliseconds without a fault after one, if there are such times.
    pub lull: Option<u64>,
    /// How many times rarer probes and looks are than usual.
    pub pace: u32,
    /// Restarts that are answered with something else than the truth.
    pub lies: u64,
    /// Restarts before which, during which or after which the agent is killed.
    pub kills: u64,
    /// Restarts during which an operator stops or restarts the target.
    pub meddling: u64,
    /// Starts that do not end well.
    pub sickness: u64,
    /// Longest delay of an observation or an answer, in milliseconds.
    pub delay: u64,
    /// Whether watchers look again at everything now and then. Where they do not, nothing may depend on it.
    pub resyncs: bool,
    /// Faults to choose from; what a seed does not have, it does not suffer.
    pub faults: Vec<Fault>,
}

pub fn weather(rng: &mut Rng) -> Weather {
    // Every seed lacks some kinds of faults, so that rare combinations of the others come up.
    let mut faults: Vec<Fault> = Fault::ALL.into_iter().filter(|_| rng.permille(700)).collect();
    faults.push(Fault::Crash);
    let gap = rng.pick(&[5_000, 15_000, 40_000, 120_000, 600_000]);
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    Weather {
        // Where little goes wrong it takes longer until something comes of it.
        storm: minutes(if gap > 100_000 { 240 } else { 45 }),
        calm: minutes(rng.pick(&[45, 45, 45, 150])),
        gap,
        lull: None,
        pace: 1,
        lies: rng.pick(&[0, 50, 200]),
        kills: rng.pick(&[0, 50, 200]),
        meddling: rng.pick(&[0, 50, 300]),
        sickness: rng.pick(&[0, 200, 600, 1000]),
        delay: rng.pick(&[1, 30, 500, 3_000]),
        resyncs: rng.permille(500),
        faults,
    }
}

/// Faults come in squalls of a dozen or two, in a life of two weeks; most days nothing happens. What is seldom watched
/// costs little to live through.
pub fn make_long(weather: &mut Weather) {
    weather.storm = Duration::from_secs(14 * 24 * 3600);
    weather.lull = Some(48 * 3600 * 1000);
    weather.pace = SLOW;
}

pub fn host_policy(rng: &mut Rng) -> HostPolicy {
    HostPolicy {
        max_in_flight: rng.pick(&[1, 1, 1, 2, 4]),
        // Limits over all services hide much of what single ones may do, so half the seeds have none.
        tokens: if rng.permille(500) {
            rng.pick(&[1, 2, 3, 5])
        } else {
            u32::MAX
        },
        refill: Duration::from_secs(rng.pick(&[2, 20, 60, 120])),
        storm_services: if rng.permille(500) {
            rng.pick(&[2, 3, 4])
        } else {
            usize::MAX
        },
        storm_window: Duration::from_secs(rng.pick(&[10, 60])),
        storm_hold: Duration::from_secs(rng.pick(&[30, 120])),
        boot_grace: Duration::from_secs(rng.pick(&[0, 0, 60, 300])),
    }
}

pub fn services(rng: &mut Rng, pace: u32) -> Vec<Service> {
    let count = rng.pick(&[1, 2, 3, 4, 6]);
    let mut services: Vec<Service> = Vec::new();
    for name in &NAMES[..count] {
        let mut after = Vec::new();
        if !services.is_empty() && rng.permille(400) {
            // Only on earlier ones: there are no cycles.
            let upon = rng.below(services.len() as u64);
            after.push(services[usize::try_from(upon).expect("a small number")].name.clone());
        }
        let has_target = rng.permille(930);
        services.push(Service {
            name: (*name).into(),
            has_target,
            has_probes: !has_target || rng.permille(850),
            after,
            labels: Labels::default(),
            policy: policy(rng, pace),
        });
    }
    services
}

pub fn policy(rng: &mut Rng, pace: u32) -> Policy {
    let policy = any_policy(rng);
    Policy {
        interval: policy.interval * pace,
        ..policy
    }
}

fn any_policy(rng: &mut Rng) -> Policy {
    let seconds = |rng: &mut Rng, from: &[u64]| Duration::from_secs(rng.pick(from));
    if rng.permille(300) {
        return Policy::default();
    }
    Policy {
        mode: if rng.permille(80) { Mode::Observe } else { Mode::Heal },
        interval: seconds(rng, &[2, 5, 10, 30]),
        fall: rng.pick(&[1, 2, 3, 5]),
        fall_of: rng.pick(&[0, 0, 6, 10, 64]),
        rise: rng.pick(&[1, 2, 3]),
        start_grace: seconds(rng, &[0, 5, 30, 90]),
        settle: match rng.below(4) {
            0 => Settle::Fixed(seconds(rng, &[0, 1, 10])),
            _ => Settle::Auto,
        },
        backoff: seconds(rng, &[1, 10, 30]),
        backoff_max: seconds(rng, &[30, 300]),
        jitter: rng.pick(&[0.0, 0.2, 0.5]),
        burst: rng.pick(&[1, 2, 3, 5, 8]),
        window: seconds(rng, &[300, 1800]),
        verify: seconds(rng, &[10, 60]),
        min_uptime: seconds(rng, &[1, 5, 20]),
        reset_after: seconds(rng, &[120, 600]),
        on_dependency_return: OnDependencyReturn::Alert,
        on_clean_exit: rng.pick(&[OnCleanExit::Restart, OnCleanExit::Alert, OnCleanExit::Ignore]),
        notify_after: seconds(rng, &[0, 30, 120]),
        half_open: seconds(rng, &[0, 300, 900, 3600]),
        ..Policy::default()
    }
}
