//! What outlives the agent.

use std::collections::BTreeMap;

use sentinel_engine::alerting::{NotificationLog, Rules, Silence};
use sentinel_engine::{
    ActionId, Command, Engine, HostMemory, HostPolicy, IncidentId, Memory, ReportKind, ServiceName, Time,
};

/// What the agent recorded, as its store keeps it.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// What is remembered of each service.
    pub memories: BTreeMap<ServiceName, Memory>,
    /// What is remembered of the host.
    pub host: HostMemory,
    /// Who was notified of which open incident.
    pub logs: BTreeMap<IncidentId, NotificationLog>,
    /// Silences in force.
    pub silences: BTreeMap<u64, Silence>,
    last_silence: u64,
    last_incident: u64,
    last_action: u64,
}

impl Store {
    /// Keeps what must survive of a decision of the engine.
    pub fn record(&mut self, command: &Command) {
        match command {
            Command::Save { service, memory } => {
                self.memories.insert(service.clone(), memory.as_ref().clone());
            }
            Command::SaveHost(memory) => self.host = memory.as_ref().clone(),
            Command::SaveNotificationLog(log) => {
                self.logs.insert(log.incident, log.as_ref().clone());
            }
            Command::ForgetNotificationLog(incident) => drop(self.logs.remove(incident)),
            Command::SaveSilence(silence) => {
                self.last_silence = self.last_silence.max(silence.id);
                self.silences.insert(silence.id, silence.as_ref().clone());
            }
            Command::EndSilence { silence, .. } => drop(self.silences.remove(&silence.id)),
            Command::Report(report) => {
                self.last_incident = self.last_incident.max(report.incident.map_or(0, |id| id.0));
                if let ReportKind::ActionStarted { action, .. } = &report.kind {
                    self.last_action = self.last_action.max(action.id.0);
                }
            }
            Command::RunProbes { .. } | Command::RestartTarget(_) | Command::Notify(_) => {}
        }
    }

    /// An engine that goes on from what was recorded; the services are still to be added.
    pub fn engine(&self, now: Time, booted_at: Time, policy: HostPolicy, rules: Rules) -> Engine {
        let mut engine = Engine::new(
            policy,
            IncidentId(self.last_incident + 1),
            ActionId(self.last_action + 1),
        );
        engine.resume_host(self.host.clone(), booted_at);
        let logs = self.logs.values().cloned().collect();
        let silences = self.silences.values().cloned().collect();
        engine.resume_alerting(now, rules, logs, silences, self.last_silence + 1);
        engine
    }
}
