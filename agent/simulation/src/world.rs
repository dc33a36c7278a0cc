//! A simulated host around the engine, on a clock that jumps to whatever comes next.

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_engine::alerting::Rules;
use sentinel_engine::{
    Action, ActionResult, Cause, Command, Engine, Event, HostPolicy, ProbeRound, ServiceName, StartedBy, TargetState,
    Time,
};

use crate::actor::{Actor, Asked, Behaviour, Consequence, PROBE};
use crate::schedule::Schedule;
use crate::store::Store;
use crate::timeline::{AGENT, Happened, Timeline};

/// How long a watcher takes to see a change.
pub(crate) const OBSERVATION_DELAY: Duration = Duration::from_millis(3);
/// How long a restart takes.
pub(crate) const RESTART: Duration = Duration::from_millis(50);

/// Something that will happen.
#[allow(clippy::large_enum_variant, reason = "a few hundred at a time")]
#[derive(Clone, Debug)]
pub(crate) enum ScheduledEvent {
    /// The engine is informed.
    Deliver(Event),
    /// A watcher looks at a service.
    Look(ServiceName),
    /// What follows from the start of this run.
    Consequence(ServiceName, u32, Consequence),
    /// After this run, its own supervisor starts the service again.
    SupervisorStarts(ServiceName, u32),
    /// A restart takes effect and is answered.
    Carry(Action),
    /// This run is ready, as a restart waits for.
    Ready(u32, Action),
    /// Targets can be seen again.
    Reconnected,
    /// The agent starts.
    AgentStarts,
    /// The host has booted.
    HostBoots,
}

/// What the adapters get wrong.
#[derive(Clone, Debug, Default)]
pub struct AdapterFaults {
    /// Answers the next action instead of carrying it out.
    pub next_result: Option<ActionResult>,
    /// Answers every action instead of carrying it out.
    pub answers_with: Option<ActionResult>,
    /// Actions vanish: nothing is done and nothing is answered.
    pub loses_actions: bool,
    /// Probes of these never end.
    pub hanging: Vec<ServiceName>,
    /// No watcher looks at these.
    pub unseen: Vec<ServiceName>,
}

/// What was asked of the adapters.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// Restarts.
    pub actions: Vec<(Time, Action)>,
    /// When rounds of probes were asked for, by service.
    pub rounds: BTreeMap<ServiceName, Vec<Time>>,
    /// Their numbers.
    pub asked: BTreeMap<ServiceName, Vec<ProbeRound>>,
}

/// The simulated host.
#[derive(Debug)]
pub struct World {
    /// `None` while the agent does not run.
    pub engine: Option<Engine>,
    policy: HostPolicy,
    rules: Rules,
    /// What the clock shows.
    pub now: Time,
    /// What runs on the host.
    pub actors: BTreeMap<ServiceName, Actor>,
    /// What outlives the agent.
    pub store: Store,
    /// What happened.
    pub timeline: Timeline,
    /// What was asked of the adapters, where that is kept.
    pub requests: Requests,
    /// Whether it is: in four weeks it comes to much.
    pub(crate) keeps_requests: bool,
    /// What the adapters get wrong.
    pub faults: AdapterFaults,
    /// From the end of a restart to its answer. Watchers see what it did either before or after that.
    pub(crate) answer_after: Duration,
    pub(crate) booted_at: Time,
    pub(crate) is_unobservable: bool,
    pub(crate) is_off: bool,
    pub(crate) scheduled: Schedule<ScheduledEvent>,
    /// Until when downtime has been counted.
    counted: Time,
}

impl World {
    /// A host where everything runs and is healthy, and where the agent starts now. What happens before `from` is not
    /// told.
    pub(crate) fn begin(
        now: Time,
        from: Time,
        policy: HostPolicy,
        rules: Rules,
        actors: impl IntoIterator<Item = Actor>,
    ) -> Self {
        let actors = actors.into_iter().map(|actor| (actor.service.name.clone(), actor));
        let mut world = Self {
            engine: None,
            policy,
            rules,
            now,
            actors: actors.collect(),
            store: Store::default(),
            timeline: Timeline::since(from),
            requests: Requests::default(),
            keeps_requests: false,
            faults: AdapterFaults::default(),
            answer_after: OBSERVATION_DELAY,
            booted_at: Time::ZERO,
            is_unobservable: false,
            is_off: false,
            scheduled: Schedule::default(),
            counted: from,
        };
        world.start_agent();
        world
    }

