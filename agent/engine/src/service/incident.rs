//! Opening and closing incidents, and what people are told of them.

use super::{Context, Machine};
use crate::cause::Cause;
use crate::command::Command;
use crate::memory::Incident;
use crate::notification::{Notification, NotificationKind};
use crate::observation::Intent;
use crate::policy::Severity;
use crate::report::{Happening, Resolution};
use crate::state::State;
use crate::timers::Timer;

impl Machine {
    /// Opens an incident, or brings the open one up to date.
    pub(super) fn open_incident(&mut self, cause: Cause, cx: &mut Context<'_>) {
        // What may have been a stop is never taken for the failure of an incident, not even of the one it opens.
        let seen_down = matches!(self.target_down(), Some((intent, _)) if intent != Intent::Unclear);
        let instance = self.instance().filter(|_| seen_down).cloned();
        if let Some(incident) = &mut self.memory.incident {
            let instance = instance.or_else(|| incident.instance.clone());
            let another = incident.cause.kind() != cause.kind();
            if another || incident.instance != instance {
                incident.cause = cause.clone();
                incident.instance = instance;
                self.unsaved = true;
            }
            if another {
                self.report(Happening::CauseChanged { cause }, cx);
            }
            return;
        }
        let id = cx.host.new_incident();
        self.memory.incident = Some(Incident {
            id,
            opened_at: cx.now,
            cause: cause.clone(),
            attempts: 0,
            instance,
            fired: false,
            messages: 0,
        });
        self.memory.next_attempt = Some(self.first_attempt(cx));
        self.memory.healthy_since = None;
        self.unsaved = true;
        self.report(Happening::IncidentOpened { cause }, cx);
    }

    /// Ends the open incident, if any, and tells those who were told that it began.
    pub(super) fn close_incident(&mut self, resolution: Resolution, cx: &mut Context<'_>) {
        let Some(incident) = &self.memory.incident else { return };
        let duration = cx.now.since(incident.opened_at);
        let fired = incident.fired;
        self.report(Happening::IncidentClosed { resolution, duration }, cx);
        if fired {
            self.notify(
                NotificationKind::Resolved { resolution, duration },
                "nothing; it is over",
                cx,
            );
        } else if matches!(resolution, Resolution::Healed | Resolution::Recovered) {
            self.notify(
                NotificationKind::Healed { resolution, duration },
                "nothing; it is over",
                cx,
            );
        }
        self.memory.incident = None;
        self.memory.attempt = None;
        self.unsaved = true;
    }

    /// Tells people of an outage that has lasted `notify_after`.
    pub(super) fn tell(&mut self, cx: &mut Context<'_>) {
        let Some(incident) = self.memory.incident.as_ref().filter(|incident| !incident.fired) else {
            return;
        };
        if matches!(self.state, State::Maintenance | State::Shutdown) {
            return;
        }
        let due = incident.opened_at + self.service.policy.notify_after;
        if cx.now < due {
            self.timers.set(Timer::Notify, due);
            return;
        }
        let doing = match (&self.hold, incident.attempts) {
            (Some(hold), _) => hold.to_string(),
            (None, 0) => self.state.as_str().to_owned(),
            (None, attempts) => format!("{}, attempt {attempts}", self.state.as_str()),
        };
        self.notify(NotificationKind::Fired, &doing, cx);
    }

    /// Calls a human.
    pub(super) fn call_human(&mut self, cx: &mut Context<'_>) {
        self.notify(NotificationKind::GaveUp, "nothing more; it needs a human", cx);
    }

    fn notify(&mut self, kind: NotificationKind, doing: &str, cx: &mut Context<'_>) {
        let severity = match kind {
            NotificationKind::GaveUp => Severity::Critical,
            NotificationKind::Fired => self.service.policy.severity,
            NotificationKind::Healed { .. } | NotificationKind::Resolved { .. } => Severity::Info,
        };
        let Some(incident) = &mut self.memory.incident else {
            return;
        };
        incident.messages += 1;
        incident.fired |= matches!(kind, NotificationKind::Fired | NotificationKind::GaveUp);
        self.unsaved = true;
        cx.out.push_back(Command::Notify(Box::new(Notification {
            incident: incident.id,
            sequence: incident.messages,
            service: self.service.name.clone(),
            kind,
            severity,
            at: cx.now,
            opened_at: incident.opened_at,
            cause: incident.cause.clone(),
            attempts: incident.attempts,
            doing: doing.to_owned(),
        })));
    }
}
