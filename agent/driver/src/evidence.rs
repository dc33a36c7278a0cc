//! Evidence beside the cause: how the host and the service's sockets were when something failed, which packages had changed,
//! and what the run that failed last wrote to its log. It is collected beside everything else, joins the incident when it is
//! there, and nothing waits for it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sentinel_base::tcp_listeners::listening_sockets;
use sentinel_engine::alerting::Outgoing;
use sentinel_engine::{IncidentId, Notification, Report, ReportKind, Time};
use sentinel_evidence::{log_text, look, notable, recent_changes, unaccepted};
use sentinel_notify::{Evidence, EvidenceKind, IncidentTimeline, Learned, TOO_MANY};
use sentinel_store::EvidenceRow;
use sentinel_text::chain;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{Driver, LogError, PENDING_MAX, Probes, Target};

/// How long to wait before a log is read. journald and Docker have what a dying process said by then, and a restart, which
/// somebody waits for, has gone first.
const AFTER: Duration = Duration::from_millis(500);

/// Longest time for one log, however busy whoever has it is: the others wait behind it.
const LIMIT: Duration = Duration::from_secs(10);

/// Logs read at the same time: each is a process of its own, on a host that has trouble already.
const READERS: usize = 2;

/// Logs that may wait to be read. When more fails at once, the first ones tell the timeline.
const WAITING: usize = 64;

/// Looks at sockets and packages at the same time, two for an incident: as many incidents as open in one turn until the storm
/// breaker takes them for one, and a few more. When more fails at once, the first ones tell the timeline.
const LOOKS: usize = 16;

/// Evidence that is not on disk yet, in bytes: a store that cannot be written must not fill the memory. More is given up.
const PENDING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Messages that wait for company and are kept to be completed. No more logs are read at the same time.
const COMPLETED: usize = WAITING;

/// Reads logs and keeps what was read until the driver takes it.
pub struct EvidenceCollector {
    sender: mpsc::Sender<CollectedEvidence>,
    collected: mpsc::Receiver<CollectedEvidence>,
    waiting: Arc<Semaphore>,
    readers: Arc<Semaphore>,
    /// One look at the host at a time: of what fails at the same moment the first one tells, and no thread but one waits for
    /// a file system that does not answer.
    look: Arc<Semaphore>,
    /// The other looks, which block for a moment only.
    looks: Arc<Semaphore>,
    /// Messages that wait for company anyway: evidence that is there before they go goes with them.
    open: BTreeMap<IncidentId, (Outgoing, IncidentTimeline)>,
}

