//! Everything that goes wrong, and everything operators do.

use std::time::Duration;

use sentinel_engine::{
    Activity, BlastRadius, Cause, Event, FellWith, Intent, OperatorRequest, ServiceName, StartedBy, Supervisor,
    TargetState,
};
use sentinel_simulation::Start;

use super::host::{ScheduledEvent, Sim};
use super::target::Change;

/// Faults after which there is none for long, per thousand, where there are such times.
const LULLS: u64 = 60;

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A process dies.
    Crash,
    /// A process ends by itself and reports success.
    CleanExit,
    /// A process lives and no longer answers.
    Hang,
    /// A hung process answers again.
    Recovers,
    /// It will not start properly from now on.
    Breaks,
    /// An operator fixed it.
    Fixed,
    /// Most services die at once.
    Correlated,
    /// An operator stops it behind the agent's back.
    OperatorStops,
    /// An operator starts it behind the agent's back.
    OperatorStarts,
    /// An operator restarts it behind the agent's back.
    OperatorRestarts,
    /// An operator asks the agent for a restart.
    Asked,
    /// An operator pauses it.
    Paused,
    /// An operator ends the pause.
    Resumed,
    /// An operator asks it to end, and it may take its time.
    AskedToStop,
    /// It reloads its configuration.
    Reload,
    /// Another party's job is pending.
    ForeignJob,
    /// It is frozen for a while.
    Frozen,
    /// Something is busy with it for hours.
    Stuck,
    /// systemd reloads: everything looks busy for a moment.
    DaemonReload,
    /// Something it is bound to took it along.
    BoundStop,
    /// It falls with something that no operator configured, or is stopped with that.
    FallsWith,
    /// It cannot be started for want of something that no operator configured.
    StartRefused,
    /// What it fell with runs again.
    OtherIsBack,
    /// What it fell with has failed again.
    OtherFails,
    /// Something that conflicts with it was started, or there is nothing to run any more.
    ConflictStop,
    /// It is masked, and unmasked after a while.
    Masked,
    /// The bus is gone for a while.
    BusLost,
    /// The store cannot be written for a while.
    StoreLost,
    /// The agent is killed.
    Killed,
    /// The agent does not get to run for a moment.
    Stalled,
    /// The host goes down, or almost.
    Shutdown,
    /// The host is suspended.
    Suspended,
    /// The agent does not get to run for so long that it notices.
    StandsStill,
    /// The agent is killed, and its store is damaged before it starts again.
    StoreDamaged,
    /// A maintenance window opens.
    WindowOpens,
    /// A maintenance window ends.
    WindowEnds,
    /// The wall clock jumps.
    WallJumps,
    /// A deploy begins; its end may never be reported.
    Deployed,
    /// For a while a restart would take others along.
    Widens,
    /// For a while nothing answers who decides what the agent may do: a refusal that passes.
    PolkitAway,
    /// Another configuration.
    Reconfigured,
    /// The end of what lasts a while.
    PolkitBack,
    /// The end of what lasts a while.
    BusBack,
    /// The end of what lasts a while.
    StoreBack,
}

impl Fault {
    pub const ALL: [Self; 50] = [
        Self::Crash,
        Self::Crash,
        Self::Crash,
        Self::CleanExit,
        Self::Hang,
        Self::Hang,
        Self::Recovers,
        Self::Breaks,
        Self::Fixed,
        Self::Fixed,
        Self::Correlated,
        Self::OperatorStops,
        Self::OperatorStarts,
        Self::OperatorStarts,
        Self::OperatorRestarts,
        Self::Asked,
        Self::Paused,
        Self::Resumed,
        Self::Resumed,
        Self::AskedToStop,
        Self::Reload,
        Self::ForeignJob,
        Self::Frozen,
        Self::Stuck,
        Self::DaemonReload,
        Self::BoundStop,
        Self::FallsWith,
        Self::FallsWith,
        Self::StartRefused,
        Self::OtherIsBack,
        Self::OtherFails,
        Self::ConflictStop,
        Self::Masked,
        Self::BusLost,
        Self::StoreLost,
        Self::Killed,
        Self::Stalled,
        Self::Shutdown,
        Self::Suspended,
        Self::StandsStill,
        Self::StoreDamaged,
        Self::WindowOpens,
        Self::WindowEnds,
        Self::WallJumps,
        Self::Deployed,
        Self::Widens,
        Self::PolkitAway,
        Self::Reconfigured,
        Self::Reconfigured,
        Self::Reconfigured,
    ];
}

