//! Messages on their way to receivers that take everything at once: which go together, and which are no longer sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sentinel_engine::alerting::Outgoing;
use sentinel_engine::alerting::dispatch::{DispatchPolicy, Earlier, Health, MessageKind, Plan, Row, Standing, plan};
use sentinel_engine::{IncidentId, ServiceName, Time};

/// Plans carried out for one receiver at one moment; each takes at least one message away.
const PLANS_MAX: usize = 100_000;

/// The outboxes of all receivers.
pub(crate) struct Outbox {
    queues: BTreeMap<String, Queue>,
    policy: DispatchPolicy,
    next: i64,
}

#[derive(Default)]
struct Queue {
    rows: Vec<Row>,
    health: Health,
    /// What each row is about.
    names: BTreeMap<i64, String>,
    /// Incidents of which something was sent.
    sent: BTreeSet<IncidentId>,
    /// Incidents whose beginning was sent together with others.
    together: BTreeSet<IncidentId>,
}

impl Outbox {
    pub(crate) fn new(group_wait: Duration) -> Self {
        Self {
            queues: BTreeMap::new(),
            policy: DispatchPolicy {
                group_wait,
                ..DispatchPolicy::default()
            },
            next: 1,
        }
    }

    /// Takes in a message for each of its receivers.
    pub(crate) fn put(&mut self, outgoing: &Outgoing) {
        let message = &outgoing.notification;
        for name in outgoing.receivers.keys() {
            let queue = self.queues.entry(name.clone()).or_default();
            let waits = |sequence| {
                let mut rows = queue.rows.iter();
                rows.any(|row| row.incident == message.incident && row.sequence == sequence)
            };
            if outgoing.revises.as_ref().is_some_and(|opening| waits(opening.sequence)) {
                // The beginning that still waits says all of it.
                continue;
            }
            let id = self.next;
            self.next += 1;
            queue.names.insert(id, name_of(&message.service, message.kind.as_str()));
            queue.rows.push(Row {
                id,
                place: id,
                incident: message.incident,
                sequence: message.sequence,
                kind: MessageKind::from_word(message.kind.as_str()),
                severity: message.severity,
                created: message.at,
                not_before: outgoing.not_before,
                attempts: 0,
                ambiguous: false,
                patient: outgoing.not_before > message.at,
                standing: Standing::Pending,
                earlier: Earlier::Nothing,
                overtaken: false,
                together: false,
            });
        }
    }

    /// When something is next to be sent.
    pub(crate) fn next_wake(&self, now: Time) -> Option<Time> {
        let waits = self
            .queues
            .values()
            .filter_map(|queue| match queue.plan(now, &self.policy) {
                Plan::Wait { until, .. } => Some(until),
                Plan::Idle => None,
                _ => Some(now),
            });
        waits.min()
    }

    /// Sends what is due. Answers what arrives otherwise than message by message, as sentences.
    pub(crate) fn deliver(&mut self, now: Time) -> Vec<String> {
        let mut said = Vec::new();
        for (receiver, queue) in &mut self.queues {
            for _ in 0..PLANS_MAX {
                match queue.plan(now, &self.policy) {
                    Plan::Wait { .. } | Plan::Idle => break,
                    Plan::Send { row, .. } | Plan::CutOff { row } => {
                        queue.take(&[row]);
                    }
                    Plan::SendGroup { rows, .. } | Plan::SendDigest { rows } => {
                        let taken = queue.take(&rows);
                        queue.together.extend(taken.incidents);
                        let (count, names) = (rows.len(), taken.names.join(", "));
                        said.push(format!("{receiver} gets {count} messages as one: {names}"));
                    }
                    Plan::Collapse { rows, .. } => {
                        let names = queue.drop_rows(&rows).join(", ");
                        said.push(format!(
                            "{receiver} does not get {names}: the end of it says everything"
                        ));
                    }
                    Plan::Supersede { rows, .. } | Plan::Expire { rows } => {
                        let names = queue.drop_rows(&rows).join(", ");
                        said.push(format!("{receiver} does not get {names}: newer messages say more"));
                    }
                }
            }
        }
        said
    }
}

/// What was sent as one.
struct Taken {
    incidents: Vec<IncidentId>,
    names: Vec<String>,
}

impl Queue {
    fn plan(&self, now: Time, policy: &DispatchPolicy) -> Plan {
        let rows: Vec<Row> = self
            .rows
            .iter()
            .map(|row| Row {
                earlier: if self.sent.contains(&row.incident) {
                    Earlier::Delivered
                } else {
                    Earlier::Nothing
                },
                together: self.together.contains(&row.incident),
                ..row.clone()
            })
            .collect();
        plan(&rows, &self.health, false, now, policy)
    }

    /// These were sent.
    fn take(&mut self, ids: &[i64]) -> Taken {
        let of_these = self.rows.iter().filter(|row| ids.contains(&row.id));
        let incidents: Vec<IncidentId> = of_these.map(|row| row.incident).collect();
        self.sent.extend(&incidents);
        Taken {
            incidents,
            names: self.drop_rows(ids),
        }
    }

    /// These wait no longer; answers what they were about.
    fn drop_rows(&mut self, ids: &[i64]) -> Vec<String> {
        self.rows.retain(|row| !ids.contains(&row.id));
        ids.iter().filter_map(|id| self.names.remove(id)).collect()
    }
}

fn name_of(service: &ServiceName, kind: &str) -> String {
    format!("{service} {kind}")
}
