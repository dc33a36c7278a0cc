//! The host: its parts, its time, and who is next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sentinel_engine::alerting::Rules;
use sentinel_engine::{Action, ActionResult, Event, HostPolicy, Memory, OperatorRequest, Service, ServiceName, Time};
use sentinel_simulation::Schedule;

use super::agent::{Agent, Disk};
use super::audience;
use super::faults::Fault;
use super::rng::Rng;
use super::setup::{self, Weather};
use super::tape::Tape;
use super::target::{self, Change, Target};

/// One seed in so many tells a long life.
const LONG: u64 = 5;

/// Something that will happen.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "few of them wait at a time")]
pub enum ScheduledEvent {
    /// The next fault.
    Fault,
    /// An operator does something about messages.
    Operator,
    /// Nothing goes wrong any more.
    Calm,
    /// The end of a deploy is reported.
    DeployEnds(ServiceName, u64),
    /// This fault, to this service, if any is meant.
    Suffer(Fault, Option<ServiceName>),
    /// A target changes by itself, if it is still at this epoch.
    Change(ServiceName, u64, Change),
    /// The watcher of this life of the agent looks at a target.
    Look(u64, ServiceName),
    /// An event reaches this life of the agent.
    Deliver(u64, Event),
    /// An adapter of this life of the agent asks the supervisor.
    Call(u64, Action),
    /// An adapter of this life of the agent gives up waiting for its job.
    CallTimesOut(u64, Action),
    /// The agent is started again.
    AgentStarts,
    /// The agent gets to run again.
    Unstall,
    /// The host has come up again.
    HostUp,
    /// Watchers look again at everything, as they do now and then.
    Resync,
}

/// A simulated host with its agent.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Sim {
    pub rng: Rng,
    pub now: Time,
    pub policy: HostPolicy,
    /// Who is notified of what.
    pub rules: Rules,
    /// What operators do about messages.
    pub audience: Rng,
    /// What is configured.
    pub services: Vec<Service>,
    /// What was configured once, and may be again.
    pub absent: Vec<Service>,
    /// The memory that this life of the agent assumes of a service that nothing is remembered of.
    pub unknown: Memory,
    /// Services whose maintenance window is open.
    pub windows: BTreeSet<ServiceName>,
    /// Deploys that were begun.
    pub deploys: u64,
    pub booted_at: Time,
    pub weather: Weather,
    pub targets: BTreeMap<ServiceName, Target>,
    pub agent: Option<Agent>,
    /// Which life of the agent this is.
    pub life: u64,
    pub disk: Disk,
    pub mailbox: Vec<Event>,
    pub stalled_until: Option<Time>,
    /// The host was suspended, or the agent did not run for long.
    pub stood_still: bool,
    /// How long the host was suspended.
    pub slept: Duration,
    /// What the wall clock shows: anything. Nothing may depend on it.
    pub wall: Time,
    /// Whether the watcher can see.
    pub bus: bool,
    pub going_down: bool,
    /// Whoever decides what the agent may do does not answer.
    pub polkit_away: bool,
    pub tape: Tape,
    /// Actions given to adapters.
    pub acts: u64,
    pub wakes: u64,
    /// No faults after this.
    storm_ends: Time,
    /// When this life ends.
    pub end: Time,
    /// The watcher tells one thing after the other.
    pub delivered_until: Time,
    /// Jobs whose adapters have stopped waiting.
    pub abandoned: BTreeSet<u64>,
    future: Schedule<ScheduledEvent>,
}

impl Sim {
    /// The life that `seed` tells, from `epoch` on.
    pub fn new(seed: u64, epoch: Time) -> Self {
        let mut rng = Rng::new(seed);
        let long = seed % LONG == LONG - 1;
        let services = setup::services(&mut rng, if long { setup::SLOW } else { 1 });
        let policy = setup::host_policy(&mut rng);
        let mut weather = setup::weather(&mut rng);
        if long {
            setup::make_long(&mut weather);
        }
        let storm_ends = epoch + weather.storm;
        let (rules, audience) = audience::begin(seed);
        let mut sim = Self {
            now: epoch,
            policy,
            rules,
            audience,
            absent: Vec::new(),
            unknown: Memory::default(),
            windows: BTreeSet::new(),
            deploys: 0,
            booted_at: epoch,
            stood_still: false,
            slept: Duration::ZERO,
            wall: epoch,
            end: storm_ends + weather.calm,
            weather,
            targets: BTreeMap::new(),
            agent: None,
            life: 0,
            disk: Disk::default(),
            mailbox: Vec::new(),
            stalled_until: None,
            bus: true,
            going_down: false,
            polkit_away: false,
            tape: Tape::default(),
            acts: 0,
            wakes: 0,
            storm_ends,
            delivered_until: epoch,
            abandoned: BTreeSet::new(),
            future: Schedule::default(),
            services,
            rng,
        };
        for service in &sim.services {
            let mut target = Target::new(service.name.to_string(), epoch);
            target.wrong_question = sim.rng.permille(target::WRONG_QUESTIONS);
            target.supervised = sim
                .rng
                .permille(350)
                .then(|| u32::try_from(sim.rng.below(6)).unwrap_or(0));
            target.unit.shows_age = sim.rng.permille(700);
            target.unit.limits.stop = sim.rng.pick(&[None, Some(Duration::from_secs(10))]);
            sim.targets.insert(service.name.clone(), target);
        }
        sim.later(Duration::ZERO, ScheduledEvent::AgentStarts);
        sim.later(Duration::from_secs(60), ScheduledEvent::Fault);
        sim.later(Duration::from_secs(90), ScheduledEvent::Operator);
        sim.later(storm_ends.since(epoch), ScheduledEvent::Calm);
        if sim.weather.resyncs {
            sim.later(Duration::from_secs(30), ScheduledEvent::Resync);
        }
        sim
    }

