//! One incident as operators know it: who was notified, what is owed to them, who takes care of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::reason::Reason;
use super::rules::Rules;
use super::subject::Subject;
use crate::cause::Cause;
use crate::ids::{IncidentId, ServiceName};
use crate::labels::Labels;
use crate::notification::{Failing, News, Notification, NotificationKind};
use crate::policy::Severity;
use crate::service::SUPPRESSION_MAX;
use crate::time::Time;

/// What must outlive the agent of what was sent of one incident. Stored as JSON by the driver; unknown fields are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotificationLog {
    /// The incident.
    pub incident: IncidentId,
    /// Its service.
    pub service: ServiceName,
    /// When the incident opened.
    pub opened_at: Time,
    /// How bad it is: that of the last message about it being down.
    pub severity: Severity,
    /// Why it is down, as last known.
    pub cause: Cause,
    /// Attempts made so far.
    pub attempts: u32,
    /// What was last being done.
    pub doing: String,
    /// What its probes say, where that is why nothing is done.
    #[serde(default)]
    pub failing: Option<Failing>,
    /// The receivers that were notified. An end goes to each of them.
    #[serde(default, alias = "told")]
    pub notified: BTreeSet<String>,
    /// When the first of them was notified that it is down.
    #[serde(default, alias = "told_at")]
    pub notified_at: Option<Time>,
    /// When they were last notified that it is.
    #[serde(default)]
    pub last_at: Option<Time>,
    /// Messages so far.
    #[serde(default)]
    pub messages: u32,
    /// What was last reported of its being down, or would have been had there been anybody.
    #[serde(default)]
    pub opening: Option<NotificationKind>,
    /// Which of the messages that was; 0 when that is not known.
    #[serde(default)]
    pub opening_sequence: u32,
    /// What operators should know and have not been notified.
    #[serde(default)]
    pub owed: Option<NotificationKind>,
    /// Whether it was informed that the service goes down too often to be reported each time.
    #[serde(default)]
    pub flapping: bool,
    /// Whether the incident is over. The notification log then only goes on while it is flapping.
    #[serde(default)]
    pub over: bool,
    /// The silence that keeps receivers from being notified.
    #[serde(default)]
    pub silenced: Option<u64>,
    /// Who takes care of it.
    #[serde(default)]
    pub ack: Option<Acknowledgement>,
}

/// An operator acknowledges an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// What they say.
    pub text: String,
    /// When.
    pub at: Time,
}

/// What is to be done about a notification log now.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Due {
    /// Notify these receivers of this.
    Notify(NotificationKind, BTreeMap<String, Reason>),
    /// This would be reported, but not now.
    Withhold(NotificationKind, Reason),
    /// There is no receiver to be notified what is owed.
    Drop(NotificationKind, Reason),
    /// Nothing before this time.
    Wait(Option<Time>),
}

impl NotificationLog {
    /// The one that `notification` begins.
    pub(super) fn new(notification: &Notification) -> Self {
        Self {
            incident: notification.incident,
            service: notification.service.clone(),
            opened_at: notification.opened_at,
            severity: notification.severity,
            cause: notification.cause.clone(),
            attempts: notification.attempts,
            doing: notification.doing.clone(),
            failing: notification.failing.clone(),
            notified: BTreeSet::new(),
            notified_at: None,
            last_at: None,
            messages: 0,
            opening: None,
            opening_sequence: 0,
            owed: None,
            flapping: false,
            over: false,
            silenced: None,
            ack: None,
        }
    }

    /// Takes in what a later message says.
    pub(super) fn learn(&mut self, notification: &Notification) {
        self.cause.clone_from(&notification.cause);
        self.attempts = notification.attempts;
        self.doing.clone_from(&notification.doing);
        self.failing.clone_from(&notification.failing);
        self.messages = self.messages.max(notification.sequence.saturating_sub(1));
    }

    /// Something else is done now, or is why nothing is.
    pub(super) fn does(&mut self, doing: String) {
        self.doing = doing;
        self.failing = None;
    }

    /// What routes, silences and escalations are asked about.
    pub(super) fn subject<'a>(&'a self, kind: NotificationKind, labels: &'a BTreeMap<String, String>) -> Subject<'a> {
        Subject {
            service: self.service.as_str(),
            severity: self.severity,
            kind: kind.as_str(),
            labels,
        }
    }

    /// What is to be done now. Level-triggered: asked again whenever something may have changed.
    pub(super) fn due(
        &self,
        now: Time,
        rules: &Rules,
        labels: &BTreeMap<String, String>,
        silence: Option<u64>,
        inhibition: Option<&Reason>,
    ) -> Due {
        let Some(owed) = self.owed else {
            return self.next_news(now, rules, labels, silence, inhibition);
        };
        if let Some(id) = silence {
            return Due::Withhold(owed, Reason::Silenced(id));
        }
        // The engine had no objection when it decided this. After a silence, or when it is reported again, it may have.
        if (self.silenced.is_some() || self.opening == Some(owed))
            && let Some(reason) = inhibition
            && !self.is_its_own(now, reason)
        {
            return Due::Withhold(owed, reason.clone());
        }
        let choice = rules.choose(self.subject(owed, labels));
        let mut receivers = choice.receivers;
        for name in &self.notified {
            receivers.entry(name.clone()).or_insert(Reason::NotifiedBefore);
        }
        match choice.no_receivers {
            Some(reason) if receivers.is_empty() => Due::Drop(owed, reason),
            _ => Due::Notify(owed, receivers),
        }
    }