    /// When something happens next.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        let engine = self.engine.as_ref().and_then(Engine::poll_timeout);
        engine.into_iter().chain(self.scheduled.next()).min()
    }

    /// Lets one thing happen, at this time or now.
    pub(crate) fn step(&mut self, at: Time) {
        self.now = self.now.max(at);
        if let Some(event) = self.scheduled.pop_due(self.now) {
            self.happen(event);
        } else if let Some(engine) = &mut self.engine {
            engine.handle_timeout(self.now);
        }
        self.carry_out();
    }

    /// Lets everything happen for so long.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.next_wake().filter(|at| *at <= end) {
            self.step(at);
        }
        self.now = end;
    }

    pub(crate) fn later(&mut self, after: Duration, event: ScheduledEvent) {
        self.scheduled.add(self.now + after, event);
    }

    pub(crate) fn look(&mut self, name: &ServiceName) {
        self.later(OBSERVATION_DELAY, ScheduledEvent::Look(name.clone()));
    }

    pub(crate) fn look_at_all(&mut self) {
        for name in self.actors.keys().cloned().collect::<Vec<_>>() {
            self.look(&name);
        }
    }

    /// Tells the engine, if there is one. What it decides is done at the next step.
    pub(crate) fn hear(&mut self, event: Event) {
        if let Some(engine) = &mut self.engine {
            engine.handle_event(self.now, event);
        }
    }

    pub(crate) fn say(&mut self, about: &str, word: &'static str, text: impl Into<String>) {
        let text = text.into();
        self.timeline.add(self.now, about, Happened::World { word, text });
    }

    /// Starts the agent from what was recorded.
    pub(crate) fn start_agent(&mut self) {
        let mut engine = self
            .store
            .engine(self.now, self.booted_at, self.policy.clone(), self.rules.clone());
        for (name, actor) in &self.actors {
            let memory = self.store.memories.get(name).cloned().unwrap_or_default();
            engine.add_service(self.now, actor.service.clone(), memory);
        }
        self.engine = Some(engine);
        self.look_at_all();
    }

    /// The agent is killed. What it was going to be told is lost; what it asked for is carried out all the same.
    pub(crate) fn kill_agent(&mut self) {
        self.engine = None;
        self.scheduled
            .retain(|event| !matches!(event, ScheduledEvent::Deliver(_) | ScheduledEvent::Look(_)));
    }

    fn happen(&mut self, event: ScheduledEvent) {
        match event {
            ScheduledEvent::Deliver(event) => return self.hear(event),
            ScheduledEvent::Look(name) => return self.observe(&name),
            _ => self.count_downtime(),
        }
        match event {
            ScheduledEvent::Deliver(_) | ScheduledEvent::Look(_) => {}
            ScheduledEvent::Consequence(name, run, consequence) => self.follow(&name, run, consequence),
            ScheduledEvent::SupervisorStarts(name, run) => self.supervisor_starts(&name, run),
            ScheduledEvent::Carry(action) => self.carry(action),
            ScheduledEvent::Ready(run, action) => self.ready(run, action),
            ScheduledEvent::Reconnected => {
                self.is_unobservable = false;
                self.say(AGENT, "reconnected", "targets can be seen again");
                self.look_at_all();
            }
            ScheduledEvent::AgentStarts => {
                self.say(AGENT, "started", "the agent runs again and goes on from what it saved");
                self.start_agent();
            }
            ScheduledEvent::HostBoots => self.boot(),
        }
    }

    fn observe(&mut self, name: &ServiceName) {
        let Some(actor) = self.actors.get(name) else { return };
        if !actor.service.has_target || self.faults.unseen.contains(name) {
            return;
        }
        let mut observation = actor.observation(self.now);
        if self.is_unobservable {
            observation.state = TargetState::Unknown("the bus is gone".into());
        }
        self.hear(Event::TargetObserved {
            service: name.clone(),
            observation,
        });
    }

    fn follow(&mut self, name: &ServiceName, run: u32, consequence: Consequence) {
        let Some(actor) = self.actors.get_mut(name) else { return };
        if actor.target.run != run || !actor.target.runs() {
            return;
        }
        match consequence {
            Consequence::Answers => actor.behave(Behaviour::Well),
            Consequence::Dies => self.end_run(name, Cause::Exited { code: 1 }),
        }
    }

    fn supervisor_starts(&mut self, name: &ServiceName, run: u32) {
        let Some(actor) = self.actors.get(name) else { return };
        if actor.target.run != run || !matches!(actor.target.state, TargetState::Busy(_)) {
            return;
        }
        self.say(name.as_str(), "supervisor", "its supervisor starts it");
        self.begin_run(name, StartedBy::Supervisor);
    }

    /// Starts a run; answers whether it began.
    pub(crate) fn begin_run(&mut self, name: &ServiceName, by: StartedBy) -> bool {
        let Some(actor) = self.actors.get_mut(name) else {
            return false;
        };
        let consequence = actor.begin(by, self.now);
        let (run, refusal) = (actor.target.run, actor.refusal());
        if let Some((after, consequence)) = consequence {
            self.later(after, ScheduledEvent::Consequence(name.clone(), run, consequence));
        }
        let began = refusal.is_none();
        match refusal {
            Some(cause) => self.end_run(name, cause),
            None => self.look(name),
        }
        began
    }

    /// A run ends by itself; its supervisor may start it again.
    pub(crate) fn end_run(&mut self, name: &ServiceName, cause: Cause) {
        let Some(actor) = self.actors.get_mut(name).filter(|actor| actor.target.runs()) else {
            return;
        };
        let again = actor.end(cause, self.now);
        let (run, is_given_up) = (actor.target.run, actor.is_given_up());
        if let Some(delay) = again {
            self.later(delay, ScheduledEvent::SupervisorStarts(name.clone(), run));
        }
        if is_given_up {
            self.say(name.as_str(), "supervisor", "its supervisor gives up");
        }
        self.look(name);
    }

    /// Does what the engine asks for, until it asks for nothing more.
    pub(crate) fn carry_out(&mut self) {
        while let Some(command) = self.engine.as_mut().and_then(Engine::poll_command) {
            self.store.record(&command);
            match command {
                Command::RunProbes { service, round } => self.probe(service, round),
                Command::RestartTarget(action) => self.ask_adapter(action),
                Command::Report(report) => {
                    let about = report.service.clone();
                    self.timeline.add(report.at, about, Happened::Report(Box::new(report)));
                }
                Command::Notify(outgoing) => {
                    let message = &outgoing.notification;
                    let (at, about) = (message.at, message.service.clone());
                    self.timeline.add(at, about, Happened::Message(outgoing));
                }
                Command::EndSilence { silence, by } => {
                    let by = by.map_or("its time is over".to_owned(), |by| format!("ended by {by}"));
                    self.say(AGENT, "silence_ended", format!("silence {} ends: {by}", silence.id));
                }
                Command::Save { .. }
                | Command::SaveHost(_)
                | Command::SaveNotificationLog(_)
                | Command::ForgetNotificationLog(_)
                | Command::SaveSilence(_) => {}
            }
        }
    }

    fn probe(&mut self, service: ServiceName, round: ProbeRound) {
        if self.keeps_requests {
            let Requests { rounds, asked, .. } = &mut self.requests;
            rounds.entry(service.clone()).or_default().push(self.now);
            asked.entry(service.clone()).or_default().push(round);
        }
        let Some(actor) = self.actors.get(&service) else { return };
        if self.faults.hanging.contains(&service) {
            return;
        }
        let limit = actor.probe_limit();
        let answer = self.answer(&service, limit);
        let latency = actor.latency(&answer, limit);
        let outcome = actor.outcome(answer, latency);
        let event = Event::ProbeCompleted {
            service,
            round,
            outcome,
        };
        self.later(latency, ScheduledEvent::Deliver(event));
    }

    /// What somebody who asks the service gets. It fails with what it needs.
    fn answer(&self, name: &ServiceName, limit: Duration) -> Asked {
        let Some(actor) = self.actors.get(name) else {
            return Ok(());
        };
        actor.answer(limit)?;
        // What services need has no circles, so this ends.
        if actor.needs.iter().any(|other| self.answer(other, limit).is_err()) {
            return Err(crate::actor::wrongly(503));
        }
        Ok(())
    }

    /// Adds the time since this was last asked to the downtime of whatever does not answer. To be called before
    /// anything changes.
    pub(crate) fn count_downtime(&mut self) {
        let span = self.now.since(self.counted);
        self.counted = self.counted.max(self.now);
        if span.is_zero() {
            return;
        }
        let names: Vec<ServiceName> = self.actors.keys().cloned().collect();
        for name in names {
            let fails = self.answer(&name, PROBE).is_err();
            if let Some(actor) = self.actors.get_mut(&name)
                && fails
                && !actor.is_unwanted
            {
                actor.downtime += span;
            }
        }
    }

    /// Skips to a later time in which nothing happened; what was under way goes on from there.
    pub(crate) fn sleep(&mut self, span: Duration) {
        self.now = self.now + span;
        self.counted = self.now;
        self.scheduled.postpone(span);
    }
}
