//! Alerting beside the engine: every message passes through it, and what operators ask of it is answered here.

use std::collections::BTreeMap;

use sentinel_engine::alerting::{AckError, AlertCommand, Alerting, Around, Reason, Rules, Silence};
use sentinel_engine::{Engine, Notification, Report, ServiceName, Time};

use super::{Deeds, Driver, ServiceHandle, UNRECORDED_MAX};
use crate::history;
use crate::server::api::{AckResponse, SilenceEntry};
use crate::server::{AlertRefusal, AlertRequest};
use crate::store::AlertMemory;

/// The labels of each service.
type Labels = BTreeMap<String, String>;

/// No labels.
static NONE: Labels = BTreeMap::new();

/// What alerting has to know of services.
struct Surroundings<'a> {
    engine: &'a Engine,
    services: &'a BTreeMap<ServiceName, ServiceHandle>,
    departed: &'a BTreeMap<ServiceName, Labels>,
}

impl Around for Surroundings<'_> {
    fn labels(&self, service: &ServiceName) -> &Labels {
        self.services
            .get(service)
            .map(|service| &service.labels)
            .or_else(|| self.departed.get(service))
            .unwrap_or(&NONE)
    }

    fn inhibition(&self, service: &ServiceName) -> Option<Reason> {
        self.engine.inhibition(service)
    }
}

/// Alerting, going on from what the store remembers.
pub fn alerting(now: Time, rules: Rules, kept: AlertMemory, engine: &Engine) -> Alerting {
    let open = engine.open_incidents();
    let AlertMemory {
        conversations,
        silences,
        next_silence,
    } = kept;
    Alerting::new(now, rules, conversations, silences, next_silence, |id| {
        open.contains(&id)
    })
}

impl Driver {
    pub(super) fn labels_of(&self, service: &ServiceName) -> &Labels {
        let present = self.services.get(service).map(|service| &service.labels);
        present.or_else(|| self.departed.get(service)).unwrap_or(&NONE)
    }

    /// Decides who is told of a message of the engine.
    pub(super) fn alert(&mut self, message: Notification) {
        let around = Surroundings {
            engine: &self.engine,
            services: &self.services,
            departed: &self.departed,
        };
        self.alerts.handle_notification(message.at, message, &around);
    }

    /// Takes what alerting decided, by the passing of time as well.
    pub(super) fn collect_alerts(&mut self, deeds: &mut Deeds) {
        let around = Surroundings {
            engine: &self.engine,
            services: &self.services,
            departed: &self.departed,
        };
        self.alerts.handle_timeout(self.clock.now(), &around);
        while let Some(command) = self.alerts.poll_command() {
            let changes = &mut self.unrecorded.alerts;
            match command {
                AlertCommand::Keep(conversation) => {
                    changes.conversations.insert(conversation.incident, Some(*conversation));
                }
                AlertCommand::Forget(incident) => {
                    changes.conversations.insert(incident, None);
                }
                AlertCommand::KeepSilence(silence) => {
                    changes.silences.insert(silence.id, Some(*silence));
                }
                AlertCommand::EndSilence(silence, by) => {
                    changes.silences.insert(silence.id, None);
                    let (comment, what) = (&silence.comment, silence.matches.to_string());
                    tracing::info!(event = "silence_ended", silence = silence.id, what, by, comment);
                }
                AlertCommand::Report(report) => self.note(report, deeds),
                AlertCommand::Send(outgoing) if self.unrecorded.messages.len() < UNRECORDED_MAX => {
                    let message = &outgoing.notification;
                    let story = self.stories.so_far(message.incident, &message.service, message.at);
                    self.gatherer.hold(&outgoing, &story, self.clock.now());
                    if let Some(opening) = &outgoing.revises {
                        self.gatherer.revise(opening);
                    }
                    self.unrecorded.messages.push((*outgoing, story));
                }
                AlertCommand::Send(outgoing) => {
                    let message = outgoing.notification;
                    tracing::error!(
                        event = "message_dropped",
                        service = message.service.as_str(),
                        kind = message.kind.as_str(),
                        "too many messages wait for the store"
                    );
                }
            }
        }
    }

    /// Has a report recorded, if it is part of the history, and logged.
    pub(super) fn note(&mut self, report: Report, deeds: &mut Deeds) {
        if history::is_recorded(&report) {
            self.stories.note(&report);
            if self.unrecorded.reports.len() < UNRECORDED_MAX {
                self.unrecorded.reports.push(report.clone());
            }
        }
        deeds.reports.push(report);
    }

    /// Goes on with other rules, and names the receivers that are gone and would have heard more.
    pub(super) fn replace_rules(&mut self, rules: Rules) {
        for (receiver, incidents) in self.alerts.set_rules(self.clock.now(), rules) {
            tracing::warn!(
                event = "receiver_gone",
                receiver,
                incidents,
                "the receiver is no longer configured and hears no more of open incidents"
            );
        }
    }

    /// Answers an operator. What changes is told to be done when it is on disk.
    pub(super) fn serve_alerts(&mut self, request: AlertRequest) {
        let now = self.clock.now();
        match request {
            AlertRequest::Silences { reply } => {
                let entries = self.alerts.silences().map(|silence| self.entry(silence)).collect();
                let _ = reply.send(entries);
            }
            AlertRequest::AddSilence {
                matches,
                duration,
                by,
                comment,
                reply,
            } => {
                let added = self.alerts.add_silence(now, matches, duration, by, comment);
                let entry = added.map(|silence| self.entry(&silence)).map_err(AlertRefusal::Silence);
                self.answer_when_recorded(entry, reply);
            }
            AlertRequest::ExpireSilence { id, by, reply } => {
                let ended = self.alerts.expire_silence(now, id, by);
                let entry = ended.map(|silence| self.entry(&silence)).map_err(AlertRefusal::Silence);
                self.answer_when_recorded(entry, reply);
            }
            AlertRequest::Acknowledge {
                incident,
                by,
                text,
                reply,
            } => {
                let around = Surroundings {
                    engine: &self.engine,
                    services: &self.services,
                    departed: &self.departed,
                };
                let response = |opening: &Notification| AckResponse {
                    incident: incident.0,
                    service: opening.service.to_string(),
                    by: by.clone(),
                };
                let answer = match self.engine.open_incident(now, incident) {
                    None => Err(AckError::NotOpen),
                    Some(opening) => {
                        let response = response(&opening);
                        self.alerts
                            .acknowledge(now, &opening, by.clone(), text, &around)
                            .map(|()| response)
                    }
                };
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
    fn answer_when_recorded<T: Send + 'static>(
        &mut self,
        answer: Result<T, AlertRefusal>,
        reply: tokio::sync::oneshot::Sender<Result<T, AlertRefusal>>,
    ) {
        if answer.is_err() {
            let _ = reply.send(answer);
            return;
        }
        self.unrecorded.waiting.push(Box::new(move |recorded| {
            let answer = answer.and_then(|done| recorded.then_some(done).ok_or(AlertRefusal::NotRecorded));
            let _ = reply.send(answer);
        }));
    }
}
