//! A scenario, played: what the script does to the simulated host, and what receivers get of it.

use std::time::Duration;

use sentinel_engine::alerting::Match;
use sentinel_engine::{Cause, Event, HOST, IncidentId, STANDSTILL, ServiceName, StartedBy, Time};

use crate::actor::{Actor, Behaviour};
use crate::outbox::Outbox;
use crate::policies::{CircleError, Policies};
use crate::scenario::{Scenario, Start};
use crate::schedule::Schedule;
use crate::scripted_event::{ScriptedEvent, ServiceEvent};
use crate::summary::Summary;
use crate::timeline::{AGENT, Happened, Timeline};
use crate::world::{ScheduledEvent, World};

/// The beginning. Long enough after the epoch that every service has run, and the host has been up, for ages.
pub const BEGINNING: Time = Time::from_epoch(Duration::from_secs(400 * 24 * 60 * 60));

/// From the host's boot until the agent runs.
const AGENT_AFTER_BOOT: Duration = Duration::from_secs(2);

/// Who silences and acknowledges.
const OPERATOR: &str = "operator";

/// What a simulation came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What happened.
    pub timeline: Timeline,
    /// What it comes to.
    pub summary: Summary,
}

impl Outcome {
    /// How long incidents of services were open, all together, up to the end.
    pub fn open_for(&self) -> Duration {
        self.summary.rows.iter().map(|row| row.open).sum()
    }
}

/// Plays a scenario.
///
/// # Errors
///
/// When the scenario and the policy do not fit together.
pub fn run(scenario: &Scenario, policies: &Policies) -> Result<Outcome, CircleError> {
    let actors = policies.actors(scenario)?;
    // A moment before the beginning: by then everything is known to be healthy.
    let now = BEGINNING.back(lead(&actors));
    let mut player = Player {
        script: Schedule::default(),
        world: World::begin(now, BEGINNING, policies.host.clone(), policies.rules.clone(), actors),
        outbox: Outbox::new(policies.rules.group_wait),
        seen: 0,
    };
    for (at, event) in &scenario.script {
        player.script.add(BEGINNING + *at, event.clone());
    }
    player.run(BEGINNING + scenario.duration);
    let world = player.world;
    let summary = Summary::of(&world, &scenario.expect);
    Ok(Outcome {
        timeline: world.timeline,
        summary,
    })
}

/// How long everything runs before the beginning, so that every service is known to be healthy.
fn lead(actors: &[Actor]) -> Duration {
    let policies = actors.iter().map(|actor| &actor.service.policy);
    let longest = policies.map(|policy| policy.interval * (policy.rise + 2)).max();
    longest.unwrap_or_default().max(Duration::from_secs(60))
}

/// A scenario under way.
struct Player {
    /// What is still to come.
    script: Schedule<ScriptedEvent>,
    world: World,
    outbox: Outbox,
    /// Lines of the timeline that the outbox has seen.
    seen: usize,
}

impl Player {
    /// Lets everything happen up to the end.
    fn run(&mut self, end: Time) {
        loop {
            let script = self.script.next();
            let world = self.world.next_wake();
            let outbox = self
                .world
                .engine
                .as_ref()
                .and_then(|_| self.outbox.next_wake(self.world.now));
            let next = script.into_iter().chain(world).chain(outbox).min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            let now = self.world.now.max(at);
            if let Some(event) = self.script.pop_due(now) {
                self.world.now = now;
                self.world.count_downtime();
                self.world.play(&event);
                self.world.carry_out();
            } else {
                self.world.step(at);
            }
            self.deliver();
        }
        self.world.now = end;
        self.world.count_downtime();
    }

    /// Has what is due sent, while the agent runs.
    fn deliver(&mut self) {
        let lines = &self.world.timeline.lines;
        for line in lines.get(self.seen..).unwrap_or_default() {
            if let Happened::Message(outgoing) = &line.what {
                self.outbox.put(outgoing);
            }
        }
        self.seen = lines.len();
        if self.world.engine.is_some() {
            for text in self.outbox.deliver(self.world.now) {
                self.world.say(AGENT, "combined", text);
            }
        }
    }
}

/// What the script does.
impl World {
    /// Carries out an entry of the script.
    fn play(&mut self, event: &ScriptedEvent) {
        let about = match event {
            ScriptedEvent::Service(name, _) | ScriptedEvent::Silence(Some(name), _) => name.clone(),
            ScriptedEvent::Silence(None, _) | ScriptedEvent::LoseConnection(_) | ScriptedEvent::KillAgent(_) => {
                AGENT.into()
            }
            ScriptedEvent::Reboot(_) | ScriptedEvent::Suspend(_) => HOST.into(),
        };
        let obstacle = self.obstacle(event);
        let text = match &obstacle {
            Some(why) => format!("{event}: in vain, {why}"),
            None => event.to_string(),
        };
        let word = event.word();
        self.timeline.add(self.now, about, Happened::Script { word, text });
        if obstacle.is_some() {
            return;
        }
        match event {
            ScriptedEvent::Service(name, event) => self.play_service(name, event),
            ScriptedEvent::Silence(name, span) => self.silence(name.as_ref(), *span),
            ScriptedEvent::LoseConnection(span) => {
                self.is_unobservable = true;
                self.look_at_all();
                self.later(*span, ScheduledEvent::Reconnected);
            }
            ScriptedEvent::KillAgent(span) => {
                self.kill_agent();
                self.later(*span, ScheduledEvent::AgentStarts);
            }
            ScriptedEvent::Reboot(span) => self.reboot(*span),
            ScriptedEvent::Suspend(span) => self.suspend(*span),
        }
    }

