//! The states of a service, and the reasons for not acting.

use std::fmt;
use std::time::Duration;

use sentinel_text::span;
use serde::{Deserialize, Serialize};

use crate::blast::BlastRadius;
use crate::observation::Activity;

/// What a service is doing, in the order in which the engine asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing is known of it: no observation yet, or the connection was lost.
    Unknown,
    /// An operator stopped it, or it has nothing to run. It is left alone until an operator starts it.
    Stopped,
    /// The host is going down; everything is frozen.
    Shutdown,
    /// It started a short while ago and has not proved itself; failed probes do not count yet.
    Starting,
    /// It runs and every probe passes.
    Healthy,
    /// A probe failed, but not often enough to call it down.
    Suspect,
    /// It went down a moment ago; its own supervisor gets time to act first.
    Settling,
    /// Another party is busy with it: whoever asked for a start, stop or reload, or its supervisor, also in the pauses of a
    /// crash loop.
    SupervisorBusy,
    /// It is down and nothing has been decided yet.
    Down,
    /// It is down, and something it depends on is, or may be; that one is recovered first.
    Suppressed,
    /// It is down and the next attempt waits for its time.
    Backoff,
    /// It is down and the host's limits make it wait.
    Throttled,
    /// A recovery action is being carried out.
    Restarting,
    /// It was restarted and has to prove that this helped.
    Verifying,
    /// It is down, the budget is spent, and an operator has been called.
    GaveUp,
    /// It is down and is not acted on: observed only, in maintenance, or impossible to restart. See the hold.
    Held,
    /// An operator paused it, a deploy is under way, or a maintenance window is open.
    Maintenance,
}

impl State {
    /// The word used in logs, the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Stopped => "stopped",
            Self::Shutdown => "shutdown",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Suspect => "suspect",
            Self::Settling => "settling",
            Self::SupervisorBusy => "supervisor_busy",
            Self::Down => "down",
            Self::Suppressed => "suppressed",
            Self::Backoff => "backoff",
            Self::Throttled => "throttled",
            Self::Restarting => "restarting",
            Self::Verifying => "verifying",
            Self::GaveUp => "gave_up",
            Self::Held => "held",
            Self::Maintenance => "maintenance",
        }
    }
}

/// Why a service that is down is not being restarted now. Every decision not to act is one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Hold {
    /// `mode = "observe"`: nothing else stands in the way of the first attempt.
    Observe,
    /// An operator paused it.
    Maintenance,
    /// Nothing to restart: it is only probed.
    NoTarget,
    /// The target cannot be seen, so it must not be touched.
    Unobservable,
    /// Its supervisor may still restart it.
    Settling,
    /// Another party is busy with it.
    Busy {
        /// With what.
        activity: Activity,
        /// For longer than this, once that is too long.
        #[serde(default)]
        longer_than: Option<Duration>,
    },
    /// It was asked to end, by a signal, and may be draining.
    AskedToStop,
    /// Its supervisor's check of it cannot be run, and nothing else says that it is down.
    Unchecked,
    /// What runs it for its supervisor is away.
    RuntimeAway,
    /// Its supervisor restarts it over and over, and has not given up.
    CrashLoop,
    /// It failed while the agent did not look, and that may have been a stop.
    Unclear,
    /// It ended by itself and `on_clean_exit` says to leave it.
    CleanExit,
    /// It was stopped together with something that is back, and `on_dependency_return` says to leave it.
    StoppedWith {
        /// With what.
        name: String,
    },
    /// It runs and is well, and what starts it when it is needed has failed.
    TriggerFailed {
        /// Which socket, path or timer.
        name: String,
        /// The unit that it starts.
        unit: String,
    },
    /// The probes that fail have never passed, so they may ask the wrong thing.
    ProbeNeverPassed,
    /// What fails is of no kind that `restart_on` names, or not often enough.
    RestartOn {
        /// Why that is so.
        reason: String,
    },
    /// Its unit says that it is not to be restarted after such an end (`RestartPreventExitStatus=`).
    RestartPrevented,
    /// It is a oneshot that failed, and `retry_oneshot` is not set.
    Oneshot,
    /// A start of it does nothing, as a condition of its unit is not met: holds which.
    Condition {
        /// In systemd's words.
        reason: String,
    },
    /// A dependency is down.
    Dependency {
        /// The first one found down.
        name: String,
    },
    /// A dependency may be going down: a probe of it failed, and whether it is down is not decided yet.
    DependencySuspect {
        /// Which.
        name: String,
    },
    /// The next attempt is not due yet.
    Backoff,
    /// Its supervisor has just restarted it until its own limit and given up; it gets a rest first.
    AfterSupervisor,
    /// The budget is spent.
    GaveUp,
    /// As many actions are under way on this host as are allowed.
    InFlight,
    /// As many actions as the host allows have been taken; the next is not due yet.
    Throttled,
    /// Too much failed at once; restarts are stopped until the host comes to rest.
    Storm,
    /// The host booted a moment ago; everything is starting anyway.
    BootGrace,
    /// Nothing can be recorded, so nothing is done.
    Store,
    /// The target cannot be started as it is, or the agent may not: holds the reason.
    Refused {
        /// What the supervisor said.
        reason: String,
    },
    /// Whoever decides what the agent may do (polkit) does not answer. It is asked again: after 10 s, and then after ever
    /// longer, up to 5 min.
    Unanswered {
        /// What the supervisor said.
        reason: String,
    },
    /// Acting would restart or stop other units, which `may_affect` does not allow.
    BlastRadius(BlastRadius),
}

