//! Who is notified in a life: one receiver of everything, or several with routes, repeats and escalations, and operators who
//! silence and acknowledge.

use std::collections::BTreeMap;

use std::time::Duration;

use sentinel_engine::alerting::{Escalation, Match, Route, Rules};
use sentinel_engine::{Reload, ServiceName, Severity};
use sentinel_simulation::everything_to;

use super::host::{ScheduledEvent, Sim};
use super::rng::Rng;
use super::setup::NAMES;
use super::tape::Entry;

/// Its randomness is its own, so that what goes wrong on the host is the same whoever is notified.
const STREAM: u64 = 0x00a1_e275;

const RECEIVERS: [&str; 4] = ["boss", "chat", "data", "pager"];

/// The rules a life begins with, and the randomness of those that follow.
pub fn begin(seed: u64) -> (Rules, Rng) {
    let mut rng = Rng::new(seed ^ STREAM);
    let rules = if rng.permille(500) {
        // Nothing is repeated: what the engine says is what arrives.
        everything_to("chat")
    } else {
        several(&mut rng)
    };
    (rules, rng)
}

/// Some of the receivers, and rules that use everything there is.
fn several(rng: &mut Rng) -> Rules {
    let there: Vec<&str> = RECEIVERS.into_iter().filter(|_| rng.permille(850)).collect();
    let known = |names: &[&str]| {
        let names = names.iter().filter(|name| there.contains(name));
        names.map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    let of = |services: &[&str], severities: &[Severity]| Match {
        services: services.iter().map(|name| (*name).to_owned()).collect(),
        severities: severities.to_vec(),
        ..Match::default()
    };
    let route = |matches, names: &[&str], go_on| Route {
        matches,
        receivers: known(names),
        go_on,
    };
    let second = rng.pick(&NAMES);
    let third = rng.pick(&NAMES);
    Rules {
        routes: vec![
            route(of(&[], &[Severity::Critical]), &["pager"], true),
            route(of(&[second], &[]), &["data"], false),
            route(of(&[third], &[]), &[], false),
        ],
        default: known(&["chat"]),
        group_wait: Duration::from_secs(rng.pick(&[0, 10])),
        repeat_interval: [None, Some(600), Some(3600)][usize::try_from(rng.below(3)).unwrap_or(0)]
            .map(Duration::from_secs),
        escalations: vec![
            Escalation {
                matches: Match::default(),
                after: Duration::from_secs(rng.pick(&[60, 900])),
                receivers: known(&["boss", "chat"]),
            },
            Escalation {
                matches: of(&[third], &[]),
                after: Duration::from_secs(1800),
                receivers: known(&["pager"]),
            },
        ],
        receivers: known(&RECEIVERS).into_iter().collect(),
    }
}

impl Sim {
    /// Whether receivers are chosen, and not all one.
    fn chooses(&self) -> bool {
        !self.rules.routes.is_empty()
    }

    /// An operator does something about messages, now and then.
    pub fn next_operator(&mut self) {
        if !self.stormy() || !self.chooses() {
            return;
        }
        let gap = self.audience.millis(1, 600_000) * self.weather.pace;
        self.later(gap, ScheduledEvent::Operator);
        match self.audience.below(8) {
            0..3 => self.silence(),
            3 => self.expire(),
            4..7 => self.acknowledge(),
            _ => self.other_rules(),
        }
    }

    fn silence(&mut self) {
        let service: Option<ServiceName> = self.audience.permille(700).then(|| self.audience.pick(&NAMES).into());
        let span = self.audience.millis(1_000, 1_800_000);
        let matches = Match {
            services: vec![service.as_ref().map_or("*", ServiceName::as_str).to_owned()],
            ..Match::default()
        };
        let (now, by) = (self.now, "alice".to_owned());
        let Some(agent) = &mut self.agent else { return };
        // There may be too many.
        let Ok(added) = agent.engine.add_silence(now, matches, span, by, String::new()) else {
            return;
        };
        let entry = Entry::Silenced {
            id: added.id,
            service,
            until: added.until,
        };
        self.tape.push(now, entry);
        self.heed();
    }

    fn expire(&mut self) {
        let now = self.now;
        let Some(agent) = &mut self.agent else { return };
        let Some(id) = agent.engine.silences().next().map(|silence| silence.id) else {
            return;
        };
        self.tape.push(now, Entry::Expired(id));
        agent
            .engine
            .expire_silence(now, id, "bob".to_owned())
            .expect("it is in force");
        self.heed();
    }

    fn acknowledge(&mut self) {
        let now = self.now;
        let Some(agent) = &mut self.agent else { return };
        let open = agent
            .engine
            .snapshot(now)
            .into_iter()
            .filter_map(|service| service.incident);
        let open: Vec<_> = open.collect();
        if open.is_empty() {
            return;
        }
        let incident = self.audience.pick(&open);
        agent
            .engine
            .acknowledge(now, incident, "alice".to_owned(), String::new())
            .expect("it is open");
        self.tape.push(now, Entry::Acknowledged(incident));
        self.heed();
    }

    /// The configuration names other receivers.
    fn other_rules(&mut self) {
        self.rules = several(&mut self.audience);
        let (now, rules) = (self.now, self.rules.clone());
        if self.agent.is_none() {
            return;
        }
        self.tape.push(now, Entry::RulesChanged(Box::new(rules.clone())));
        // A reload is one of everything, whatever has changed.
        self.tape.push(
            now,
            Entry::Reloaded(self.policy.clone(), self.services.clone(), BTreeMap::new()),
        );
        let reload = Reload {
            rules: Some(rules),
            ..Reload::default()
        };
        if let Some(agent) = &mut self.agent {
            agent.engine.reload(now, reload);
        }
        self.heed();
    }

    /// What the engine says to that.
    fn heed(&mut self) {
        self.poll();
        self.carry_out();
        self.turn();
    }
}
