//! What the Engine answers, as far as it is read here, and as leniently as that goes.
//!
//! Other versions, and other engines that speak this API, know words and kinds of events that this version does not. A
//! value that makes no sense counts as not there, so that one of them never costs the sight of everything else. Words stay
//! text for the same reason: enumerations that are closed, as those of the generated models are, refuse a whole answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::facts::clip;

/// `GET /version`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Version {
    #[serde(deserialize_with = "lenient")]
    pub(super) api_version: Option<String>,
    #[serde(deserialize_with = "each")]
    pub(super) components: Vec<Component>,
}

/// A part of the Engine.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Component {
    #[serde(deserialize_with = "lenient")]
    pub(super) name: Option<String>,
}

/// One of `GET /containers/json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Listed {
    #[serde(deserialize_with = "lenient")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "each")]
    pub(super) names: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: HashMap<String, String>,
    #[serde(deserialize_with = "each")]
    pub ports: Vec<Port>,
    #[serde(deserialize_with = "or_default")]
    pub(super) state: String,
    /// For operators: `Exited (0) 3 minutes ago`.
    #[serde(deserialize_with = "or_default")]
    pub(super) status: String,
}

/// A port of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Port {
    #[serde(rename = "IP", deserialize_with = "lenient")]
    pub(super) ip: Option<String>,
    #[serde(rename = "PrivatePort", deserialize_with = "or_default")]
    pub(super) inside: u16,
    #[serde(rename = "PublicPort", deserialize_with = "lenient")]
    pub(super) outside: Option<u16>,
    #[serde(rename = "Type", deserialize_with = "or_default")]
    pub(super) protocol: String,
}

/// `GET /containers/ID/json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Inspected {
    #[serde(deserialize_with = "or_default")]
    pub(super) id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) created: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) restart_count: i64,
    #[serde(deserialize_with = "or_default")]
    pub(super) state: State,
    #[serde(deserialize_with = "or_default")]
    pub(super) host_config: HostConfig,
    #[serde(deserialize_with = "or_default")]
    pub(super) config: Config,
}

/// `State`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct State {
    #[serde(deserialize_with = "or_default")]
    pub(super) status: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) running: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) paused: bool,
    #[serde(rename = "OOMKilled", deserialize_with = "or_default")]
    pub(super) oom_killed: bool,
    #[serde(deserialize_with = "lenient")]
    pub(super) exit_code: Option<i32>,
    #[serde(deserialize_with = "or_default")]
    pub(super) error: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) started_at: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) finished_at: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) health: Option<Health>,
}

/// `State.Health`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Health {
    #[serde(deserialize_with = "or_default")]
    pub(super) status: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) failing_streak: Option<usize>,
    /// The last checks, oldest first.
    #[serde(deserialize_with = "each")]
    pub(super) log: Vec<Check>,
}

/// One run of a health check.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Check {
    #[serde(deserialize_with = "or_default")]
    pub(super) exit_code: i32,
    #[serde(deserialize_with = "or_default")]
    pub(super) output: String,
}

/// `HostConfig`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct HostConfig {
    #[serde(deserialize_with = "or_default")]
    pub(super) network_mode: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) restart_policy: RestartPolicy,
    #[serde(deserialize_with = "or_default")]
    pub(super) auto_remove: bool,
    /// Ports to publish at each start, as `8000/tcp`.
    #[serde(deserialize_with = "or_default")]
    pub(super) port_bindings: HashMap<String, Value>,
}

/// Where a port is to be published.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Binding {
    #[serde(deserialize_with = "or_default")]
    pub(super) host_ip: String,
    /// Empty, or a range, where Docker chooses one.
    #[serde(deserialize_with = "or_default")]
    pub(super) host_port: String,
}

impl HostConfig {
    /// TCP ports to publish, and where.
    pub(super) fn bindings(&self) -> impl Iterator<Item = (u16, Vec<Binding>)> {
        self.port_bindings.iter().filter_map(|(port, at)| {
            let port = port.strip_suffix("/tcp").unwrap_or(port).parse().ok()?;
            let at = at.as_array().into_iter().flatten();
            Some((port, at.filter_map(|at| Binding::deserialize(at).ok()).collect()))
        })
    }
}

