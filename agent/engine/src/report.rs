//! What happened, for the log, the incident's timeline and the metrics: one value for all three.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sentinel_text::span;
use serde::{Deserialize, Serialize};

use crate::alerting::Reason;
use crate::cause::Cause;
use crate::command::Action;
use crate::event::ActionResult;
use crate::ids::{ActionId, IncidentId, ServiceName};
use crate::outage::Outage;
use crate::state::{Hold, State};
use crate::time::Time;

/// One thing that happened to a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// When.
    pub at: Time,
    /// To which service.
    pub service: ServiceName,
    /// In which incident, if any is open.
    pub incident: Option<IncidentId>,
    /// What.
    pub kind: ReportKind,
}

/// What happened. `Display` is the sentence in the timeline; [`ReportKind::name`] the `event=` of the log.
#[derive(Clone, Debug, PartialEq)]
pub enum ReportKind {
    /// The service entered another state.
    StateChanged {
        /// From here.
        from: State,
        /// To here.
        to: State,
    },
    /// The service was found down: by a probe, or because its target died.
    WentDown {
        /// Why.
        cause: Cause,
        /// The HTTP status, when an answer came.
        status_code: Option<u16>,
    },
    /// The service was found healthy, for the first time or again.
    BecameHealthy {
        /// The HTTP status, when it is probed over HTTP.
        status_code: Option<u16>,
        /// How often it has come back since it was first watched.
        recoveries_total: u64,
        /// Whether it is up again because its supervisor began this run.
        by_supervisor: bool,
    },
    /// The service is down for certain.
    IncidentOpened {
        /// Why.
        cause: Cause,
    },
    /// The service is down for another reason than before.
    CauseChanged {
        /// The reason now.
        cause: Cause,
    },
    /// It was decided not to act. Reported when the reason changes.
    ActionHeld {
        /// Why not.
        hold: Hold,
        /// How long at least, where that is known.
        remaining: Option<Duration>,
    },
    /// It was decided to act; the intent is on disk when this is read.
    ActionStarted {
        /// The action.
        action: Action,
        /// Whether the same was refused before, and is only asked for again.
        again: bool,
    },
    /// The new run of a recovery action has not begun in time, and others no longer wait for it.
    ActionSlow {
        /// Which.
        action: ActionId,
        /// How long it has been waited for.
        after: Duration,
    },
    /// A recovery action ended; whether it helped is not known yet.
    ActionEnded {
        /// Which.
        action: ActionId,
        /// How it ended.
        result: ActionResult,
    },
    /// The new run proved itself.
    ActionVerified {
        /// Which action helped.
        action: ActionId,
        /// After how long its run first answered, where that was later than `start_grace` allows for.
        starts_slowly: Option<Duration>,
    },
    /// The new run did not prove itself.
    ActionUnverified {
        /// Which action did not help.
        action: ActionId,
        /// What is wrong now.
        reason: String,
    },
    /// The new run lives. More cannot be said, as what is asked of it has never passed.
    ActionUnproven {
        /// Which action.
        action: ActionId,
        /// What is not known of it.
        reason: String,
    },
    /// An attempt was ended before it could prove anything.
    ActionCutShort {
        /// Which action.
        action: ActionId,
        /// By what.
        reason: String,
    },
    /// It is known whether a restart would have been right that `mode = "observe"` forbade.
    ObservationJudged {
        /// Whether it would have been.
        right: bool,
        /// How long after it would have been made.
        after: Duration,
    },
    /// The budget is spent.
    GaveUp {
        /// Attempts made within the window.
        attempts: u32,
        /// The window.
        window: Duration,
        /// Whether the budget was halved, because its supervisor had given up before.
        halved: bool,
        /// Why it is down.
        cause: Cause,
    },
    /// The incident ended.
    IncidentClosed {
        /// How.
        resolution: Resolution,
        /// How long it was open.
        duration: Duration,
        /// How long it was down, and who began the run that it ended with.
        outage: Outage,
    },
    /// An operator asked for something.
    OperatorActed {
        /// What, in words.
        request: String,
    },
    /// A maintenance window opened, or became another, or the last one ended.
    MaintenanceChanged {
        /// Why it is in maintenance; `None` when it no longer is.
        reason: Option<String>,
    },
    /// A message is on its way to these receivers.
    Notified {
        /// What kind of message.
        kind: &'static str,
        /// To whom, and why to them.
        receivers: BTreeMap<String, Reason>,
    },
    /// A message was not sent.
    NotNotified {
        /// What kind of message.
        kind: &'static str,
        /// Why not.
        reason: Reason,
    },
    /// An operator takes care of the incident.
    Acknowledged {
        /// Who.
        by: String,
        /// What they say.
        text: String,
    },
    /// It went down too often to notify receivers each time.
    FlappingBegan {
        /// How often.
        incidents: u32,
        /// In how long.
        within: Duration,
    },
    /// It has been stable for a while.
    FlappingEnded {
        /// How often it went down in all.
        incidents: u32,
        /// From the first incident until now.
        duration: Duration,
    },
    /// An operator, or whoever stopped it, wants it down.
    StoppedOnPurpose {
        /// Why it is believed to be on purpose.
        reason: String,
    },
}

