//! A scenario as it is written. Every value has been checked against the table of keys, so reading cannot fail.

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_config::parse_duration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A duration, written as `"10s"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).map(Self).map_err(D::Error::custom)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ScenarioInput {
    pub(super) about: String,
    pub(super) duration: Option<Span>,
    pub(super) services: BTreeMap<String, ServiceInput>,
    pub(super) events: Vec<EventInput>,
    pub(super) expect: ExpectInput,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ServiceInput {
    pub(super) after: Vec<String>,
    pub(super) starts: StartsInput,
    pub(super) supervisor: Option<SupervisorInput>,
    pub(super) probes: Option<bool>,
    pub(super) target: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StartsInput {
    pub(super) how: Option<String>,
    pub(super) slowly: Option<Span>,
    pub(super) dies_after: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SupervisorInput {
    pub(super) restarts: Option<u32>,
    pub(super) delay: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EventInput {
    pub(super) at: Option<Span>,
    pub(super) every: Option<Span>,
    pub(super) times: Option<u32>,
    pub(super) kill: Option<Vec<String>>,
    pub(super) exit: Option<ExitInput>,
    pub(super) hang: Option<Vec<String>>,
    pub(super) fail: Option<FailInput>,
    pub(super) answer: Option<Vec<String>>,
    pub(super) fix: Option<Vec<String>>,
    pub(super) starts: Option<ServiceStartsInput>,
    pub(super) stop: Option<Vec<String>>,
    pub(super) start: Option<Vec<String>>,
    pub(super) restart: Option<Vec<String>>,
    pub(super) pause: Option<PauseInput>,
    pub(super) resume: Option<Vec<String>>,
    pub(super) silence: Option<SilenceInput>,
    pub(super) acknowledge: Option<Vec<String>>,
    pub(super) lose_connection: Option<Span>,
    pub(super) kill_agent: Option<Span>,
    pub(super) reboot: Option<Span>,
    pub(super) suspend: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ExitInput {
    pub(super) service: Option<String>,
    pub(super) code: Option<i32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FailInput {
    pub(super) service: Option<String>,
    pub(super) status: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServiceStartsInput {
    pub(super) service: Option<String>,
    #[serde(flatten)]
    pub(super) starts: StartsInput,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PauseInput {
    pub(super) service: Option<String>,
    #[serde(rename = "for")]
    pub(super) duration: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SilenceInput {
    pub(super) service: Option<String>,
    #[serde(rename = "for")]
    pub(super) duration: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ExpectInput {
    pub(super) max_restarts: Option<usize>,
    pub(super) max_messages: Option<usize>,
    pub(super) max_downtime: Option<Span>,
    pub(super) end: BTreeMap<String, String>,
}
