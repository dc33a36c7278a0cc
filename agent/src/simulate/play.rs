//! What the script does to the simulated host.

use std::time::Duration;

use sentinel_engine::{Cause, Event, HOST, ServiceName, StartedBy};

use super::actor::Manner;
use super::deed::{Deed, ServiceDeed};
use super::scenario::Start;
use super::story::Who;
use super::world::{AGENT, Future, World};
use crate::driver::STANDSTILL;

/// From the host's boot until the agent runs.
const AGENT_AFTER_BOOT: Duration = Duration::from_secs(2);

impl World<'_> {
    /// Carries out an entry of the script.
    pub(super) fn play(&mut self, deed: &Deed) {
        let about = match deed {
            Deed::Service(name, _) => name.clone(),
            Deed::LoseSight(_) | Deed::KillAgent(_) => AGENT.into(),
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
                    _ => None,
                }
            }
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
            ServiceDeed::Ask(request) => self.tell(Event::OperatorRequested {
                service: name.clone(),
                request: request.clone(),
            }),
        }
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
