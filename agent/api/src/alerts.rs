//! Silences and acknowledgements.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sentinel_engine::Severity;
use serde::{Deserialize, Serialize};

/// The body of `POST /v1/silences`. At least one of services, severities and labels must be there; each that is must fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SilenceBody {
    /// Names of services, or patterns.
    #[serde(default)]
    pub services: Vec<String>,
    /// Severities, each exactly.
    #[serde(default)]
    pub severities: Vec<Severity>,
    /// Labels with values or patterns of values.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// For how long.
    pub duration_seconds: u64,
    /// Why; one line.
    pub comment: String,
}

/// `GET /v1/silences`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SilencesResponse {
    /// Those in force, oldest first.
    pub silences: Vec<SilenceEntry>,
}

/// One silence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SilenceEntry {
    /// Its number.
    pub id: u64,
    /// Names of services, or patterns; empty for all.
    pub services: Vec<String>,
    /// Severities; empty for all.
    pub severities: Vec<Severity>,
    /// Labels with values or patterns of values.
    pub labels: BTreeMap<String, String>,
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub comment: String,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// The body of `POST /v1/incidents/ID/ack`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AckBody {
    /// What is being done about it; one line, or nothing.
    #[serde(default)]
    pub text: String,
}

/// The answer to an acknowledgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AckResponse {
    /// The incident.
    pub incident: u64,
    /// Its service.
    pub service: String,
    /// Who acknowledged it, as the kernel says.
    pub by: String,
}
