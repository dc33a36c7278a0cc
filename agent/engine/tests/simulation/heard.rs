//! Who heard what of which incident, counted from the messages alone.

use std::collections::{BTreeMap, BTreeSet};

use sentinel_engine::alerting::{Outgoing, Rules};
use sentinel_engine::{Command, IncidentId, News, NotificationKind, ReportKind, ServiceName, Severity, Time};

use super::tape::Entry;

/// What one receiver heard of an incident.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub fired: u32,
    pub gave_up: u32,
    pub escalated: u32,
}

/// One incident as its receivers know it.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct NotificationLog {
    pub service: ServiceName,
    /// Who was notified and is still configured.
    pub receivers: BTreeMap<String, Heard>,
    /// Who must be notified of this by the end of the turn.
    pub owed: Option<(&'static str, BTreeSet<String>)>,
    /// When all of them were last notified that it is down.
    pub last: Option<Time>,
    /// How often the agent gave up.
    pub gave_up: u32,
    pub acknowledged: bool,
    pub flapping: bool,
    pub closed: bool,
    pub ended: bool,
}

/// What must survive the agent.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Until when what is silenced; without a service, everything.
    pub silences: BTreeMap<u64, (Option<ServiceName>, Time)>,
    pub notification_logs: BTreeMap<IncidentId, NotificationLog>,
}

/// Everything known of messages.
#[derive(Clone, Debug)]
pub struct Audience {
    pub rules: Rules,
    pub keep: Kept,
    kept: Kept,
    /// Whether they differ.
    changed: bool,
}

impl Audience {
    pub fn new() -> Self {
        Self {
            rules: Rules::without_receivers(),
            keep: Kept::default(),
            kept: Kept::default(),
            changed: false,
        }
    }

    /// Whether every message goes to the one receiver that there is, and nothing is added to what the engine says.
    pub fn is_plain(&self) -> bool {
        self.rules.routes.is_empty()
    }

    /// Whether messages about a service are silenced.
    pub fn is_silenced(&self, service: &ServiceName, now: Time) -> bool {
        let mut silences = self.keep.silences.values();
        silences.any(|(of, until)| *until > now && of.as_ref().is_none_or(|of| of == service))
    }

    /// Who is to be notified of a first message, by rules of its own.
    pub fn chosen(&self, service: &ServiceName, severity: Severity) -> BTreeSet<String> {
        let mut chosen = BTreeSet::new();
        for route in &self.rules.routes {
            let about = &route.matches;
            let fits = (about.services.is_empty() || about.services.iter().any(|name| name == service.as_str()))
                && (about.severities.is_empty() || about.severities.contains(&severity));
            if fits {
                chosen.extend(route.receivers.iter().cloned());
                if !route.go_on {
                    return chosen;
                }
            }
        }
        let fits_none = !self
            .rules
            .routes
            .iter()
            .any(|route| route.go_on && route.matches.severities.contains(&severity));
        if fits_none {
            chosen.extend(self.rules.default.iter().cloned());
        }
        chosen
    }

    /// Whether a first message about `service` finds a receiver, however severe it is.
    pub fn has_receivers(&self, service: &ServiceName) -> bool {
        let all = [Severity::Info, Severity::Warning, Severity::Critical];
        all.into_iter()
            .all(|severity| !self.chosen(service, severity).is_empty())
    }

