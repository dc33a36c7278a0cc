//! Which of what runs is worth a service, and what is said of it. Pure.

mod draft;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use sentinel_docker::RunningContainer;
use sentinel_systemd::RunningUnit;

use self::draft::Draft;
use super::ask::Answer;
use super::configured::Configured;
use super::listeners::Ports;

/// What was found on this host.
#[derive(Clone, Debug, Default)]
pub(super) struct Inventory {
    pub(super) units: Vec<(RunningUnit, Ports)>,
    pub(super) containers: Vec<RunningContainer>,
    /// What could not be seen.
    pub(super) notes: Vec<String>,
}

impl Inventory {
    pub(super) fn note_omitted(&mut self, omitted: usize, what: &str) {
        if omitted > 0 {
            self.notes.push(format!("{omitted} more {what} were not looked at"));
        }
    }
}

/// What runs a service: key and value of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runs {
    /// `unit = "..."`.
    Unit(String),
    /// `container = "..."`.
    Container(String),
    /// `compose = "PROJECT/SERVICE"`.
    Compose(String),
}

impl Runs {
    /// Key and value.
    pub fn key(&self) -> (&'static str, &str) {
        match self {
            Self::Unit(name) => ("unit", name),
            Self::Container(name) => ("container", name),
            Self::Compose(name) => ("compose", name),
        }
    }

    fn id(&self) -> String {
        let (key, value) = self.key();
        format!("{key} {value}")
    }
}

/// One service that could be configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// `[services.NAME]`.
    pub name: String,
    /// What runs it.
    pub runs: Runs,
    /// Where it is reached over TCP, the likeliest first.
    pub ports: Vec<SocketAddr>,
    /// The page to ask, when one has answered.
    pub http: Option<String>,
    /// Services that it probably needs.
    pub after: Vec<String>,
    /// Keys that its labels set, and their values as TOML. These are no guess.
    pub keys: BTreeMap<String, String>,
    /// What is not certain, for the operator.
    pub notes: Vec<String>,
}

/// Everything that is proposed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposals {
    /// By name, units first.
    pub services: Vec<Proposal>,
    /// What was left out because it is configured: target and the service's name.
    pub configured: Vec<(String, String)>,
    /// What could not be seen.
    pub notes: Vec<String>,
}

/// Makes proposals from what was found, but for what is configured.
pub(super) fn propose(found: Inventory, known: &Configured) -> Proposals {
    let mut draft = Draft::new(known);
    for (unit, ports) in found.units {
        if unit.is_worth_watching() {
            draft.unit(&unit, &ports, known);
        }
    }
    let mut composed: BTreeSet<String> = BTreeSet::new();
    for container in found.containers {
        let runs = match container.target() {
            ("compose", composed) => Runs::Compose(composed),
            (_, name) => Runs::Container(name),
        };
        // Several containers of one Compose service are one service.
        let is_ours = !container.left_alone && sentinel_config::container(&container.name).is_ok();
        if is_ours && composed.insert(runs.id()) {
            draft.container(&container, runs, known);
        }
    }
    draft.finish(found.notes)
}

impl Proposal {
    /// A label may name a service that is neither configured nor proposed: that would make the whole wrong.
    fn check_after(&mut self, names: &BTreeSet<String>) {
        let Some(text) = self.keys.get("after") else {
            return;
        };
        let table: toml::Table = format!("after = {text}").parse().unwrap_or_default();
        let after = table
            .get("after")
            .and_then(toml::Value::as_array)
            .cloned()
            .unwrap_or_default();
        let unknown = after
            .iter()
            .filter_map(toml::Value::as_str)
            .find(|name| !names.contains(*name) || *name == self.name);
        if let Some(unknown) = unknown {
            let near = sentinel_config::nearest(unknown, names.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            self.notes.push(format!(
                "WRONG, so it was not taken: label `sentinel.after`: there is no service `{unknown}`{near}"
            ));
            self.keys.remove("after");
        }
    }

    /// Takes over what was heard at its ports.
    pub(super) fn heard(&mut self, answers: &[(SocketAddr, Answer)]) {
        let mut best = self.ports.first().copied();
        for (address, answer) in answers {
            match answer {
                Answer::Http(path) if self.http.is_none() => {
                    self.http = Some(format!("http://{address}{path}"));
                    best = Some(*address);
                }
                Answer::HttpStatus(status) => self.notes.push(format!(
                    "It speaks HTTP at {address}, and answers {status} to `/`; `http` with a page of its own would tell more."
                )),
                Answer::Refused => {
                    self.notes.push(format!("Nothing accepts connections at {address}."));
                    self.ports.retain(|port| port != address);
                }
                Answer::Http(_) | Answer::Tcp => {}
            }
        }
        // The one that answered best comes first.
        if let Some(best) = best.filter(|best| self.ports.contains(best)) {
            self.ports.retain(|port| *port != best);
            self.ports.insert(0, best);
        }
    }
}

#[cfg(test)]
mod tests;