/// How an incident ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// An action of the agent healed it.
    Healed,
    /// It came back without the agent: by itself, or restarted by its supervisor.
    Recovered,
    /// Another party started it: an operator, as neither the agent nor its supervisor did.
    Started,
    /// An operator stopped the service on purpose.
    Stopped,
    /// The service is no longer configured.
    Unmanaged,
}

impl Resolution {
    /// The word used in logs, the store and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healed => "healed",
            Self::Recovered => "recovered",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Unmanaged => "unmanaged",
        }
    }
}

impl ReportKind {
    /// The word for this kind of happening. A closed set: `event=` in the log, `kind` in the timeline.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::StateChanged { .. } => "state",
            Self::WentDown {
                cause: Cause::Probe(failure),
                ..
            } => match failure.phase {
                crate::probe::ProbePhase::Dns
                | crate::probe::ProbePhase::Connect
                | crate::probe::ProbePhase::Tls
                | crate::probe::ProbePhase::Timeout => "unreachable",
                _ => "unhealthy",
            },
            Self::WentDown {
                cause: Cause::Unhealthy { .. } | Cause::NeverPassed { .. } | Cause::TriggerFailed { .. },
                ..
            } => "unhealthy",
            Self::WentDown {
                cause: Cause::CrashLoop { .. },
                ..
            } => "crash_looping",
            Self::WentDown { .. } => "died",
            Self::BecameHealthy { .. } => "healthy",
            Self::IncidentOpened { .. } => "incident_opened",
            Self::CauseChanged { .. } => "cause_changed",
            Self::ActionHeld { .. } => "held",
            Self::ActionStarted { .. } => "restart",
            Self::ActionSlow { .. } => "restart_slow",
            Self::ActionEnded { .. } => "restart_ended",
            Self::ActionVerified { .. } => "verified",
            Self::ActionUnverified { .. } => "not_verified",
            Self::ActionUnproven { .. } => "unproven",
            Self::ActionCutShort { .. } => "cut_short",
            Self::ObservationJudged { .. } => "observed",
            Self::GaveUp { .. } => "gave_up",
            Self::IncidentClosed { .. } => "incident_closed",
            Self::OperatorActed { .. } => "operator",
            Self::MaintenanceChanged { .. } => "maintenance",
            Self::Notified { .. } => "notified",
            Self::NotNotified { .. } => "not_notified",
            Self::Acknowledged { .. } => "acknowledged",
            Self::FlappingBegan { .. } => "flapping",
            Self::FlappingEnded { .. } => "flapping_ended",
            Self::StoppedOnPurpose { .. } => "stopped",
        }
    }
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StateChanged { from, to } => write!(f, "{} -> {}", from.as_str(), to.as_str()),
            Self::WentDown { cause, .. } | Self::IncidentOpened { cause } | Self::CauseChanged { cause } => {
                write!(f, "{cause}")
            }
            Self::BecameHealthy { by_supervisor, .. } => f.write_str(healthy(*by_supervisor)),
            Self::ActionHeld {
                hold: Hold::Observe, ..
            } => write!(f, "{}", Hold::Observe),
            Self::ActionHeld { hold, remaining: None } => f.write_str(&hold.refusal()),
            Self::ActionHeld {
                hold,
                remaining: Some(remaining),
            } => {
                write!(f, "{} (for {})", hold.refusal(), span(*remaining))
            }
            Self::ActionStarted { action, .. } if action.attempt == 0 => {
                write!(f, "{} asked for by an operator", action.kind.as_str())
            }
            Self::ActionStarted { action, .. } => write!(f, "{}, attempt {}", action.kind.in_words(), action.attempt),
            Self::ActionSlow { after, .. } => write!(
                f,
                "the new run has not begun within {}; other restarts no longer wait for it",
                span(*after)
            ),
            Self::ActionEnded { result, .. } => write!(f, "{result}"),
            Self::ActionVerified {
                starts_slowly: None, ..
            } => f.write_str("the restart helped"),
            Self::ActionVerified {
                starts_slowly: Some(after),
                ..
            } => write!(
                f,
                "the restart helped; starts slowly, the first answer came after {}: raise start_grace",
                span(*after)
            ),
            Self::ActionUnverified { reason, .. } => write!(f, "the restart did not help: {reason}"),
            Self::ObservationJudged { right: true, after } => write!(
                f,
                "a restart would have been right: it was restarted by other means after {}, and that helped",
                span(*after)
            ),
            Self::ObservationJudged { right: false, after } => write!(
                f,
                "a restart would not have been needed: it came back by itself after {}",
                span(*after)
            ),
            Self::ActionUnproven { reason, .. } => write!(f, "running, unproven: {reason}"),
            Self::ActionCutShort { reason, .. } => write!(f, "the attempt was cut short: {reason}"),
            Self::GaveUp {
                attempts,
                window,
                halved,
                ..
            } => {
                let times = if *attempts == 1 { "attempt" } else { "attempts" };
                write!(f, "gave up after {attempts} {times} within {}", span(*window))?;
                if *halved {
                    f.write_str(" (half the budget, because its supervisor had given up before)")?;
                }
                f.write_str("; manual action needed")
            }
            Self::IncidentClosed {
                resolution,
                duration,
                outage,
            } => f.write_str(&closed(*resolution, *duration, outage)),
            Self::OperatorActed { request } => write!(f, "operator: {request}"),
            Self::MaintenanceChanged { reason: Some(reason) } => write!(f, "maintenance: {reason}"),
            Self::MaintenanceChanged { reason: None } => f.write_str("the maintenance window ended"),
            Self::Notified { kind, receivers } => {
                write!(f, "{kind} to ")?;
                for (place, (name, reason)) in receivers.iter().enumerate() {
                    let comma = if place > 0 { ", " } else { "" };
                    write!(f, "{comma}{name} ({reason})")?;
                }
                Ok(())
            }
            Self::NotNotified { kind, reason } => write!(f, "{kind} not sent: {reason}"),
            Self::Acknowledged { by, text } if text.is_empty() => write!(f, "acknowledged by {by}"),
            Self::Acknowledged { by, text } => write!(f, "acknowledged by {by}: {text}"),
            Self::FlappingBegan { incidents, within } => write!(
                f,
                "flapping: went down {incidents} times within {}; receivers are notified when that is over",
                span(*within)
            ),
            Self::FlappingEnded { incidents, duration } => {
                write!(
                    f,
                    "no longer flapping; went down {incidents} times in {}",
                    span(*duration)
                )
            }
            Self::StoppedOnPurpose { reason } => f.write_str(reason),
        }
    }
}

