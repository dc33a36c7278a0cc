//! The adapter: has targets restarted, finds reasons not to, and does not always tell the truth about it.

use std::time::Duration;

use sentinel_engine::{Action, ActionKind, ActionResult, Activity, Event, ServiceName, StartedBy, TargetState};

use super::faults::Fault;
use super::host::{ScheduledEvent, Sim};
use super::target::{Change, Job, Lie};

/// How long the systemd adapter waits for a job.
const JOB_LIMIT: Duration = Duration::from_secs(200);

impl Sim {
    pub fn adapter_begins(&mut self, action: Action) {
        if self.rng.permille(self.weather.meddling) && self.stormy() {
            let fault = self.rng.pick(&[
                Fault::OperatorStops,
                Fault::OperatorRestarts,
                Fault::Crash,
                Fault::Reload,
                Fault::Killed,
            ]);
            let soon = self.rng.pick(&[5, 100, 3_000]);
            let after = self.rng.millis(0, soon);
            self.later(after, ScheduledEvent::Suffer(fault, Some(action.service.clone())));
        }
        let after = self.rng.millis(1, 20);
        self.later(after, ScheduledEvent::Call(self.life, action));
    }

    pub fn adapter_calls(&mut self, action: &Action) {
        let life = self.life;
        if !self.bus || !self.targets.contains_key(&action.service) {
            self.answer(life, action, ActionResult::Outdated("not connected".into()));
            return;
        }
        if let Some(result) = self.objection(action) {
            self.answer(life, action, result);
            return;
        }
        if self.polkit_away {
            self.answer(life, action, ActionResult::Unanswered("polkit does not answer".into()));
            return;
        }
        let mut twist = None;
        if self.rng.permille(self.weather.lies) && self.stormy() {
            match self.rng.below(6) {
                0 => return self.answer(life, action, ActionResult::Done),
                1 => return self.answer(life, action, ActionResult::Unknown("no reply".into())),
                2 => return self.answer(life, action, ActionResult::Refused("access denied".into())),
                3 => return self.answer(life, action, ActionResult::Failed("no memory".into())),
                4 => twist = Some(Lie::Unknown),
                _ => twist = Some(Lie::Silence),
            }
        }
        let name = &action.service;
        self.target(name).restarted = 0;
        let job = Job {
            action: action.id,
            service: name.clone(),
            life,
            lie: twist,
        };
        self.target(name).job = Some(job);
        match action.kind {
            // These targets have no triggers.
            ActionKind::Start | ActionKind::StartTrigger => self.begin(name, StartedBy::Unknown),
            ActionKind::Restart => {
                let takes = self.rng.millis(0, 3_000);
                self.set(name, TargetState::Busy(Activity::Stopping));
                // Now and then a stop hangs for longer than anybody waits for it.
                let takes = if self.rng.permille(20) { takes * 150 } else { takes };
                self.change_later(name, takes, Change::StartsAgain);
            }
        }
        self.later(JOB_LIMIT, ScheduledEvent::CallTimesOut(life, action.clone()));
    }

    /// What the supervisor, or the adapter after a look at it, has against an action.
    pub fn objection(&self, action: &Action) -> Option<ActionResult> {
        let target = &self.targets[&action.service];
        if self.going_down {
            return Some(ActionResult::Conflict("the host goes down".into()));
        }
        let wide = || target.wide.clone().map(ActionResult::TooWide);
        target.unit.objection(action).or_else(wide)
    }

    /// The agent's job has come as far as the start of the new run, if there is one; now and then nobody says so.
    pub fn job_begins(&mut self, name: &ServiceName) {
        let Some(job) = self.target(name).job.clone() else {
            return;
        };
        if self.abandoned.contains(&job.action.0) || job.lie == Some(Lie::Silence) || self.rng.permille(100) {
            return;
        }
        let delay = self.rng.millis(0, self.weather.delay);
        let event = Event::ActionBegun {
            action: job.action,
            service: job.service,
        };
        self.later(delay, ScheduledEvent::Deliver(job.life, event));
    }

    /// The agent's job at a target is over, if there is one.
    pub fn job_ends(&mut self, name: &ServiceName, result: ActionResult) {
        let Some(job) = self.target(name).job.take() else {
            return;
        };
        if self.abandoned.contains(&job.action.0) {
            return;
        }
        let result = match job.lie {
            None => result,
            Some(Lie::Unknown) => ActionResult::Unknown("the connection was lost".into()),
            Some(Lie::Silence) => return,
        };
        let delay = self.rng.millis(0, self.weather.delay);
        let event = Event::ActionFinished {
            action: job.action,
            service: job.service,
            result,
        };
        self.later(delay, ScheduledEvent::Deliver(job.life, event));
        if self.rng.permille(self.weather.meddling) && self.stormy() {
            // Just when the restart seems to have worked.
            let fault = self.rng.pick(&[
                Fault::OperatorStops,
                Fault::OperatorRestarts,
                Fault::Crash,
                Fault::Killed,
            ]);
            let after = self.rng.millis(0, 4_000);
            self.later(after, ScheduledEvent::Suffer(fault, Some(name.clone())));
        }
    }

    pub fn answer(&mut self, life: u64, action: &Action, result: ActionResult) {
        let delay = self.rng.millis(0, self.weather.delay);
        let event = Event::ActionFinished {
            action: action.id,
            service: action.service.clone(),
            result,
        };
        self.later(delay, ScheduledEvent::Deliver(life, event));
    }
}