    /// Whether it must be reported by itself although another alert speaks for it: that does so only for a while.
    fn is_its_own(&self, now: Time, reason: &Reason) -> bool {
        matches!(reason, Reason::Dependency | Reason::HostWide) && now.since(self.opened_at) >= SUPPRESSION_MAX
    }

    /// What is still to be said of an incident of which everything that happened was reported.
    fn next_news(
        &self,
        now: Time,
        rules: &Rules,
        labels: &BTreeMap<String, String>,
        silence: Option<u64>,
        inhibition: Option<&Reason>,
    ) -> Due {
        let (Some(notified_at), Some(last_at)) = (self.notified_at, self.last_at) else {
            return Due::Wait(None);
        };
        if self.over || self.notified.is_empty() || self.ack.is_some() {
            return Due::Wait(None);
        }
        let duration = now.since(self.opened_at);
        let escalated = NotificationKind::Escalated { duration };
        let repeated = NotificationKind::Update {
            news: News::StillDown,
            duration,
        };
        let escalation = rules
            .escalations_of(self.subject(escalated, labels))
            .filter_map(|(number, escalation)| {
                let new = escalation
                    .receivers
                    .iter()
                    .filter(|name| !self.notified.contains(*name));
                let new: BTreeMap<_, _> = new.map(|name| (name.clone(), Reason::Escalation(number))).collect();
                (!new.is_empty()).then(|| (notified_at + escalation.after, new))
            })
            .min_by_key(|(at, _)| *at);
        let repeat = rules
            .repeat_interval
            .filter(|_| self.severity > Severity::Info)
            .map(|interval| last_at + interval);
        let (at, kind, receivers) = match (escalation, repeat) {
            (None, None) => return Due::Wait(None),
            (Some((at, new)), repeat) if repeat.is_none_or(|repeat| at <= repeat) => (at, escalated, new),
            (_, Some(at)) => {
                let notified = self.notified.iter().map(|name| (name.clone(), Reason::Repeat));
                (at, repeated, notified.collect())
            }
            (Some((at, new)), None) => (at, escalated, new),
        };
        match (silence, inhibition) {
            _ if now < at => Due::Wait(Some(at)),
            (Some(id), _) => Due::Withhold(kind, Reason::Silenced(id)),
            (None, Some(reason)) => Due::Withhold(kind, reason.clone()),
            (None, None) => Due::Notify(kind, receivers),
        }
    }

    /// Goes on with what `notification` says. Answers what to tell, and the message that reported the beginning as it
    /// would be reported now; `None` when the beginning is still to be reported, or was asked to nobody.
    pub(super) fn go_on(&mut self, now: Time, mut notification: Notification) -> Option<(Notification, Notification)> {
        self.learn(&notification);
        if self.owed.is_some() || self.notified.is_empty() {
            return None;
        }
        self.messages += 1;
        self.last_at = Some(now);
        notification.sequence = self.messages;
        let opening = Notification {
            kind: self.opening.unwrap_or(NotificationKind::Fired),
            sequence: self.opening_sequence,
            at: self.notified_at.unwrap_or(now),
            ..notification.clone()
        };
        Some((notification, opening))
    }

    /// Notes that `receivers` are told `kind` now, and makes the message.
    pub(super) fn notify(
        &mut self,
        now: Time,
        kind: NotificationKind,
        labels: &Labels,
        receivers: impl IntoIterator<Item = String>,
    ) -> Notification {
        self.messages += 1;
        self.notified.extend(receivers);
        let doing = if self.silenced.take().is_some() {
            format!("silenced until now; {}", self.doing)
        } else {
            self.doing.clone()
        };
        let severity = match kind {
            NotificationKind::Update {
                news: News::Acknowledged,
                ..
            } => Severity::Info,
            _ => self.severity,
        };
        if matches!(kind, NotificationKind::Fired | NotificationKind::GaveUp { .. }) {
            self.notified_at.get_or_insert(now);
            (self.opening, self.opening_sequence) = (Some(kind), self.messages);
        }
        // Whoever an escalation tells does not put off when the others are reminded.
        let is_for_all = !matches!(
            kind,
            NotificationKind::Escalated { .. }
                | NotificationKind::Update {
                    news: News::Acknowledged,
                    ..
                }
        );
        if is_for_all && self.notified_at.is_some() {
            self.last_at = Some(now);
        }
        Notification {
            incident: self.incident,
            sequence: self.messages,
            service: self.service.clone(),
            labels: labels.clone(),
            kind,
            severity,
            at: now,
            opened_at: self.opened_at,
            cause: self.cause.clone(),
            attempts: self.attempts,
            doing,
            failing: self.failing.clone(),
        }
    }
}