impl Sim {
    pub fn next_fault(&mut self) {
        if !self.stormy() {
            return;
        }
        let mut gap = self.rng.millis(1, 2 * self.weather.gap);
        if let Some(lull) = self.weather.lull
            && self.rng.permille(LULLS)
        {
            gap += self.rng.millis(0, lull);
        }
        self.later(gap, ScheduledEvent::Fault);
        let faults = std::mem::take(&mut self.weather.faults);
        let fault = self.rng.pick(&faults);
        self.weather.faults = faults;
        self.suffer(fault, None);
    }

    /// The storm is over: what only lasts a while ends, what is broken stays broken.
    pub fn calm(&mut self) {
        self.bus_back();
        self.polkit_back();
        self.disk.broken = false;
        self.all_return();
        for name in self.windows.clone() {
            self.set_window(&name, false);
        }
        for name in self.names() {
            self.ask(&name, OperatorRequest::Resume);
        }
    }

    fn any(&mut self) -> ServiceName {
        let names = self.names();
        let chosen = self.rng.below(names.len() as u64);
        names[usize::try_from(chosen).expect("a small number")].clone()
    }

    #[allow(clippy::too_many_lines, reason = "an arm for each fault")]
    pub fn suffer(&mut self, fault: Fault, service: Option<ServiceName>) {
        let name = service.filter(|name| self.targets.contains_key(name));
        let name = name.unwrap_or_else(|| self.any());
        let signal = Cause::Killed {
            signal: 9,
            core_dumped: false,
        };
        match fault {
            Fault::Crash if self.targets[&name].unit.runs() => self.die(&name, signal),
            Fault::CleanExit if self.targets[&name].unit.runs() => self.die(&name, Cause::Exited { code: 0 }),
            Fault::Hang => self.target(&name).answers_from = None,
            Fault::Recovers => {
                let now = self.now;
                self.target(&name).answers_from = Some(now);
            }
            Fault::Breaks => {
                let dies = self.rng.millis(10, 40_000);
                let starts = [Start::Deaf, Start::DiesAfter(dies), Start::Refused];
                self.target(&name).start = self.rng.pick(&starts);
            }
            Fault::Fixed => {
                let target = self.target(&name);
                (target.start, target.wrong_question) = (Start::Well, false);
            }
            Fault::Correlated => self.most_die(),
            Fault::Asked => self.ask(&name, OperatorRequest::Restart),
            Fault::Paused => {
                let minutes = self.rng.pick(&[1, 10, 0]);
                let duration = (minutes > 0).then(|| Duration::from_secs(60 * minutes));
                self.ask(&name, OperatorRequest::Pause { duration });
            }
            Fault::Resumed => self.ask(&name, OperatorRequest::Resume),
            Fault::OperatorStops => self.stop(&name, false),
            Fault::OperatorStarts if self.targets[&name].unit.is_down() => {
                self.begin(&name, StartedBy::Other);
            }
            Fault::OperatorRestarts => self.stop(&name, true),
            Fault::AskedToStop if self.targets[&name].unit.runs() => self.asked_to_stop(&name),
            Fault::Reload if self.targets[&name].unit.runs() => self.busy(&name, Activity::Reloading, 3_000),
            Fault::ForeignJob => self.busy(&name, Activity::Job, 20_000),
            Fault::Frozen if self.targets[&name].unit.runs() => self.busy(&name, Activity::Frozen, 120_000),
            Fault::Stuck => self.stuck(&name),
            Fault::DaemonReload => {
                for name in self.names() {
                    self.busy(&name, Activity::Job, 50);
                }
            }
            Fault::BoundStop => self.taken_along(&name, Intent::DependencyStop),
            Fault::FallsWith if self.targets[&name].unit.runs() && self.targets[&name].unit.asked.is_none() => {
                self.another_goes_down(&name, 800);
                self.taken_along(&name, Intent::DependencyStop);
            }
            Fault::StartRefused if self.targets[&name].unit.is_down() && self.targets[&name].job.is_none() => {
                self.another_goes_down(&name, 1000);
                self.start_is_refused(&name);
            }
            Fault::OtherIsBack => self.other_is(&name, true),
            Fault::OtherFails => self.other_is(&name, false),
            Fault::ConflictStop => {
                let intent = self.rng.pick(&[Intent::ConflictStop, Intent::NotApplicable]);
                self.taken_along(&name, intent);
            }
            Fault::Masked => self.masked(&name),
            Fault::BusLost if self.bus => {
                self.bus = false;
                self.report_unobservable();
                self.ends_later(300_000, Fault::BusBack);
            }
            Fault::StoreLost => {
                self.disk.broken = true;
                self.ends_later(300_000, Fault::StoreBack);
            }
            Fault::Killed => self.kill_agent(),
            Fault::Stalled if self.stalled_until.is_none() && self.agent.is_some() => {
                let stall = self.rng.millis(1, 2_000);
                self.stalled_until = Some(self.now + stall);
                self.later(stall, ScheduledEvent::Unstall);
            }
            Fault::Shutdown => self.shutdown(),
            Fault::Suspended => {
                let span = self.rng.pick(&[20_000, 600_000, 36_000_000]);
                let span = self.rng.millis(16_000, span);
                self.suspend(span);
                self.turn();
            }
            Fault::StandsStill if self.stalled_until.is_none() && self.agent.is_some() => {
                let stall = self.rng.millis(16_000, 60_000);
                self.stalled_until = Some(self.now + stall);
                self.stood_still = true;
                self.later(stall, ScheduledEvent::Unstall);
            }
            Fault::StoreDamaged => {
                self.disk.lost = self.agent.is_some();
                self.kill_agent();
            }
            Fault::WindowOpens => {
                self.set_window(&name, true);
                let after = self.rng.millis(1_000, 900_000);
                self.later(after, ScheduledEvent::Suffer(Fault::WindowEnds, Some(name)));
            }
            Fault::WindowEnds => self.set_window(&name, false),
            Fault::WallJumps => self.wall_jumps(),
            Fault::Deployed => self.deploy(&name),
            Fault::Widens => {
                let radius = BlastRadius {
                    stops: vec!["other.service".to_owned()],
                    ..BlastRadius::default()
                };
                let narrow = self.targets[&name].wide.is_some();
                self.target(&name).wide = (!narrow).then_some(radius);
            }
            Fault::PolkitAway => self.polkit_goes(),
            Fault::PolkitBack => self.polkit_back(),
            Fault::Reconfigured => self.reconfigure(),
            Fault::BusBack => self.bus_back(),
            Fault::StoreBack => self.disk.broken = false,
            _ => {}
        }
    }

