//! A simulated host around the engine, on a clock that jumps to whatever comes next.

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_engine::alerting::{NotificationLog, Silence};
use sentinel_engine::{
    Action, ActionId, ActionKind, ActionResult, Cause, Command, Engine, Event, FailureKind, HostMemory, IncidentId,
    Intent, Memory, ProbeFailure, ProbeOutcome, ProbePhase, ProbeRound, Service, ServiceName, ServiceSnapshot,
    StartedBy, TargetState, Time, Verdict,
};

use super::actor::{Actor, Behaviour, Consequence};
use super::outbox::Outbox;
use super::policies::{Policies, probe_limit};
use super::scenario::Scenario;
use super::story::{Story, Who};

/// The beginning. Long enough after the epoch that every service has run, and the host has been up, for ages.
pub(super) const BEGINNING: Time = Time::from_epoch(Duration::from_secs(400 * 24 * 60 * 60));

/// How long a simulated probe takes when there is an answer.
const PROBE: Duration = Duration::from_millis(5);
/// How long a restart takes.
const RESTART: Duration = Duration::from_millis(50);
/// How long a watcher takes to see a change.
const OBSERVATION_DELAY: Duration = Duration::from_millis(3);

/// The name of the agent in the transcript; no service can be called so.
pub(super) const AGENT: &str = "(agent)";

/// Something that will happen.
#[allow(clippy::large_enum_variant, reason = "a few hundred at a time")]
#[derive(Clone, Debug)]
pub(super) enum ScheduledEvent {
    /// This entry of the script.
    Script(usize),
    /// The engine is told.
    Tell(Event),
    /// A watcher looks at a service.
    Look(ServiceName),
    /// What follows from the start of this run.
    Consequence(ServiceName, u32, Consequence),
    /// After this run, its own supervisor starts the service again.
    SupervisorStarts(ServiceName, u32),
    /// A restart takes effect and is answered.
    Carry(Action),
    /// Targets can be seen again.
    SeeAgain,
    /// The agent starts.
    AgentStarts,
    /// The host has booted.
    HostBoots,
}

/// The simulated host.
pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    policies: &'a Policies,
    services: Vec<Service>,
    /// `None` while the agent does not run.
    pub(super) engine: Option<Engine>,
    pub(super) now: Time,
    pub(super) actors: BTreeMap<ServiceName, Actor>,
    /// What was last saved, as the store would keep it.
    saved: BTreeMap<ServiceName, Memory>,
    saved_host: HostMemory,
    conversations: BTreeMap<IncidentId, NotificationLog>,
    outbox: Outbox,
    silences: BTreeMap<u64, Silence>,
    next_incident: u64,
    next_action: u64,
    pub(super) booted_at: Time,
    pub(super) is_unobservable: bool,
    pub(super) is_off: bool,
    pub(super) scheduled: BTreeMap<(Time, u64), ScheduledEvent>,
    order: u64,
    /// Until when downtime has been counted.
    counted: Time,
    pub(super) story: Story,
}

impl<'a> World<'a> {
    /// A host where everything runs and is healthy, a moment before the beginning.
    pub(super) fn new(scenario: &'a Scenario, policies: &'a Policies, services: Vec<Service>) -> Self {
        let actors = scenario
            .services
            .iter()
            .map(|(name, model)| (name.clone(), Actor::new(model.clone(), Time::ZERO)));
        let mut world = Self {
            scenario,
            policies,
            engine: None,
            now: BEGINNING.back(lead(&services)),
            actors: actors.collect(),
            services,
            saved: BTreeMap::new(),
            saved_host: HostMemory::default(),
            conversations: BTreeMap::new(),
            outbox: Outbox::new(policies.rules().group_wait),
            silences: BTreeMap::new(),
            next_incident: 1,
            next_action: 1,
            booted_at: Time::ZERO,
            is_unobservable: false,
            is_off: false,
            scheduled: BTreeMap::new(),
            order: 0,
            counted: BEGINNING,
            story: Story::default(),
        };
        for (index, (at, _)) in scenario.script.iter().enumerate() {
            world.order += 1;
            world
                .scheduled
                .insert((BEGINNING + *at, world.order), ScheduledEvent::Script(index));
        }
        world.start_agent();
        world
    }

