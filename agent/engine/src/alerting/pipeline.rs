//! Messages, reports and time go in; messages with receivers, and what must be remembered, come out.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::notification_log::{Due, NotificationLog};
use super::reason::Reason;
use super::rules::Rules;
use super::silence::{Silence, Silences};
use crate::command::Command;
use crate::ids::{IncidentId, ServiceName};
use crate::labels::Labels;
use crate::notification::{News, Notification, NotificationKind};
use crate::report::{Report, ReportKind};
use crate::time::Time;
use crate::wakes::Wakes;

/// How soon to look again at what is due and must not be reported now. What ends such a time is not reported here.
const RECHECK: Duration = Duration::from_secs(5);

/// What alerting asks about services.
pub struct AlertContext<'a> {
    /// The labels of a service; none of one that is not watched.
    pub labels: &'a dyn Fn(&ServiceName) -> Labels,
    /// Why nothing should be sent about a service now although it is down.
    pub inhibition: &'a dyn Fn(&ServiceName) -> Option<Reason>,
}

/// A message and who gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// The message.
    pub notification: Notification,
    /// Its receivers, each with the reason.
    pub receivers: BTreeMap<String, Reason>,
    /// When it may be sent at the earliest: until then others may be reported together with it.
    pub not_before: Time,
    /// The message that reported the beginning, as it would be reported now. A receiver that was not sent it yet gets
    /// this in its place, and not the message itself.
    pub revises: Option<Box<Notification>>,
}

/// Decides who is notified what, for all incidents of a host.
#[derive(Debug)]
pub struct Alerting {
    pub(super) rules: Rules,
    pub(super) logs: BTreeMap<IncidentId, NotificationLog>,
    pub(super) silences: Silences,
    wakes: Wakes<IncidentId>,
    pub(super) commands: VecDeque<Command>,
}

/// What a kind of message means to the notification log it is part of.
enum Role {
    /// It is down: sent to those whom the routes choose, and remembered.
    Opens,
    /// It is over: sent to whoever was notified that it is down.
    Closes,
    /// It goes down too often, or no longer does.
    Flapping(bool),
    /// It is worse than was reported: sent to whoever was notified that it is down.
    GoesOn,
    /// It stands for itself.
    Alone,
}

fn role(kind: NotificationKind) -> Role {
    match kind {
        NotificationKind::Fired | NotificationKind::GaveUp { .. } => Role::Opens,
        NotificationKind::Resolved { .. } => Role::Closes,
        NotificationKind::Flapping { .. } => Role::Flapping(true),
        NotificationKind::FlappingEnded { .. } => Role::Flapping(false),
        NotificationKind::Update { news: News::Grown, .. } => Role::GoesOn,
        NotificationKind::Healed { .. } | NotificationKind::Update { .. } | NotificationKind::Escalated { .. } => {
            Role::Alone
        }
    }
}

impl Alerting {
    /// Alerting with these rules, going on from what was kept.
    pub fn new(now: Time, rules: Rules, kept: Vec<NotificationLog>, silences: Vec<Silence>, next_silence: u64) -> Self {
        let mut alerting = Self {
            rules,
            logs: BTreeMap::new(),
            silences: Silences::resume(silences, next_silence),
            wakes: Wakes::default(),
            commands: VecDeque::new(),
        };
        for log in kept {
            alerting.wakes.set(&log.incident, Some(now));
            alerting.logs.insert(log.incident, log);
        }
        alerting.drop_strangers(now);
        alerting
    }

    /// Ends the notification logs about incidents that are not open: after a start, whose end may have been lost. They are
    /// forgotten when time passes.
    pub fn end_strays(&mut self, is_open: impl Fn(IncidentId) -> bool) {
        for (id, log) in &mut self.logs {
            log.over |= !is_open(*id);
        }
    }

