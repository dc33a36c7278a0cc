//! What targets do by themselves, and what their supervisors and operators do to them.

use std::time::Duration;

use sentinel_engine::{ActionResult, Activity, Cause, Intent, ServiceName, StartedBy, Supervisor, TargetState};
use sentinel_simulation::{PATIENCE, Start, ended};

use super::host::{ScheduledEvent, Sim};
use super::target::{Change, Target};

impl Sim {
    pub fn target(&mut self, name: &ServiceName) -> &mut Target {
        self.targets.get_mut(name).expect("the target exists")
    }

    /// A target enters another state, and the watcher gets wind of it.
    pub fn set(&mut self, name: &ServiceName, state: TargetState) {
        let witnessed = self.bus && self.agent.is_some();
        let target = self.target(name);
        target.unit.state = state;
        target.epoch += 1;
        target.witnessed = witnessed;
        self.look(name);
    }

    pub fn change_later(&mut self, name: &ServiceName, after: Duration, change: Change) {
        let epoch = self.targets[name].epoch;
        self.later(after, ScheduledEvent::Change(name.clone(), epoch, change));
    }

    pub fn change(&mut self, name: &ServiceName, change: Change) {
        match change {
            Change::Up => self.up(name),
            Change::Dies(cause) => self.die(name, cause),
            Change::SupervisorStarts => self.begin(name, StartedBy::Supervisor),
            // Of a job of the agent it is known whose it is, or nothing.
            Change::StartsAgain if self.targets[name].job.is_some() => self.begin(name, StartedBy::Unknown),
            Change::StartsAgain => self.begin(name, StartedBy::Other),
            Change::Stopped => self.stopped(name),
            Change::Drained => self.drained(name),
            Change::Back(state) => self.set(name, state),
        }
    }

    /// A new run begins, unless something that it needs cannot be started.
    pub fn begin(&mut self, name: &ServiceName, by: StartedBy) {
        if self.targets[name].lacks_another() && self.rng.permille(700) {
            return self.start_is_refused(name);
        }
        self.target(name).fell_with = None;
        let now = self.now;
        let witnessed = self.bus && self.agent.is_some();
        let sick = self.rng.permille(self.weather.sickness) && self.stormy();
        let (dies, slow) = (self.rng.millis(10, 40_000), self.rng.millis(100, 120_000));
        let starts = [Start::Slowly(slow), Start::Deaf, Start::DiesAfter(dies), Start::Refused];
        let start = sick.then(|| self.rng.pick(&starts));
        // Most are up at once, some take a while, and a few are slow to say that they are ready.
        let longest = match self.rng.below(1000) {
            0..30 => 150_000,
            30..120 => 30_000,
            _ => 1_000,
        };
        let takes = self.rng.millis(1, longest);
        let target = self.target(name);
        target.unit.begin(if witnessed { by } else { StartedBy::Unknown }, now);
        target.answers_from = None;
        target.start = start.unwrap_or(target.start);
        self.set(name, TargetState::Busy(Activity::Starting));
        self.change_later(name, takes, Change::Up);
        self.job_begins(name);
    }

    /// It stays down, as something that it needs cannot be started.
    pub fn start_is_refused(&mut self, name: &ServiceName) {
        let target = self.target(name);
        target.unit.supervisor = Supervisor::Passive;
        target.answers_from = None;
        if let Some(other) = &mut target.fell_with {
            other.failed = true;
        }
        let (intent, cause) = (Intent::DependencyStop, Cause::Dependency);
        self.set(name, TargetState::Down { intent, cause });
        let reason = "a unit it depends on could not be started";
        self.job_ends(name, ActionResult::Failed(reason.into()));
    }