    /// Why it has no effect.
    fn obstacle(&self, event: &ScriptedEvent) -> Option<String> {
        if self.is_off {
            return Some("the host is off".into());
        }
        match event {
            ScriptedEvent::Service(name, event) => {
                let runs = self.actors.get(name)?.target.runs();
                match event {
                    ServiceEvent::Kill | ServiceEvent::Exit(_) | ServiceEvent::Hang | ServiceEvent::Fail(_)
                        if !runs =>
                    {
                        Some("it does not run".into())
                    }
                    ServiceEvent::Start if runs => Some("it runs".into()),
                    ServiceEvent::Operator(request) => match &self.engine {
                        None => Some("no agent answers".into()),
                        Some(engine) => engine
                            .check_request(name.as_str(), request)
                            .err()
                            .map(|error| error.to_string()),
                    },
                    ServiceEvent::Acknowledge => match (&self.engine, self.incident(name)) {
                        (None, _) => Some("no agent answers".into()),
                        (Some(_), None) => Some("it has no open incident".into()),
                        (Some(_), Some(_)) => None,
                    },
                    _ => None,
                }
            }
            ScriptedEvent::Silence(..) if self.engine.is_none() => Some("no agent answers".into()),
            ScriptedEvent::KillAgent(_) if self.engine.is_none() => Some("it does not run".into()),
            ScriptedEvent::LoseConnection(_) if self.is_unobservable => Some("none can be seen".into()),
            _ => None,
        }
    }

    fn play_service(&mut self, name: &ServiceName, event: &ServiceEvent) {
        let key = name.as_str();
        match event {
            ServiceEvent::Kill => self.kill(key),
            ServiceEvent::Exit(code) => self.die(key, Cause::Exited { code: *code }),
            ServiceEvent::Hang => self.hang(key),
            ServiceEvent::Fail(status) => self.change(key, |actor| actor.behave(Behaviour::Wrongly(*status))),
            ServiceEvent::Answer => self.unhang(key),
            ServiceEvent::Fix => self.change(key, |actor| actor.start = Start::Well),
            ServiceEvent::Starts(start) => self.change(key, |actor| actor.start = *start),
            ServiceEvent::Stop => self.stop(key),
            ServiceEvent::Start => self.start(key),
            ServiceEvent::Operator(request) => self.ask(key, request.clone()),
            ServiceEvent::Acknowledge => {
                if let (Some(incident), Some(engine)) = (self.incident(name), &mut self.engine) {
                    // Whether it is open was asked before; the rest is short enough.
                    let _ = engine.acknowledge(self.now, incident, OPERATOR.to_owned(), String::new());
                }
            }
        }
    }

    fn silence(&mut self, name: Option<&ServiceName>, span: Duration) {
        let matches = Match {
            services: vec![name.map_or("*", ServiceName::as_str).to_owned()],
            ..Match::default()
        };
        let Some(engine) = &mut self.engine else { return };
        if let Err(error) = engine.add_silence(self.now, matches, span, OPERATOR.to_owned(), String::new()) {
            self.say(AGENT, "refused", error.to_string());
        }
    }

    /// The open incident of a service, as the agent knows it.
    fn incident(&self, name: &ServiceName) -> Option<IncidentId> {
        let snapshot = self.snapshots();
        snapshot.iter().find(|service| service.name == *name)?.incident
    }

    /// The agent hears that the host goes down; then everything ends, and nothing of it is left but what was saved.
    fn reboot(&mut self, span: Duration) {
        self.hear(Event::HostShutdownChanged { going_down: true });
        self.carry_out();
        self.engine = None;
        self.is_off = true;
        self.is_unobservable = false;
        for actor in self.actors.values_mut() {
            actor.shut_down();
        }
        self.scheduled = Schedule::default();
        self.later(span, ScheduledEvent::HostBoots);
    }

    /// Everything starts at once, and the agent a moment later.
    pub(crate) fn boot(&mut self) {
        self.is_off = false;
        self.booted_at = self.now;
        self.say(HOST, "booted", "the host has booted; everything is started");
        for name in self.actors.keys().cloned().collect::<Vec<_>>() {
            if let Some(actor) = self.actors.get_mut(&name) {
                actor.begin_row();
            }
            self.begin_run(&name, StartedBy::Unknown);
        }
        self.later(AGENT_AFTER_BOOT, ScheduledEvent::AgentStarts);
    }

    /// What the driver does when it wakes up: what is due comes first, and only then it sees how long it slept.
    fn suspend(&mut self, span: Duration) {
        self.sleep(span);
        self.say(HOST, "resumed", "the host is awake again");
        if let Some(engine) = &mut self.engine {
            engine.handle_timeout(self.now);
            self.carry_out();
        }
        if span > STANDSTILL {
            self.hear(Event::HostResumed);
        }
    }
}
