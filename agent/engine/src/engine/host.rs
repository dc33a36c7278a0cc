//! The host's own incident: a storm, from its beginning over its growth to its end.

use std::collections::BTreeSet;

use sentinel_text::span;

use super::Engine;
use crate::cause::Cause;
use crate::command::Command;
use crate::host::{HOST, Storm, Victim, common_cause};
use crate::ids::ServiceName;
use crate::labels::Labels;
use crate::notification::{News, Notification, NotificationKind};
use crate::outage::Outage;
use crate::policy::Severity;
use crate::report::{Report, ReportKind, Resolution};
use crate::service::{Decision, Machine};
use crate::time::Time;

impl Engine {
    /// After every event: begins or ends a storm.
    pub(super) fn attend_host(&mut self, now: Time) {
        let collected = self.host.take_collecting();
        if !collected.is_empty() {
            self.begin_storm(collected, now);
        }
        if self
            .host
            .storm()
            .is_some_and(|storm| !storm.services.iter().any(|name| self.has_incident(name)))
        {
            self.end_storm(now);
        }
        if self.storm_growth_due().is_some_and(|due| due <= now) {
            self.notify_growth(now);
        }
    }

    /// Stops every action for a while, and tells so once.
    fn begin_storm(&mut self, services: BTreeSet<ServiceName>, now: Time) {
        let until = now + self.host.policy.storm_hold;
        if let Some(mut storm) = self.host.storm().cloned() {
            // Another wave of the same storm.
            storm.join(services, now);
            storm.until = until;
            self.host.set_storm(Some(storm));
            return;
        }
        let likely = self.likely_cause(&services);
        let id = self.host.new_incident();
        let mut storm = Storm {
            id,
            opened_at: now,
            until,
            notified: services.len(),
            notified_at: now,
            grew_at: now,
            services,
            cause: Cause::Unknown,
            messages: 1,
        };
        let cause = storm.cause_now(likely);
        storm.cause = cause.clone();
        self.report_host(&storm, ReportKind::IncidentOpened { cause }, now);
        let hold = span(self.host.policy.storm_hold);
        let doing = format!("no service is restarted for {hold}, then one after the other");
        self.notify_host(&storm, NotificationKind::Fired, Severity::Critical, doing, now);
        self.host.set_storm(Some(storm));
    }

    /// When receivers are to be notified how far a storm has grown.
    pub(super) fn storm_growth_due(&self) -> Option<Time> {
        self.host.storm().and_then(Storm::growth_due)
    }

    /// Says how many services are down by now: the first message went when there were just enough of them.
    fn notify_growth(&mut self, now: Time) {
        let Some(mut storm) = self.host.storm().cloned() else {
            return;
        };
        let likely = self.likely_cause(&storm.services);
        storm.cause = storm.cause_now(likely);
        (storm.notified, storm.notified_at) = (storm.services.len(), now);
        storm.messages += 1;
        let cause = storm.cause.clone();
        self.report_host(&storm, ReportKind::CauseChanged { cause }, now);
        let doing = match storm.until.since(now) {
            rest if rest.is_zero() => "services are restarted one after the other".to_owned(),
            rest => format!("no service is restarted for {}, then one after the other", span(rest)),
        };
        let kind = NotificationKind::Update {
            news: News::Grown,
            duration: now.since(storm.opened_at),
        };
        self.notify_host(&storm, kind, Severity::Critical, doing, now);
        self.host.set_storm(Some(storm));
    }

    fn end_storm(&mut self, now: Time) {
        let Some(mut storm) = self.host.storm().cloned() else {
            return;
        };
        // Nobody is left to say what they had in common, but how many they were is known by now.
        if let Cause::HostWide { likely, .. } = &storm.cause {
            storm.cause = storm.cause_now(likely.clone());
        }
        let (resolution, duration) = (Resolution::Recovered, now.since(storm.opened_at));
        // Each of the services was down for a time of its own.
        let outage = Outage::default();
        let closed = ReportKind::IncidentClosed {
            resolution,
            duration,
            outage,
        };
        self.report_host(&storm, closed, now);
        storm.messages += 1;
        let kind = NotificationKind::Resolved {
            resolution,
            duration,
            outage,
        };
        self.notify_host(&storm, kind, Severity::Info, "nothing; it is over".into(), now);
        self.host.set_storm(None);
    }

    fn likely_cause(&self, services: &BTreeSet<ServiceName>) -> String {
        let victims: Vec<_> = services
            .iter()
            .filter_map(|name| self.machines.get_key_value(name))
            .filter_map(|(name, machine)| {
                let cause = machine.incident_cause()?;
                Some(Victim {
                    name,
                    cause,
                    waits_for: self.down_below(machine),
                })
            })
            .collect();
        common_cause(&victims)
    }

    /// Everything that `machine` depends on, directly or not, and that is down.
    fn down_below(&self, machine: &Machine) -> BTreeSet<ServiceName> {
        let mut down = BTreeSet::new();
        let mut open: Vec<&ServiceName> = machine.after().iter().collect();
        while let Some(name) = open.pop() {
            let Some(machine) = self.machines.get(name) else {
                continue;
            };
            if machine.incident_cause().is_some() && down.insert(name.clone()) {
                open.extend(machine.after());
            }
        }
        down
    }

    fn has_incident(&self, name: &ServiceName) -> bool {
        self.machines
            .get(name)
            .is_some_and(|machine| machine.incident_cause().is_some())
    }

    fn report_host(&mut self, storm: &Storm, what: ReportKind, now: Time) {
        let report = Report {
            at: now,
            service: HOST.into(),
            incident: Some(storm.id),
            kind: what,
        };
        self.decided.push_back(Decision::Do(Command::Report(report)));
    }

    fn notify_host(&mut self, storm: &Storm, kind: NotificationKind, severity: Severity, doing: String, now: Time) {
        self.decided.push_back(Decision::Notify(Box::new(Notification {
            incident: storm.id,
            sequence: storm.messages,
            service: HOST.into(),
            labels: Labels::default(),
            kind,
            severity,
            at: now,
            opened_at: storm.opened_at,
            cause: storm.cause.clone(),
            attempts: 0,
            doing,
            failing: None,
        })));
    }
}
