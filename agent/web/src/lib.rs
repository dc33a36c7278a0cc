//! What the agent shows over HTTP: `GET /metrics`, for Prometheus.
//!
//! | file | what |
//! | --- | --- |
//! | `listener` | opens the address, and bounds who may connect, for how long, and with what |
//! | `access` | who is answered: the name of the host that was asked for, and the token |
//! | `routes` | what is answered |
//! | `metrics` | the metrics: a table of all of them, and both formats of Prometheus |
//!
//! Where `[agent] listen` is off none of it is built: the application makes no [`Web`], and gives the driver no
//! [`Counters`](sentinel_driver::counters::Counters), so that nothing is counted either.

mod access;
mod listener;
mod metrics;
mod routes;

use jiff::Timestamp;
use sentinel_api::WebStatus;
use sentinel_config::{Listen, Secret};
use sentinel_driver::control::ControlHandle;
use tokio::sync::watch;

pub use listener::ListenError;

/// How reading the configuration again went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastReload {
    /// Whether the last one was applied.
    pub is_successful: bool,
    /// When the configuration in force was read.
    pub applied: Timestamp,
}

/// What is shown, and where.
#[derive(Debug)]
pub struct Web {
    /// Where to listen.
    pub listen: Listen,
    /// The host's name, which clients that have a token may ask for.
    pub host: String,
    /// What clients have to send, as it is in force.
    pub token: watch::Receiver<Option<Secret>>,
    /// The way to the driver.
    pub driver: ControlHandle,
    /// The last reload.
    pub reload: watch::Receiver<LastReload>,
    /// The agent's version.
    pub version: &'static str,
    /// When the agent started.
    pub since: Timestamp,
    /// Says whether it listens.
    pub status: watch::Sender<Option<WebStatus>>,
}
