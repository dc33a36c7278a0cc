//! The driver's contract: turns, batches, records before deeds, and what a `kill -9` leaves of them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sentinel_engine::alerting::{NotificationLog, Silence};
use sentinel_engine::{
    Action, ActionId, ActionResult, Command, Engine, Event, HostMemory, IncidentId, Labels, Memory, OperatorRequest,
    Policy, ReportKind, Service, ServiceName, Time,
};

use super::host::{Future, Sim};
use super::tape::{Entry, Start};

/// How long the driver leaves a store alone that could not be written.
const STORE_GAP: Duration = Duration::from_secs(5);

/// Commands that one event may lead to, per service: a report or two, a save, a round, an action, messages.
const COMMANDS_MAX: usize = 24;

/// Everything that dies with the agent's process.
pub struct Agent {
    pub engine: Engine,
    /// Commands polled and not sorted yet.
    polled: VecDeque<Command>,
    /// Commands sorted and not on disk: their numbers may be used again if the agent dies now.
    unnumbered: Vec<Command>,
    unrecorded: BTreeMap<ServiceName, Memory>,
    unrecorded_host: Option<HostMemory>,
    unrecorded_alerts: Vec<Command>,
    anything_unrecorded: bool,
    failing: bool,
    retry_at: Option<Time>,
}

/// Everything that outlives it.
#[derive(Default)]
pub struct Store {
    pub broken: bool,
    /// It was damaged since the agent last read it.
    pub lost: bool,
    pub memories: BTreeMap<ServiceName, Memory>,
    pub host: HostMemory,
    pub conversations: BTreeMap<IncidentId, NotificationLog>,
    pub silences: BTreeMap<u64, Silence>,
    next_silence: u64,
    last_incident: u64,
    last_action: u64,
}

impl Agent {
    pub fn next_wake(&self) -> Option<Time> {
        self.engine.poll_timeout().into_iter().chain(self.retry_at).min()
    }
}

impl Sim {
    pub fn start_agent(&mut self) {
        if self.agent.is_some() {
            return;
        }
        let store_lost = self.store.lost;
        if store_lost {
            self.store = Store::default();
        }
        let mut engine = Engine::new(
            self.policy.clone(),
            IncidentId(self.store.last_incident + 1),
            ActionId(self.store.last_action + 1),
        );
        self.life += 1;
        let start = Start {
            booted_at: self.booted_at,
            policy: self.policy.clone(),
            services: self.services.clone(),
            rules: self.rules.clone(),
            store_lost,
        };
        self.tape.push(self.now, Entry::AgentStarted(Box::new(start)));
        engine.resume_host(through_json(&self.store.host), self.booted_at);
        let conversations = self.store.conversations.values().map(through_json).collect();
        let silences = self.store.silences.values().map(through_json).collect();
        let next_silence = self.store.next_silence;
        engine.resume_alerting(self.now, self.rules.clone(), conversations, silences, next_silence);
        let mut memories = self.store.memories.clone();
        self.unknown = if store_lost { spent() } else { Memory::default() };
        for service in self.services.clone() {
            let memory = memories.remove(&service.name).unwrap_or_else(|| self.unknown.clone());
            engine.add_service(self.now, service, through_json(&memory));
        }
        for (name, memory) in memories {
            engine.forget_service(self.now, unmanaged(name), memory);
        }
        self.agent = Some(Agent {
            engine,
            polled: VecDeque::new(),
            unnumbered: Vec::new(),
            unrecorded: BTreeMap::new(),
            unrecorded_host: None,
            unrecorded_alerts: Vec::new(),
            anything_unrecorded: false,
            failing: false,
            retry_at: None,
        });
        self.poll();
        for name in self.windows.clone() {
            self.tell_window(&name, true);
        }
        self.watcher_starts();
        self.carry_out();
        self.show();
        self.turn();
    }