    /// Lets everything happen up to the scenario's end.
    pub(super) fn run(&mut self) {
        let end = BEGINNING + self.scenario.duration;
        loop {
            let wake = self.engine.as_ref().and_then(Engine::poll_timeout);
            let next = self.scheduled.keys().next().map(|(at, _)| *at);
            let outbox = self.engine.as_ref().and_then(|_| self.outbox.next_wake(self.now));
            let Some(at) = wake.into_iter().chain(next).chain(outbox).min().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            if next.is_some_and(|next| next <= self.now) {
                if let Some((_, scheduled)) = self.scheduled.pop_first() {
                    self.happen(scheduled);
                }
            } else if let Some(engine) = &mut self.engine {
                engine.handle_timeout(self.now);
            }
            self.carry_out();
            self.deliver();
        }
        self.now = end;
        self.count_downtime();
    }

    /// What the engine makes of every service now; nothing while the agent does not run.
    pub(super) fn snapshot(&self) -> Vec<ServiceSnapshot> {
        self.engine
            .as_ref()
            .map(|engine| engine.snapshot(self.now))
            .unwrap_or_default()
    }

    pub(super) fn later(&mut self, after: Duration, scheduled: ScheduledEvent) {
        self.order += 1;
        self.scheduled.insert((self.now + after, self.order), scheduled);
    }

    pub(super) fn look(&mut self, name: &ServiceName) {
        self.later(OBSERVATION_DELAY, ScheduledEvent::Look(name.clone()));
    }

    pub(super) fn look_at_all(&mut self) {
        for name in self.actors.keys().cloned().collect::<Vec<_>>() {
            self.look(&name);
        }
    }

    /// Tells the engine, if there is one.
    pub(super) fn tell(&mut self, event: Event) {
        if let Some(engine) = &mut self.engine {
            engine.handle_event(self.now, event);
        }
    }

    pub(super) fn say(&mut self, about: &str, word: &'static str, text: impl Into<String>) {
        self.story.tell(self.now, Who::World, about.into(), word, text.into());
    }

    /// Starts the agent from what was saved.
    pub(super) fn start_agent(&mut self) {
        let mut engine = Engine::new(
            self.policies.host().clone(),
            IncidentId(self.next_incident),
            ActionId(self.next_action),
        );
        engine.resume_host(self.saved_host.clone(), self.booted_at);
        let conversations = self.conversations.values().cloned().collect();
        let silences = self.silences.values().cloned().collect();
        engine.resume_alerting(self.now, self.policies.rules().clone(), conversations, silences, 1);
        for service in &self.services {
            let memory = self.saved.get(&service.name).cloned().unwrap_or_default();
            engine.add_service(self.now, service.clone(), memory);
        }
        self.engine = Some(engine);
        self.look_at_all();
    }

