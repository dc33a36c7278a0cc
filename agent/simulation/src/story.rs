//! What a story does to the simulated host, step by step, and what it finds then.

use std::time::Duration;

use sentinel_engine::alerting::Rules;
use sentinel_engine::{
    Action, Activity, Cause, Details, Event, FailureKind, HealthCheck, HostPolicy, Intent, Limits, Memory,
    Notification, OperatorRequest, Reload, Report, ReportKind, ServiceName, ServiceSnapshot, StartedBy, State,
    Supervisor, TargetState, Time, Trigger,
};

use crate::actor::{Actor, Behaviour};
use crate::timeline::Happened;
use crate::world::{ScheduledEvent, World};

/// What the checks ask that supervisors make.
const CHECK: &str = "curl -f localhost";

/// Rules by which everything goes to one receiver, without repetition.
pub fn everything_to(receiver: &str) -> Rules {
    Rules {
        receivers: [receiver.to_owned()].into(),
        default: vec![receiver.to_owned()],
        ..Rules::without_receivers()
    }
}

/// What is done to the host.
impl World {
    /// A host where everything runs, from the epoch on, with one receiver of everything. What is asked of the adapters is
    /// kept, and they answer before watchers see what they did.
    pub fn new(actors: impl IntoIterator<Item = Actor>) -> Self {
        Self::with_policy(actors, HostPolicy::default())
    }

    /// The same with other limits over the host.
    pub fn with_policy(actors: impl IntoIterator<Item = Actor>, policy: HostPolicy) -> Self {
        // Who is notified is not what stories are about.
        let rules = everything_to("receiver");
        let mut world = Self::begin(Time::ZERO, Time::ZERO, policy, rules, []);
        world.answer_after = Duration::ZERO;
        world.keeps_requests = true;
        for actor in actors {
            world.add(actor);
        }
        world
    }

    /// Another service, which runs.
    pub fn add(&mut self, actor: Actor) {
        let service = actor.service.clone();
        self.actors.insert(service.name.clone(), actor);
        if let Some(engine) = &mut self.engine {
            engine.add_service(self.now, service.clone(), Memory::default());
        }
        self.look(&service.name);
        self.carry_out();
    }

    /// Lets this many seconds pass.
    pub fn run(&mut self, seconds: u64) {
        self.run_for(Duration::from_secs(seconds));
    }

    /// The process dies of `cause`.
    pub fn die(&mut self, name: &str, cause: Cause) {
        self.end_run(&name.into(), cause);
        self.carry_out();
    }

    /// The process is killed.
    pub fn kill(&mut self, name: &str) {
        let cause = Cause::Killed {
            signal: 9,
            core_dumped: false,
        };
        self.die(name, cause);
    }

    /// What its supervisor calls unhealthy is killed.
    pub fn kill_unhealthy(&mut self, name: &str) {
        self.change(name, |actor| actor.target.state = TargetState::Running);
        self.kill(name);
    }

    /// The process lives and no longer answers.
    pub fn hang(&mut self, name: &str) {
        self.change(name, |actor| actor.behave(Behaviour::Silent));
    }

    /// The process answers again by itself.
    pub fn unhang(&mut self, name: &str) {
        self.change(name, |actor| actor.behave(Behaviour::Well));
    }

    /// Its probe fails so from now on, whatever it does; or says again what it finds.
    pub fn says(&mut self, name: &str, kind: Option<FailureKind>) {
        self.change(name, |actor| actor.says = kind);
    }

    /// Its second probe fails so from now on, or passes.
    pub fn second_says(&mut self, name: &str, kind: Option<FailureKind>) {
        self.change(name, |actor| actor.second = Some(kind.map_or(Ok(()), Err)));
    }

    /// Its supervisor's own check passes, or fails.
    pub fn set_check(&mut self, name: &str, passes: bool) {
        self.change_seen(name, |actor| {
            let question = actor.check.take().map_or_else(|| CHECK.into(), |check| check.question);
            actor.check = Some(HealthCheck { question, passes });
            actor.target.state = if passes {
                TargetState::Running
            } else {
                TargetState::Unhealthy("exit code 1".into())
            };
        });
    }

    /// An operator stops it with the supervisor's own command.
    pub fn stop(&mut self, name: &str) {
        self.change_seen(name, Actor::stop);
    }

    /// An operator starts it with the supervisor's own command.
    pub fn start(&mut self, name: &str) {
        self.start_by(name, StartedBy::Other);
    }

    /// It is started, or restarted, by another than the agent, as far as a watcher can tell.
    pub fn start_by(&mut self, name: &str, by: StartedBy) {
        self.change(name, Actor::begin_row);
        self.begin_run(&name.into(), by);
    }

    /// Somebody has a signal sent to it that asks for its end.
    pub fn ask_to_stop(&mut self, name: &str) {
        let now = self.now;
        self.change_seen(name, |actor| actor.target.asked = Some(now));
    }

    /// What starts it when it is needed and does not wait for that.
    pub fn set_triggers(&mut self, name: &str, triggers: Vec<Trigger>) {
        self.change_seen(name, |actor| actor.target.details.triggers = triggers);
    }

    /// Whatever it did, it is in this state now.
    pub fn set_state(&mut self, name: &str, state: TargetState) {
        self.change_seen(name, |actor| actor.target.state = state);
    }

