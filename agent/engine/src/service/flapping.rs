//! What receivers are sent of a service that goes down over and over: once that it does, and once that it no longer does.
//!
//! While it flaps, `fired` and `healed` are withheld. That the agent gave up is told all the same, because then nobody
//! restarts it any more, and so is the end of an outage whose beginning was reported. What is still down when flapping ends
//! is fired then, at most [`STABLE`] after it went down: a flapping service never falls silent for ever.

use super::{Context, Machine};
use crate::flapping::{Bout, STABLE};
use crate::notification::{Notification, NotificationKind};
use crate::policy::Severity;
use crate::report::ReportKind;
use crate::state::State;
use crate::time::Time;
use crate::timers::Timer;

impl Machine {
    pub(super) fn is_flapping(&self) -> bool {
        self.memory.flapping.bout().is_some()
    }

    /// Counts the incident that has just opened, and notifies receivers when there were too many. What another alert speaks
    /// for is not the service's own flapping.
    pub(super) fn count_incident(&mut self, cx: &mut Context<'_>) {
        if self.is_spoken_for(cx) {
            return;
        }
        self.unsaved = true;
        let Some((since, incidents)) = self.memory.flapping.record(cx.now) else {
            return;
        };
        let Some(incident) = &self.memory.incident else { return };
        self.memory.flapping.begin(Bout {
            since,
            incidents,
            incident: incident.id,
            opened_at: incident.opened_at,
            cause: incident.cause.clone(),
            attempts: 0,
            messages: 0,
        });
        let within = cx.now.since(since);
        self.report(ReportKind::FlappingBegan { incidents, within }, cx);
        let doing = "recovery goes on; the next message comes when it is stable, or given up";
        self.notify(NotificationKind::Flapping { incidents, within }, doing, cx);
    }

    /// Ends flapping when the service has been stable for long enough.
    pub(super) fn end_flapping(&mut self, cx: &mut Context<'_>) {
        if !self.is_flapping() || self.in_peace(cx) {
            return;
        }
        let Some(since) = self.stable_since() else { return };
        let over = since + STABLE;
        if cx.now < over {
            self.timers.set(Timer::Stable, over);
        } else {
            self.notify_flapping_ended(cx);
        }
    }

    /// Since when the service has been in one condition: down, stopped, or up in one run that is seen.
    fn stable_since(&self) -> Option<Time> {
        match &self.memory.incident {
            Some(incident) => Some(incident.opened_at),
            None if self.standing.state == State::Stopped => Some(self.standing.since),
            None => self
                .memory
                .healthy_since
                .filter(|_| !self.service.has_target || self.runs()),
        }
    }

    /// Notifies receivers that flapping is over, in the conversation in which they were notified that it began.
    pub(super) fn notify_flapping_ended(&mut self, cx: &mut Context<'_>) {
        self.leave_flapping_thread();
        let Some(bout) = self.memory.flapping.end() else { return };
        self.unsaved = true;
        let (incidents, duration) = (bout.incidents, cx.now.since(bout.since));
        self.report(ReportKind::FlappingEnded { incidents, duration }, cx);
        let sequence = bout.messages + 1;
        let open = self.memory.incident.as_mut();
        let doing = match &open {
            Some(open) if open.fired => "it is down, as notified before",
            Some(_) => "it is down; see what follows",
            None => "nothing; it is over",
        };
        if let Some(open) = open.filter(|open| open.id == bout.incident) {
            open.messages = sequence;
        }
        cx.notify(Notification {
            incident: bout.incident,
            sequence,
            service: self.service.name.clone(),
            labels: self.service.labels.clone(),
            kind: NotificationKind::FlappingEnded { incidents, duration },
            severity: Severity::Info,
            at: cx.now,
            opened_at: bout.opened_at,
            cause: bout.cause,
            attempts: bout.attempts,
            doing: doing.to_owned(),
            failing: None,
        });
    }

    /// Notes how far the conversation has come in which receivers were notified, should its incident close.
    pub(super) fn leave_flapping_thread(&mut self) {
        if let Some(incident) = &self.memory.incident
            && let Some(bout) = self.memory.flapping.bout_of(incident.id)
        {
            bout.messages = incident.messages;
            bout.attempts = incident.attempts;
            self.unsaved = true;
        }
    }
}
