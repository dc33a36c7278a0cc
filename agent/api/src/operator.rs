//! What operators ask, and the answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest pause or deploy with an end: 366 days, as for a silence. What shall rest for longer is paused until resumed, or
/// taken out of the configuration.
pub const PAUSE_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The body of `POST /v1/services/NAME/pause`; may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseBody {
    /// For how long; until resumed when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u64>,
}

/// The body of `POST /v1/services/NAME/deploy` and of `.../deployed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployBody {
    /// Which deploy, chosen by whoever deploys.
    pub id: u64,
    /// How long to wait for its end at most; only for `deploy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u64>,
}

/// The answer to an operator's request: the engine has it. What comes of it is in the status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorResponse {
    /// The service.
    pub service: String,
    /// `restart`, `pause`, `resume`, `deploy` or `deployed`.
    pub request: String,
}

/// The answer to a reload that was applied: how many services that changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReloadResponse {
    /// New ones.
    pub added: usize,
    /// Those that are no longer configured.
    pub removed: usize,
    /// Those that are configured otherwise.
    pub changed: usize,
    /// Those that were not disturbed.
    pub unchanged: usize,
    /// What is probably not meant.
    pub warnings: Vec<String>,
}

/// Every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorResponse {
    /// For operators.
    pub error: String,
}
