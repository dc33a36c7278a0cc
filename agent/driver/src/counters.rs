//! What is counted of the agent's work: by the same reports that make the lines of the log, at the same place.
//!
//! Counting is a look-up and a few additions. Only the first of its kind allocates, and how many kinds there can be is
//! bounded: words of closed sets, and services as long as there are few.

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_engine::{ProbeOutcome, Report, ReportKind, Resolution, ServiceName, Time, Verdict};

/// Services up to which each has probe durations of its own. Each costs some 130 bytes for each result that was seen.
pub const SERVICES_MAX: usize = 500;

/// Upper bounds of probe durations, in milliseconds. Probes of this host answer within one, and time out after seconds.
pub const PROBE_BOUNDS: [u64; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000];

/// Upper bounds of what takes as long as a restart does, in milliseconds: to ten minutes.
pub const OUTAGE_BOUNDS: [u64; 12] = [
    100, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 3_600_000,
];

/// How durations were spread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    bounds: &'static [u64; 12],
    buckets: [u64; 12],
    count: u64,
    sum: Duration,
}

impl Histogram {
    /// An empty one with these upper bounds, in milliseconds.
    pub const fn new(bounds: &'static [u64; 12]) -> Self {
        Self {
            bounds,
            buckets: [0; 12],
            count: 0,
            sum: Duration::ZERO,
        }
    }

    /// Counts one.
    pub fn observe(&mut self, duration: Duration) {
        let millis = duration.as_micros().div_ceil(1000);
        let bucket = self.bounds.iter().position(|bound| millis <= u128::from(*bound));
        if let Some(count) = bucket.and_then(|bucket| self.buckets.get_mut(bucket)) {
            *count += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(duration);
    }

    /// How many there were.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// How long they were together.
    pub const fn sum(&self) -> Duration {
        self.sum
    }

    /// Each upper bound in milliseconds, with how many were no longer.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.buckets.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        self.bounds.iter().copied().zip(counts)
    }
}

/// Which rounds of probes are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProbeKey {
    /// Of which service; of every one where there are more than [`SERVICES_MAX`].
    pub service: Option<ServiceName>,
    /// What they ask with: a closed set of words.
    pub probe: &'static str,
    /// `passed`, or the phase in which they failed: a closed set of words.
    pub result: &'static str,
}

/// Where an incident stands that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    /// When it was first reported.
    detected: Time,
    /// When it was last acted on.
    acted: Option<Time>,
}

/// Everything that is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Rounds of probes by how long they took. Those that could not be made are not among them.
    pub probes: BTreeMap<ProbeKey, Histogram>,
    /// Rounds of probes that the agent itself could not make.
    pub probes_skipped: u64,
    /// Incidents opened, by the kind of their cause.
    pub incidents: BTreeMap<&'static str, u64>,
    /// Incidents closed, by how.
    pub closed: BTreeMap<&'static str, u64>,
    /// Restarts ended, by how their adapter answered.
    pub restarts: BTreeMap<&'static str, u64>,
    /// Restarts carried out, by whether they helped.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Decisions not to act, by reason.
    pub holds: BTreeMap<&'static str, u64>,
    /// How often a service was given up.
    pub gave_up: u64,
    /// Messages decided on, by kind.
    pub notified: BTreeMap<&'static str, u64>,
    /// Messages decided against, by reason.
    pub not_notified: BTreeMap<&'static str, u64>,
    /// From the first report of an incident to the first restart for it.
    pub detection_to_restart: Histogram,
    /// From a restart to the first sight of the service being healthy.
    pub restart_to_healthy: Histogram,
    /// How long services were down, by incident.
    pub incident_down: Histogram,
    /// From the first failure to the proof that a restart had helped, by incident.
    pub restart_proved: Histogram,
    open: BTreeMap<ServiceName, Open>,
    services: usize,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            probes: BTreeMap::new(),
            probes_skipped: 0,
            incidents: BTreeMap::new(),
            closed: BTreeMap::new(),
            restarts: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            holds: BTreeMap::new(),
            gave_up: 0,
            notified: BTreeMap::new(),
            not_notified: BTreeMap::new(),
            detection_to_restart: Histogram::new(&OUTAGE_BOUNDS),
            restart_to_healthy: Histogram::new(&OUTAGE_BOUNDS),
            incident_down: Histogram::new(&OUTAGE_BOUNDS),
            restart_proved: Histogram::new(&OUTAGE_BOUNDS),
            open: BTreeMap::new(),
            services: 0,
        }
    }
}