    /// Whether faults still happen.
    pub fn stormy(&self) -> bool {
        self.now < self.storm_ends
    }

    pub fn names(&self) -> Vec<ServiceName> {
        self.targets.keys().cloned().collect()
    }

    pub fn later(&mut self, after: Duration, future: ScheduledEvent) {
        self.future.add(self.now + after, future);
    }

    /// The host is suspended for so long: nothing happens, and all clocks but one stand still.
    pub fn suspend(&mut self, span: Duration) {
        self.future.postpone(span);
        self.now = self.now + span;
        self.slept += span;
        self.storm_ends = self.storm_ends + span;
        self.end = self.end + span;
        self.stalled_until = self.stalled_until.map(|until| until + span);
        self.stood_still = self.agent.is_some();
    }

    /// What is to happen to a target goes on under its new name.
    pub fn rename_future(&mut self, from: &ServiceName, to: &ServiceName) {
        for what in self.future.events_mut() {
            match what {
                ScheduledEvent::Change(name, ..)
                | ScheduledEvent::Look(_, name)
                | ScheduledEvent::Suffer(_, Some(name))
                    if name == from =>
                {
                    name.clone_from(to);
                }
                _ => {}
            }
        }
    }

    /// Lets the next thing happen; false when there is none before the end.
    pub fn step(&mut self) -> bool {
        let end = self.end;
        let wake = self.agent.as_ref().and_then(Agent::next_wake);
        let wake = wake.map(|at| at.max(self.stalled_until.unwrap_or(at)));
        let Some(at) = wake.into_iter().chain(self.future.next()).min().filter(|at| *at <= end) else {
            return false;
        };
        self.now = self.now.max(at);
        if let Some(future) = self.future.pop_due(self.now) {
            self.happen(future);
        } else {
            self.wakes += 1;
            self.turn();
        }
        true
    }

    fn happen(&mut self, future: ScheduledEvent) {
        match future {
            ScheduledEvent::Fault => self.next_fault(),
            ScheduledEvent::Operator => self.next_operator(),
            ScheduledEvent::Calm => self.calm(),
            ScheduledEvent::DeployEnds(name, id) => self.ask(&name, OperatorRequest::EndDeploy { id }),
            ScheduledEvent::Suffer(fault, service) => self.suffer(fault, service),
            ScheduledEvent::Change(name, epoch, change) => {
                if self.targets.get(&name).is_some_and(|target| target.epoch == epoch) {
                    self.change(&name, change);
                }
            }
            ScheduledEvent::Look(life, name) => self.watcher_looks(life, &name),
            ScheduledEvent::Deliver(life, event) => {
                if life == self.life && self.agent.is_some() {
                    self.mailbox.push(event);
                    if self.stalled_until.is_none_or(|until| until <= self.now) {
                        self.turn();
                    }
                }
            }
            ScheduledEvent::Call(life, action) => {
                // A call that has not left the process when it is killed is never made.
                if life == self.life && self.agent.is_some() {
                    self.adapter_calls(&action);
                }
            }
            ScheduledEvent::CallTimesOut(life, action) => {
                let mut jobs = self.targets.values().filter_map(|target| target.job.as_ref());
                let waits = jobs.any(|job| job.action == action.id && job.life == life);
                if waits {
                    self.abandoned.insert(action.id.0);
                    self.answer(life, &action, ActionResult::Unknown("systemd was not done".into()));
                }
            }
            ScheduledEvent::AgentStarts => self.start_agent(),
            ScheduledEvent::Unstall => {
                if self.stalled_until.take().is_some() {
                    self.turn();
                }
            }
            ScheduledEvent::HostUp => self.host_up(),
            ScheduledEvent::Resync => {
                self.look_at_all();
                self.later(Duration::from_secs(60) * self.weather.pace, ScheduledEvent::Resync);
            }
        }
    }
}