/// `HostConfig.RestartPolicy`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RestartPolicy {
    #[serde(deserialize_with = "or_default")]
    pub(super) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) maximum_retry_count: i64,
}

/// `Config`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Config {
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: HashMap<String, String>,
    /// In seconds; below zero it has no end.
    #[serde(deserialize_with = "lenient")]
    pub(super) stop_timeout: Option<i64>,
    /// A name; of podman also a number.
    #[serde(deserialize_with = "or_default")]
    pub(super) stop_signal: Value,
    #[serde(deserialize_with = "or_default")]
    pub(super) healthcheck: Healthcheck,
}

/// `Config.Healthcheck`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Healthcheck {
    #[serde(deserialize_with = "each")]
    pub(super) test: Vec<String>,
    /// In nanoseconds; 0 is the default.
    #[serde(deserialize_with = "or_default")]
    pub(super) interval: i64,
    #[serde(deserialize_with = "or_default")]
    pub(super) timeout: i64,
    #[serde(deserialize_with = "or_default")]
    pub(super) start_period: i64,
    #[serde(deserialize_with = "or_default")]
    pub(super) retries: i64,
}

/// One of `GET /events`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EventMessage {
    #[serde(rename = "Type", deserialize_with = "or_default")]
    pub(super) typ: String,
    #[serde(rename = "Action", deserialize_with = "or_default")]
    pub(super) action: String,
    #[serde(rename = "Actor", deserialize_with = "or_default")]
    pub(super) actor: Actor,
    #[serde(rename = "timeNano", deserialize_with = "lenient")]
    pub(super) time_nano: Option<i64>,
}

/// What an event is about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Actor {
    #[serde(rename = "ID", deserialize_with = "or_default")]
    pub(super) id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) attributes: HashMap<String, String>,
}

/// Words kept count of. There is a handful in any version; more are somebody's mischief.
const WORDS_MAX: usize = 64;

/// Takes note of a word that this version does not know. What goes without it goes on, so the first of each is all that is
/// logged; how often it came is counted, for whoever debugs.
pub(super) fn unknown(kind: &'static str, word: &str) {
    static SEEN: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = seen.len();
    let key = format!("{kind} {}", clip(word));
    match seen.get_mut(&key) {
        Some(count) => {
            *count += 1;
            tracing::debug!(kind, word = clip(word), count, "skipped a word of the container engine");
        }
        None if known < WORDS_MAX => {
            seen.insert(key, 1);
            tracing::info!(
                kind,
                word = clip(word),
                "the container engine uses a word that this version does not know"
            );
        }
        None => {}
    }
}

fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(T::deserialize(value).ok())
}

fn or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    lenient(deserializer).map(Option::unwrap_or_default)
}

fn each<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let values: Vec<Value> = or_default(deserializer)?;
    Ok(values
        .into_iter()
        .filter_map(|value| T::deserialize(value).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_that_makes_no_sense_costs_nothing_else() {
        let text = r#"{ "Id": "a", "Name": 7, "RestartCount": "many", "State": { "Status": "improper", "ExitCode": null,
            "Health": { "Status": "maybe", "Log": null } }, "HostConfig": null, "Config": { "StopSignal": 15, "Labels": null } }"#;
        let inspected: Inspected = serde_json::from_str(text).unwrap();
        assert_eq!((inspected.id.as_str(), inspected.name.as_str()), ("a", ""));
        assert_eq!(inspected.state.status, "improper");
        assert_eq!(inspected.config.stop_signal, Value::from(15));
        let listed: Vec<Listed> = serde_json::from_str(
            r#"[{ "Id": "a", "State": "improper", "Ports": [7, { "PrivatePort": 80, "Type": "quic" }] }]"#,
        )
        .unwrap();
        assert_eq!(listed[0].ports.len(), 1);
        let event: EventMessage =
            serde_json::from_str(r#"{ "Type": "system", "Action": "refresh", "Actor": null }"#).unwrap();
        assert_eq!((event.typ.as_str(), event.actor.id.as_str()), ("system", ""));
    }
}
