//! The driver's contract: turns, batches, records before deeds, and what a `kill -9` leaves of them.

use std::collections::VecDeque;
use std::time::Duration;

use sentinel_engine::{
    Action, ActionResult, Command, Engine, Event, Memory, OperatorRequest, Service, ServiceName, Time,
};
use sentinel_simulation::Store;

use super::host::{ScheduledEvent, Sim};
use super::tape::{Entry, Start};
use crate::stored::through_json;

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
    pending_writes: Vec<Command>,
    /// Whether any of them are worth a record.
    any_pending_write: bool,
    failing: bool,
    retry_at: Option<Time>,
}

/// Everything that outlives it.
#[derive(Default)]
pub struct Disk {
    pub broken: bool,
    /// It was damaged since the agent last read it.
    pub lost: bool,
    pub store: Store,
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
        let store_lost = self.disk.lost;
        if store_lost {
            self.disk = Disk::default();
        }
        through_json(&mut self.disk.store);
        self.life += 1;
        let start = Start {
            booted_at: self.booted_at,
            policy: self.policy.clone(),
            services: self.services.clone(),
            rules: self.rules.clone(),
            store_lost,
        };
        self.tape.push(self.now, Entry::AgentStarted(Box::new(start)));
        let store = &self.disk.store;
        let mut engine = store.engine(self.now, self.booted_at, self.policy.clone(), self.rules.clone());
        let mut memories = store.memories.clone();
        self.unknown = if store_lost { spent() } else { Memory::default() };
        for service in self.services.clone() {
            let memory = memories.remove(&service.name).unwrap_or_else(|| self.unknown.clone());
            engine.add_service(self.now, service, memory);
        }
        for (name, memory) in memories {
            engine.forget_service(self.now, Service::unmanaged(name), memory);
        }
        self.agent = Some(Agent {
            engine,
            polled: VecDeque::new(),
            pending_writes: Vec::new(),
            any_pending_write: false,
            failing: false,
            retry_at: None,
        });
        self.poll();
        for name in self.windows.clone() {
            self.open_window(&name, true);
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
        self.later(down, ScheduledEvent::AgentStarts);
    }

    /// One turn: everything in the mailbox, the clock, and then what was decided.
    pub fn turn(&mut self) {
        if self.agent.is_none() {
            return;
        }
        self.stalled_until = None;
        if std::mem::take(&mut self.stood_still) {
            self.deliver_to_engine(Event::HostResumed);
        }
        for event in std::mem::take(&mut self.mailbox) {
            self.deliver_to_engine(event);
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
            self.deliver_to_engine(Event::OperatorRequested { service, request });
            self.turn();
        }
    }

    pub fn deliver_to_engine(&mut self, event: Event) {
        let now = self.now;
        let Some(agent) = &mut self.agent else { return };
        self.tape.push(now, Entry::Event(Box::new(event.clone())));
        agent.engine.handle_event(now, event);
        self.poll();
    }

    /// Takes what the engine decided, at once, so that the tape says what led to what.
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
                    _ => {}
                }
                agent.any_pending_write |= !matches!(command, Command::RunProbes { .. } | Command::RestartTarget(_));
            }
            agent.pending_writes.extend(polled);
            let record = agent.any_pending_write && agent.retry_at.is_none();
            if nothing && !record {
                let durable = !agent.any_pending_write;
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
        if self.disk.broken {
            agent.retry_at = Some(self.now + STORE_GAP);
            if !std::mem::replace(&mut agent.failing, true) {
                self.deliver_to_engine(Event::StoreChanged { writable: false });
            }
            return;
        }
        agent.any_pending_write = false;
        let was_failing = std::mem::replace(&mut agent.failing, false);
        for command in std::mem::take(&mut agent.pending_writes) {
            self.disk.store.record(&command);
        }
        self.tape.push(self.now, Entry::Recorded);
        if was_failing {
            self.deliver_to_engine(Event::StoreChanged { writable: true });
        }
    }

    fn finish(&mut self, action: &Action, result: ActionResult) {
        self.deliver_to_engine(Event::ActionFinished {
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

/// The memory to assume where what was stored is lost.
fn spent() -> Memory {
    Memory {
        gave_up: true,
        ..Memory::default()
    }
}
