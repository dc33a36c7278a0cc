//! Why a service is down: one of a closed set, with a sentence for operators.

use std::fmt;
use std::time::Duration;

use sentinel_text::span;
use serde::{Deserialize, Serialize};

use crate::ids::ServiceName;
use crate::observation::Activity;
use crate::probe::{ProbeFailure, ProbePhase};
use crate::restart_on::RestartOn;
use crate::time::Time;

/// Why a service is down, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// The main process ended with this exit code.
    Exited {
        /// The exit code; 0 is a clean exit.
        code: i32,
    },
    /// Its supervisor could not start its main process.
    NotStarted {
        /// What could not be done.
        reason: String,
    },
    /// A signal ended the main process.
    Killed {
        /// The signal's number on Linux.
        signal: i32,
        /// Whether it left a core dump.
        core_dumped: bool,
    },
    /// The kernel's OOM killer ended it.
    OomKilled,
    /// It did not answer its supervisor's watchdog in time.
    Watchdog,
    /// It did not start, stop or finish in the time its supervisor allows.
    Timeout,
    /// It was started too often in too short a time, and its supervisor gave up.
    StartLimit,
    /// A unit or service it needs could not be brought up.
    Dependency,
    /// It was stopped together with something it comes after, which is back.
    StoppedWith {
        /// With what.
        name: ServiceName,
        /// When.
        at: Time,
    },
    /// What starts it when it is needed has failed: a socket, a path or a timer.
    TriggerFailed {
        /// Which.
        name: String,
        /// The unit that it starts.
        unit: String,
        /// How, in its supervisor's words.
        result: String,
    },
    /// It runs, and a probe of it fails.
    Probe(ProbeFailure),
    /// It runs, and what fails has never passed since it was configured: a probe, or its supervisor's own check.
    NeverPassed {
        /// What the probe or check said.
        detail: String,
    },
    /// It runs, and its supervisor's own check of it fails.
    Unhealthy {
        /// What that check said.
        output: String,
    },
    /// It runs, and its supervisor's own check of it cannot be run.
    Unchecked {
        /// Why it cannot.
        reason: String,
    },
    /// It was asked to end, by a signal, and that took longer than its own settings allow.
    AskedToStop {
        /// How long after that it ended; `None` while it still runs.
        after: Option<Duration>,
    },
    /// It cannot be started as it is: not found, masked, a broken file.
    Unusable {
        /// Why, in the supervisor's words.
        reason: String,
    },
    /// Its supervisor reports a result that has no name here.
    Other {
        /// The supervisor's own words.
        result: String,
    },
    /// Its supervisor restarts it over and over, and it never becomes well.
    CrashLoop {
        /// Restarts by the supervisor.
        restarts: usize,
        /// In how long.
        within: Duration,
    },
    /// What its supervisor, or a job, is busy with does not end.
    Busy {
        /// With what.
        activity: Activity,
        /// For how long, at least.
        longer_than: Duration,
    },
    /// Several services went down at once.
    HostWide {
        /// How many.
        services: usize,
        /// The first of them, by name.
        #[serde(default)]
        names: Vec<ServiceName>,
        /// What they have in common, in words.
        likely: String,
    },
    /// Nothing is known but that it is down.
    Unknown,
}

impl Cause {
    /// Whether a restart can be what ended such an outage: names, certificates and wrong questions are as they were
    /// afterwards, unless `restart_on` knows better.
    pub(crate) fn restart_can_help(&self, restart_on: &RestartOn) -> bool {
        match self {
            Self::Probe(failure) => RestartOn::default().covers(failure.kind) || restart_on.covers(failure.kind),
            Self::NeverPassed { .. } => false,
            _ => true,
        }
    }

