//! Opening and closing incidents, and what receivers are sent of them.

use std::time::Duration;

use super::outage::outage_of;
use super::{Context, Machine};
use crate::cause::Cause;
use crate::memory::Incident;
use crate::notification::{Notification, NotificationKind};
use crate::observation::Intent;
use crate::outage::Starter;
use crate::policy::Severity;
use crate::report::{ReportKind, Resolution};
use crate::state::{Hold, State};
use crate::timers::Timer;

/// The alert of a dependency speaks for those that wait for it, but not for longer than this.
pub(crate) const SUPPRESSION_MAX: Duration = Duration::from_secs(10 * 60);

impl Machine {
    /// Opens an incident, or brings the open one up to date.
    pub(super) fn open_incident(&mut self, cause: Cause, cx: &mut Context<'_>) {
        // What may have been a stop is never taken for the failure of an incident, not even of the one it opens.
        let seen_down = matches!(self.target_down(), Some((intent, _)) if intent != Intent::Unclear);
        let run = self.target.run().filter(|_| seen_down).cloned();
        if let Some(incident) = &mut self.memory.incident {
            let run = run.or_else(|| incident.run.clone());
            // Within one run only another kind of failure is news; the words of probes vary.
            let same_run = incident.run == run;
            let another = incident.cause.kind() != cause.kind() || (!same_run && incident.cause != cause);
            // What was in doubt has gone down: it counts for a storm from now on.
            let doubtful = |cause: &Cause| matches!(cause, Cause::NeverPassed { .. } | Cause::TriggerFailed { .. });
            if doubtful(&incident.cause) && !doubtful(&cause) && !cx.dependency_failed() {
                cx.host.record_outage(&self.service.name, cx.now);
            }
            if another || !same_run {
                incident.cause = cause.clone();
                incident.run = run;
                self.unsaved = true;
            }
            if another {
                self.report(ReportKind::CauseChanged { cause }, cx);
            }
            return;
        }
        let id = cx.host.new_incident();
        let asked = matches!(cause, Cause::AskedToStop { .. }) || self.asked_since(cx.now).is_some();
        // What a dependency explains does not make a storm, nor what an operator asked for, nor questions that may be
        // wrong, nor what has not gone down itself.
        let doubtful = matches!(cause, Cause::NeverPassed { .. } | Cause::TriggerFailed { .. });
        if !cx.dependency_failed() && !asked && !doubtful {
            cx.host.record_outage(&self.service.name, cx.now);
        }
        self.memory.incident = Some(Incident {
            id,
            opened_at: cx.now,
            own_since: cx.now,
            cause: cause.clone(),
            attempts: 0,
            run,
            started: false,
            limited: false,
            slow_starts: 0,
            observed: false,
            failed_at: self.outage.fails_since,
            answered: None,
            proof_pending: None,
            started_by: Starter::SameRun,
            fired: false,
            messages: 0,
        });
        self.memory.next_attempt = Some(self.first_attempt(cx));
        if !(self.runs() && matches!(cause, Cause::TriggerFailed { .. })) {
            self.memory.healthy_since = None;
        }
        self.unsaved = true;
        self.report(ReportKind::IncidentOpened { cause }, cx);
        if !asked {
            self.count_incident(cx);
        }
    }

    /// Ends the open incident, if any, and notifies those who were notified that it began.
    pub(super) fn close_incident(&mut self, resolution: Resolution, cx: &mut Context<'_>) {
        let Some(incident) = &self.memory.incident else { return };
        let duration = cx.now.since(incident.opened_at);
        let resolution = match resolution {
            Resolution::Recovered if incident.started => Resolution::Started,
            other => other,
        };
        let outage = outage_of(incident, resolution, cx.now);
        let fired = incident.fired;
        // Asked for long ago, it is a stop that may be news.
        let late = matches!(incident.cause, Cause::AskedToStop { after: Some(_) });
        // It came back soon after what it depends on, whose alert spoke for it.
        let waited = incident.own_since > incident.opened_at && incident.attempts == 0;
        self.end_dry_run(resolution, cx);
        let closed = ReportKind::IncidentClosed {
            resolution,
            duration,
            outage,
        };
        self.report(closed, cx);
        if fired {
            self.notify(
                NotificationKind::Resolved {
                    resolution,
                    duration,
                    outage,
                },
                "nothing; it is over",
                cx,
            );
        } else if (late
            || matches!(
                resolution,
                Resolution::Healed | Resolution::Recovered | Resolution::Started
            ))
            && !waited
            && !self.is_spoken_for(cx)
            && !self.is_flapping()
        {
            self.notify(
                NotificationKind::Healed {
                    resolution,
                    duration,
                    outage,
                },
                "nothing; it is over",
                cx,
            );
        }
        self.leave_flapping_thread();
        self.memory.incident = None;
        self.refusals.reported = None;
        self.occupation.was_overdue = false;
        self.memory.attempt = None;
        self.unsaved = true;
    }

