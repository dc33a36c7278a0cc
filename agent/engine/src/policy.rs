//! What the user asked for: the services to keep up and how to go about it.

use std::time::Duration;

use crate::ids::ServiceName;
use crate::labels::Labels;
use crate::restart_on::RestartOn;

/// One watched service, as the engine needs to know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its name, unique on the host.
    pub name: ServiceName,
    /// Whether something can be restarted: a unit, container or process. Without one the service is only probed.
    pub has_target: bool,
    /// Whether it has probes. Without any, running is taken for healthy.
    pub has_probes: bool,
    /// Services that must be up before this one is worth restarting.
    pub after: Vec<ServiceName>,
    /// Free labels, for routes, silences and messages.
    pub labels: Labels,
    /// How it is judged and recovered.
    pub policy: Policy,
}

impl Service {
    /// Whether `other` is judged and recovered in the same way: all that may differ is what messages say of it.
    pub(crate) fn is_judged_as(&self, other: &Self) -> bool {
        let Self {
            name,
            has_target,
            has_probes,
            after,
            labels: _,
            policy,
        } = self;
        (name, has_target, has_probes, after, policy)
            == (
                &other.name,
                &other.has_target,
                &other.has_probes,
                &other.after,
                &other.policy,
            )
    }

    /// A stand-in for a service that is remembered and no longer watched.
    pub fn unmanaged(name: ServiceName) -> Self {
        Self {
            name,
            has_target: false,
            has_probes: false,
            after: Vec::new(),
            labels: Labels::default(),
            policy: Policy::default(),
        }
    }
}

/// Whether the agent acts on a service or only watches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Restart what failed.
    #[default]
    Heal,
    /// Decide and record everything, act on nothing.
    Observe,
}

/// How long to wait after a target went down before believing that nothing else will restart it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Settle {
    /// Nothing when nothing else will restart it; five seconds when its supervisor may.
    #[default]
    Auto,
    /// This long, whatever supervises it.
    Fixed(Duration),
}

/// What to do with a target that ended by itself and reported success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnCleanExit {
    /// Start it again: a service is meant to run.
    #[default]
    Restart,
    /// Open an incident and tell, but leave it down.
    Alert,
    /// Take it for a deliberate stop.
    Ignore,
}

/// What becomes of a failed probe that has not passed once since it was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BeforeFirstPass {
    /// It alerts, and restarts nothing: it may be the wrong question.
    #[default]
    Hold,
    /// It counts like any other.
    Restart,
}

/// What to do with a target that was stopped together with something it comes after, when that one is healthy again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnDependencyReturn {
    /// Tell that it is still down, and leave it.
    #[default]
    Alert,
    /// Start it, as an attempt.
    Start,
    /// It was stopped on purpose, and stays so.
    Ignore,
}

/// How bad an unhealed outage of the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record; nobody needs to act.
    Info,
    /// An operator should look.
    #[default]
    Warning,
    /// An operator must look now.
    Critical,
}

impl Severity {
    /// The lower-case word used in configuration, logs and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// How a service is judged and recovered. `Default` holds the documented defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Heal, or only observe.
    pub mode: Mode,
    /// Time from the start of one probe round to the next. Default 10 s.
    pub interval: Duration,
    /// Consecutive failed probes that make a service down (`HAProxy`'s word and default). Default 3.
    pub fall: u32,
    /// When not 0: `fall` failures among so many of the last probes make it down too, which catches a service that answers
    /// every other time. At most 64. Default 0.
    pub fall_of: u32,
    /// Consecutive passed probes that make it up again (`HAProxy`'s word and default). Default 2.
    pub rise: u32,
    /// After a start, failed probes do not count for this long, or until the first `rise`. Default 30 s.
    pub start_grace: Duration,
    /// How long to leave a dead target to its own supervisor. Default `auto`.
    pub settle: Settle,
    /// Gap before the second attempt of an incident; doubles from there. The first attempt comes at once. Default 10 s.
    pub backoff: Duration,
    /// Longest gap between attempts (kubelet's cap). Default 5 min.
    pub backoff_max: Duration,
    /// Share of a gap by which it is varied, so that hosts do not restart in step. Default 0.2.
    pub jitter: f64,
    /// Attempts allowed within `window` before giving up. Default 5.
    pub burst: u32,
    /// The sliding window of `burst`. Default 30 min.
    pub window: Duration,
    /// After giving up, one attempt each so often (half-open, as circuit breakers call it). Zero: never. Default 1 h.
    pub half_open: Duration,
    /// Time a restarted service has to prove itself before the attempt counts as failed. Default 60 s.
    pub verify: Duration,
    /// The new run must have lived this long before the attempt counts as a success. Default 20 s.
    pub min_uptime: Duration,
    /// Continuous health after which attempts, budget and give-up are forgotten (kubelet's 10 min).
    pub reset_after: Duration,
    /// The kinds of failed probes that may lead to a restart. Default: what a restart can help against.
    pub restart_on: RestartOn,
    /// Whether a probe that has never passed may lead to one. Default: no.
    pub before_first_pass: BeforeFirstPass,
    /// What to do after a clean exit. Default: restart.
    pub on_clean_exit: OnCleanExit,
    /// What to do when it was stopped with what it depends on, and that is back. Default: alert.
    pub on_dependency_return: OnDependencyReturn,
    /// Whether a oneshot that failed is run again. Default: no, as its work may not bear that.
    pub retry_oneshot: bool,
    /// An outage healed within this time is reported once, as information, instead of fired and resolved. Default 30 s.
    pub notify_after: Duration,
    /// Severity of an outage that is not healed. Default: warning. Giving up is always critical.
    pub severity: Severity,
}

/// While the answer matters (suspect, starting, verifying) a service is probed this many times as often.
const RECHECK: u32 = 5;

impl Policy {
    /// Time between probe rounds while the answer matters.
    pub fn recheck(&self) -> Duration {
        self.interval / RECHECK
    }

    /// The longest time from a failure that probes show at once until the service is down for certain.
    pub fn detection(&self) -> Duration {
        self.interval + self.recheck() * self.fall.saturating_sub(1)
    }

    /// The longest time from a hang until the service is down for certain, when a probe gives up after `timeout`: each takes
    /// that long, and the next begins at once where it is due by then.
    pub fn hang_detection(&self, timeout: Duration) -> Duration {
        self.interval + timeout + self.recheck().max(timeout) * self.fall.saturating_sub(1)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Heal,
            interval: Duration::from_secs(10),
            fall: 3,
            fall_of: 0,
            rise: 2,
            start_grace: Duration::from_secs(30),
            settle: Settle::Auto,
            backoff: Duration::from_secs(10),
            backoff_max: Duration::from_secs(5 * 60),
            jitter: 0.2,
            burst: 5,
            window: Duration::from_secs(30 * 60),
            half_open: Duration::from_secs(60 * 60),
            verify: Duration::from_secs(60),
            min_uptime: Duration::from_secs(20),
            reset_after: Duration::from_secs(10 * 60),
            restart_on: RestartOn::default(),
            before_first_pass: BeforeFirstPass::Hold,
            on_clean_exit: OnCleanExit::Restart,
            on_dependency_return: OnDependencyReturn::Alert,
            retry_oneshot: false,
            notify_after: Duration::from_secs(30),
            severity: Severity::Warning,
        }
    }
}
