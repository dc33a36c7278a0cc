//! What was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use sentinel_config::discovery::Source;
use sentinel_store::{Inspection, StoreError};
use sentinel_systemd::Survey;

use super::error::FactError;

/// Everything that a judgement rests on.
#[derive(Debug)]
pub struct Facts {
    /// As whom everything was looked at: the agent's user.
    pub user: String,
    /// That user is root, whom systemd and polkit ask nothing.
    pub is_root: bool,
    /// Why root could not look as the agent's user; most is then not known.
    pub not_judged: Option<String>,
    /// The configuration, as that user reads it.
    pub config: ConfigFacts,
    /// The directory of secrets; `None` when there is none.
    pub secrets: Option<SecretsFacts>,
    /// systemd over its bus, and polkit's version.
    pub survey: Result<Survey, FactError>,
    /// polkit's rule.
    pub rule: RuleFacts,
    /// The units that are configured and may not be restarted, with reasons.
    pub denied: Result<BTreeMap<String, String>, FactError>,
    /// The sockets, paths and timers that trigger them and may not be started, each with its unit and a reason.
    pub denied_triggers: Result<BTreeMap<String, (String, String)>, FactError>,
    /// Whether a unit that no operator configured may be restarted.
    pub beyond: Option<bool>,
    /// Whether entries of other units can be read.
    pub journal: Result<bool, FactError>,
    /// Containers.
    pub docker: DockerFacts,
    /// The clocks.
    pub clock: ClockFacts,
    /// The state directory.
    pub store: Result<StoreFacts, FactError>,
    /// The agent that runs.
    pub agent: Result<AgentFacts, FactError>,
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Default)]
pub struct ConfigProblem {
    /// The key; empty when it is about a whole file.
    pub key: String,
    /// A sentence.
    pub text: String,
    /// The file or directory that the agent's user may not read, when that is all.
    pub denied: Option<PathBuf>,
}

/// The configuration.
#[derive(Debug, Default)]
pub struct ConfigFacts {
    /// What is wrong with it.
    pub problems: Vec<ConfigProblem>,
    /// What is probably not meant.
    pub warnings: Vec<String>,
    /// Secrets that nobody but the agent is shown: a sentence each.
    pub unread: Vec<String>,
    /// Every unit that is watched.
    pub units: BTreeSet<String>,
    /// Those that may have to be restarted.
    pub healed: BTreeSet<String>,
    /// How many services there are.
    pub services: usize,
    /// The receivers, by name.
    pub receivers: Vec<String>,
}

/// The directory of secrets.
#[derive(Debug, Default)]
pub struct SecretsFacts {
    /// Its group's name, or the number.
    pub group: String,
    /// Who may enter it: the bits of its mode.
    pub mode: u32,
    /// A file of the operator's that gives it to the group which may control the agent.
    pub own_rule: Option<String>,
}

/// polkit's rule beside the one that the configuration asks for.
#[derive(Debug, Default)]
pub enum RuleFacts {
    /// Only root can look.
    #[default]
    Unseen,
    /// There is none to compare it with, or it cannot be read.
    Unknown(String),
    /// There is none.
    Missing,
    /// Another party made it.
    Foreign,
    /// It is as it should be.
    Same,
    /// It is another.
    Differs {
        /// Units that it lacks.
        lacks: BTreeSet<String>,
        /// Units that it should not grant.
        exceeds: BTreeSet<String>,
    },
}

/// Containers.
#[derive(Debug, Default)]
pub struct DockerFacts {
    /// Services that are containers.
    pub services: usize,
    /// The Engine is asked through its socket, not through a proxy.
    pub is_socket: bool,
    /// That socket is not there.
    pub is_missing: bool,
    /// Whether it answers; `None` when it was not asked, as nothing is to be asked of it.
    pub answer: Option<Result<sentinel_docker::Answers, FactError>>,
    /// The user is in the group of the socket.
    pub in_group: bool,
}

/// The clocks.
#[derive(Debug, Default)]
pub struct ClockFacts {
    /// By how much the wall clock jumped while the doctor looked.
    pub jumped: Duration,
    /// By how much it was set since the agent last wrote its store, in the same boot.
    pub set_since: Option<Duration>,
}

/// The state directory.
#[derive(Debug)]
pub struct StoreFacts {
    /// Where it is.
    pub directory: String,
    /// It is there.
    pub exists: bool,
    /// Its user may make files in it.
    pub writable: bool,
    /// Bytes that are left for its user; `None` when that cannot be known.
    pub free: Option<u64>,
    /// The store in it; `None` when there is none yet.
    pub store: Result<Option<Inspection>, StoreError>,
}

/// What a running agent says.
#[derive(Debug, Default)]
pub struct AgentFacts {
    /// Its version.
    pub version: String,
    /// How many services it watches.
    pub services: usize,
    /// How many of them are configured, be it in unit files; the others are there as they run.
    pub configured: usize,
    /// How many are containers that it found on the host.
    pub containers: usize,
    /// Where it looks for services and cannot see: what, and why.
    pub unseen: Vec<(Source, String)>,
    /// Services that it cannot see.
    pub unobservable: Vec<String>,
    /// Services that it was not able to restart, with reasons.
    pub refused: Vec<(String, String)>,
    /// Where it should serve metrics and does not: the address, and why.
    pub not_served: Option<(String, String)>,
}
