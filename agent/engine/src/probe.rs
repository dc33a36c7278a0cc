//! What a probe found.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The result of one round of a service's probes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeOutcome {
    /// Passed, failed or not asked.
    pub verdict: Verdict,
    /// The HTTP status, when an answer came.
    pub status_code: Option<u16>,
    /// Time from the start of the round to its verdict.
    pub latency: Duration,
}

/// What a round of probes says of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Every probe passed.
    Passed,
    /// A probe failed: the service's fault, as far as can be told.
    Failed(ProbeFailure),
    /// The agent itself could not ask (no file descriptor, say). Says nothing of the service, and counts for nothing.
    Skipped(String),
}

/// Why a probe failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeFailure {
    /// How far the probe came.
    pub phase: ProbePhase,
    /// What happened there, for people: `connection refused`, `status 500`, `no answer within 3s`.
    pub detail: String,
}

/// The phase in which a probe failed. A closed set: it is a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbePhase {
    /// The name could not be resolved.
    Dns,
    /// No connection: refused, reset, unreachable.
    Connect,
    /// The TLS handshake or the certificate.
    Tls,
    /// Nothing, or not everything, came before the deadline.
    Timeout,
    /// An answer with a status outside the accepted set.
    Status,
    /// An answer whose headers or body are not as required.
    Body,
    /// A correct answer that took longer than `max_latency`.
    Latency,
    /// A command that failed.
    Command,
}

impl ProbePhase {
    /// The lower-case word used in logs, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Body => "body",
            Self::Latency => "latency",
            Self::Command => "command",
        }
    }
}

impl fmt::Display for ProbeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}
