//! What alerting has to know of the engine's incidents.

use std::collections::BTreeSet;

use super::Engine;
use crate::alerting::Reason;
use crate::host::HOST;
use crate::ids::{IncidentId, Instance, ServiceName};
use crate::notification::{Notification, NotificationKind};
use crate::policy::Severity;
use crate::report::{Happening, Report};
use crate::time::Time;

impl Engine {
    /// Why nothing more should be said of a service now, although it is down.
    pub fn inhibition(&self, service: &ServiceName) -> Option<Reason> {
        match self.machines.get(service) {
            Some(machine) => machine.inhibition(self.host.going_down),
            None if service.as_str() == HOST && !self.host.going_down => None,
            None if service.as_str() == HOST => Some(Reason::HostGoesDown),
            None => Some(Reason::Unseen),
        }
    }

    /// The run whose failure `report` tells of: at the beginning of an incident the one that it is about, later the one that
    /// an attempt made. `None` when its target has no runs, or was never seen.
    pub fn failed_run(&self, report: &Report) -> Option<Instance> {
        let (of_incident, last) = self.machines.get(&report.service)?.run_instances();
        let run = match report.what {
            Happening::IncidentOpened { .. } => of_incident.or(last),
            _ => last.or(of_incident),
        };
        run.cloned()
    }

    /// Every open incident, the host's own included.
    pub fn open_incidents(&self) -> BTreeSet<IncidentId> {
        let own = self.machines.values().filter_map(|machine| machine.incident_now());
        let own = own.map(|(incident, _)| incident.id);
        let parked = self.parked.values().filter_map(|memory| memory.incident.as_ref());
        let parked = parked.map(|incident| incident.id);
        own.chain(parked)
            .chain(self.host.storm().map(|storm| storm.id))
            .collect()
    }

    /// An open incident, as a message about it would have it now.
    pub fn open_incident(&self, now: Time, id: IncidentId) -> Option<Notification> {
        if let Some(storm) = self.host.storm().filter(|storm| storm.id == id) {
            return Some(Notification {
                incident: id,
                sequence: 1,
                service: HOST.into(),
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
