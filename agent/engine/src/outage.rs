//! What an incident was for those who use the service: how long it was down, and on whose account it is back.

use std::time::Duration;

use sentinel_text::span;
use serde::{Deserialize, Serialize};

/// What is known of an outage at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outage {
    /// How long it was down: from the first failure seen to the first answer of the run that was then proved; without probes
    /// until that ran. `None` when it was never seen to fail.
    pub down: Option<Duration>,
    /// From the first failure seen to the proof. `None` also when it is over for another reason than that it is well.
    pub proved: Option<Duration>,
    /// Who began the run that it ended with.
    pub started_by: Starter,
}

impl Outage {
    /// How long it lasted, in words: `down 0.2s, proved after 20 s`. `None` when it was never seen to fail.
    pub fn lasted(&self) -> Option<String> {
        let down = span(self.down?);
        Some(match self.proved.map(span) {
            Some(proved) if proved != down => format!("down {down}, proved after {proved}"),
            _ => format!("down {down}"),
        })
    }
}

/// Who began the run with which an incident ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Starter {
    /// That is not known.
    #[default]
    Unknown,
    /// Nothing began one: it is the run in which the incident opened.
    #[serde(alias = "nobody")]
    SameRun,
    /// The agent.
    Agent,
    /// The agent, which an operator had asked to.
    Operator,
    /// Its supervisor.
    Supervisor,
    /// What it depends on, or is part of, was started.
    Dependency,
    /// A socket, a timer or a path that triggers it.
    Trigger,
    /// Something else: an operator, or a program on behalf of one.
    Other,
}

impl Starter {
    /// The word used in payloads. A closed set; `None` when it is not known.
    pub const fn as_str(self) -> Option<&'static str> {
        Some(match self {
            Self::Unknown => return None,
            Self::SameRun => "same_run",
            Self::Agent => "agent",
            Self::Operator => "operator",
            Self::Supervisor => "supervisor",
            Self::Dependency => "dependency",
            Self::Trigger => "trigger",
            Self::Other => "other",
        })
    }
}
