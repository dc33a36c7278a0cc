//! What the script does to the simulated host.

use std::time::Duration;

use sentinel_engine::alerting::Match;
use sentinel_engine::{Cause, Event, HOST, IncidentId, ServiceName, StartedBy};

use super::actor::Manner;
use super::deed::{Deed, ServiceDeed};
use super::scenario::Start;
use super::story::Who;
use super::world::{AGENT, Future, World};
use crate::driver::STANDSTILL;

/// From the host's boot until the agent runs.
const AGENT_AFTER_BOOT: Duration = Duration::from_secs(2);

/// Who silences and acknowledges.
const OPERATOR: &str = "operator";

impl World<'_> {
    /// Carries out an entry of the script.
    pub(super) fn play(&mut self, deed: &Deed) {
        let about = match deed {
            Deed::Service(name, _) | Deed::Silence(Some(name), _) => name.clone(),
            Deed::Silence(None, _) | Deed::LoseSight(_) | Deed::KillAgent(_) => AGENT.into(),
            Deed::Reboot(_) | Deed::Suspend(_) => HOST.into(),
        };
        let obstacle = self.obstacle(deed);
        let text = match &obstacle {
            Some(why) => format!("{deed}: in vain, {why}"),
            None => deed.to_string(),
        };
        self.story.tell(self.now, Who::Script, about, deed.word(), text);
        if obstacle.is_some() {
            return;
        }
        match deed {
            Deed::Service(name, deed) => self.play_service(name, deed),
            Deed::Silence(name, span) => self.silence(name.as_ref(), *span),
            Deed::LoseSight(span) => {
                self.is_blind = true;
                self.look_at_all();
                self.later(*span, Future::SeeAgain);
            }
            Deed::KillAgent(span) => {
                self.engine = None;
                // Answers on their way to it are lost; what it asked for is carried out all the same.
                self.future
                    .retain(|_, future| !matches!(future, Future::Tell(_) | Future::Look(_)));
                self.later(*span, Future::AgentStarts);
            }
            Deed::Reboot(span) => self.reboot(*span),
            Deed::Suspend(span) => self.suspend(*span),
        }
    }

    /// Why it has no effect.
    fn obstacle(&self, deed: &Deed) -> Option<String> {
        if self.is_off {
            return Some("the host is off".into());
        }
        match deed {
            Deed::Service(name, deed) => {
                let runs = self.actors.get(name)?.runs();
                match deed {
                    ServiceDeed::Kill | ServiceDeed::Exit(_) | ServiceDeed::Hang | ServiceDeed::Fail(_) if !runs => {
                        Some("it does not run".into())
                    }
                    ServiceDeed::Start if runs => Some("it runs".into()),
                    ServiceDeed::Ask(request) => match &self.engine {
                        None => Some("no agent answers".into()),
                        Some(engine) => engine
                            .check_request(name.as_str(), request)
                            .err()
                            .map(|error| error.to_string()),
                    },
                    ServiceDeed::Acknowledge => match (&self.engine, self.incident(name)) {
                        (None, _) => Some("no agent answers".into()),
                        (Some(_), None) => Some("it has no open incident".into()),
                        (Some(_), Some(_)) => None,
                    },
                    _ => None,
                }
            }
            Deed::Silence(..) if self.engine.is_none() => Some("no agent answers".into()),
            Deed::KillAgent(_) if self.engine.is_none() => Some("it does not run".into()),
            Deed::LoseSight(_) if self.is_blind => Some("none can be seen".into()),
            _ => None,
        }
    }

    fn play_service(&mut self, name: &ServiceName, deed: &ServiceDeed) {
        let Some(actor) = self.actors.get_mut(name) else { return };
        match deed {
            ServiceDeed::Kill => self.end_run(
                name,
                Cause::Killed {
                    signal: 9,
                    core_dumped: false,
                },
            ),
            ServiceDeed::Exit(code) => self.end_run(name, Cause::Exited { code: *code }),
            ServiceDeed::Hang => actor.behave(Manner::Silent),
            ServiceDeed::Fail(status) => actor.behave(Manner::Wrongly(*status)),
            ServiceDeed::Answer => actor.behave(Manner::Well),
            ServiceDeed::Mend => actor.toy.start = Start::Well,
            ServiceDeed::Starts(start) => actor.toy.start = *start,
            ServiceDeed::Stop => {
                actor.stop();
                self.look(name);
            }
            ServiceDeed::Start => {
                actor.begin_row();
                self.begin_run(name, StartedBy::Somebody);
            }
            ServiceDeed::Acknowledge => {
                if let (Some(incident), Some(engine)) = (self.incident(name), &mut self.engine) {
                    // Whether it is open was asked before; the rest is short enough.
                    let _ = engine.acknowledge(self.now, incident, OPERATOR.to_owned(), String::new());
                }
            }
            ServiceDeed::Ask(request) => self.tell(Event::OperatorRequested {
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
        self.is_blind = false;
        for actor in self.actors.values_mut() {
            actor.shut_down();
        }
        self.future.retain(|_, future| matches!(future, Future::Script(_)));
        self.later(span, Future::HostBoots);
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
        self.later(AGENT_AFTER_BOOT, Future::AgentStarts);
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
