//! What operators ask of alerting: silences and acknowledgements.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::notification_log::{Acknowledgement, NotificationLog};
use super::pipeline::{AlertContext, Alerting};
use super::reason::Reason;
use super::silence::{COMMENT_MAX, Silence, SilenceError};
use super::subject::Match;
use crate::command::Command;
use crate::ids::IncidentId;
use crate::notification::{News, Notification, NotificationKind};
use crate::report::ReportKind;
use crate::time::Time;

/// Why an incident cannot be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckError {
    /// The text is longer than [`COMMENT_MAX`].
    TextTooLong,
    /// There is no such incident, or it is over.
    NotOpen,
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TextTooLong => write!(f, "the text is longer than {COMMENT_MAX} characters"),
            Self::NotOpen => f.write_str("the incident is not open"),
        }
    }
}

impl std::error::Error for AckError {}

impl Alerting {
    /// Mutes what `matches` is about for `duration`. What is decided meanwhile and still true is reported at its end.
    pub fn add_silence(
        &mut self,
        now: Time,
        matches: Match,
        duration: Duration,
        by: String,
        comment: String,
    ) -> Result<Silence, SilenceError> {
        let silence = self.silences.add(now, matches, duration, by, comment)?;
        self.commands.push_back(Command::SaveSilence(Box::new(silence.clone())));
        Ok(silence)
    }

    /// Ends a silence now.
    pub fn expire_silence(&mut self, now: Time, id: u64, by: String) -> Result<Silence, SilenceError> {
        let silence = self.silences.remove(id)?;
        self.commands.push_back(Command::EndSilence {
            silence: Box::new(silence.clone()),
            by: Some(by),
        });
        self.wake_all(now);
        Ok(silence)
    }

    /// An operator acknowledges an incident: it is not reported again and not escalated. Whoever was notified hears so,
    /// once.
    ///
    /// `opening` is what the engine knows of the incident, should nobody have been told of it yet.
    pub fn acknowledge(
        &mut self,
        now: Time,
        opening: &Notification,
        by: String,
        text: String,
        cx: &AlertContext<'_>,
    ) -> Result<(), AckError> {
        if text.chars().count() > COMMENT_MAX {
            return Err(AckError::TextTooLong);
        }
        let id = opening.incident;
        let log = self.logs.entry(id).or_insert_with(|| {
            let mut log = NotificationLog::new(opening);
            log.learn(opening);
            log
        });
        if log.over {
            return Err(AckError::NotOpen);
        }
        let is_first = log.ack.is_none();
        let words = if text.is_empty() {
            format!("acknowledged by {by}")
        } else {
            format!("acknowledged by {by}: {text}")
        };
        log.does(words);
        log.ack = Some(Acknowledgement {
            by: by.clone(),
            text: text.clone(),
            at: now,
        });
        self.report(
            &Notification {
                at: now,
                ..opening.clone()
            },
            ReportKind::Acknowledged { by, text },
        );
        if is_first {
            self.notify_acknowledged(now, id, cx);
        }
        self.keep(id);
        self.attend(now, id, cx);
        Ok(())
    }

    /// Says so to those who were notified, except where it is silenced anyway.
    fn notify_acknowledged(&mut self, now: Time, id: IncidentId, cx: &AlertContext<'_>) {
        let Some(log) = self.logs.get_mut(&id) else {
            return;
        };
        let labels = (cx.labels)(&log.service);
        let subject = log.subject(NotificationKind::Fired, &labels);
        if log.notified.is_empty() || self.silences.muting(subject).is_some() {
            return;
        }
        let kind = NotificationKind::Update {
            news: News::Acknowledged,
            duration: now.since(log.opened_at),
        };
        let notified = log.notified.iter();
        let receivers: BTreeMap<_, _> = notified.map(|name| (name.clone(), Reason::Acknowledgement)).collect();
        let notification = log.notify(now, kind, &labels, None);
        self.send(now, notification, receivers);
    }
}