    pub fn up(&mut self, name: &ServiceName) {
        let now = self.now;
        let target = self.target(name);
        let start = target.start;
        target.unit.began = now;
        target.answers_from = match start {
            Start::Well | Start::DiesAfter(_) => Some(now),
            Start::Slowly(after) | Start::Ready(after) => Some(now + after),
            Start::Deaf | Start::Refused => None,
        };
        if start == Start::Refused {
            self.die(name, Cause::Exited { code: 203 });
            return;
        }
        self.set(name, TargetState::Running);
        if let Start::DiesAfter(after) = start {
            self.change_later(name, after, Change::Dies(Cause::Exited { code: 3 }));
        }
        self.job_ends(name, ActionResult::Done);
    }

    /// A run ends by itself.
    pub fn die(&mut self, name: &ServiceName, cause: Cause) {
        if self.targets[name].asked_for(self.now).is_some() {
            // Nobody can say that it did not end as it was asked to.
            return self.drained(name);
        }
        let clean = cause == (Cause::Exited { code: 0 });
        let delay = self.rng.millis(100, 8_000);
        let flash = self.rng.permille(500);
        let now = self.now;
        let target = self.target(name);
        if now.since(target.unit.began) > Duration::from_secs(60) {
            target.restarted = 0;
        }
        let restarts = target.supervised.filter(|_| !clean);
        let again = restarts.is_some_and(|limit| target.restarted < limit);
        target.unit.supervisor = match (restarts, again) {
            (None, _) => Supervisor::Passive,
            (Some(_), true) => Supervisor::Active,
            (Some(_), false) => Supervisor::GaveUp,
        };
        let down = ended(cause);
        if again {
            target.restarted += 1;
            // Whether watchers get to see the moment between.
            let state = if flash {
                down
            } else {
                TargetState::Busy(Activity::AutoRestart)
            };
            self.set(name, state);
            self.change_later(name, delay, Change::SupervisorStarts);
        } else {
            self.set(name, down);
            self.job_ends(name, ActionResult::Failed("the job ended as `failed`".into()));
        }
    }

    /// An operator stops a target on purpose.
    pub fn stop(&mut self, name: &ServiceName, again: bool) {
        self.job_ends(name, ActionResult::Cancelled("the job was cancelled".into()));
        let takes = self.rng.millis(0, 5_000);
        if self.targets[name].unit.is_down() && !again {
            self.stopped(name);
            return;
        }
        self.set(name, TargetState::Busy(Activity::Stopping));
        let change = if again { Change::StartsAgain } else { Change::Stopped };
        self.change_later(name, takes, change);
    }

    /// It is asked to end, and makes of that what it likes.
    pub fn asked_to_stop(&mut self, name: &ServiceName) {
        let now = self.now;
        let (takes, fails) = (self.rng.millis(1_000, 700_000), self.rng.millis(1_000, 60_000));
        let heeds = self.rng.below(4);
        let target = self.target(name);
        target.unit.asked = Some(now);
        match heeds {
            // It serves on until it ends.
            0 => {}
            // It only stumbles.
            2 => target.answers_from = Some(now + fails),
            // It serves nobody from now on, and ends some time, or hangs.
            _ => target.answers_from = None,
        }
        if heeds < 2 {
            self.change_later(name, takes, Change::Drained);
        }
        self.look(name);
    }

    pub fn drained(&mut self, name: &ServiceName) {
        let cause = Cause::Exited { code: 0 };
        let Some(ago) = self.targets[name].asked_for(self.now) else {
            return self.die(name, cause);
        };
        let intent = if ago <= PATIENCE {
            Intent::OperatorStop
        } else {
            Intent::AskedToStop
        };
        self.target(name).answers_from = None;
        self.set(name, TargetState::Down { intent, cause });
    }

    pub fn stopped(&mut self, name: &ServiceName) {
        let code = self.rng.pick(&[0, 1, 143]);
        let target = self.target(name);
        target.unit.supervisor = Supervisor::Passive;
        target.answers_from = None;
        let cause = Cause::Exited { code };
        let intent = Intent::OperatorStop;
        self.set(name, TargetState::Down { intent, cause });
    }
}