    /// An outage that another alert no longer speaks for is its own from now on.
    pub(super) fn own(&mut self, cx: &Context<'_>) {
        let spoken_for = self.is_spoken_for(cx);
        let released = std::mem::replace(&mut self.spoken_for, spoken_for) && !spoken_for;
        if let Some(incident) = self.memory.incident.as_mut().filter(|_| released) {
            incident.own_since = cx.now;
            self.unsaved = true;
        }
    }

    /// Notifies receivers of an outage that has lasted `notify_after`.
    pub(super) fn notify_outage(&mut self, cx: &mut Context<'_>) {
        let Some(incident) = self.memory.incident.as_ref().filter(|incident| !incident.fired) else {
            return;
        };
        if self.in_peace(cx) || self.is_flapping() {
            return;
        }
        let due = match self.standing.state {
            _ if self.is_spoken_for(cx) => incident.opened_at + SUPPRESSION_MAX.max(self.service.policy.notify_after),
            // There is nothing to wait for: nothing will be done.
            _ if self.is_prevented() => incident.own_since,
            _ => incident.own_since + self.service.policy.notify_after,
        };
        let attempts = incident.attempts;
        let due = if cx.now < due { due } else { self.proof_pending(cx.now) };
        if cx.now < due {
            self.timers.set(Timer::Notify, due);
            return;
        }
        let doing = match (&self.standing.hold, attempts) {
            (Some(Hold::AskedToStop), _) => self.describe_asked(cx.now),
            (Some(hold @ (Hold::RestartOn { .. } | Hold::ProbeNeverPassed)), _) => hold.refusal(),
            (Some(hold), _) => hold.to_string(),
            (None, 0) => self.standing.state.as_str().to_owned(),
            (None, attempts) => format!("{}, attempt {attempts}", self.standing.state.as_str()),
        };
        self.notify(NotificationKind::Fired, &doing, cx);
    }

    /// How bad it is that it is down. What is so on purpose, or cannot be otherwise, is a warning.
    pub(super) fn severity(&self) -> Severity {
        if self.is_prevented() || matches!(self.refusals.hold, Some(Hold::Condition { .. })) {
            Severity::Warning
        } else {
            self.service.policy.severity
        }
    }

    /// Whether nobody is to be notified of anything now: in maintenance, while the host goes down, and before anything has
    /// been seen.
    pub(super) fn in_peace(&self, cx: &Context<'_>) -> bool {
        self.in_maintenance() || cx.host.going_down || self.standing.state == State::Shutdown || self.is_unseen()
    }

    /// Whether another alert speaks for this service now: that of a dependency, or the host's own.
    pub(super) fn is_spoken_for(&self, cx: &Context<'_>) -> bool {
        cx.dependency_failed() || cx.host.storm_speaks_for(&self.service.name)
    }

    pub(super) fn notify(&mut self, kind: NotificationKind, doing: &str, cx: &mut Context<'_>) {
        let severity = match kind {
            NotificationKind::GaveUp { .. } => Severity::Critical,
            // An operator asked for it, and is most likely still there; or nothing is known to be down.
            NotificationKind::Fired
                if matches!(
                    self.standing.hold,
                    Some(Hold::AskedToStop | Hold::Unchecked | Hold::TriggerFailed { .. })
                ) =>
            {
                self.service.policy.severity.min(Severity::Warning)
            }
            NotificationKind::Fired => self.severity(),
            NotificationKind::Flapping { .. } | NotificationKind::Update { .. } => Severity::Warning,
            _ => Severity::Info,
        };
        let Some(incident) = &mut self.memory.incident else {
            return;
        };
        incident.messages += 1;
        incident.fired |= matches!(kind, NotificationKind::Fired | NotificationKind::GaveUp { .. });
        self.unsaved = true;
        cx.notify(Notification {
            incident: incident.id,
            sequence: incident.messages,
            service: self.service.name.clone(),
            labels: self.service.labels.clone(),
            kind,
            severity,
            at: cx.now,
            opened_at: incident.opened_at,
            cause: incident.cause.clone(),
            attempts: incident.attempts,
            doing: doing.to_owned(),
            failing: self
                .probes
                .failing
                .clone()
                .filter(|_| matches!(self.standing.hold, Some(Hold::RestartOn { .. }))),
        });
    }
}