    pub fn apply(&mut self, now: Time, entry: &Entry) {
        self.changed |= matches!(
            entry,
            Entry::AgentStarted(_)
                | Entry::RulesChanged(_)
                | Entry::AgentDied
                | Entry::Silenced { .. }
                | Entry::Expired(_)
                | Entry::Acknowledged(_)
                | Entry::Decided(Command::Notify(_) | Command::Report(_))
        );
        match entry {
            Entry::AgentStarted(start) => {
                if start.store_lost {
                    (self.keep, self.kept) = (Kept::default(), Kept::default());
                }
                self.follow(&start.rules);
            }
            Entry::RulesChanged(rules) => self.follow(rules),
            Entry::AgentDied => self.keep = self.kept.clone(),
            Entry::Recorded | Entry::Settled { durable: true } => {
                if !std::mem::take(&mut self.changed) {
                    return;
                }
                self.keep.silences.retain(|_, (_, until)| *until > now);
                self.keep
                    .notification_logs
                    .retain(|_, known| !known.closed || known.flapping);
                self.kept = self.keep.clone();
            }
            Entry::Silenced { id, service, until } => {
                self.keep.silences.insert(*id, (service.clone(), *until));
            }
            Entry::Expired(id) => drop(self.keep.silences.remove(id)),
            Entry::Acknowledged(incident) => {
                if let Some(known) = self.keep.notification_logs.get_mut(incident) {
                    known.acknowledged = true;
                }
            }
            Entry::Decided(Command::Notify(outgoing)) => self.notified(now, outgoing),
            Entry::Decided(Command::Report(report)) => {
                if let Some(id) = report.incident {
                    self.reported(id, &report.service, &report.kind);
                }
            }
            _ => {}
        }
    }

    /// Receivers that are no longer configured know nothing any more.
    fn follow(&mut self, rules: &Rules) {
        self.rules = rules.clone();
        for known in self.keep.notification_logs.values_mut() {
            known.receivers.retain(|name, _| rules.receivers.contains(name));
            known.owed = None;
        }
    }

    fn reported(&mut self, id: IncidentId, service: &ServiceName, what: &ReportKind) {
        match what {
            ReportKind::IncidentOpened { .. } => {
                let known = NotificationLog {
                    service: service.clone(),
                    receivers: BTreeMap::new(),
                    owed: None,
                    last: None,
                    gave_up: 0,
                    acknowledged: false,
                    flapping: false,
                    closed: false,
                    ended: false,
                };
                self.keep.notification_logs.insert(id, known);
            }
            ReportKind::GaveUp { .. } => {
                if let Some(known) = self.keep.notification_logs.get_mut(&id) {
                    known.gave_up += 1;
                }
            }
            ReportKind::IncidentClosed { .. } => {
                if let Some(known) = self.keep.notification_logs.get_mut(&id) {
                    known.closed = true;
                }
            }
            _ => {}
        }
    }

    fn notified(&mut self, now: Time, outgoing: &Outgoing) {
        let message = &outgoing.notification;
        let names: BTreeSet<String> = outgoing.receivers.keys().cloned().collect();
        let chosen = self.chosen(&message.service, message.severity);
        let Some(known) = self.keep.notification_logs.get_mut(&message.incident) else {
            return;
        };
        let opens = matches!(
            message.kind,
            NotificationKind::Fired | NotificationKind::GaveUp { .. } | NotificationKind::Flapping { .. }
        );
        if opens {
            let word = message.kind.as_str();
            let (_, owed) = match &mut known.owed {
                Some(owed) if owed.0 == word => owed,
                other => other.insert((
                    word,
                    chosen.into_iter().chain(known.receivers.keys().cloned()).collect(),
                )),
            };
            owed.retain(|name| !names.contains(name));
            known.last = Some(now);
        }
        match message.kind {
            NotificationKind::Flapping { .. } => known.flapping = true,
            NotificationKind::FlappingEnded { .. } => (known.flapping, known.ended) = (false, true),
            NotificationKind::Resolved { .. } => known.ended = true,
            NotificationKind::Update {
                news: News::StillDown | News::Grown,
                ..
            } => known.last = Some(now),
            _ => {}
        }
        if !opens && !matches!(message.kind, NotificationKind::Escalated { .. }) {
            return;
        }
        for name in names {
            let heard = known.receivers.entry(name).or_default();
            match message.kind {
                NotificationKind::Fired => heard.fired += 1,
                NotificationKind::GaveUp { .. } => heard.gave_up += 1,
                NotificationKind::Escalated { .. } => heard.escalated += 1,
                _ => {}
            }
        }
    }
}