    /// Goes on with other rules, as a whole. Answers the receivers that are gone, with the number of logs they
    /// were part of.
    pub fn set_rules(&mut self, now: Time, rules: Rules) -> BTreeMap<String, usize> {
        self.rules = rules;
        for id in self.logs.keys() {
            self.wakes.set(id, Some(now));
        }
        self.drop_strangers(now)
    }

    /// Forgets receivers that are no longer configured. An incident that nobody is left to know of is reported again;
    /// so is one that there was no receiver to notify of, if there is now.
    fn drop_strangers(&mut self, now: Time) -> BTreeMap<String, usize> {
        let mut gone = BTreeMap::new();
        for (id, log) in &mut self.logs {
            let before = log.notified.len();
            for name in log.notified.difference(&self.rules.receivers) {
                *gone.entry(name.clone()).or_default() += 1;
            }
            log.notified.retain(|name| self.rules.receivers.contains(name));
            let owes = log.notified.is_empty() && !log.over && log.owed.is_none();
            if owes {
                log.owed = log.opening;
            }
            if log.notified.len() == before && !(owes && log.owed.is_some()) {
                continue;
            }
            self.commands
                .push_back(Command::SaveNotificationLog(Box::new(log.clone())));
            self.wakes.set(id, Some(now));
        }
        gone
    }

    /// Takes in a message of the engine.
    pub fn handle_notification(&mut self, now: Time, notification: Notification, cx: &AlertContext<'_>) {
        let id = notification.incident;
        match role(notification.kind) {
            Role::Opens => {
                let log = self.join(&notification);
                log.severity = notification.severity;
                log.owed = Some(notification.kind);
                self.attend(now, id, cx);
                self.keep(id);
            }
            Role::Closes => {
                self.close(now, notification);
                if let Some(log) = self.logs.get_mut(&id) {
                    log.over = true;
                }
                self.attend(now, id, cx);
            }
            Role::Flapping(true) => {
                let log = self.join(&notification);
                log.flapping = true;
                log.owed = Some(notification.kind);
                self.attend(now, id, cx);
                self.keep(id);
            }
            Role::Flapping(false) => {
                if let Some(log) = self.logs.get_mut(&id) {
                    log.flapping = false;
                }
                self.close(now, notification);
                self.attend(now, id, cx);
            }
            Role::GoesOn => self.go_on(now, notification),
            Role::Alone => self.notify_alone(now, notification),
        }
    }

    /// Notifies whoever was notified of the beginning how it goes on.
    fn go_on(&mut self, now: Time, notification: Notification) {
        let id = notification.incident;
        let Some(log) = self.logs.get_mut(&id) else {
            return;
        };
        let subject = log.subject(notification.kind, &notification.labels);
        let silence = self.silences.muting(subject).map(|silence| silence.id);
        if let Some(silence) = silence {
            log.learn(&notification);
            self.withhold(&notification, Reason::Silenced(silence));
        } else if let Some((notification, opening)) = log.go_on(now, notification) {
            let notified = log.notified.iter();
            let receivers = notified.map(|name| (name.clone(), Reason::NotifiedBefore)).collect();
            self.wakes.set(&id, Some(now));
            self.put(now, notification, receivers, Some(opening));
        }
        self.keep(id);
    }

    /// The notification log that `notification` goes on with, or begins.
    fn join(&mut self, notification: &Notification) -> &mut NotificationLog {
        let log = self
            .logs
            .entry(notification.incident)
            .or_insert_with(|| NotificationLog::new(notification));
        log.learn(notification);
        log
    }

    /// Sends an end to whoever was notified of the beginning.
    fn close(&mut self, now: Time, mut notification: Notification) {
        let id = notification.incident;
        let Some(log) = self.logs.get_mut(&id) else {
            // The memory was lost, or written by an agent that kept none: every receiver could have been notified.
            let default = self.rules.default.iter();
            let receivers = default.map(|name| (name.clone(), Reason::Forgotten)).collect();
            return self.send(now, notification, receivers);
        };
        log.learn(&notification);
        log.messages += 1;
        notification.sequence = log.messages;
        // What is owed is overtaken by this.
        log.owed = None;
        let notified = log.notified.iter();
        let receivers: BTreeMap<_, _> = notified.map(|name| (name.clone(), Reason::NotifiedBefore)).collect();
        self.keep(id);
        if receivers.is_empty() {
            self.withhold(&notification, Reason::NoneNotified);
        } else {
            self.send(now, notification, receivers);
        }
    }

