//! The engine: every service's machine, what they share, and the queue of commands.

mod alerting;
mod host;
mod reload;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::alerting::{Alerting, Rules};
use crate::command::Command;
use crate::event::{Event, OperatorRequest, RequestError};
use crate::host::{Host, HostMemory, HostPolicy};
use crate::ids::{ActionId, IncidentId, ServiceName};
use crate::memory::Memory;
use crate::policy::Service;
use crate::service::{Companion, Context, Decision, DependencyDown, Machine};
use crate::snapshot::ServiceSnapshot;
use crate::time::Time;
use crate::wakes::Wakes;

pub use reload::{Changed, Reload};

/// Services that are judged in one turn. What comes of a turn is recorded as one transaction, with a message for each receiver
/// of each incident: ten thousand services that are due at the same instant must not become one of a hundred megabytes,
/// nor hold up everything else for as long as that takes.
const TURN: usize = 256;

/// The engine is never woken for a service more often than this.
const SHORTEST_WAKE: Duration = Duration::from_millis(1);

/// What decides about those that come after a service: what they wait for, when it fell, and whether it is back.
type SeenByDependents = (Option<DependencyDown>, Option<Time>, Companion);

/// Decides for all services of a host.
#[derive(Debug)]
pub struct Engine {
    /// Boxed: the nodes of a map that grew in order are half empty.
    machines: BTreeMap<ServiceName, Box<Machine>>,
    /// What must not be forgotten of services that were removed.
    parked: BTreeMap<ServiceName, Memory>,
    /// Who waits for whom: dependency to dependents.
    dependents: BTreeMap<ServiceName, BTreeSet<ServiceName>>,
    host: Host,
    /// Services that wait for a free slot, longest first.
    queue: VecDeque<ServiceName>,
    wakes: Wakes,
    /// What was decided and has not passed alerting yet.
    decided: VecDeque<Decision>,
    alerting: Alerting,
    /// Whether alerting goes on from what was kept, and does not know yet which incidents are still open.
    has_resumed_alerting: bool,
    commands: VecDeque<Command>,
}

impl Engine {
    /// An engine without services and receivers. Numbers go on from those given, which must never have been used.
    pub fn new(policy: HostPolicy, next_incident: IncidentId, next_action: ActionId) -> Self {
        Self {
            machines: BTreeMap::new(),
            parked: BTreeMap::new(),
            dependents: BTreeMap::new(),
            host: Host::new(policy, next_incident, next_action),
            queue: VecDeque::new(),
            wakes: Wakes::default(),
            decided: VecDeque::new(),
            alerting: Alerting::new(Time::ZERO, Rules::without_receivers(), Vec::new(), Vec::new(), 1),
            has_resumed_alerting: false,
            commands: VecDeque::new(),
        }
    }

    /// Goes on from what was last saved of the host, which booted at `booted_at`. To be called before services are added.
    pub fn resume_host(&mut self, memory: HostMemory, booted_at: Time) {
        self.host.restore(memory);
        self.host.booted_at = Some(booted_at);
    }
    /// Begins to watch `service`, going on from what was last saved of it; replaces one of the same name.
    pub fn add_service(&mut self, now: Time, service: Service, memory: Memory) {
        let name = service.name.clone();
        self.insert_service(now, service, memory);
        self.evaluate(now, &name);
        self.alert();
    }

    fn insert_service(&mut self, now: Time, service: Service, memory: Memory) {
        let name = service.name.clone();
        self.drop_machine(&name);
        self.depends_on(&name, &service.after);
        let mut cx = Context::new(now, &mut self.host, &mut self.decided);
        let machine = Machine::new(service, memory, &mut cx);
        self.machines.insert(name, Box::new(machine));
    }

    /// Ends what was remembered of a service that is no longer configured: its open incident is closed.
    pub fn forget_service(&mut self, now: Time, service: Service, memory: Memory) {
        let mut cx = Context::new(now, &mut self.host, &mut self.decided);
        let name = service.name.clone();
        let mut machine = Machine::new(service, memory, &mut cx);
        machine.abandon(&mut cx);
        self.parked.insert(name, machine.memory().clone());
        self.alert();
    }

