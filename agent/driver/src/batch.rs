//! What was decided and is not on disk yet, and the batch it becomes.

use std::collections::BTreeMap;

use sentinel_engine::alerting::Outgoing;
use sentinel_engine::{HostMemory, IncidentId, Memory, Notification, Report, ServiceName, Time};
use sentinel_notify::{IncidentTimeline, Message};
use sentinel_store::{AlertChanges, Batch, EvidenceRow, OutgoingMessage, Revision};

use super::{Driver, Probes, Target};

/// What was decided and is not on disk.
#[derive(Default)]
pub struct PendingWrites {
    pub(super) saves: BTreeMap<ServiceName, Memory>,
    pub(super) host: Option<HostMemory>,
    pub(super) reports: Vec<Report>,
    pub(super) evidence: Vec<(IncidentId, EvidenceRow)>,
    /// How many bytes of text that is.
    pub(super) evidence_held: usize,
    pub(super) messages: Vec<(Outgoing, IncidentTimeline)>,
    /// Messages that wait in the outbox, with evidence that came after them.
    pub(super) completed: BTreeMap<IncidentId, (Outgoing, IncidentTimeline)>,
    pub(super) alerts: AlertChanges,
    /// Those who wait for it to be on disk.
    pub(super) waiting: Vec<Box<dyn FnOnce(bool) + Send>>,
    /// Whether the last commit failed.
    pub(super) failing: bool,
    /// When to try again.
    pub(super) retry_at: Option<Time>,
}

impl PendingWrites {
    /// Services whose memory is assumed, as the store of it is lost.
    pub fn assumed(services: impl Iterator<Item = ServiceName>, memory: &Memory) -> Self {
        Self {
            saves: services.map(|service| (service, memory.clone())).collect(),
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.saves.is_empty()
            && self.host.is_none()
            && self.reports.is_empty()
            && self.evidence.is_empty()
            && self.messages.is_empty()
            && self.completed.is_empty()
            && self.alerts.is_empty()
    }

    /// Notifies those who waited whether it is on disk.
    pub(super) fn answer(&mut self, recorded: bool) {
        for waiting in self.waiting.drain(..) {
            waiting(recorded);
        }
    }
}

impl<T: Target, P: Probes> Driver<T, P> {
    /// Everything that is not on disk, as the store takes it.
    pub(super) fn batch(&self) -> Batch {
        let wall = |at| self.clock.wall(at);
        Batch {
            anchor: self.clock.anchor(),
            host: self.pending.host.clone(),
            saves: self
                .pending
                .saves
                .iter()
                .map(|(name, memory)| (name.clone(), memory.clone()))
                .collect(),
            reports: self
                .pending
                .reports
                .iter()
                .map(|report| (report.clone(), wall(report.at)))
                .collect(),
            evidence: self.pending.evidence.clone(),
            messages: self
                .pending
                .messages
                .iter()
                .flat_map(|(outgoing, timeline)| self.rows(outgoing, timeline))
                .collect(),
            completed: self
                .pending
                .completed
                .values()
                .flat_map(|(outgoing, timeline)| self.rows(outgoing, timeline))
                .collect(),
            alerts: self.pending.alerts.clone(),
        }
    }

    /// A row of the outbox for each receiver of a message.
    fn rows(&self, outgoing: &Outgoing, timeline: &IncidentTimeline) -> Vec<OutgoingMessage> {
        let mut rows = self.rows_of(&outgoing.notification, outgoing, timeline);
        if let Some(opening) = &outgoing.revises {
            let revisions = self.rows_of(opening, outgoing, timeline);
            for (row, revision) in rows.iter_mut().zip(revisions) {
                row.revises = Some(Revision {
                    sequence: revision.sequence,
                    payload: revision.payload,
                });
            }
        }
        rows
    }

    fn rows_of(
        &self,
        notification: &Notification,
        outgoing: &Outgoing,
        timeline: &IncidentTimeline,
    ) -> Vec<OutgoingMessage> {
        let mut message = Message::new(notification, timeline, &self.host, |at| self.clock.wall(at));
        if let Some(link) = &self.link {
            message.add_link(link);
        }
        let mut rows = message.outgoing(notification, outgoing.receivers.keys());
        for row in &mut rows {
            row.not_before = outgoing.not_before;
        }
        rows
    }
}