impl Hold {
    /// The reason as a sentence of its own, which says once what is not done.
    pub fn refusal(&self) -> String {
        let reason = self.to_string();
        if reason.starts_with("not ") {
            reason
        } else {
            format!("not restarted: {reason}")
        }
    }

    /// The word for this kind of hold: a metric's label.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Maintenance => "maintenance",
            Self::NoTarget => "no_target",
            Self::Unobservable => "unobservable",
            Self::Settling => "settling",
            Self::Busy { .. } => "busy",
            Self::AskedToStop => "asked_to_stop",
            Self::Unchecked => "unchecked",
            Self::RuntimeAway => "runtime_away",
            Self::CrashLoop => "crash_loop",
            Self::Unclear => "unclear",
            Self::CleanExit => "clean_exit",
            Self::StoppedWith { .. } => "stopped_with",
            Self::TriggerFailed { .. } => "trigger_failed",
            Self::ProbeNeverPassed => "probe_never_passed",
            Self::RestartOn { .. } => "restart_on",
            Self::RestartPrevented => "restart_prevented",
            Self::Oneshot => "oneshot",
            Self::Condition { .. } => "condition",
            Self::Dependency { .. } => "dependency",
            Self::DependencySuspect { .. } => "dependency_suspect",
            Self::Backoff => "backoff",
            Self::AfterSupervisor => "after_supervisor",
            Self::GaveUp => "gave_up",
            Self::InFlight => "in_flight",
            Self::Throttled => "throttled",
            Self::Storm => "storm",
            Self::BootGrace => "boot_grace",
            Self::Store => "store",
            Self::Refused { .. } => "refused",
            Self::Unanswered { .. } => "unanswered",
            Self::BlastRadius(_) => "blast_radius",
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Observe => f.write_str("would restart it now (attempt 1), but mode = observe"),
            Self::Maintenance => f.write_str("paused by an operator"),
            Self::NoTarget => f.write_str("only probed; there is nothing to restart"),
            Self::Unobservable => f.write_str("its target cannot be seen"),
            Self::Settling => f.write_str("waiting for its supervisor to restart it first"),
            Self::Busy { activity, longer_than } => {
                write!(f, "left alone: {}", activity.as_str())?;
                longer_than.map_or(Ok(()), |longer| write!(f, ", for more than {}", span(longer)))
            }
            Self::AskedToStop => f.write_str("left alone: asked to stop, still running"),
            Self::Unchecked => {
                f.write_str("not restarted: a health check that cannot be run says nothing of the service")
            }
            Self::RuntimeAway => f.write_str("not restarted: containerd, which runs it, cannot be reached"),
            Self::CrashLoop => f.write_str("left to its supervisor, which restarts it again and again"),
            Self::Unclear => f.write_str("failed while the agent was not watching; may have been stopped on purpose"),
            Self::CleanExit => f.write_str("ended by itself without an error; on_clean_exit leaves it stopped"),
            Self::StoppedWith { name } => write!(
                f,
                "stopped together with `{name}`, and on_dependency_return leaves it stopped; `sentinel restart` starts it"
            ),
            // systemd starts no socket whose service runs.
            Self::TriggerFailed { name, unit } if name.ends_with(".socket") => write!(
                f,
                "{unit} runs, so nothing is restarted; `systemctl stop {unit} && systemctl start {name} {unit}` brings {name} \
                 back"
            ),
            Self::TriggerFailed { name, unit } => write!(
                f,
                "{unit} runs, so nothing is restarted; `systemctl start {name}` brings {name} back"
            ),
            Self::ProbeNeverPassed => f.write_str(
                "a probe that has never passed restarts nothing, unless recovery.before_first_pass = \"restart\"",
            ),
            Self::RestartOn { reason } => f.write_str(reason),
            Self::RestartPrevented => f.write_str("not restarted: RestartPreventExitStatus= lists how it ended"),
            Self::Oneshot => f.write_str("not restarted: it is a oneshot; retry_oneshot = true runs it again"),
            Self::Condition { reason } => write!(f, "not started: {reason}"),
            Self::Dependency { name } => write!(f, "waiting for dependency `{name}`, which is down"),
            Self::DependencySuspect { name } => {
                write!(f, "waiting for dependency `{name}`, which is failing its probes")
            }
            Self::Backoff => f.write_str("the next attempt is not due yet"),
            Self::AfterSupervisor => {
                f.write_str("its supervisor reached its start limit and gave up; waiting before the next attempt")
            }
            Self::GaveUp => f.write_str("gave up; manual action needed"),
            Self::InFlight => f.write_str("waiting for another restart on this host to begin"),
            Self::Throttled => f.write_str("host-wide restart limit reached"),
            Self::Storm => f.write_str("storm protection: restarts paused"),
            Self::BootGrace => f.write_str("the host has just booted; waiting for boot_grace to end"),
            Self::Store => f.write_str("the store cannot be written, so nothing is done"),
            Self::Refused { reason } => write!(f, "cannot be restarted: {reason}"),
            Self::Unanswered { reason } => write!(f, "not restarted yet, asked again soon: {reason}"),
            Self::BlastRadius(radius) => write!(f, "not restarted: {radius}; `may_affect` does not allow that"),
        }
    }
}
