//! A simulated host around the engine: services that crash, hang and start, and a clock that jumps to the next wake-up.
//!
//! No runtime and no sleeping: hours pass in microseconds, and the same script always gives the same transcript.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part of the world"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_engine::alerting::{NotificationLog, Rules};
use sentinel_engine::{
    Action, ActionId, ActionKind, ActionResult, Activity, Answer, AskedToStop, Cause, Command, Details, Engine, Event,
    FailureKind, HealthCheck, HostMemory, HostPolicy, IncidentId, Intent, Labels, Limits, Memory, Notification,
    Observation, OperatorRequest, Policy, ProbeFailure, ProbeOutcome, ProbeRound, Reload, Report, ReportKind, RunId,
    Service, ServiceName, StartedBy, State, Supervisor, TargetState, Time, Trigger, Verdict,
};

/// How long a simulated probe takes.
const PROBE: Duration = Duration::from_millis(5);
/// How long a simulated restart takes.
const RESTART: Duration = Duration::from_millis(50);
/// How long a watcher takes to see a change.
const OBSERVATION_DELAY: Duration = Duration::from_millis(3);

/// What a started toy does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// Runs and answers.
    Well,
    /// Runs, and answers only after this long.
    Slowly(Duration),
    /// Its supervisor calls it started only after this long (`Type=notify`); then it runs and answers.
    Ready(Duration),
    /// Runs, and refuses connections for this long.
    Opens(Duration),
    /// Runs and never answers.
    Deaf,
    /// Dies again after this long.
    Dies(Duration),
    /// Cannot be started.
    Refused,
}

/// One simulated service.
#[derive(Clone, Debug)]
pub struct Toy {
    pub service: Service,
    pub start: Start,
    /// Restarts by its own supervisor after this delay, this many times.
    pub supervised: Option<(Duration, u32)>,
    /// How long its supervisor lets it take.
    pub limits: Limits,
    /// What its watcher knows beside its state.
    pub details: Details,
    run: u32,
    state: TargetState,
    answers_from: Option<Time>,
    supervisor: Supervisor,
    started_by: StartedBy,
    supervised_restarts: u32,
    /// When this run was asked to end.
    asked: Option<Time>,
    /// What its probe says at once, whatever the toy does.
    pub says: Option<FailureKind>,
    /// A second probe, and what it says.
    pub second: Option<Result<(), FailureKind>>,
    /// What its probe asks.
    pub asks: &'static str,
    /// Whether its supervisor's own check passes, if it has one, and what that asks.
    pub check: Option<bool>,
    pub check_asks: &'static str,
}

impl Toy {
    pub fn new(name: &str) -> Self {
        let service = Service {
            name: name.into(),
            has_target: true,
            has_probes: true,
            after: Vec::new(),
            labels: Labels::default(),
            policy: Policy {
                jitter: 0.0,
                half_open: Duration::ZERO,
                ..Policy::default()
            },
        };
        Self {
            service,
            start: Start::Well,
            supervised: None,
            limits: Limits::default(),
            details: Details::default(),
            run: 1,
            state: TargetState::Running,
            answers_from: Some(Time::ZERO),
            supervisor: Supervisor::Passive,
            started_by: StartedBy::Unknown,
            supervised_restarts: 0,
            asked: None,
            says: None,
            second: None,
            asks: "first",
            check: None,
            check_asks: "curl -f localhost",
        }
    }

    /// Its probe fails so, whatever the toy does.
    pub fn saying(mut self, kind: FailureKind) -> Self {
        self.says = Some(kind);
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.service.policy);
        self
    }

    pub fn after(mut self, names: &[&str]) -> Self {
        self.service.after = names.iter().map(|name| (*name).into()).collect();
        self
    }

    pub fn without_probes(mut self) -> Self {
        self.service.has_probes = false;
        self
    }

    pub fn probed_only(mut self) -> Self {
        self.service.has_target = false;
        self
    }

    pub fn starting(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    pub fn supervised(mut self, delay: u64, times: u32) -> Self {
        self.supervised = Some((Duration::from_secs(delay), times));
        self
    }

    pub fn state(&self) -> &TargetState {
        &self.state
    }

    fn observation(&self) -> Observation {
        Observation {
            supervisor: self.supervisor,
            limits: self.limits,
            started_by: self.started_by,
            check: self.check.map(|passes| HealthCheck {
                question: self.check_asks.into(),
                passes,
            }),
            details: self.details.clone(),
            ..Observation::new(
                self.state.clone(),
                Some(RunId::from(format!("{}-{}", self.service.name, self.run))),
            )
        }
    }
}

