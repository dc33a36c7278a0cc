//! What starts a service when it is needed: sockets, paths and timers that have failed.
//!
//! While the service runs that is reported and nothing is done: systemd starts no socket whose service runs, and a
//! restart of a healthy service would be worse. While it has nothing to do, and so nothing would start it any more, the
//! trigger is started and the service is not. When the service is down for another reason, its own start takes care of
//! them (in its adapter). What an operator stopped is shown, and that is all.

use super::judge::Judgement;
use super::{Context, Machine};
use crate::cause::Cause;
use crate::command::ActionKind;
use crate::observation::{Intent, Observation, TargetState, TriggerState};
use crate::report::{ReportKind, Resolution};
use crate::state::{Hold, State};
use crate::time::Time;
use crate::timers::Timer;

impl Machine {
    /// Whether the open incident is about a trigger.
    pub(super) fn is_trigger_incident(&self) -> bool {
        let incident = self.memory.incident.as_ref();
        incident.is_some_and(|incident| matches!(incident.cause, Cause::TriggerFailed { .. }))
    }

    /// The trigger that has failed. What is not seen now is as it was.
    pub(super) fn failed_trigger(&self) -> Option<Cause> {
        let seen = |observation: &&Observation| !matches!(observation.state, TargetState::Unknown(_));
        if let Some(observation) = self.target.observation.as_ref().filter(seen) {
            let triggers = &observation.details.triggers;
            let failed = triggers.iter().find_map(|trigger| match &trigger.state {
                TriggerState::Failed { unit, result } => Some(Cause::TriggerFailed {
                    name: trigger.name.clone(),
                    unit: unit.clone(),
                    result: result.clone(),
                }),
                TriggerState::Stopped | TriggerState::Unseen => None,
            });
            if failed.is_some() || triggers.iter().all(|trigger| trigger.state != TriggerState::Unseen) {
                return failed;
            }
        }
        let incident = self.memory.incident.as_ref();
        incident
            .map(|incident| incident.cause.clone())
            .filter(|cause| matches!(cause, Cause::TriggerFailed { .. }))
    }

    /// Whether it has nothing to do until it is needed, and nothing would start it then.
    pub(super) fn idles_in_vain(&self) -> bool {
        let idles = matches!(self.target_down(), Some((Intent::NotApplicable, _)));
        idles && self.failed_trigger().is_some()
    }

    /// Whether it waits to be needed, after an incident in which nothing would have started it.
    pub(super) fn waits_again(&self) -> bool {
        let idles = matches!(self.target_down(), Some((Intent::NotApplicable, _)));
        idles && self.is_trigger_incident()
    }

    /// It runs and is well, which ends whatever else was wrong with it.
    pub(super) fn judge_failed_trigger(&mut self, cause: Cause, cx: &mut Context<'_>) -> Judgement {
        if !self.is_trigger_incident() {
            self.became_healthy(Resolution::Recovered, cx);
        }
        self.say_up(cx);
        let hold = match &cause {
            Cause::TriggerFailed { name, unit, .. } => Some(Hold::TriggerFailed {
                name: name.clone(),
                unit: unit.clone(),
            }),
            _ => None,
        };
        self.open_incident(cause, cx);
        Judgement {
            state: State::Held,
            hold,
        }
    }

    /// What was to bring a trigger back has done so, whatever the service does now.
    pub(super) fn prove_trigger(&mut self, cx: &mut Context<'_>) {
        let begun = self.memory.attempt.as_ref();
        let Some(action) = begun
            .filter(|attempt| attempt.kind == ActionKind::StartTrigger && attempt.ended_at.is_some())
            .map(|attempt| attempt.action)
        else {
            return;
        };
        if self.is_unobservable() || self.failed_trigger().is_some() {
            return;
        }
        let starts_slowly = None;
        self.report(ReportKind::ActionVerified { action, starts_slowly }, cx);
        self.close_incident(Resolution::Healed, cx);
    }

    /// A trigger was started and has not been seen to wait since.
    pub(super) fn judge_trigger_action(&mut self, ended_at: Time, cx: &mut Context<'_>) -> Option<State> {
        if !self.is_unobservable() && !self.idles_in_vain() {
            self.cut_short("the service does something else by now".to_owned(), cx);
            return None;
        }
        let deadline = ended_at + self.service.policy.verify;
        if cx.now < deadline {
            self.timers.set(Timer::Verify, deadline);
            return Some(State::Verifying);
        }
        if self.is_unobservable() {
            return Some(State::Verifying);
        }
        self.fail_attempt("it was started and is not there, or has failed again".to_owned(), cx);
        None
    }

    /// Says what does not wait to start the service.
    pub(super) fn describe_triggers(&self, text: &mut String) {
        let Some(observation) = &self.target.observation else {
            return;
        };
        for trigger in &observation.details.triggers {
            let what = match &trigger.state {
                TriggerState::Failed { result, .. } => format!("has failed ({result})"),
                TriggerState::Stopped => "was stopped".to_owned(),
                TriggerState::Unseen => continue,
            };
            text.push_str("; ");
            text.push_str(&trigger.name);
            text.push_str(", which starts it when it is needed, ");
            text.push_str(&what);
        }
    }
}