    fn happen(&mut self, scheduled: ScheduledEvent) {
        match scheduled {
            ScheduledEvent::Tell(event) => return self.tell(event),
            ScheduledEvent::Look(name) => return self.observe(&name),
            _ => self.count_downtime(),
        }
        match scheduled {
            ScheduledEvent::Tell(_) | ScheduledEvent::Look(_) => {}
            ScheduledEvent::Script(index) => {
                if let Some((_, event)) = self.scenario.script.get(index) {
                    self.play(&event.clone());
                }
            }
            ScheduledEvent::Consequence(name, run, consequence) => self.follow(&name, run, consequence),
            ScheduledEvent::SupervisorStarts(name, run) => self.supervisor_starts(&name, run),
            ScheduledEvent::Carry(action) => self.carry(action),
            ScheduledEvent::SeeAgain => {
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
        let knows_target = |service: &Service| service.name == *name && service.has_target;
        if !self.services.iter().any(knows_target) {
            return;
        }
        let Some(actor) = self.actors.get(name) else { return };
        let mut observation = actor.observation(name, self.now);
        if self.is_unobservable {
            observation.state = TargetState::Unknown("the bus is gone".into());
        }
        self.tell(Event::TargetObserved {
            service: name.clone(),
            observation,
        });
    }

    fn follow(&mut self, name: &ServiceName, run: u32, consequence: Consequence) {
        let Some(actor) = self.actors.get_mut(name) else { return };
        if actor.run != run || !actor.runs() {
            return;
        }
        match consequence {
            Consequence::Answers => actor.behave(Behaviour::Well),
            Consequence::Dies => self.end_run(name, Cause::Exited { code: 1 }),
        }
    }

    fn supervisor_starts(&mut self, name: &ServiceName, run: u32) {
        let Some(actor) = self.actors.get(name) else { return };
        if actor.run != run || !matches!(actor.state, TargetState::Busy(_)) {
            return;
        }
        self.say(name.as_str(), "supervisor", "its supervisor starts it");
        self.begin_run(name, StartedBy::Supervisor);
    }

    /// Starts a run; answers whether it began.
    pub(super) fn begin_run(&mut self, name: &ServiceName, by: StartedBy) -> bool {
        let Some(actor) = self.actors.get_mut(name) else {
            return false;
        };
        let consequence = actor.start(by, self.now);
        let (run, refusal) = (actor.run, actor.refusal());
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
    pub(super) fn end_run(&mut self, name: &ServiceName, cause: Cause) {
        let Some(actor) = self.actors.get_mut(name) else { return };
        let again = actor.end(cause, self.now);
        let (run, is_given_up) = (actor.run, actor.is_given_up());
        if let Some(delay) = again {
            self.later(delay, ScheduledEvent::SupervisorStarts(name.clone(), run));
        }
        if is_given_up {
            self.say(name.as_str(), "supervisor", "its supervisor gives up");
        }
        self.look(name);
    }

    /// Carries out a restart of the agent, and answers it.
    fn carry(&mut self, action: Action) {
        let result = self.restart(&action);
        if matches!(result, ActionResult::Done | ActionResult::Failed(_))
            && action.attempt > 0
            && let Some(actor) = self.actors.get_mut(&action.service)
        {
            actor.restarts += 1;
        }
        if self.engine.is_some() {
            // Watchers see what a restart did before its caller has the answer.
            let event = Event::ActionFinished {
                action: action.id,
                service: action.service,
                result,
            };
            self.later(OBSERVATION_DELAY, ScheduledEvent::Tell(event));
        }
    }

    fn restart(&mut self, action: &Action) -> ActionResult {
        let Some(actor) = self.actors.get_mut(&action.service) else {
            return ActionResult::Refused("there is nothing to restart".into());
        };
        if action.expected.as_ref() != Some(&actor.instance(&action.service))
            || actor.runs() != (action.kind == ActionKind::Restart)
        {
            return ActionResult::Outdated("it is another run by now".into());
        }
        let stopped = matches!(
            actor.state,
            TargetState::Down {
                intent: Intent::OperatorStop,
                ..
            }
        );
        if stopped && action.attempt > 0 {
            return ActionResult::Cancelled("it was stopped meanwhile".into());
        }
        actor.begin_row();
        if self.begin_run(&action.service, StartedBy::Unknown) {
            ActionResult::Done
        } else {
            ActionResult::Failed("its program cannot be executed".into())
        }
    }

    /// Does what the engine asks for, until it asks for nothing more.
    pub(super) fn carry_out(&mut self) {
        while let Some(command) = self.engine.as_mut().and_then(Engine::poll_command) {
            match command {
                Command::RunProbes { service, round } => self.probe(service, round),
                Command::RestartTarget(action) => {
                    self.next_action = self.next_action.max(action.id.0 + 1);
                    self.later(RESTART, ScheduledEvent::Carry(action));
                }
                Command::Save { service, memory } => {
                    self.saved.insert(service, *memory);
                }
                Command::SaveHost(memory) => self.saved_host = *memory,
                Command::Report(report) => {
                    let incident = report.incident.map_or(0, |incident| incident.0);
                    self.next_incident = self.next_incident.max(incident + 1);
                    if self.now >= BEGINNING {
                        self.story.report(&report);
                    }
                }
                Command::Notify(outgoing) => {
                    self.outbox.put(&outgoing);
                    self.story.notify(&outgoing);
                }
                Command::SaveNotificationLog(conversation) => {
                    self.conversations.insert(conversation.incident, *conversation);
                }
                Command::ForgetNotificationLog(incident) => drop(self.conversations.remove(&incident)),
                Command::SaveSilence(silence) => drop(self.silences.insert(silence.id, *silence)),
                Command::EndSilence { silence, by } => {
                    self.silences.remove(&silence.id);
                    let by = by.map_or("its time is over".to_owned(), |by| format!("ended by {by}"));
                    self.say(AGENT, "silence_ended", format!("silence {} ends: {by}", silence.id));
                }
            }
        }
    }

    /// Has what is due sent, while the agent runs.
    fn deliver(&mut self) {
        if self.engine.is_some() {
            for text in self.outbox.deliver(self.now) {
                self.say(AGENT, "combined", text);
            }
        }
    }

    fn probe(&mut self, service: ServiceName, round: ProbeRound) {
        let limit = self.services.iter().find(|known| known.name == service);
        let limit = limit.map_or(PROBE, probe_limit);
        let (verdict, status_code) = match self.answer(&service, limit) {
            Ok(()) => (Verdict::Passed, Some(200)),
            Err((failure, status)) => (Verdict::Failed(failure), status),
        };
        let hangs = matches!(&verdict, Verdict::Failed(failure) if failure.phase == ProbePhase::Timeout);
        let latency = if hangs { limit } else { PROBE.min(limit) };
        let outcome = ProbeOutcome {
            verdict,
            status_code,
            latency,
            answers: Vec::new(),
        };
        let event = Event::ProbeCompleted {
            service,
            round,
            outcome,
        };
        self.later(latency, ScheduledEvent::Tell(event));
    }

    /// What somebody who asks the service gets. It fails with what it needs.
    fn answer(&self, name: &ServiceName, limit: Duration) -> Result<(), (ProbeFailure, Option<u16>)> {
        let Some(actor) = self.actors.get(name) else {
            return Ok(());
        };
        actor.answer(limit)?;
        // Scenarios have no circles, so this ends.
        let lacks = actor.model.after.iter().any(|other| self.answer(other, limit).is_err());
        if lacks {
            return Err((ProbeFailure::new(FailureKind::Status(503), "status 503"), Some(503)));
        }
        Ok(())
    }

    /// Adds the time since this was last asked to the downtime of whatever does not answer. To be called before
    /// anything changes.
    pub(super) fn count_downtime(&mut self) {
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
    pub(super) fn sleep(&mut self, span: Duration) {
        self.now = self.now + span;
        self.counted = self.now;
        let scheduled = std::mem::take(&mut self.scheduled);
        self.scheduled = scheduled
            .into_iter()
            .map(|((at, order), scheduled)| match scheduled {
                ScheduledEvent::Script(_) => ((at, order), scheduled),
                _ => ((at + span, order), scheduled),
            })
            .collect();
    }
}

/// How long everything runs before the beginning, so that every service is known to be healthy.
fn lead(services: &[Service]) -> Duration {
    let settled = |service: &Service| service.policy.interval * (service.policy.rise + 2);
    let longest = services.iter().map(settled).max().unwrap_or_default();
    longest.max(Duration::from_secs(60))
}