    /// Keeps what was last saved of a service that is not watched yet and may be: it goes on from there when a reload adds
    /// it, and ends as any other when a reload removes it.
    pub fn park_service(&mut self, name: ServiceName, memory: Memory) {
        self.parked.insert(name, memory);
    }

    /// Takes in something that happened. Events about unknown services say nothing.
    pub fn handle_event(&mut self, now: Time, event: Event) {
        match event {
            Event::ProbeCompleted {
                service,
                round,
                outcome,
            } => {
                self.with(now, &service, |machine, cx| machine.probed(round, outcome, cx));
            }
            Event::TargetObserved { service, observation } => {
                self.with(now, &service, |machine, cx| machine.observe(observation, cx));
            }
            Event::ActionBegun { action, service } => {
                self.with(now, &service, |machine, cx| machine.action_begun(action, cx));
            }
            Event::ActionFinished {
                action,
                service,
                result,
            } => {
                self.with(now, &service, |machine, cx| machine.action_finished(action, result, cx));
            }
            Event::OperatorRequested { service, request } => {
                self.with(now, &service, |machine, cx| machine.requested(&request, cx));
            }
            Event::MaintenanceChanged { service, window } => {
                self.with(now, &service, |machine, cx| machine.window_changed(window, cx));
            }
            Event::HostShutdownChanged { going_down } => {
                self.host.going_down = going_down;
                self.evaluate_all(now);
            }
            Event::PackagesChange { under_way } => {
                self.host.packages_change = under_way;
                self.evaluate_all(now);
            }
            Event::PermissionsChanged => {
                for machine in self.machines.values_mut() {
                    machine.reconsider();
                }
                self.evaluate_all(now);
            }
            Event::HostResumed => {
                // All of them before any is judged: what one of them says wakes those that come after it.
                for machine in self.machines.values_mut() {
                    machine.resumed(&mut Context::new(now, &mut self.host, &mut self.decided));
                }
                self.evaluate_all(now);
            }
            Event::StoreChanged { writable } => {
                self.host.store_writable = writable;
                self.evaluate_all(now);
            }
        }
        self.attend_host(now);
        self.alert_until(now);
    }

    /// Lets time pass: what is due by `now` happens, of [`TURN`] services at most. [`Engine::poll_timeout`] says
    /// whether that was all.
    pub fn handle_timeout(&mut self, now: Time) {
        for _ in 0..TURN {
            let due = self.wakes.first().filter(|(at, _)| *at <= now);
            let Some(name) = due.map(|(_, name)| name.clone()) else {
                break;
            };
            self.evaluate(now, &name);
        }
        self.attend_host(now);
        self.alert_until(now);
    }

    /// The next thing to be done, until there is none.
    pub fn poll_command(&mut self) -> Option<Command> {
        // Once for all that was decided: it names every service of a storm.
        let host = |host: &mut Host| host.take_unsaved().map(|memory| Command::SaveHost(Box::new(memory)));
        self.commands.pop_front().or_else(|| host(&mut self.host)).or_else(|| {
            // Room that only a start or an outage of everything needs is given back.
            self.commands.shrink_to(TURN);
            None
        })
    }

    /// When [`Engine::handle_timeout`] is next needed.
    pub fn poll_timeout(&self) -> Option<Time> {
        let next = self.wakes.first().map(|(at, _)| at);
        let alerting = self.alerting.next_wake();
        next.into_iter().chain(self.storm_growth_due()).chain(alerting).min()
    }

    /// Whether an operator's request can be carried out.
    pub fn check_request(&self, service: &str, request: &OperatorRequest) -> Result<(), RequestError> {
        self.machines
            .get(service)
            .ok_or(RequestError::UnknownService)?
            .check_request(request)
    }

    /// Every service as it stands, by name.
    pub fn snapshot(&self, now: Time) -> Vec<ServiceSnapshot> {
        self.snapshots(now).collect()
    }

    /// The same one by one, for who needs little of each.
    pub fn snapshots(&self, now: Time) -> impl Iterator<Item = ServiceSnapshot> {
        let present = self.machines.values().filter(|machine| !machine.is_leaving());
        present.map(move |machine| machine.snapshot(now))
    }