/// `healed, down 0.2s, proved after 20 s`.
fn closed(resolution: Resolution, duration: Duration, outage: &Outage) -> String {
    let how = match resolution {
        Resolution::Started => "started by an operator",
        other => other.as_str(),
    };
    match outage.lasted() {
        Some(lasted) => format!("{how}, {lasted}"),
        None => format!("{how} after {}", span(duration)),
    }
}

const fn healthy(by_supervisor: bool) -> &'static str {
    if by_supervisor {
        "healthy, restarted by its supervisor"
    } else {
        "healthy"
    }
}

impl ActionResult {
    /// The word for how an action ended, for logs, metrics and the store. A closed set.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::Outdated(_) => "outdated",
            Self::Conflict(_) => "conflict",
            Self::Cancelled(_) => "cancelled",
            Self::Refused(_) => "refused",
            Self::Unanswered(_) => "unanswered",
            Self::TooWide(_) => "too_wide",
            Self::CalledOff(_) => "called_off",
            Self::Unknown(_) => "unknown",
            Self::NotRecorded(_) => "not_recorded",
        }
    }
}

impl fmt::Display for ActionResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("carried out"),
            Self::Failed(why) => write!(f, "did not come up: {why}"),
            Self::Outdated(why) => write!(f, "called off, it changed meanwhile: {why}"),
            Self::Conflict(why) => write!(f, "called off, something else is acting on it: {why}"),
            Self::Cancelled(why) => write!(f, "cancelled by something else: {why}"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Unanswered(why) => write!(f, "not carried out: {why}"),
            Self::TooWide(radius) => write!(f, "called off, {radius}"),
            Self::CalledOff(why) => write!(f, "did nothing: {why}"),
            Self::Unknown(why) => write!(f, "outcome not known: {why}"),
            Self::NotRecorded(why) => write!(f, "called off, it could not be recorded: {why}"),
        }
    }
}