    /// `kill -9`. What was given to adapters goes on where it had already left the process.
    pub fn kill_agent(&mut self) {
        if self.agent.take().is_none() {
            return;
        }
        self.tape.push(self.now, Entry::AgentDied);
        self.mailbox.clear();
        self.stalled_until = None;
        self.stood_still = false;
        for target in self.targets.values_mut() {
            target.witnessed = false;
            target.forget_why_it_fell();
        }
        let down = if self.rng.permille(100) {
            self.rng.millis(60_000, 1_200_000)
        } else {
            self.rng.millis(50, 20_000)
        };
        self.later(down, Future::AgentStarts);
    }

    /// One turn: everything in the mailbox, the clock, and then what was decided.
    pub fn turn(&mut self) {
        if self.agent.is_none() {
            return;
        }
        self.stalled_until = None;
        if std::mem::take(&mut self.stood_still) {
            self.tell_engine(Event::HostResumed);
        }
        for event in std::mem::take(&mut self.mailbox) {
            self.tell_engine(event);
        }
        self.tape.push(self.now, Entry::Woken);
        let now = self.now;
        let agent = self.agent.as_mut().expect("it runs");
        agent.engine.handle_timeout(now);
        agent.retry_at.take_if(|at| *at <= now);
        assert!(
            agent.engine.poll_timeout().is_none_or(|at| at > now),
            "the engine wants to be woken at {:?}, and it is {now:?}",
            agent.engine.poll_timeout()
        );
        self.poll();
        self.carry_out();
    }

    /// An operator asks through the agent, which refuses what cannot be done.
    pub fn ask(&mut self, service: &ServiceName, request: OperatorRequest) {
        let Some(agent) = &self.agent else { return };
        if agent.engine.check_request(service.as_str(), &request).is_ok() {
            let service = service.clone();
            self.tell_engine(Event::OperatorRequested { service, request });
            self.turn();
        }
    }

    pub fn tell_engine(&mut self, event: Event) {
        let now = self.now;
        let Some(agent) = &mut self.agent else { return };
        self.tape.push(now, Entry::Event(Box::new(event.clone())));
        agent.engine.handle_event(now, event);
        self.poll();
    }

    /// Takes what the engine decided, at once, so that the tape tells what led to what.
    pub fn poll(&mut self) {
        let Some(agent) = &mut self.agent else { return };
        let mut commands = 0;
        while let Some(command) = agent.engine.poll_command() {
            commands += 1;
            self.tape.push(self.now, Entry::Decided(command.clone()));
            agent.polled.push_back(command);
        }
        let bound = COMMANDS_MAX * (1 + self.services.len() + self.targets.len());
        assert!(commands <= bound, "{commands} commands after one event");
    }

    /// Records what was decided and then has it done, until nothing more is decided.
    pub fn carry_out(&mut self) {
        loop {
            let Some(agent) = &mut self.agent else { return };
            let polled = std::mem::take(&mut agent.polled);
            let mut actions = Vec::new();
            let mut probes = Vec::new();
            let nothing = polled.is_empty();
            for command in &polled {
                match command {
                    Command::RunProbes { service, round } => probes.push((service.clone(), *round)),
                    Command::RestartTarget(action) => actions.push(action.clone()),
                    Command::Save { service, memory } => {
                        agent.unrecorded.insert(service.clone(), memory.as_ref().clone());
                    }
                    Command::SaveHost(memory) => agent.unrecorded_host = Some(memory.as_ref().clone()),
                    Command::Report(_) | Command::Notify(_) => {}
                    Command::SaveNotificationLog(_)
                    | Command::ForgetNotificationLog(_)
                    | Command::SaveSilence(_)
                    | Command::EndSilence { .. } => agent.unrecorded_alerts.push(command.clone()),
                }
                agent.anything_unrecorded |= !matches!(command, Command::RunProbes { .. } | Command::RestartTarget(_));
            }
            agent.unnumbered.extend(polled);
            let record = agent.anything_unrecorded && agent.retry_at.is_none();
            if nothing && !record {
                let durable = !agent.anything_unrecorded;
                self.tape.push(self.now, Entry::Settled { durable });
                return;
            }
            if !actions.is_empty() && self.killed_here() {
                return;
            }
            if record {
                self.record();
            }
            for action in actions {
                if self.killed_here() {
                    return;
                }
                let failing = self.agent.as_ref().is_some_and(|agent| agent.failing);
                if failing {
                    let reason = "the store cannot be written".to_owned();
                    self.finish(&action, ActionResult::NotRecorded(reason));
                } else {
                    self.acts += 1;
                    self.tape.push(self.now, Entry::Acted(action.clone()));
                    self.adapter_begins(action);
                }
            }
            for (service, round) in probes {
                self.probe(service, round);
            }
        }
    }

