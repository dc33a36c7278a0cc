//! What becomes of the agent's restarts.

use std::time::Duration;

use sentinel_engine::{Action, ActionKind, ActionResult, Activity, Event, StartedBy, TargetState};

use crate::actor::Behaviour;
use crate::scenario::Start;
use crate::world::{RESTART, ScheduledEvent, World};

impl World {
    /// An adapter is asked for a restart.
    pub(crate) fn ask_adapter(&mut self, action: Action) {
        if self.keeps_requests {
            self.requests.actions.push((self.now, action.clone()));
        }
        let faults = &mut self.faults;
        match faults.next_result.take().or_else(|| faults.answers_with.clone()) {
            Some(result) => self.answer_action(RESTART, action, result),
            None if faults.loses_actions => {}
            None => self.later(RESTART, ScheduledEvent::Carry(action)),
        }
    }

    fn answer_action(&mut self, after: Duration, action: Action, result: ActionResult) {
        // There must be somebody to answer, who is not there any more when it was killed since.
        if self.engine.is_some() {
            let event = Event::ActionFinished {
                action: action.id,
                service: action.service,
                result,
            };
            self.later(after, ScheduledEvent::Deliver(event));
        }
    }

    /// Carries out a restart, and answers it.
    pub(crate) fn carry(&mut self, action: Action) {
        let result = match self.objection(&action) {
            Some(result) => result,
            None if action.kind == ActionKind::StartTrigger => self.start_trigger(&action),
            None => match self.actors.get(&action.service).map(|actor| actor.start) {
                Some(Start::Ready(after)) => return self.start_slowly(action, after),
                _ => self.restart(&action),
            },
        };
        if matches!(result, ActionResult::Done | ActionResult::Failed(_)) {
            self.count_restart(&action);
        }
        self.answer_action(self.answer_after, action, result);
    }

    /// Why nothing is done, if nothing is.
    fn objection(&self, action: &Action) -> Option<ActionResult> {
        let Some(actor) = self.actors.get(&action.service) else {
            return Some(ActionResult::Refused("there is nothing to restart".into()));
        };
        let cancelled = actor.target.is_stopped() && action.attempt > 0 && action.kind == ActionKind::Start;
        let cancelled = cancelled.then(|| ActionResult::Cancelled("it was stopped meanwhile".into()));
        actor.target.objection(action).or(cancelled)
    }

    fn count_restart(&mut self, action: &Action) {
        if action.attempt > 0
            && let Some(actor) = self.actors.get_mut(&action.service)
        {
            actor.restarts += 1;
        }
    }

    fn restart(&mut self, action: &Action) -> ActionResult {
        if let Some(actor) = self.actors.get_mut(&action.service) {
            actor.begin_row();
        }
        if self.begin_run(&action.service, StartedBy::Unknown) {
            ActionResult::Done
        } else {
            ActionResult::Failed("its program cannot be executed".into())
        }
    }

    fn start_trigger(&mut self, action: &Action) -> ActionResult {
        self.look(&action.service);
        match self.actors.get_mut(&action.service) {
            Some(actor) if actor.start != Start::Refused => {
                actor.target.details.triggers.clear();
                ActionResult::Done
            }
            _ => ActionResult::Failed("its program cannot be executed".into()),
        }
    }

    /// A start that takes long is answered twice: when the new run begins, and when it is ready.
    fn start_slowly(&mut self, action: Action, after: Duration) {
        self.count_restart(&action);
        self.restart(&action);
        let Some(actor) = self.actors.get_mut(&action.service) else {
            return;
        };
        actor.target.state = TargetState::Busy(Activity::Starting);
        let run = actor.target.run;
        let event = Event::ActionBegun {
            action: action.id,
            service: action.service.clone(),
        };
        self.later(Duration::ZERO, ScheduledEvent::Deliver(event));
        self.later(after, ScheduledEvent::Ready(run, action));
    }

    /// A start that took long is over.
    pub(crate) fn ready(&mut self, run: u32, action: Action) {
        if let Some(actor) = self.actors.get_mut(&action.service)
            && actor.target.run == run
        {
            actor.target.state = TargetState::Running;
            actor.behave(Behaviour::Well);
        }
        self.look(&action.service);
        self.answer_action(self.answer_after, action, ActionResult::Done);
    }
}
