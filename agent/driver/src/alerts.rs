//! What alerting decided, on its way to the store and the log, and what operators ask of it.

use sentinel_api::{AckResponse, SilenceEntry};
use sentinel_engine::Report;
use sentinel_engine::alerting::{Outgoing, Silence};

use super::control::{AlertRefusal, AlertRequest};
use super::{Driver, Effects, PENDING_MAX, Probes, Target, history};

impl<T: Target, P: Probes> Driver<T, P> {
    /// Has a message put on its way, with what happened so far.
    pub(super) fn send(&mut self, outgoing: Outgoing) {
        let message = &outgoing.notification;
        if self.pending.messages.len() >= PENDING_MAX {
            return tracing::error!(
                event = "message_dropped",
                service = message.service.as_str(),
                kind = message.kind.as_str(),
                "too many messages are queued for the store"
            );
        }
        let timeline = self.timelines.so_far(message.incident, &message.service, message.at);
        self.collector.hold(&outgoing, &timeline, self.clock.now());
        if let Some(opening) = &outgoing.revises {
            self.collector.revise(opening);
        }
        self.pending.messages.push((outgoing, timeline));
    }

    pub(super) fn end_silence(&mut self, silence: &Silence, by: Option<&str>) {
        self.pending.alerts.silences.insert(silence.id, None);
        let (comment, what) = (&silence.comment, silence.matches.to_string());
        tracing::info!(event = "silence_ended", silence = silence.id, what, by, comment);
    }

    /// Has a report recorded, if it is part of the history, and logged.
    pub(super) fn note(&mut self, report: Report, effects: &mut Effects) {
        if history::is_recorded(&report) {
            self.timelines.note(&report);
            if self.pending.reports.len() < PENDING_MAX {
                self.pending.reports.push(report.clone());
            }
        }
        effects.reports.push(report);
    }

    /// Answers an operator. What changes is asked to be done when it is on disk.
    pub(super) fn serve_alerts(&mut self, request: AlertRequest) {
        let now = self.clock.now();
        match request {
            AlertRequest::Silences { reply } => {
                let entries = self.engine.silences().map(|silence| self.entry(silence)).collect();
                let _ = reply.send(entries);
            }
            AlertRequest::AddSilence {
                matches,
                duration,
                by,
                comment,
                reply,
            } => {
                let added = self.engine.add_silence(now, matches, duration, by, comment);
                let entry = added.map(|silence| self.entry(&silence)).map_err(AlertRefusal::Silence);
                self.answer_when_recorded(entry, reply);
            }
            AlertRequest::ExpireSilence { id, by, reply } => {
                let ended = self.engine.expire_silence(now, id, by);
                let entry = ended.map(|silence| self.entry(&silence)).map_err(AlertRefusal::Silence);
                self.answer_when_recorded(entry, reply);
            }
            AlertRequest::Acknowledge {
                incident,
                by,
                text,
                reply,
            } => {
                let answer = self.engine.acknowledge(now, incident, by.clone(), text);
                let answer = answer.map(|service| AckResponse {
                    incident: incident.0,
                    service: service.to_string(),
                    by,
                });
                self.answer_when_recorded(answer.map_err(AlertRefusal::Acknowledgement), reply);
            }
        }
    }

    /// A silence in the words of the API.
    fn entry(&self, silence: &Silence) -> SilenceEntry {
        SilenceEntry {
            id: silence.id,
            services: silence.matches.services.clone(),
            severities: silence.matches.severities.clone(),
            labels: silence.matches.labels.clone(),
            by: silence.by.clone(),
            comment: silence.comment.clone(),
            since: self.clock.wall(silence.since),
            until: self.clock.wall(silence.until),
        }
    }

    /// A refusal at once; what was done when it survives the agent, or cannot be recorded.
    fn answer_when_recorded<A: Send + 'static>(
        &mut self,
        answer: Result<A, AlertRefusal>,
        reply: tokio::sync::oneshot::Sender<Result<A, AlertRefusal>>,
    ) {
        if answer.is_err() {
            let _ = reply.send(answer);
            return;
        }
        self.pending.waiting.push(Box::new(move |recorded| {
            let answer = answer.and_then(|done| recorded.then_some(done).ok_or(AlertRefusal::NotRecorded));
            let _ = reply.send(answer);
        }));
    }
}