    fn ends_later(&mut self, longest: u64, end: Fault) {
        let longest = self.rng.pick(&[100, 10_000, longest]);
        let after = self.rng.millis(0, longest);
        self.later(after, ScheduledEvent::Suffer(end, None));
    }

    fn polkit_goes(&mut self) {
        if !std::mem::replace(&mut self.polkit_away, true) {
            self.ends_later(1_800_000, Fault::PolkitBack);
        }
    }

    /// Now and then nobody sees that it is back.
    fn polkit_back(&mut self) {
        if std::mem::take(&mut self.polkit_away) && self.bus && self.rng.permille(500) {
            self.deliver(Event::PermissionsChanged);
        }
    }

    fn bus_back(&mut self) {
        if !std::mem::replace(&mut self.bus, true) && self.agent.is_some() {
            self.watcher_starts();
        }
    }

    fn most_die(&mut self) {
        for name in self.names() {
            if self.rng.permille(800) && self.targets[&name].unit.runs() {
                self.die(&name, Cause::OomKilled);
            }
        }
    }

    /// Another party is busy with a target that is at rest, and then it is as it was.
    fn busy(&mut self, name: &ServiceName, activity: Activity, longest: u64) {
        let state = self.targets[name].unit.state.clone();
        let active = self.targets[name].unit.supervisor == Supervisor::Active;
        if !matches!(state, TargetState::Running | TargetState::Down { .. }) || active {
            return;
        }
        let takes = self.rng.millis(1, longest);
        self.set(name, TargetState::Busy(activity));
        self.change_later(name, takes, Change::Back(state));
    }

