//! What receivers are sent: one conversation per incident.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::ids::{IncidentId, ServiceName};
use crate::labels::Labels;
use crate::outage::Outage;
use crate::policy::Severity;
use crate::report::Resolution;
use crate::time::Time;

/// One message of an incident, before receivers are chosen and words are set.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// The incident it is about.
    pub incident: IncidentId,
    /// Its ordinal within the incident, from 1. Receivers get an incident's messages in this order.
    pub sequence: u32,
    /// The service.
    pub service: ServiceName,
    /// Its labels.
    pub labels: Labels,
    /// What kind of message.
    pub kind: NotificationKind,
    /// How urgent.
    pub severity: Severity,
    /// When this was decided.
    pub at: Time,
    /// When the incident opened.
    pub opened_at: Time,
    /// Why the service is, or was, down.
    pub cause: Cause,
    /// Attempts made in this incident so far.
    pub attempts: u32,
    /// What is being done about it, in words; the reason when nothing is.
    pub doing: String,
    /// What its probes say, where that is why nothing is done.
    pub failing: Option<Failing>,
}

/// What probes say now, and what they said before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// What they say now: `404`, `certificate expired`.
    pub now: String,
    /// Since when they have not passed.
    pub since: Time,
    /// What they said when they passed last, if that is known: `200`, or that they passed.
    pub before: Option<String>,
}

/// The kinds of message an incident can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NotificationKind {
    /// It is down and was not healed within `notify_after`.
    Fired,
    /// The budget is spent; manual action needed.
    GaveUp {
        /// How many restarts were made within `window`; 0 where an earlier version noted it.
        #[serde(default)]
        restarts: u32,
        /// The window of the budget; zero where an earlier version noted it.
        #[serde(default)]
        window: Duration,
    },
    /// It was healed, or came back, before any receiver was notified that it was down. The only message of its incident.
    Healed {
        /// How it ended.
        resolution: Resolution,
        /// How long the incident was open.
        duration: Duration,
        /// How long it was down, and who began the run that is well.
        #[serde(default)]
        outage: Outage,
    },
    /// Something new about an incident that was reported and is not over; sent to whoever was notified.
    Update {
        /// What.
        news: News,
        /// How long it has been down.
        duration: Duration,
    },
    /// It is down and no operator has acknowledged it; sent to those whom an escalation calls.
    Escalated {
        /// How long it has been down.
        duration: Duration,
    },
    /// It is over; sent to whoever was notified that it was down.
    Resolved {
        /// How it ended.
        resolution: Resolution,
        /// How long the incident was open.
        duration: Duration,
        /// How long it was down, and who began the run that is well.
        #[serde(default)]
        outage: Outage,
    },
    /// It goes down too often to be reported each time. Until [`NotificationKind::FlappingEnded`] its only other message is
    /// that the agent gave up, and the end of what was given up.
    Flapping {
        /// How often it went down.
        incidents: u32,
        /// In how long.
        within: Duration,
    },
    /// It has been stable for a while, up or down; part of the conversation in which [`NotificationKind::Flapping`] was
    /// told. An outage that lasts is told next.
    FlappingEnded {
        /// How often it went down in all.
        incidents: u32,
        /// In how long, from the first incident until now.
        duration: Duration,
    },
}

/// What an update tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// It is still down.
    StillDown,
    /// An operator acknowledged it.
    Acknowledged,
    /// Something other than the agent and its supervisor restarts it so often that this no longer counts as a repair.
    Restarted {
        /// How often.
        times: u32,
        /// In how long.
        within: Duration,
    },
    /// An outage of the whole host: more services are down than was reported.
    Grown,
}

impl NotificationKind {
    /// The word used in payloads, logs and the store. A closed set.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::GaveUp { .. } => "gave_up",
            Self::Healed { .. } => "healed",
            Self::Update { .. } => "update",
            Self::Escalated { .. } => "escalated",
            Self::Resolved { .. } => "resolved",
            Self::Flapping { .. } => "flapping",
            Self::FlappingEnded { .. } => "flapping_ended",
        }
    }
}