/// Why there is no evidence of a kind.
#[derive(Debug, thiserror::Error)]
enum MissingEvidence {
    /// Nothing answered in time.
    #[error("took longer than {}s", LIMIT.as_secs())]
    Late,
    /// The log of the target.
    #[error(transparent)]
    Log(LogError),
    /// The kernel's table of sockets.
    #[error("/proc/net/tcp")]
    Sockets(#[source] io::Error),
    /// What the package manager did.
    #[error("dpkg.log")]
    Packages(#[source] io::Error),
}

/// A piece of evidence, or why there is none.
pub(super) struct CollectedEvidence {
    incident: IncidentId,
    at: Timestamp,
    kind: EvidenceKind,
    text: Result<String, MissingEvidence>,
}

impl Default for EvidenceCollector {
    fn default() -> Self {
        // Each that waits sends one, so the queue is never full for long.
        let (sender, collected) = mpsc::channel(WAITING);
        Self {
            sender,
            collected,
            waiting: Arc::new(Semaphore::new(WAITING)),
            readers: Arc::new(Semaphore::new(READERS)),
            look: Arc::new(Semaphore::new(1)),
            looks: Arc::new(Semaphore::new(LOOKS)),
            open: BTreeMap::new(),
        }
    }
}

impl EvidenceCollector {
    /// The next text that was read. May be dropped at any time.
    pub(super) async fn recv(&mut self) -> Option<CollectedEvidence> {
        self.collected.recv().await
    }

    /// Keeps a message to be completed, if it waits.
    pub(super) fn hold(&mut self, outgoing: &Outgoing, timeline: &IncidentTimeline, now: Time) {
        if outgoing.not_before <= now {
            return;
        }
        if self.open.len() >= COMPLETED {
            self.open.retain(|_, (outgoing, _)| outgoing.not_before > now);
        }
        if self.open.len() < COMPLETED {
            let incident = outgoing.notification.incident;
            self.open.insert(incident, (outgoing.clone(), timeline.clone()));
        }
    }

    /// The message that waits says this from now on.
    pub(super) fn revise(&mut self, opening: &Notification) {
        if let Some((outgoing, _)) = self.open.get_mut(&opening.incident)
            && outgoing.notification.sequence == opening.sequence
        {
            outgoing.notification = opening.clone();
        }
    }

    /// The message about `incident` that still waits, with one more piece of evidence.
    fn complete(
        &mut self,
        incident: IncidentId,
        kind: EvidenceKind,
        text: &str,
        now: Time,
    ) -> Option<(Outgoing, IncidentTimeline)> {
        let (outgoing, timeline) = self.open.get_mut(&incident)?;
        if outgoing.not_before <= now {
            self.open.remove(&incident);
            return None;
        }
        timeline.evidence.insert(kind, Evidence::last_lines(kind.title(), text));
        Some((outgoing.clone(), timeline.clone()))
    }
}

impl<T: Target, P: Probes> Driver<T, P> {
    /// Has evidence of a failure collected, if `report` reports one.
    pub(super) fn collect_evidence(&mut self, report: &Report) {
        let reports_failure = matches!(
            report.kind,
            ReportKind::IncidentOpened { .. } | ReportKind::ActionUnverified { .. }
        );
        let Some(incident) = report.incident.filter(|_| reports_failure) else {
            return;
        };
        let at = self.clock.wall(report.at);
        if matches!(report.kind, ReportKind::IncidentOpened { .. }) {
            self.look_at_host(incident, at);
        }
        if !self.timelines.has_room() {
            return self.give_up_evidence(incident, at);
        }
        if matches!(report.kind, ReportKind::IncidentOpened { .. }) {
            self.look_at_sockets(report, incident, at);
            self.look_at_packages(incident, at);
        }
        let Some((target, count)) = self
            .services
            .get(&report.service)
            .and_then(|service| Some((service.target.clone()?, service.log_lines)))
            .filter(|(_, count)| *count > 0)
        else {
            return;
        };
        let mut run = self.engine.failed_run(report);
        let is_of_attempt = matches!(report.kind, ReportKind::ActionUnverified { .. });
        let Ok(place) = Arc::clone(&self.collector.waiting).try_acquire_owned() else {
            return self.give_up_evidence(incident, at);
        };
        let (readers, sender) = (Arc::clone(&self.collector.readers), self.collector.sender.clone());
        tokio::spawn(async move {
            // The run that the attempt made may be over before the engine saw it; systemd's watcher has.
            if is_of_attempt {
                run = target.newest_run().await.or(run);
            }
            tokio::time::sleep(AFTER).await;
            let reader = readers.acquire().await;
            let reading = target.last_lines(run.as_ref(), at, count);
            let lines = match tokio::time::timeout(LIMIT, reading).await {
                Ok(lines) => lines.map(|lines| lines.map_err(MissingEvidence::Log)),
                Err(_) => Some(Err(MissingEvidence::Late)),
            };
            drop(reader);
            if let Some(lines) = lines {
                let collected = CollectedEvidence {
                    incident,
                    at,
                    kind: EvidenceKind::Log,
                    text: lines.map(|lines| log_text(&lines)),
                };
                // Without a driver nobody is left to tell.
                let _ = sender.send(collected).await;
            }
            drop(place);
        });
    }

    /// Has it noted what is wrong with the host itself.
    fn look_at_host(&self, incident: IncidentId, at: Timestamp) {
        let Ok(turn) = Arc::clone(&self.collector.look).try_acquire_owned() else {
            return;
        };
        self.look(turn, move || CollectedEvidence {
            incident,
            at,
            kind: EvidenceKind::Host,
            text: Ok(notable(&look()).join("\n")),
        });
    }

    /// Has it noted whether the service still accepted connections, where its probes ask this host: right away, since a
    /// restart makes new sockets.
    fn look_at_sockets(&mut self, report: &Report, incident: IncidentId, at: Timestamp) {
        let service = self.services.get(&report.service);
        let ports = service.map(|service| service.probes.ports()).unwrap_or_default();
        if ports.is_empty() {
            return;
        }
        let Ok(turn) = Arc::clone(&self.collector.looks).try_acquire_owned() else {
            return self.give_up_evidence(incident, at);
        };
        self.look(turn, move || {
            let sockets = listening_sockets().map_err(MissingEvidence::Sockets);
            CollectedEvidence {
                incident,
                at,
                kind: EvidenceKind::Accept,
                text: sockets.map(|sockets| unaccepted(&ports, &sockets).join("\n")),
            }
        });
    }

    /// Has it noted which packages changed shortly before.
    fn look_at_packages(&mut self, incident: IncidentId, at: Timestamp) {
        let Ok(turn) = Arc::clone(&self.collector.looks).try_acquire_owned() else {
            return self.give_up_evidence(incident, at);
        };
        self.look(turn, move || {
            let changes = recent_changes(at).map_err(MissingEvidence::Packages);
            CollectedEvidence {
                incident,
                at,
                kind: EvidenceKind::Packages,
                text: changes.map(|changes| changes.join("\n")),
            }
        });
    }

    /// Has something looked at that may block.
    fn look(&self, turn: OwnedSemaphorePermit, look: impl FnOnce() -> CollectedEvidence + Send + 'static) {
        let sender = self.collector.sender.clone();
        tokio::task::spawn_blocking(move || {
            // Without a driver nobody is left to tell; with a full queue logs are on their way, which say more.
            let _ = sender.try_send(look());
            drop(turn);
        });
    }

    /// Says, once for an incident, that evidence of it was not collected or not kept.
    fn give_up_evidence(&mut self, incident: IncidentId, at: Timestamp) {
        let is_news = self.timelines.give_up_evidence(incident, self.clock.now());
        if !is_news || self.pending.evidence.len() >= PENDING_MAX {
            return;
        }
        self.pending.evidence.push((
            incident,
            EvidenceRow {
                at,
                title: EvidenceKind::Log.title().to_owned(),
                text: TOO_MANY.to_owned(),
                missing: true,
            },
        ));
    }

    /// Takes what was read into the incident, and into what is reported of it from now on.
    pub(super) fn keep_evidence(&mut self, collected: CollectedEvidence) {
        let CollectedEvidence {
            incident,
            at,
            kind,
            text,
        } = collected;
        let (text, missing) = match text.map_err(|missing| chain(&missing)) {
            // There is nothing to say: that is no evidence.
            Ok(text) if text.is_empty() => return,
            Ok(text) | Err(text) if self.pending.evidence_held + text.len() > PENDING_BYTES_MAX => {
                return self.give_up_evidence(incident, at);
            }
            Ok(text) => match self.timelines.learn(incident, kind, &text) {
                // Nothing new was said.
                Learned::Known => return,
                Learned::NoRoom => return self.give_up_evidence(incident, at),
                Learned::News => (text, false),
            },
            Err(why) => (why, true),
        };
        if self.pending.evidence.len() >= PENDING_MAX {
            return;
        }
        self.pending.evidence_held += text.len();
        if !missing && let Some(completed) = self.collector.complete(incident, kind, &text, self.clock.now()) {
            self.pending.completed.insert(incident, completed);
        }
        self.pending.evidence.push((
            incident,
            EvidenceRow {
                at,
                title: kind.title().to_owned(),
                text,
                missing,
            },
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sentinel_engine::{Cause, Labels, Notification, NotificationKind, Severity};

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_epoch(Duration::from_secs(seconds))
    }

    /// A first message about an incident that opened at 100 s, which goes at `not_before`.
    fn outgoing(incident: u64, not_before: Time) -> Outgoing {
        Outgoing {
            notification: Notification {
                incident: IncidentId(incident),
                sequence: 1,
                service: "shop".into(),
                labels: Labels::default(),
                kind: NotificationKind::Fired,
                severity: Severity::Warning,
                at: at(100),
                opened_at: at(100),
                cause: Cause::Watchdog,
                attempts: 0,
                doing: String::new(),
                failing: None,
            },
            receivers: BTreeMap::new(),
            not_before,
            revises: None,
        }
    }

    fn hold(collector: &mut EvidenceCollector, outgoing: &Outgoing) {
        collector.hold(outgoing, &IncidentTimeline::default(), at(100));
    }

    #[test]
    fn a_message_is_completed_by_each_piece_until_it_goes() {
        let mut collector = EvidenceCollector::default();
        hold(&mut collector, &outgoing(1, at(110)));
        let mut complete = |kind, now| collector.complete(IncidentId(1), kind, "a word", at(now));
        let (_, timeline) = complete(EvidenceKind::Host, 101).unwrap();
        assert_eq!(timeline.evidence.len(), 1);
        let (outgoing, timeline) = complete(EvidenceKind::Log, 109).unwrap();
        assert_eq!(
            (timeline.evidence.len(), outgoing.not_before),
            (2, at(110)),
            "it waits no longer"
        );
        assert_eq!(complete(EvidenceKind::Log, 110), None, "too late");
        assert_eq!(complete(EvidenceKind::Log, 105), None, "and forgotten");
    }

    #[test]
    fn a_message_that_goes_at_once_is_not_kept() {
        let mut collector = EvidenceCollector::default();
        hold(&mut collector, &outgoing(1, at(100)));
        assert_eq!(
            collector.complete(IncidentId(1), EvidenceKind::Log, "a word", at(100)),
            None
        );
    }

    #[test]
    fn those_that_have_gone_make_room_for_others() {
        let mut collector = EvidenceCollector::default();
        for incident in 0..=COMPLETED as u64 {
            hold(&mut collector, &outgoing(incident, at(110)));
        }
        assert_eq!(collector.open.len(), COMPLETED, "one finds no room");
        collector.hold(&outgoing(999, at(120)), &IncidentTimeline::default(), at(110));
        assert_eq!(collector.open.keys().collect::<Vec<_>>(), [&IncidentId(999)]);
    }
}