impl Counters {
    /// Goes on with `services`, of which `is_known` knows the names: forgets the others. Where they become too many for
    /// numbers of their own, or few enough, probes are counted from 0 again, which Prometheus takes for a restart.
    pub fn keep(&mut self, services: usize, is_known: impl Fn(&ServiceName) -> bool) {
        let was_each = self.counts_each();
        self.services = services;
        if self.counts_each() != was_each {
            self.probes.clear();
        }
        self.probes.retain(|key, _| key.service.as_ref().is_none_or(&is_known));
        self.open.retain(|service, _| is_known(service));
    }

    /// Whether each service has probe durations of its own.
    const fn counts_each(&self) -> bool {
        self.services <= SERVICES_MAX
    }

    /// Counts a round of probes of `service`, which asks with `probe`.
    pub fn probed(&mut self, service: &ServiceName, probe: &'static str, outcome: &ProbeOutcome) {
        let result = match &outcome.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed(failure) => failure.phase.as_str(),
            Verdict::Skipped(_) => {
                self.probes_skipped += 1;
                return;
            }
        };
        let key = ProbeKey {
            // A name is shared, not copied.
            service: self.counts_each().then(|| service.clone()),
            probe,
            result,
        };
        self.probes
            .entry(key)
            .or_insert(Histogram::new(&PROBE_BOUNDS))
            .observe(outcome.latency);
    }

    /// Counts what the engine reported.
    pub fn reported(&mut self, report: &Report) {
        match &report.kind {
            ReportKind::WentDown { .. } => self.detected(report),
            ReportKind::IncidentOpened { cause } => {
                self.detected(report);
                add(&mut self.incidents, cause.kind());
            }
            ReportKind::ActionHeld { hold, .. } => add(&mut self.holds, hold.kind()),
            ReportKind::ActionStarted { action, again: false } if action.attempt > 0 => self.acted(report),
            ReportKind::ActionEnded { result, .. } => add(&mut self.restarts, result.kind()),
            ReportKind::ActionVerified { .. }
            | ReportKind::ActionUnverified { .. }
            | ReportKind::ActionUnproven { .. }
            | ReportKind::ActionCutShort { .. } => add(&mut self.verdicts, report.kind.name()),
            ReportKind::BecameHealthy { .. } => self.healthy(report),
            ReportKind::GaveUp { .. } => self.gave_up += 1,
            ReportKind::IncidentClosed { resolution, outage, .. } => {
                self.open.remove(&report.service);
                add(&mut self.closed, resolution.as_str());
                if let Some(down) = outage.down {
                    self.incident_down.observe(down);
                }
                if let (Resolution::Healed, Some(proved)) = (resolution, outage.proved) {
                    self.restart_proved.observe(proved);
                }
            }
            ReportKind::Notified { kind, .. } => add(&mut self.notified, kind),
            ReportKind::NotNotified { reason, .. } => add(&mut self.not_notified, reason.kind()),
            ReportKind::StateChanged { .. }
            | ReportKind::CauseChanged { .. }
            | ReportKind::ActionStarted { .. }
            | ReportKind::ActionSlow { .. }
            | ReportKind::ObservationJudged { .. }
            | ReportKind::OperatorActed { .. }
            | ReportKind::MaintenanceChanged { .. }
            | ReportKind::Acknowledged { .. }
            | ReportKind::FlappingBegan { .. }
            | ReportKind::FlappingEnded { .. }
            | ReportKind::StoppedOnPurpose { .. } => {}
        }
    }

    fn detected(&mut self, report: &Report) {
        let open = Open {
            detected: report.at,
            acted: None,
        };
        self.open.entry(report.service.clone()).or_insert(open);
    }

    fn acted(&mut self, report: &Report) {
        // Of an incident that is older than the agent nothing is known.
        let Some(open) = self.open.get_mut(&report.service) else {
            return;
        };
        if open.acted.is_none() {
            self.detection_to_restart.observe(report.at.since(open.detected));
        }
        open.acted = Some(report.at);
    }

    fn healthy(&mut self, report: &Report) {
        // What never became an incident is over; the next failure is another.
        let Some(Open { acted: Some(acted), .. }) = self.open.remove(&report.service) else {
            return;
        };
        self.restart_to_healthy.observe(report.at.since(acted));
    }
}

fn add(counts: &mut BTreeMap<&'static str, u64>, word: &'static str) {
    *counts.entry(word).or_default() += 1;
}

#[cfg(test)]
mod tests;