    /// The word for this kind of cause, for logs, metrics and matching. A closed set.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Exited { .. } => "exited",
            Self::NotStarted { .. } => "not_started",
            Self::Killed { .. } => "killed",
            Self::OomKilled => "oom_killed",
            Self::Watchdog => "watchdog",
            Self::Timeout => "timeout",
            Self::StartLimit => "start_limit",
            Self::Dependency => "dependency",
            Self::StoppedWith { .. } => "stopped_with",
            Self::TriggerFailed { .. } => "trigger_failed",
            Self::Probe(failure) => match failure.phase {
                ProbePhase::Dns => "probe_dns",
                ProbePhase::Connect => "probe_connect",
                ProbePhase::Tls => "probe_tls",
                ProbePhase::Timeout => "hung",
                ProbePhase::Status => "probe_status",
                ProbePhase::Body => "probe_body",
                ProbePhase::Latency => "slow",
                ProbePhase::Command => "probe_command",
            },
            Self::NeverPassed { .. } => "probe_never_passed",
            Self::Unhealthy { .. } => "unhealthy",
            Self::Unchecked { .. } => "unchecked",
            Self::AskedToStop { .. } => "asked_to_stop",
            Self::Unusable { .. } => "unusable",
            Self::Other { .. } => "other",
            Self::CrashLoop { .. } => "crash_loop",
            Self::Busy { .. } => "busy",
            Self::HostWide { .. } => "host_wide",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "exited with code {code}"),
            Self::NotStarted { reason } => f.write_str(reason),
            Self::Killed { signal, core_dumped } => {
                write!(f, "killed by signal {}", signal_name(*signal))?;
                if *core_dumped {
                    f.write_str(" (core dumped)")
                } else {
                    Ok(())
                }
            }
            Self::OomKilled => f.write_str("killed by the kernel, out of memory"),
            Self::Watchdog => f.write_str("did not feed its watchdog in time"),
            Self::Timeout => f.write_str("took longer than its supervisor allows"),
            Self::StartLimit => f.write_str("was started too often; its supervisor gave up"),
            Self::Dependency => f.write_str("something it depends on is down"),
            Self::StoppedWith { name, .. } => write!(f, "stopped together with {name}, which is back"),
            Self::TriggerFailed { name, unit, result } => {
                write!(f, "{name}, which starts {unit} when it is needed, has failed")?;
                match result.as_str() {
                    "" => Ok(()),
                    result => write!(f, " ({result})"),
                }
            }
            Self::Probe(failure) if failure.phase == ProbePhase::Timeout => {
                write!(f, "runs but does not answer: {failure}")
            }
            Self::Probe(failure) => write!(f, "probe failed: {failure}"),
            Self::NeverPassed { detail } => {
                f.write_str("this probe has never passed since it was configured")?;
                if !detail.is_empty() {
                    write!(f, ": {detail}")?;
                }
                f.write_str("; is the probe configured correctly?")
            }
            Self::Unhealthy { output } if output.is_empty() => f.write_str("its health check fails"),
            Self::Unhealthy { output } => write!(f, "its health check fails: {output}"),
            Self::Unchecked { reason } => write!(f, "its health check cannot be run: {reason}"),
            Self::AskedToStop { after: None } => f.write_str("was asked to stop and still runs"),
            Self::AskedToStop { after: Some(after) } => write!(f, "ended {} after it was asked to stop", span(*after)),
            Self::Unusable { reason } => write!(f, "cannot run: {reason}"),
            Self::Other { result } => write!(f, "its supervisor reports `{result}`"),
            Self::CrashLoop { restarts, within } => {
                write!(
                    f,
                    "its supervisor restarted it {restarts} times within {}",
                    span(*within)
                )
            }
            Self::HostWide {
                services,
                names,
                likely,
            } => {
                write!(f, "{services} services went down at once")?;
                if !names.is_empty() {
                    let named = names.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(", ");
                    match services.saturating_sub(names.len()) {
                        0 => write!(f, " ({named})")?,
                        more => write!(f, " ({named} and {more} more)")?,
                    }
                }
                write!(f, ": {likely}")
            }
            Self::Busy { activity, longer_than } => {
                let span = span(*longer_than);
                match activity {
                    Activity::Starting => write!(f, "its start has not finished after {span}"),
                    Activity::Stopping => write!(f, "its stop has not finished after {span}"),
                    Activity::Reloading => write!(f, "its reload has not finished after {span}"),
                    Activity::AutoRestart => write!(f, "its supervisor has not restarted it after {span}"),
                    Activity::Job => write!(f, "a job for it has not finished after {span}"),
                    Activity::Frozen => write!(f, "it has been frozen for {span}"),
                }
            }
            Self::Unknown => f.write_str("cause not known"),
        }
    }
}

/// The name of a Linux signal without `SIG`, or its number.
fn signal_name(signal: i32) -> String {
    const NAMES: [&str; 32] = [
        "0", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ];
    usize::try_from(signal)
        .ok()
        .and_then(|index| NAMES.get(index))
        .map_or_else(|| signal.to_string(), ToString::to_string)
}