    /// A start, a stop, a reload or a pause that takes hours.
    fn stuck(&mut self, name: &ServiceName) {
        const HOURS: u64 = 4 * 3600 * 1000;

        if self.targets[name].job.is_some() {
            return;
        }
        let takes = self.rng.millis(1, HOURS);
        match self.targets[name].unit.state {
            TargetState::Running => {
                let activities = [Activity::Stopping, Activity::Reloading, Activity::Job, Activity::Frozen];
                let activity = self.rng.pick(&activities);
                self.busy(name, activity, HOURS);
            }
            TargetState::Down { .. } if self.targets[name].unit.supervisor != Supervisor::Active => {
                self.target(name).unit.run += 1;
                self.set(name, TargetState::Busy(Activity::Starting));
                self.change_later(name, takes, Change::Up);
            }
            TargetState::Busy(Activity::AutoRestart) => {
                self.set(name, TargetState::Busy(Activity::AutoRestart));
                self.change_later(name, takes, Change::SupervisorStarts);
            }
            _ => {}
        }
    }

    fn taken_along(&mut self, name: &ServiceName, intent: Intent) {
        if self.targets[name].unit.runs() {
            let code = self.rng.pick(&[0, 1]);
            let cause = Cause::Exited { code };
            self.set(name, TargetState::Down { intent, cause });
        }
    }

    /// Something that no operator configured goes down, by itself as often as `failed` per thousand. Mostly it is back
    /// some time.
    fn another_goes_down(&mut self, name: &ServiceName, failed: u64) {
        let witnessed = self.bus && self.agent.is_some();
        let failed = self.rng.permille(failed) && witnessed;
        self.target(name).fell_with = Some(FellWith {
            name: "other.service".to_owned(),
            failed,
            is_back: false,
        });
        if self.rng.permille(900) {
            let longest = self.rng.pick(&[100, 10_000, 1_800_000]);
            let after = self.rng.millis(0, longest);
            self.later(after, ScheduledEvent::Suffer(Fault::OtherIsBack, Some(name.clone())));
        }
    }

    fn other_is(&mut self, name: &ServiceName, is_back: bool) {
        if let Some(other) = &mut self.target(name).fell_with {
            other.is_back = is_back;
            self.look(name);
        }
    }

    fn masked(&mut self, name: &ServiceName) {
        if self.targets[name].unit.is_down() && self.targets[name].unit.supervisor != Supervisor::Active {
            let state = self.targets[name].unit.state.clone();
            let takes = self.rng.millis(1_000, 600_000);
            self.set(name, TargetState::Unusable("unit is masked".into()));
            self.change_later(name, takes, Change::Back(state));
        }
    }

    /// The host goes down and comes back up, or it was only scheduled and is called off.
    fn shutdown(&mut self) {
        if std::mem::replace(&mut self.going_down, true) {
            return;
        }
        self.deliver(Event::HostShutdownChanged { going_down: true });
        let after = self.rng.millis(100, 60_000);
        self.later(after, ScheduledEvent::HostUp);
        if self.rng.permille(500) {
            for name in self.names() {
                if self.targets[&name].unit.runs() {
                    self.taken_along(&name, Intent::Shutdown);
                }
            }
        }
    }

    pub fn host_up(&mut self) {
        self.going_down = false;
        let went_down = self.targets.values().any(|target| {
            matches!(
                target.unit.state,
                TargetState::Down {
                    intent: Intent::Shutdown,
                    ..
                }
            )
        });
        if !went_down {
            self.deliver(Event::HostShutdownChanged { going_down: false });
            return;
        }
        self.kill_agent();
        self.booted_at = self.now;
        for name in self.names() {
            self.target(&name).job = None;
            self.begin(&name, StartedBy::Unknown);
        }
    }
}
