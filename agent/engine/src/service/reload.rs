//! A new configuration in the middle of everything: what is kept, what is asked again, and how a service leaves.

use super::{Context, Machine};
use crate::command::Command;
use crate::engine::Changed;
use crate::event::ActionResult;
use crate::memory::Memory;
use crate::policy::Service;
use crate::report::Resolution;
use crate::timers::Timer;

/// Why an attempt on a target that is no longer the service's proves nothing.
const REPLACED: &str = "its target was replaced by a reload";

impl Machine {
    /// Goes on as `service` says. Memory is never touched in the service's favour; what is known is kept as far as it
    /// is about the same target and the same questions.
    pub(crate) fn change(&mut self, service: Service, changed: Changed, cx: &mut Context<'_>) {
        self.leaving = false;
        let old = std::mem::replace(&mut self.service, service);
        if !changed.target && !changed.probes && old.is_judged_as(&self.service) {
            return;
        }
        self.refusals.hold = None;
        if self.service.policy.reset_after != old.policy.reset_after {
            // Good minutes under the old rule must not end a give-up by the new one.
            self.restart_health_count(cx);
        }
        if changed.target {
            self.supervision.crash_loop.clear();
            self.target.replace(cx.now);
            self.forget_passed();
            self.part_from_attempt(cx);
        } else if let Some(attempt) = &mut self.memory.attempt
            && attempt.ended_at.is_some()
        {
            // What was restarted has its whole time to prove itself by the new rules.
            attempt.ended_at = Some(cx.now);
            self.unsaved = true;
        }
        if changed.target || changed.probes {
            // What another question was answered is not what was before.
            self.probes.forget_answers();
            self.restart_health();
            self.restart_health_count(cx);
            if self.service.has_probes {
                self.timers.set(Timer::Probe, cx.now);
            }
        }
    }

    /// An attempt under way is waited for; one that waits for its proof never gets it.
    fn part_from_attempt(&mut self, cx: &mut Context<'_>) {
        if self.actions.in_flight.is_some() {
            self.actions.outlived = true;
        } else {
            self.cut_short(REPLACED.to_owned(), cx);
        }
    }

    /// The action has ended that was about a target which is no longer the service's: it counts, and proves nothing.
    pub(super) fn close_outlived(&mut self, cx: &mut Context<'_>) {
        if self.actions.in_flight.is_none() && std::mem::take(&mut self.actions.outlived) {
            self.refusals.hold = None;
            self.cut_short(REPLACED.to_owned(), cx);
        }
    }

    /// Good minutes begin now, or when probes say again that it is well.
    pub(super) fn restart_health_count(&mut self, cx: &Context<'_>) {
        if self.memory.healthy_since.is_some() {
            self.memory.healthy_since = Some(cx.now).filter(|_| self.is_healthy(cx.now));
            self.unsaved = true;
        }
    }

    /// The service is no longer configured. It leaves at once, or when the action in flight has ended.
    pub(crate) fn leave(&mut self, cx: &mut Context<'_>) {
        self.leaving = true;
        // Should it return, it is reported again.
        self.window = None;
        self.evaluate_leaving(cx);
    }

    /// Nothing is judged any more; the action in flight is waited for, within its limit.
    pub(super) fn evaluate_leaving(&mut self, cx: &mut Context<'_>) {
        self.timers.clear_derived();
        self.timers.clear(Timer::Probe);
        if let Some(action) = self.in_flight() {
            self.expire_flight(cx);
            if self.actions.in_flight.is_some() {
                return self.save(cx);
            }
            self.action_finished(action, ActionResult::Unknown("the answer never came".into()), cx);
        }
        self.abandon(cx);
    }

    /// Whether it is no longer configured.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Whether nothing is left to be waited for.
    pub(crate) fn has_left(&self) -> bool {
        self.leaving && self.actions.in_flight.is_none()
    }

    /// What must not be forgotten of it.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The service no longer belongs to the agent: its incident ends with it.
    pub(crate) fn abandon(&mut self, cx: &mut Context<'_>) {
        self.close_incident(Resolution::Unmanaged, cx);
        self.notify_flapping_ended(cx);
        if self.memory.attempt.take().is_some() || self.memory.healthy_since.take().is_some() {
            self.unsaved = true;
        }
        self.save(cx);
    }

    /// Has the memory saved, if it changed.
    pub(super) fn save(&mut self, cx: &mut Context<'_>) {
        if std::mem::take(&mut self.unsaved) {
            cx.command(Command::Save {
                service: self.service.name.clone(),
                memory: Box::new(self.memory.clone()),
            });
        }
    }
}
