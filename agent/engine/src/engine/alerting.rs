//! Alerting as part of the engine: everything decided passes through it, and operators ask it for silences and acknowledgements.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Engine;
use crate::alerting::{
    AckError, Acknowledgement, AlertContext, Alerting, Match, NotificationLog, Reason, Rules, Silence, SilenceError,
};
use crate::command::Command;
use crate::host::{HOST, Host};
use crate::ids::{IncidentId, RunId, ServiceName};
use crate::labels::Labels;
use crate::notification::{Notification, NotificationKind};
use crate::policy::Severity;
use crate::report::{Report, ReportKind};
use crate::service::{Decision, Machine};
use crate::time::Time;

/// Calls alerting with what it asks about services.
fn with_context<T>(
    machines: &BTreeMap<ServiceName, Box<Machine>>,
    host: &Host,
    call: impl FnOnce(&AlertContext<'_>) -> T,
) -> T {
    let labels = |service: &ServiceName| {
        machines
            .get(service)
            .map(|machine| machine.labels())
            .unwrap_or_default()
    };
    let inhibition = |service: &ServiceName| match machines.get(service) {
        Some(machine) => machine.inhibition(host.going_down),
        None if service.as_str() == HOST && !host.going_down => None,
        None if service.as_str() == HOST => Some(Reason::HostGoesDown),
        None => Some(Reason::Unseen),
    };
    call(&AlertContext {
        labels: &labels,
        inhibition: &inhibition,
    })
}

impl Engine {
    /// Goes on from what was last saved of alerting. To be called before services are added.
    pub fn resume_alerting(
        &mut self,
        now: Time,
        rules: Rules,
        kept: Vec<NotificationLog>,
        silences: Vec<Silence>,
        next_silence: u64,
    ) {
        self.alerting = Alerting::new(now, rules, kept, silences, next_silence);
        self.has_resumed_alerting = true;
    }

    /// Chooses receivers by other rules from now on. Answers the receivers that are gone, with the number of open incidents
    /// of which they were notified.
    pub(super) fn set_rules(&mut self, now: Time, rules: Rules) -> BTreeMap<String, usize> {
        let gone = self.alerting.set_rules(now, rules);
        self.take_alerts();
        gone
    }

    /// Passes what was decided to alerting.
    pub(super) fn alert(&mut self) {
        while let Some(decision) = self.decided.pop_front() {
            match decision {
                Decision::Do(command) => {
                    if let Command::Report(report) = &command {
                        self.alerting.handle_report(report);
                    }
                    self.commands.push_back(command);
                }
                Decision::Notify(notification) => with_context(&self.machines, &self.host, |cx| {
                    self.alerting.handle_notification(notification.at, *notification, cx);
                }),
            }
        }
        self.take_alerts();
    }

    /// The same, and lets time pass for alerting.
    pub(super) fn alert_until(&mut self, now: Time) {
        if std::mem::take(&mut self.has_resumed_alerting) {
            let open = self.open_incidents();
            self.alerting.end_strays(|id| open.contains(&id));
        }
        self.alert();
        with_context(&self.machines, &self.host, |cx| self.alerting.handle_timeout(now, cx));
        self.take_alerts();
    }

    /// Everything that alerting asks for comes after what it was sent, so that a message has all of its turn.
    fn take_alerts(&mut self) {
        while let Some(command) = self.alerting.poll_command() {
            self.commands.push_back(command);
        }
    }

    /// Who is notified when no route matches.
    pub fn default_receivers(&self) -> &[String] {
        self.alerting.default_receivers()
    }

    /// The silences in force.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.alerting.silences()
    }

    /// Mutes what `matches` is about for `duration`. What is decided meanwhile and still true is sent at its end.
    ///
    /// # Errors
    ///
    /// Too many silences, or a comment that is too long.
    pub fn add_silence(
        &mut self,
        now: Time,
        matches: Match,
        duration: Duration,
        by: String,
        comment: String,
    ) -> Result<Silence, SilenceError> {
        let added = self.alerting.add_silence(now, matches, duration, by, comment);
        self.alert_until(now);
        added
    }

    /// Ends a silence now.
    ///
    /// # Errors
    ///
    /// There is no such silence, or it is over.
    pub fn expire_silence(&mut self, now: Time, id: u64, by: String) -> Result<Silence, SilenceError> {
        let ended = self.alerting.expire_silence(now, id, by);
        self.alert_until(now);
        ended
    }

    /// Acknowledges an incident for `by`: it is neither repeated nor escalated. Answers its service.
    ///
    /// # Errors
    ///
    /// It is not open, or the text is too long.
    pub fn acknowledge(
        &mut self,
        now: Time,
        incident: IncidentId,
        by: String,
        text: String,
    ) -> Result<ServiceName, AckError> {
        let opening = self.open_incident(now, incident).ok_or(AckError::NotOpen)?;
        let acknowledged = with_context(&self.machines, &self.host, |cx| {
            self.alerting.acknowledge(now, &opening, by, text, cx)
        });
        self.alert_until(now);
        acknowledged.map(|()| opening.service)
    }

    /// Who acknowledged an incident, if that was done.
    pub fn acknowledgement(&self, incident: IncidentId) -> Option<&Acknowledgement> {
        self.alerting.notification_log(incident)?.ack.as_ref()
    }

    /// The run whose failure `report` reports: at the beginning of an incident the one that it is about, later the one that
    /// an attempt made. `None` when its target has no runs, or was never seen.
    pub fn failed_run(&self, report: &Report) -> Option<RunId> {
        let (of_incident, last) = self.machines.get(&report.service)?.run_ids();
        let run = match report.kind {
            ReportKind::IncidentOpened { .. } => of_incident.or(last),
            _ => last.or(of_incident),
        };
        run.cloned()
    }

    /// Every open incident, the host's own included.
    fn open_incidents(&self) -> BTreeSet<IncidentId> {
        let own = self.machines.values().filter_map(|machine| machine.incident_now());
        let own = own.map(|(incident, _)| incident.id);
        let parked = self.parked.values().filter_map(|memory| memory.incident.as_ref());
        let parked = parked.map(|incident| incident.id);
        own.chain(parked)
            .chain(self.host.storm().map(|storm| storm.id))
            .collect()
    }

    /// An open incident, as a message about it would have it now.
    fn open_incident(&self, now: Time, id: IncidentId) -> Option<Notification> {
        if let Some(storm) = self.host.storm().filter(|storm| storm.id == id) {
            return Some(Notification {
                incident: id,
                sequence: 1,
                service: HOST.into(),
                labels: Labels::default(),
                kind: NotificationKind::Fired,
                severity: Severity::Critical,
                at: now,
                opened_at: storm.opened_at,
                cause: storm.cause.clone(),
                attempts: 0,
                doing: String::new(),
                failing: None,
            });
        }
        self.machines.iter().find_map(|(name, machine)| {
            let (incident, severity) = machine.incident_now()?;
            (incident.id == id).then(|| Notification {
                incident: id,
                sequence: incident.messages.saturating_add(1),
                service: name.clone(),
                labels: machine.labels(),
                kind: NotificationKind::Fired,
                severity,
                at: now,
                opened_at: incident.opened_at,
                cause: incident.cause.clone(),
                attempts: incident.attempts,
                doing: String::new(),
                failing: None,
            })
        })
    }
}