/// Something that will happen in the world.
#[allow(clippy::large_enum_variant, reason = "a few hundred at a time")]
#[derive(Clone, Debug)]
enum Future {
    /// The engine is told.
    Tell(Event),
    /// A watcher looks at a toy.
    Look(ServiceName),
    /// This run of a toy dies.
    Die(ServiceName, u32, Cause),
    /// A toy's own supervisor starts it again.
    SupervisorStarts(ServiceName),
    /// A restart takes effect and is answered.
    Carry(Action),
    /// This run of a toy is ready, as a restart of it waits for.
    Ready(u32, Action),
}

fn failed(kind: FailureKind) -> Verdict {
    Verdict::Failed(ProbeFailure::new(kind, kind.word()))
}

const fn status_of(kind: FailureKind) -> Option<u16> {
    match kind {
        FailureKind::Status(status) => Some(status),
        _ => None,
    }
}

/// The simulated host.
pub struct World {
    pub engine: Engine,
    policy: HostPolicy,
    pub now: Time,
    pub toys: BTreeMap<ServiceName, Toy>,
    /// What was last saved, as a store would keep it.
    pub saved: BTreeMap<ServiceName, Memory>,
    pub saved_host: HostMemory,
    pub conversations: BTreeMap<IncidentId, NotificationLog>,
    pub reports: Vec<Report>,
    pub messages: Vec<Notification>,
    pub actions: Vec<(Time, Action)>,
    /// Rounds asked for, by service.
    pub rounds: BTreeMap<ServiceName, Vec<Time>>,
    /// Their numbers.
    pub asked: BTreeMap<ServiceName, Vec<ProbeRound>>,
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
    unobservable: bool,
    future: BTreeMap<(Time, u64), Future>,
    order: u64,
}

/// Who is notified is not what these stories are about.
fn everything_to_one_receiver() -> Rules {
    Rules {
        receivers: ["receiver".to_owned()].into(),
        default: vec!["receiver".to_owned()],
        ..Rules::nobody()
    }
}

impl World {
    pub fn new(toys: impl IntoIterator<Item = Toy>) -> Self {
        Self::with_policy(toys, HostPolicy::default())
    }

    pub fn with_policy(toys: impl IntoIterator<Item = Toy>, policy: HostPolicy) -> Self {
        let mut world = Self {
            engine: Engine::new(policy.clone(), IncidentId(1), ActionId(1)),
            policy,
            now: Time::ZERO,
            toys: BTreeMap::new(),
            saved: BTreeMap::new(),
            saved_host: HostMemory::default(),
            conversations: BTreeMap::new(),
            reports: Vec::new(),
            messages: Vec::new(),
            actions: Vec::new(),
            rounds: BTreeMap::new(),
            asked: BTreeMap::new(),
            next_result: None,
            answers_with: None,
            loses_actions: false,
            hanging: Vec::new(),
            unseen: Vec::new(),
            unobservable: false,
            future: BTreeMap::new(),
            order: 0,
        };
        world
            .engine
            .resume_alerting(Time::ZERO, everything_to_one_receiver(), Vec::new(), Vec::new(), 1);
        for toy in toys {
            world.add(toy);
        }
        world
    }

    pub fn add(&mut self, toy: Toy) {
        let service = toy.service.clone();
        self.toys.insert(service.name.clone(), toy);
        self.engine.add_service(self.now, service.clone(), Memory::default());
        self.look(&service.name);
        self.carry_out();
    }