    /// Says what is no part of a notification log.
    fn notify_alone(&mut self, now: Time, notification: Notification) {
        let subject = super::Subject {
            service: notification.service.as_str(),
            severity: notification.severity,
            kind: notification.kind.as_str(),
            labels: &notification.labels,
        };
        let silence = self.silences.muting(subject).map(|silence| silence.id);
        let choice = self.rules.choose(subject);
        if let Some(reason) = silence.map(Reason::Silenced).or(choice.no_receivers) {
            self.withhold(&notification, reason);
        } else {
            self.send(now, notification, choice.receivers);
        }
    }

    /// Takes in what happened, so that what is said later is still true.
    pub fn handle_report(&mut self, report: &Report) {
        let Some(id) = report.incident else { return };
        let Some(log) = self.logs.get_mut(&id) else {
            return;
        };
        match &report.kind {
            ReportKind::CauseChanged { cause } => {
                log.cause.clone_from(cause);
                self.keep(id);
            }
            ReportKind::ActionHeld { hold, .. } => log.does(hold.to_string()),
            ReportKind::ActionStarted { action, .. } => {
                log.attempts = log.attempts.max(action.attempt);
                log.does(report.kind.to_string());
            }
            // Its last message, if there is one, comes right after this.
            ReportKind::IncidentClosed { .. } => {
                log.over = true;
                self.keep(id);
                self.wakes.set(&id, Some(report.at));
            }
            _ => {}
        }
    }

    /// Lets time pass: everything due by `now` is reported.
    pub fn handle_timeout(&mut self, now: Time, cx: &AlertContext<'_>) {
        let over = self.silences.take_over(now);
        if !over.is_empty() {
            self.wake_all(now);
        }
        for silence in over {
            let silence = Box::new(silence);
            self.commands.push_back(Command::EndSilence { silence, by: None });
        }
        while let Some((_, id)) = self.wakes.first().filter(|(at, _)| *at <= now) {
            let id = *id;
            self.attend(now, id, cx);
        }
    }

    /// Has every log asked again.
    pub(super) fn wake_all(&mut self, now: Time) {
        for id in self.logs.keys() {
            self.wakes.set(id, Some(now));
        }
    }

    /// Who is notified when no route matches.
    pub fn default_receivers(&self) -> &[String] {
        &self.rules.default
    }

    /// When [`Alerting::handle_timeout`] is next needed.
    pub fn next_wake(&self) -> Option<Time> {
        let first = self.wakes.first().map(|(at, _)| at);
        first.into_iter().chain(self.silences.next_end()).min()
    }

