//! How long it was down for those who use it, and on whose account it is back.
//!
//! An incident opens when an outage is certain and ends when its end is: both are later than the outage itself. Down is a
//! service from the first failure that was seen to the first answer of the run that was then proved; an answer before the
//! last failure ended nothing.

use super::Machine;
use crate::cause::Cause;
use crate::memory::{Answered, Incident};
use crate::observation::{Activity, Intent, StartedBy, TargetState};
use crate::outage::{Outage, Starter};
use crate::report::Resolution;
use crate::state::State;
use crate::time::Time;

/// Since when it does its work, and since when it does not.
#[derive(Debug, Default)]
pub(super) struct OutageClock {
    /// Since when the present run has been one that does its work, as far as its target tells.
    pub(super) serves_since: Option<Time>,
    /// Since when it has failed without a break, by target or probes.
    pub(super) fails_since: Option<Time>,
}

impl Machine {
    /// Notes since when it fails, or answers again. Asked before anything is judged of it, as that may begin or end an
    /// incident.
    pub(super) fn note_outage(&mut self, now: Time) {
        if !self.is_unobservable() {
            let serves = self.runs() && self.target.unhealthy().is_none();
            self.outage.serves_since = serves.then(|| self.outage.serves_since.unwrap_or(now));
        }
        let fails = self.fails();
        // Whatever fails in maintenance is expected to, until that is over.
        let counts = fails && (self.memory.incident.is_some() || !self.in_maintenance());
        self.outage.fails_since = counts.then(|| self.outage.fails_since.unwrap_or(now));
        let answered = self.answered();
        let Some(incident) = &mut self.memory.incident else {
            return;
        };
        if incident.failed_at.is_none() && self.outage.fails_since.is_some() {
            incident.failed_at = self.outage.fails_since;
            self.unsaved = true;
        }
        if fails {
            self.unsaved |= incident.answered.take().is_some();
        } else if let Some(answered) = answered
            && incident.answered.as_ref().is_none_or(|known| known.run != answered.run)
        {
            // What the agent that was killed saw of the same run goes on.
            incident.answered = Some(answered);
            self.unsaved = true;
        }
    }

    /// Goes on after a restart of the agent: what began meanwhile the agent did not see begin. An earlier version noted
    /// when an outage was certain, and not when it was first seen.
    pub(super) fn resume_outage(&mut self) {
        let Some(incident) = &mut self.memory.incident else {
            return;
        };
        let down = !matches!(
            incident.cause,
            Cause::Unchecked { .. } | Cause::AskedToStop { .. } | Cause::TriggerFailed { .. }
        );
        if incident.failed_at.is_none() && down {
            incident.failed_at = Some(incident.opened_at);
            self.unsaved = true;
        }
        self.note_starter(Starter::Unknown);
    }

    /// Whether what is seen now says that it does not do its work. What was stopped on purpose is not expected to, and what
    /// reloads goes on doing it.
    fn fails(&self) -> bool {
        let state = self.target.state();
        let target = match state {
            Some(TargetState::Down { .. }) => self.target_down().is_some_and(|(intent, _)| {
                !matches!(
                    intent,
                    Intent::OperatorStop
                        | Intent::AskedToStop
                        | Intent::ConflictStop
                        | Intent::NotApplicable
                        | Intent::Shutdown
                )
            }),
            Some(TargetState::Unusable(_) | TargetState::Unhealthy(_)) => true,
            Some(TargetState::Busy(_)) => self.busy().is_some_and(|activity| activity != Activity::Reloading),
            Some(TargetState::Running | TargetState::Unchecked { .. } | TargetState::Unknown(_)) | None => false,
        };
        target || self.probes.failing.is_some()
    }

    /// Since when it answers, and in which run, if it is known to; without probes, since when that runs.
    fn answered(&self) -> Option<Answered> {
        let serves = self
            .outage
            .serves_since
            .filter(|_| self.service.has_target && !self.is_unobservable());
        let answers = self.probes.answers_since.filter(|_| self.service.has_probes);
        let known = (!self.service.has_probes || answers.is_some()) && (!self.must_serve() || serves.is_some());
        let since = serves.max(answers).filter(|_| known)?;
        let run = self.target.run().cloned();
        Some(Answered { since, run })
    }

    /// Whether its target has a say in that.
    fn must_serve(&self) -> bool {
        self.service.has_target && !self.is_unobservable()
    }

    /// Until when no receiver is notified of an outage that would be reported now: what answers and is being proved is most
    /// likely over, so that is waited for. Not for longer than `verify`, whatever other runs answer meanwhile.
    pub(super) fn proof_pending(&mut self, now: Time) -> Time {
        let proving = matches!(self.standing.state, State::Verifying | State::Starting);
        let verify = self.service.policy.verify;
        let Some(incident) = self.memory.incident.as_mut().filter(|_| proving) else {
            return now;
        };
        let Some(answered) = &incident.answered else { return now };
        self.unsaved |= incident.proof_pending.is_none();
        let first = *incident.proof_pending.get_or_insert(now);
        (answered.since + verify).min(first + verify)
    }

    /// Whoever begins the next run, it is not the one in which the incident opened.
    pub(super) fn note_starter(&mut self, starter: Starter) {
        if let Some(incident) = self.memory.incident.as_mut().filter(|open| open.started_by != starter) {
            incident.started_by = starter;
            self.unsaved = true;
        }
    }

    /// Who it is, by what the watcher says; `own` where the agent had a hand in it.
    pub(super) fn starter(&self, started_by: StartedBy, own: bool, bound: bool) -> Starter {
        match started_by {
            StartedBy::Supervisor => Starter::Supervisor,
            StartedBy::Dependency => Starter::Dependency,
            StartedBy::Trigger => Starter::Trigger,
            StartedBy::Unknown if own => Starter::Agent,
            StartedBy::Unknown if bound => Starter::Dependency,
            StartedBy::Unknown if self.supervision.left_to_supervisor => Starter::Supervisor,
            StartedBy::Other | StartedBy::Unknown => Starter::Other,
        }
    }
}

/// What there is to say of the outage when `incident` ends so.
pub(super) fn outage_of(incident: &Incident, resolution: Resolution, now: Time) -> Outage {
    let well = matches!(
        resolution,
        Resolution::Healed | Resolution::Recovered | Resolution::Started
    );
    let failed_at = incident.failed_at;
    let answered = incident.answered.as_ref().map_or(now, |answered| answered.since);
    Outage {
        down: failed_at.map(|failed_at| answered.since(failed_at)),
        proved: failed_at.filter(|_| well).map(|failed_at| now.since(failed_at)),
        started_by: incident.started_by,
    }
}