    /// Lets this many seconds pass.
    pub fn run(&mut self, seconds: u64) {
        self.run_for(Duration::from_secs(seconds));
    }

    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let wake = self.engine.poll_timeout();
            let next = self.future.keys().next().map(|(at, _)| *at);
            let Some(at) = wake.into_iter().chain(next).min().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            if next.is_some_and(|next| next <= self.now) {
                if let Some((_, future)) = self.future.pop_first() {
                    self.happen(future);
                }
            } else {
                self.engine.handle_timeout(self.now);
            }
            self.carry_out();
        }
        self.now = end;
    }

    /// The process dies of `cause`.
    pub fn die(&mut self, name: &str, cause: Cause) {
        let run = self.toys[name].run;
        self.happen(Future::Die(name.into(), run, cause));
        self.carry_out();
    }

    /// What its supervisor calls unhealthy dies.
    pub fn kill_unhealthy(&mut self, name: &str) {
        self.toy(name).state = TargetState::Running;
        self.kill(name);
    }

    pub fn kill(&mut self, name: &str) {
        self.die(
            name,
            Cause::Killed {
                signal: 9,
                core_dumped: false,
            },
        );
    }

    /// The process lives and no longer answers.
    pub fn hang(&mut self, name: &str) {
        self.toy(name).answers_from = None;
    }

    /// The process answers again by itself.
    pub fn unhang(&mut self, name: &str) {
        let now = self.now;
        self.toy(name).answers_from = Some(now);
    }

    /// Its probe fails so from now on, whatever it does; or says again what it finds.
    pub fn says(&mut self, name: &str, kind: Option<FailureKind>) {
        self.toy(name).says = kind;
    }

    /// Its second probe fails so from now on, or passes.
    pub fn second_says(&mut self, name: &str, kind: Option<FailureKind>) {
        self.toy(name).second = Some(kind.map_or(Ok(()), Err));
    }

    /// Its supervisor's own check passes, or fails.
    pub fn set_check(&mut self, name: &str, passes: bool) {
        let toy = self.toy(name);
        toy.check = Some(passes);
        toy.state = if passes {
            TargetState::Running
        } else {
            TargetState::Unhealthy("exit code 1".into())
        };
        self.look(&name.into());
    }

    /// An operator stops it with the supervisor's own command.
    pub fn stop(&mut self, name: &str) {
        let toy = self.toy(name);
        toy.state = TargetState::Down {
            intent: Intent::OperatorStop,
            cause: Cause::Exited { code: 143 },
        };
        self.look(&name.into());
    }

    /// An operator starts it with the supervisor's own command.
    pub fn start(&mut self, name: &str) {
        self.start_by(name, StartedBy::Somebody);
    }

    /// It is started, or restarted, by another than the agent, as far as a watcher can tell.
    pub fn start_by(&mut self, name: &str, by: StartedBy) {
        self.begin_run(&name.into(), by);
        self.look(&name.into());
    }

    /// Somebody has a signal sent to it that asks for its end, which by its own settings should come within 15 s.
    pub fn ask_to_stop(&mut self, name: &str) {
        let now = self.now;
        self.toy(name).asked = Some(now);
        self.look(&name.into());
    }

    /// What starts it when it is needed and does not wait for that.
    pub fn set_triggers(&mut self, name: &str, triggers: Vec<Trigger>) {
        self.toy(name).details.triggers = triggers;
        self.look(&name.into());
    }

    pub fn set_state(&mut self, name: &str, state: TargetState) {
        self.toy(name).state = state;
        self.look(&name.into());
    }

    /// It is down, and its supervisor is as it is told here.
    pub fn set_down(&mut self, name: &str, intent: Intent, cause: Cause, supervisor: Supervisor) {
        self.toy(name).supervisor = supervisor;
        self.set_state(name, TargetState::Down { intent, cause });
    }

    /// A run ended, or did nothing, that nobody saw begin.
    pub fn set_run_down(&mut self, name: &str, intent: Intent, cause: Cause) {
        self.toy(name).run += 1;
        self.set_state(name, TargetState::Down { intent, cause });
    }

    /// Something else is busy with it, as its supervisor tells.
    pub fn set_busy(&mut self, name: &str, activity: Activity, limits: Limits, details: Details) {
        let toy = self.toy(name);
        (toy.limits, toy.details) = (limits, details);
        self.set_state(name, TargetState::Busy(activity));
    }

    pub fn ask(&mut self, name: &str, request: OperatorRequest) {
        self.tell(Event::OperatorRequested {
            service: name.into(),
            request,
        });
    }

    pub fn tell(&mut self, event: Event) {
        self.engine.handle_event(self.now, event);
        self.carry_out();
    }

    /// The connection to whatever shows the targets is lost or comes back.
    pub fn set_unobservable(&mut self, unobservable: bool) {
        self.unobservable = unobservable;
        for name in self.toys.keys().cloned().collect::<Vec<_>>() {
            self.look(&name);
        }
    }

    /// Answers on their way to the engine are lost.
    pub fn lose_answers(&mut self) {
        self.future.retain(|_, future| !matches!(future, Future::Tell(_)));
    }

    /// The configuration changes. The world behind it does not: what is removed goes on running, unseen.
    pub fn reload(&mut self, reload: Reload) {
        let named = |name: &ServiceName| (name.clone(), self.toys.contains_key(name));
        let looked: Vec<_> = reload
            .added
            .iter()
            .map(|(service, _)| named(&service.name))
            .chain(reload.changed.iter().map(|(service, _)| named(&service.name)))
            .collect();
        for (service, _) in &reload.changed {
            self.toys.get_mut(&service.name).expect("the toy exists").service = service.clone();
        }
        self.engine.reload(self.now, reload);
        for (name, exists) in looked {
            assert!(exists, "{name} has no toy");
            self.look(&name);
        }
        self.carry_out();
    }

    /// The agent is killed and started again from what was saved. What the world was doing goes on.
    pub fn crash_agent(&mut self) {
        let next_incident = self
            .reports
            .iter()
            .filter_map(|report| report.incident)
            .map(|id| id.0)
            .max()
            .unwrap_or(0);
        let next_action = self.actions.iter().map(|(_, action)| action.id.0).max().unwrap_or(0);
        self.engine = Engine::new(
            self.policy.clone(),
            IncidentId(next_incident + 1),
            ActionId(next_action + 1),
        );
        self.engine.resume_host(self.saved_host.clone(), Time::ZERO);
        let conversations = self.conversations.values().cloned().collect();
        self.engine
            .resume_alerting(self.now, everything_to_one_receiver(), conversations, Vec::new(), 1);
        // Answers on their way to the old agent are lost; its calls are carried out all the same.
        self.future.retain(|_, future| !matches!(future, Future::Tell(_)));
        for (name, toy) in self.toys.clone() {
            let memory = self.saved.get(&name).cloned().unwrap_or_default();
            let json = serde_json::to_string(&memory).expect("memory is plain data");
            let memory = serde_json::from_str(&json).expect("memory survives the store");
            self.engine.add_service(self.now, toy.service.clone(), memory);
            self.look(&name);
        }
        self.carry_out();
    }

    pub fn state(&self, name: &str) -> State {
        self.snapshot(name).state
    }

    pub fn snapshot(&self, name: &str) -> sentinel_engine::ServiceSnapshot {
        let all = self.engine.snapshot(self.now);
        all.into_iter()
            .find(|service| service.name.as_str() == name)
            .expect("the service is known")
    }

    /// When each attempt was made, in whole seconds.
    pub fn attempts(&self) -> Vec<u64> {
        self.actions.iter().map(|(at, _)| at.since_epoch().as_secs()).collect()
    }

    pub fn message_kinds(&self) -> Vec<&'static str> {
        self.messages.iter().map(|message| message.kind.as_str()).collect()
    }

    /// What happened, a line each, without state changes.
    pub fn transcript(&self) -> Vec<String> {
        self.reports
            .iter()
            .filter(|report| !matches!(report.kind, ReportKind::StateChanged { .. }))
            .map(|report| {
                let at = report.at.since_epoch().as_secs_f64();
                format!("{at:.3} {} {}: {}", report.service, report.kind.name(), report.kind)
            })
            .collect()
    }

    fn toy(&mut self, name: &str) -> &mut Toy {
        self.toys.get_mut(name).expect("the toy exists")
    }

    fn later(&mut self, after: Duration, future: Future) {
        self.order += 1;
        self.future.insert((self.now + after, self.order), future);
    }

    fn look(&mut self, name: &ServiceName) {
        self.later(OBSERVATION_DELAY, Future::Look(name.clone()));
    }

    fn happen(&mut self, future: Future) {
        match future {
            Future::Tell(event) => self.engine.handle_event(self.now, event),
            Future::Look(name) => {
                let toy = &self.toys[&name];
                if !toy.service.has_target || self.unseen.contains(&name) {
                    return;
                }
                let mut observation = toy.observation();
                let asked = toy
                    .asked
                    .filter(|_| matches!(toy.state, TargetState::Running | TargetState::Unhealthy(_)));
                observation.asked_to_stop = asked.map(|at| AskedToStop {
                    ago: self.now.since(at),
                    patience: Duration::from_secs(15),
                });
                if self.unobservable {
                    observation.state = TargetState::Unknown("the bus is gone".into());
                }
                let event = Event::TargetObserved {
                    service: name,
                    observation,
                };
                self.engine.handle_event(self.now, event);
            }
            Future::Die(name, run, cause) => self.end_run(&name, run, cause),
            Future::SupervisorStarts(name) => {
                if self.toys[&name].state == TargetState::Busy(Activity::AutoRestart) {
                    self.begin_run(&name, StartedBy::Supervisor);
                    self.look(&name);
                }
            }
            Future::Carry(action) if self.readies_later(&action) => {}
            Future::Ready(run, action) => {
                let now = self.now;
                let toy = self.toys.get_mut(&action.service).expect("the toy exists");
                if toy.run == run {
                    (toy.state, toy.answers_from) = (TargetState::Running, Some(now));
                }
                self.look(&action.service);
                self.answer(action, ActionResult::Done);
            }
            Future::Carry(action) => {
                let result = self.carry(&action);
                self.look(&action.service);
                self.answer(action, result);
            }
        }
    }

    fn answer(&mut self, action: Action, result: ActionResult) {
        let event = Event::ActionFinished {
            action: action.id,
            service: action.service,
            result,
        };
        self.later(Duration::ZERO, Future::Tell(event));
    }

    /// A start that takes long is answered twice: when the new run begins, and when it is ready.
    fn readies_later(&mut self, action: &Action) -> bool {
        let toy = &self.toys[&action.service];
        let Start::Ready(after) = toy.start else { return false };
        if toy.observation().run != action.expected {
            return false;
        }
        self.begin_run(&action.service, StartedBy::Unknown);
        let toy = self.toy(action.service.as_str());
        toy.state = TargetState::Busy(Activity::Starting);
        let run = toy.run;
        self.look(&action.service);
        let event = Event::ActionBegun {
            action: action.id,
            service: action.service.clone(),
        };
        self.later(Duration::ZERO, Future::Tell(event));
        self.later(after, Future::Ready(run, action.clone()));
        true
    }

    fn end_run(&mut self, name: &ServiceName, run: u32, cause: Cause) {
        let toy = self.toys.get_mut(name).expect("the toy exists");
        if toy.run != run || toy.state != TargetState::Running {
            return;
        }
        toy.answers_from = None;
        let intent = if cause == (Cause::Exited { code: 0 }) {
            Intent::CleanExit
        } else {
            Intent::Crash
        };
        toy.state = TargetState::Down { intent, cause };
        if let Some((delay, times)) = toy.supervised {
            if toy.supervised_restarts < times {
                toy.supervised_restarts += 1;
                toy.state = TargetState::Busy(Activity::AutoRestart);
                self.later(delay, Future::SupervisorStarts(name.clone()));
            } else {
                toy.supervisor = Supervisor::GaveUp;
            }
        }
        self.look(name);
    }

    fn begin_run(&mut self, name: &ServiceName, by: StartedBy) {
        let now = self.now;
        let toy = self.toys.get_mut(name).expect("the toy exists");
        toy.run += 1;
        toy.started_by = by;
        toy.asked = None;
        toy.supervisor = Supervisor::Passive;
        toy.state = TargetState::Running;
        let run = toy.run;
        toy.answers_from = match toy.start {
            Start::Well | Start::Dies(_) => Some(now),
            Start::Slowly(after) | Start::Opens(after) => Some(now + after),
            Start::Deaf | Start::Refused | Start::Ready(_) => None,
        };
        if let Start::Dies(after) = toy.start {
            self.later(after, Future::Die(name.clone(), run, Cause::Exited { code: 1 }));
        }
    }

    fn carry(&mut self, action: &Action) -> ActionResult {
        let toy = &self.toys[&action.service];
        let runs = matches!(
            toy.state,
            TargetState::Running | TargetState::Unhealthy(_) | TargetState::Busy(Activity::Reloading)
        );
        if action.expected != toy.observation().run || runs != (action.kind == ActionKind::Restart) {
            return ActionResult::Outdated("it is another run by now".into());
        }
        if toy.start == Start::Refused {
            return ActionResult::Failed("its program is missing".into());
        }
        if action.kind == ActionKind::StartTrigger {
            self.toy(action.service.as_str()).details.triggers.clear();
            return ActionResult::Done;
        }
        self.begin_run(&action.service, StartedBy::Unknown);
        ActionResult::Done
    }

    fn carry_out(&mut self) {
        while let Some(command) = self.engine.poll_command() {
            match command {
                Command::RunProbes { service, round } => self.probe(service, round),
                Command::RestartTarget(action) => {
                    self.actions.push((self.now, action.clone()));
                    match self.next_result.take().or_else(|| self.answers_with.clone()) {
                        Some(result) => {
                            let event = Event::ActionFinished {
                                action: action.id,
                                service: action.service,
                                result,
                            };
                            self.later(RESTART, Future::Tell(event));
                        }
                        None if self.loses_actions => {}
                        None => self.later(RESTART, Future::Carry(action)),
                    }
                }
                Command::Save { service, memory } => {
                    self.saved.insert(service, *memory);
                }
                Command::SaveHost(memory) => self.saved_host = *memory,
                Command::Report(report) => {
                    let of_alerting = matches!(
                        report.kind,
                        ReportKind::Notified { .. } | ReportKind::NotNotified { .. }
                    );
                    if !of_alerting {
                        self.reports.push(report);
                    }
                }
                Command::Notify(outgoing) => self.messages.push(outgoing.notification),
                Command::SaveNotificationLog(conversation) => {
                    self.conversations.insert(conversation.incident, *conversation);
                }
                Command::ForgetNotificationLog(incident) => drop(self.conversations.remove(&incident)),
                Command::SaveSilence(_) | Command::EndSilence { .. } => {}
            }
        }
    }

    fn probe(&mut self, service: ServiceName, round: ProbeRound) {
        self.rounds.entry(service.clone()).or_default().push(self.now);
        self.asked.entry(service.clone()).or_default().push(round);
        let toy = &self.toys[&service];
        let answers = toy.answers_from.is_some_and(|from| from <= self.now);
        let (verdict, status_code, latency) = if answers {
            (Verdict::Passed, Some(200), PROBE)
        } else if matches!(toy.start, Start::Opens(_)) && toy.state == TargetState::Running {
            let failure = ProbeFailure::new(FailureKind::Refused, "connection refused");
            (Verdict::Failed(failure), None, PROBE)
        } else {
            let detail = "no answer within 3s".to_owned();
            let timeout = Duration::from_secs(3);
            (
                Verdict::Failed(ProbeFailure::new(FailureKind::Timeout, detail)),
                None,
                timeout,
            )
        };
        let (verdict, status_code, latency) = match toy.says {
            Some(kind) => (failed(kind), status_of(kind), PROBE),
            None => (verdict, status_code, latency),
        };
        let answers = toy.second.map_or_else(Vec::new, |second| {
            let second = match second {
                Err(kind) => failed(kind),
                Ok(()) => Verdict::Passed,
            };
            let answer = |question: &str, verdict: &Verdict| Answer {
                question: question.into(),
                verdict: verdict.clone(),
            };
            vec![answer(toy.asks, &verdict), answer("second", &second)]
        });
        // As the prober has it: the first failure decides.
        let failure = answers
            .iter()
            .map(|answer| &answer.verdict)
            .find(|verdict| matches!(verdict, Verdict::Failed(_)))
            .cloned();
        let answers = if answers.is_empty() {
            vec![Answer {
                question: toy.asks.into(),
                verdict: verdict.clone(),
            }]
        } else {
            answers
        };
        let outcome = ProbeOutcome {
            verdict: failure.unwrap_or(verdict),
            status_code,
            latency,
            answers,
        };
        if !self.hanging.contains(&service) {
            self.later(
                latency,
                Future::Tell(Event::ProbeCompleted {
                    service,
                    round,
                    outcome,
                }),
            );
        }
    }
}