    fn killed_here(&mut self) -> bool {
        let killed = self.rng.permille(self.weather.kills) && self.stormy();
        if killed {
            self.kill_agent();
        }
        killed
    }

    fn record(&mut self) {
        let Some(agent) = &mut self.agent else { return };
        if self.store.broken {
            agent.retry_at = Some(self.now + STORE_GAP);
            if !std::mem::replace(&mut agent.failing, true) {
                self.tell_engine(Event::StoreChanged { writable: false });
            }
            return;
        }
        self.store.memories.append(&mut agent.unrecorded);
        if let Some(host) = agent.unrecorded_host.take() {
            self.store.host = host;
        }
        let alerts = std::mem::take(&mut agent.unrecorded_alerts);
        agent.anything_unrecorded = false;
        let was_failing = std::mem::replace(&mut agent.failing, false);
        for command in alerts {
            self.store.keep(command);
        }
        self.tape.push(self.now, Entry::Recorded);
        for command in std::mem::take(&mut agent.unnumbered) {
            self.store.number(&command);
        }
        if was_failing {
            self.tell_engine(Event::StoreChanged { writable: true });
        }
    }

    fn finish(&mut self, action: &Action, result: ActionResult) {
        self.tell_engine(Event::ActionFinished {
            action: action.id,
            service: action.service.clone(),
            result,
        });
    }

    /// Puts the engine's view on the tape.
    pub fn show(&mut self) {
        if let Some(agent) = &self.agent {
            let shown = agent.engine.snapshot(self.now);
            self.tape.push(self.now, Entry::Shown(shown));
        }
    }
}

/// What the store gives back of what it was given.
fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(memory: &T) -> T {
    let json = serde_json::to_string(memory).expect("memory is plain data");
    serde_json::from_str(&json).expect("memory survives the store")
}

/// The memory to assume where what was stored is lost.
fn spent() -> Memory {
    Memory {
        gave_up: true,
        ..Memory::default()
    }
}

/// A stand-in for a service that is remembered and no longer configured.
fn unmanaged(name: ServiceName) -> Service {
    Service {
        name,
        has_target: false,
        has_probes: false,
        after: Vec::new(),
        labels: Labels::default(),
        policy: Policy::default(),
    }
}

impl Store {
    /// Keeps what alerting must not forget.
    fn keep(&mut self, command: Command) {
        match command {
            Command::SaveNotificationLog(conversation) => {
                self.conversations.insert(conversation.incident, *conversation);
            }
            Command::ForgetNotificationLog(incident) => drop(self.conversations.remove(&incident)),
            Command::SaveSilence(silence) => {
                self.next_silence = self.next_silence.max(silence.id + 1);
                self.silences.insert(silence.id, *silence);
            }
            Command::EndSilence { silence, .. } => drop(self.silences.remove(&silence.id)),
            _ => {}
        }
    }

    /// Keeps the highest numbers that are on disk: the next agent goes on from them.
    fn number(&mut self, command: &Command) {
        let Command::Report(report) = command else { return };
        if let Some(incident) = report.incident {
            self.last_incident = self.last_incident.max(incident.0);
        }
        if let ReportKind::ActionStarted { action, .. } = &report.kind {
            self.last_action = self.last_action.max(action.id.0);
        }
    }
}