    /// It is down, and its supervisor is as reported here.
    pub fn set_down(&mut self, name: &str, intent: Intent, cause: Cause, supervisor: Supervisor) {
        self.change_seen(name, |actor| {
            actor.target.supervisor = supervisor;
            actor.target.state = TargetState::Down { intent, cause };
        });
    }

    /// A run ended, or did nothing, that the agent did not see begin.
    pub fn set_run_down(&mut self, name: &str, intent: Intent, cause: Cause) {
        self.change_seen(name, |actor| {
            actor.target.run += 1;
            actor.target.state = TargetState::Down { intent, cause };
        });
    }

    /// Something else is busy with it, as its supervisor tells.
    pub fn set_busy(&mut self, name: &str, activity: Activity, limits: Limits, details: Details) {
        self.change_seen(name, |actor| {
            (actor.target.limits, actor.target.details) = (limits, details);
            actor.target.state = TargetState::Busy(activity);
        });
    }

    /// An operator asks the agent.
    pub fn ask(&mut self, name: &str, request: OperatorRequest) {
        self.deliver(Event::OperatorRequested {
            service: name.into(),
            request,
        });
    }

    /// The agent is informed.
    pub fn deliver(&mut self, event: Event) {
        self.hear(event);
        self.carry_out();
    }

    /// The connection to whatever shows the targets is lost or comes back.
    pub fn set_unobservable(&mut self, unobservable: bool) {
        self.is_unobservable = unobservable;
        self.look_at_all();
    }

    /// Answers on their way to the engine are lost.
    pub fn lose_answers(&mut self) {
        self.scheduled
            .retain(|event| !matches!(event, ScheduledEvent::Deliver(_)));
    }

    /// The agent is killed and started again from what was recorded. What the host was doing goes on.
    pub fn crash_agent(&mut self) {
        self.kill_agent();
        self.start_agent();
        self.carry_out();
    }

    /// The configuration changes. The host behind it does not: what is removed goes on running, unseen. What is added has
    /// to be there.
    pub fn reload(&mut self, reload: Reload) {
        for (service, _) in &reload.changed {
            self.change(service.name.as_str(), |actor| actor.service = service.clone());
        }
        let added = reload.added.iter().map(|(service, _)| service.name.clone());
        let changed = reload.changed.iter().map(|(service, _)| service.name.clone());
        let looked: Vec<ServiceName> = added.chain(changed).collect();
        if let Some(engine) = &mut self.engine {
            engine.reload(self.now, reload);
        }
        for name in looked {
            self.look(&name);
        }
        self.carry_out();
    }

    /// Changes a service. One that is not there has nothing to change.
    pub fn change(&mut self, name: &str, change: impl FnOnce(&mut Actor)) {
        if let Some(actor) = self.actors.get_mut(name) {
            change(actor);
        }
    }

    fn change_seen(&mut self, name: &str, change: impl FnOnce(&mut Actor)) {
        self.change(name, change);
        self.look(&name.into());
    }
}

/// What a story finds.
impl World {
    /// What the agent makes of every service now; nothing while it does not run.
    pub fn snapshots(&self) -> Vec<ServiceSnapshot> {
        let engine = self.engine.as_ref();
        engine.map(|engine| engine.snapshot(self.now)).unwrap_or_default()
    }

    /// What the agent makes of one service.
    ///
    /// # Panics
    ///
    /// When it does not know it.
    pub fn snapshot(&self, name: &str) -> ServiceSnapshot {
        let mut all = self.snapshots().into_iter();
        all.find(|service| service.name.as_str() == name)
            .unwrap_or_else(|| panic!("{name} is not watched"))
    }

    /// The state of a service, as [`World::snapshot`] has it.
    pub fn state(&self, name: &str) -> State {
        self.snapshot(name).state
    }

    /// What was reported of recovery.
    pub fn reports(&self) -> Vec<&Report> {
        let of_alerting =
            |kind: &ReportKind| matches!(kind, ReportKind::Notified { .. } | ReportKind::NotNotified { .. });
        let lines = self.timeline.lines.iter().filter_map(|line| match &line.what {
            Happened::Report(report) if !of_alerting(&report.kind) => Some(report.as_ref()),
            _ => None,
        });
        lines.collect()
    }

    /// The messages that were sent.
    pub fn messages(&self) -> Vec<&Notification> {
        let lines = self.timeline.lines.iter().filter_map(|line| match &line.what {
            Happened::Message(outgoing) => Some(&outgoing.notification),
            _ => None,
        });
        lines.collect()
    }

    /// The kinds of the messages that were sent.
    pub fn message_kinds(&self) -> Vec<&'static str> {
        self.messages().iter().map(|message| message.kind.as_str()).collect()
    }

    /// Restarts that were asked for.
    pub fn actions(&self) -> &[(Time, Action)] {
        &self.requests.actions
    }

    /// When each restart was asked for, in whole seconds.
    pub fn attempts(&self) -> Vec<u64> {
        self.actions()
            .iter()
            .map(|(at, _)| at.since_epoch().as_secs())
            .collect()
    }

    /// What was reported, a line each, without changes of state.
    pub fn transcript(&self) -> Vec<String> {
        let reports = self.reports().into_iter();
        reports
            .filter(|report| !matches!(report.kind, ReportKind::StateChanged { .. }))
            .map(|report| {
                let at = report.at.since_epoch().as_secs_f64();
                format!("{at:.3} {} {}: {}", report.service, report.kind.name(), report.kind)
            })
            .collect()
    }
}
