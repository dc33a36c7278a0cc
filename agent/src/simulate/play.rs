//! What the script does to the simulated host.

use std::time::Duration;

use sentinel_engine::alerting::Match;
use sentinel_engine::{Cause, Event, HOST, IncidentId, ServiceName, StartedBy};

use super::actor::Behaviour;
use super::scenario::Start;
use super::scripted_event::{ScriptedEvent, ServiceEvent};
use super::story::Who;
use super::world::{AGENT, ScheduledEvent, World};
use crate::driver::STANDSTILL;

/// From the host's boot until the agent runs.
const AGENT_AFTER_BOOT: Duration = Duration::from_secs(2);

/// Who silences and acknowledges.
const OPERATOR: &str = "operator";

impl World<'_> {
    /// Carries out an entry of the script.
    pub(super) fn play(&mut self, event: &ScriptedEvent) {
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
        self.story.tell(self.now, Who::Script, about, event.word(), text);
        if obstacle.is_some() {
            return;
        }
        match event {
            ScriptedEvent::Service(name, event) => self.play_service(name, event),
            ScriptedEvent::Silence(name, span) => self.silence(name.as_ref(), *span),
            ScriptedEvent::LoseConnection(span) => {
                self.is_unobservable = true;
                self.look_at_all();
                self.later(*span, ScheduledEvent::SeeAgain);
            }
            ScriptedEvent::KillAgent(span) => {
                self.engine = None;
                // Answers on their way to it are lost; what it asked for is carried out all the same.
                self.scheduled
                    .retain(|_, scheduled| !matches!(scheduled, ScheduledEvent::Tell(_) | ScheduledEvent::Look(_)));
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
                let runs = self.actors.get(name)?.runs();
                match event {
                    ServiceEvent::Kill | ServiceEvent::Exit(_) | ServiceEvent::Hang | ServiceEvent::Fail(_)
                        if !runs =>
                    {
                        Some("it does not run".into())
                    }
                    ServiceEvent::Start if runs => Some("it runs".into()),
                    ServiceEvent::Ask(request) => match &self.engine {
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
        let Some(actor) = self.actors.get_mut(name) else { return };
        match event {
            ServiceEvent::Kill => self.end_run(
                name,
                Cause::Killed {
                    signal: 9,
                    core_dumped: false,
                },
            ),
            ServiceEvent::Exit(code) => self.end_run(name, Cause::Exited { code: *code }),
            ServiceEvent::Hang => actor.behave(Behaviour::Silent),
            ServiceEvent::Fail(status) => actor.behave(Behaviour::Wrongly(*status)),
            ServiceEvent::Answer => actor.behave(Behaviour::Well),
            ServiceEvent::Mend => actor.model.start = Start::Well,
            ServiceEvent::Starts(start) => actor.model.start = *start,
            ServiceEvent::Stop => {
                actor.stop();
                self.look(name);
            }
            ServiceEvent::Start => {
                actor.begin_row();
                self.begin_run(name, StartedBy::Somebody);
            }
            ServiceEvent::Acknowledge => {
                if let (Some(incident), Some(engine)) = (self.incident(name), &mut self.engine) {
                    // Whether it is open was asked before; the rest is short enough.
                    let _ = engine.acknowledge(self.now, incident, OPERATOR.to_owned(), String::new());
                }
            }
            ServiceEvent::Ask(request) => self.tell(Event::OperatorRequested {
                service: name.clone(),
                request: request.clone(),
            }),
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
        let snapshot = self.snapshot();
        snapshot.iter().find(|service| service.name == *name)?.incident
    }

    /// The agent hears that the host goes down; then everything ends, and nothing of it is left but what was saved.
    fn reboot(&mut self, span: Duration) {
        self.tell(Event::HostShutdownChanged { going_down: true });
        self.carry_out();
        self.engine = None;
        self.is_off = true;
        self.is_unobservable = false;
        for actor in self.actors.values_mut() {
            actor.shut_down();
        }
        self.scheduled
            .retain(|_, scheduled| matches!(scheduled, ScheduledEvent::Script(_)));
        self.later(span, ScheduledEvent::HostBoots);
    }

    /// Everything starts at once, and the agent a moment later.
    pub(super) fn boot(&mut self) {
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
            self.tell(Event::HostResumed);
        }
    }
}