    /// The next thing to be done, until there is none.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// The silences in force.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.silences.all()
    }

    /// What operators know of an incident.
    pub fn notification_log(&self, incident: IncidentId) -> Option<&NotificationLog> {
        self.logs.get(&incident)
    }

    /// Asks a notification log what is due, until nothing is.
    pub(super) fn attend(&mut self, now: Time, id: IncidentId, cx: &AlertContext<'_>) {
        self.wakes.set(&id, None);
        let Some(mut log) = self.logs.remove(&id) else {
            return;
        };
        if log.over && !log.flapping {
            return self.commands.push_back(Command::ForgetNotificationLog(id));
        }
        let before = log.clone();
        let labels = (cx.labels)(&log.service);
        let inhibition = (cx.inhibition)(&log.service);
        loop {
            let subject = log.subject(NotificationKind::Fired, &labels);
            let silence = self.silences.muting(subject).map(|silence| silence.id);
            match log.due(now, &self.rules, &labels, silence, inhibition.as_ref()) {
                Due::Notify(kind, receivers) => {
                    let notified_before = log.notified.clone();
                    let notification = log.notify(now, kind, &labels, receivers.keys().cloned());
                    log.owed = None;
                    self.send_first_later(now, &notification, receivers, &notified_before);
                }
                Due::Drop(kind, reason) => {
                    log.owed = None;
                    // Another configuration may name somebody; that this one does not is said once.
                    let is_new = log.opening != Some(kind);
                    if matches!(kind, NotificationKind::Fired | NotificationKind::GaveUp { .. }) {
                        log.opening = Some(kind);
                    }
                    if is_new {
                        let withheld = log.clone().notify(now, kind, &labels, None);
                        self.withhold(&withheld, reason);
                    }
                }
                Due::Withhold(kind, reason) => {
                    let silenced = match reason {
                        Reason::Silenced(id) => Some(id),
                        _ => log.silenced,
                    };
                    // Said once for each silence; what inhibits is in the timeline by itself.
                    if silenced != log.silenced {
                        log.silenced = silenced;
                        let withheld = log.clone().notify(now, kind, &labels, None);
                        self.withhold(&withheld, reason.clone());
                    }
                    if !matches!(reason, Reason::Silenced(_)) {
                        self.wakes.set(&id, Some(now + RECHECK));
                    }
                    break;
                }
                Due::Wait(until) => {
                    self.wakes.set(&id, until);
                    break;
                }
            }
        }
        let changed = log != before;
        self.logs.insert(id, log);
        if changed {
            self.keep(id);
        }
    }

    /// Has a notification log remembered as it is now.
    pub(super) fn keep(&mut self, id: IncidentId) {
        if let Some(log) = self.logs.get(&id) {
            self.commands
                .push_back(Command::SaveNotificationLog(Box::new(log.clone())));
        }
    }

    /// Sends a message; to those who hear of this incident for the first time, together with others that come soon.
    fn send_first_later(
        &mut self,
        now: Time,
        notification: &Notification,
        receivers: BTreeMap<String, Reason>,
        notified_before: &std::collections::BTreeSet<String>,
    ) {
        let (known, new): (BTreeMap<_, _>, BTreeMap<_, _>) = receivers
            .into_iter()
            .partition(|(name, _)| notified_before.contains(name));
        if !known.is_empty() {
            self.send(now, notification.clone(), known);
        }
        if !new.is_empty() {
            // Whoever has to act at once does not wait for company.
            let waits = notification.kind == NotificationKind::Fired;
            let not_before = if waits { now + self.rules.group_wait } else { now };
            self.send(not_before, notification.clone(), new);
        }
    }

    pub(super) fn send(&mut self, not_before: Time, notification: Notification, receivers: BTreeMap<String, Reason>) {
        self.put(not_before, notification, receivers, None);
    }

    fn put(
        &mut self,
        not_before: Time,
        notification: Notification,
        receivers: BTreeMap<String, Reason>,
        revises: Option<Notification>,
    ) {
        let report_kind = ReportKind::Notified {
            kind: notification.kind.as_str(),
            receivers: receivers.clone(),
        };
        self.report(&notification, report_kind);
        self.commands.push_back(Command::Notify(Box::new(Outgoing {
            notification,
            receivers,
            not_before,
            revises: revises.map(Box::new),
        })));
    }

    fn withhold(&mut self, notification: &Notification, reason: Reason) {
        let report_kind = ReportKind::NotNotified {
            kind: notification.kind.as_str(),
            reason,
        };
        self.report(notification, report_kind);
    }

    pub(super) fn report(&mut self, about: &Notification, what: ReportKind) {
        self.commands.push_back(Command::Report(Report {
            at: about.at,
            service: about.service.clone(),
            incident: Some(about.incident),
            kind: what,
        }));
    }
}