    fn with(&mut self, now: Time, name: &ServiceName, change: impl FnOnce(&mut Machine, &mut Context<'_>)) {
        let Some(machine) = self.machines.get_mut(name) else {
            return;
        };
        let mut cx = Context::new(now, &mut self.host, &mut self.decided);
        let held_slot = machine.holds_slot();
        change(machine, &mut cx);
        let freed_slot = held_slot && !machine.holds_slot();
        self.evaluate(now, name);
        if freed_slot {
            self.serve_queue(now);
        }
    }

    fn evaluate(&mut self, now: Time, name: &ServiceName) {
        let in_flight = self.host.in_flight;
        let Some(machine) = self.machines.get(name) else { return };
        let dependency = self.dependency_of(machine, now);
        let after = machine.after().iter();
        let fell = after
            .filter_map(|dependency| self.machines.get(dependency).and_then(|machine| machine.fell()))
            .collect();
        let after = machine.after().iter().filter_map(|other| self.machines.get(other));
        let companions = after.map(|other| other.companion()).collect();
        let Some(machine) = self.machines.get_mut(name) else {
            return;
        };
        let blocked = Self::seen_by_dependents(machine);
        let mut cx = Context {
            now,
            host: &mut self.host,
            dependency,
            fell,
            companions,
            out: &mut self.decided,
        };
        machine.evaluate(&mut cx);
        if machine.has_left() {
            self.part_with(now, name);
        } else {
            self.follow_up(now, name, &blocked);
        }
        if self.host.in_flight < in_flight {
            // The answer came, or never did and is no longer waited for.
            self.serve_queue(now);
        }
    }

    /// Notes when a machine that was judged is next to be woken, what it waits for, and who waits for it.
    fn follow_up(&mut self, now: Time, name: &ServiceName, blocked: &SeenByDependents) {
        let Some(machine) = self.machines.get(name) else { return };
        let (wake, blocks) = (machine.next_timeout(), Self::seen_by_dependents(machine));
        if machine.waits_for_slot() {
            if !self.queue.contains(name) {
                self.queue.push_back(name.clone());
            }
        } else {
            self.queue.retain(|waiting| waiting != name);
        }
        // Whatever was due by now has just been judged; asking again at the same instant would go on forever.
        self.wakes.set(name, wake.map(|at| at.max(now + SHORTEST_WAKE)));
        if *blocked != blocks {
            // Dependencies have no cycles, so this ends.
            for dependent in self.dependents.get(name).cloned().unwrap_or_default() {
                self.evaluate(now, &dependent);
            }
        }
    }

    /// What decides about those that come after a service.
    fn seen_by_dependents(machine: &Machine) -> SeenByDependents {
        (machine.as_dependency().cloned(), machine.fell(), machine.companion())
    }

    /// What `machine` has to wait for: the first of its dependencies that is down, else the first that may be.
    fn dependency_of(&self, machine: &Machine, now: Time) -> Option<DependencyDown> {
        let dependencies = machine.after().iter().filter_map(|name| self.machines.get(name));
        let waited_for = dependencies
            .filter_map(|machine| machine.as_dependency())
            .filter(|dependency| dependency.holds(now));
        let (suspects, down): (Vec<_>, Vec<_>) = waited_for.partition(|dependency| dependency.suspect);
        down.into_iter().chain(suspects).next().cloned()
    }

    fn evaluate_all(&mut self, now: Time) {
        let names: Vec<_> = self.machines.keys().cloned().collect();
        for name in names {
            self.evaluate(now, &name);
        }
    }

    /// Lets those act that only waited for a slot.
    fn serve_queue(&mut self, now: Time) {
        for name in std::mem::take(&mut self.queue) {
            self.evaluate(now, &name);
        }
    }

    fn drop_machine(&mut self, name: &ServiceName) {
        let Some(machine) = self.machines.remove(name) else {
            return;
        };
        self.wakes.set(name, None);
        if machine.holds_slot() {
            self.host.in_flight = self.host.in_flight.saturating_sub(1);
        }
        for dependents in self.dependents.values_mut() {
            dependents.remove(name);
        }
    }
}
