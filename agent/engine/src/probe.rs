//! What a probe found.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::Question;

/// The result of one round of a service's probes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeOutcome {
    /// Passed, failed or not asked.
    pub verdict: Verdict,
    /// The HTTP status, when an answer came.
    pub status_code: Option<u16>,
    /// Time from the start of the round to its verdict.
    pub latency: Duration,
    /// What each probe said by itself. Empty when there is one, of which nothing but its verdict is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
}

/// What one probe of a round said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// Passed, failed or not asked.
    pub verdict: Verdict,
}

/// What a round of probes says of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Every probe passed.
    Passed,
    /// A probe failed: the service's fault, as far as is known.
    Failed(ProbeFailure),
    /// The agent itself could not ask (no file descriptor, say). Says nothing of the service, and counts for nothing.
    Skipped(String),
}

/// Why a probe failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredFailure")]
pub struct ProbeFailure {
    /// How far the probe came.
    pub phase: ProbePhase,
    /// What kind of failure it is: whether a restart can help goes by that. Causes have a `kind` of their own in JSON.
    #[serde(rename = "failure")]
    pub kind: FailureKind,
    /// What happened there, for operators: `connection refused`, `status 500`, `no answer within 3s`.
    pub detail: String,
}

impl ProbeFailure {
    /// A failure of this kind, in the phase where such a failure shows.
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self {
            phase: kind.phase(),
            kind,
            detail: detail.into(),
        }
    }
}

/// A failure as it is stored. Earlier versions knew its phase only.
#[derive(Deserialize)]
struct StoredFailure {
    phase: ProbePhase,
    #[serde(rename = "failure")]
    kind: Option<FailureKind>,
    detail: String,
}

impl From<StoredFailure> for ProbeFailure {
    fn from(stored: StoredFailure) -> Self {
        let usual = match stored.phase {
            ProbePhase::Dns => FailureKind::Dns,
            ProbePhase::Connect => FailureKind::Refused,
            ProbePhase::Tls => FailureKind::Tls,
            ProbePhase::Timeout => FailureKind::Timeout,
            ProbePhase::Status => FailureKind::Status(500),
            ProbePhase::Body => FailureKind::Body,
            ProbePhase::Latency => FailureKind::Slow,
            ProbePhase::Command => FailureKind::Command,
        };
        Self {
            phase: stored.phase,
            kind: stored.kind.unwrap_or(usual),
            detail: stored.detail,
        }
    }
}

/// What kind of failure a probe met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The connection was refused: nothing listens.
    Refused,
    /// The connection was reset.
    Reset,
    /// The connection was closed without a whole answer.
    Closed,
    /// Nothing, or not everything, came before the deadline.
    Timeout,
    /// An answer with this status, which is not among those accepted.
    Status(u16),
    /// An answer whose body is not as required.
    Body,
    /// A command that ran and said no.
    Command,
    /// A correct answer that took longer than `max_latency`.
    Slow,
    /// The name could not be resolved.
    Dns,
    /// The TLS handshake or the certificate.
    Tls,
    /// The host or its network cannot be reached.
    Unreachable,
    /// What answers speaks something else.
    Protocol,
    /// The agent could not ask as it is: no permission, no such program.
    Agent,
}

impl FailureKind {
    /// The word for it in `restart_on`, or for the class that it belongs to.
    pub fn word(self) -> String {
        match self {
            Self::Refused => "refused".into(),
            Self::Reset => "reset".into(),
            Self::Closed => "closed".into(),
            Self::Timeout => "timeout".into(),
            Self::Status(300..=399) => "redirect".into(),
            Self::Status(400..=499) => "status-4xx".into(),
            Self::Status(500..=599) => "status-5xx".into(),
            Self::Status(status) => format!("status-{status}"),
            Self::Body => "body".into(),
            Self::Command => "command".into(),
            Self::Slow => "slow".into(),
            Self::Dns => "dns".into(),
            Self::Tls => "tls".into(),
            Self::Unreachable => "unreachable".into(),
            Self::Protocol => "protocol".into(),
            Self::Agent => "agent".into(),
        }
    }

    /// Whether it says something of the service only where the same question has passed before: what is asked for may
    /// never have been there.
    pub(crate) const fn needs_pass(self) -> bool {
        matches!(self, Self::Body | Self::Command)
    }

    const fn phase(self) -> ProbePhase {
        match self {
            Self::Refused | Self::Reset | Self::Closed | Self::Unreachable => ProbePhase::Connect,
            Self::Timeout => ProbePhase::Timeout,
            Self::Status(_) => ProbePhase::Status,
            Self::Body | Self::Protocol => ProbePhase::Body,
            Self::Command | Self::Agent => ProbePhase::Command,
            Self::Slow => ProbePhase::Latency,
            Self::Dns => ProbePhase::Dns,
            Self::Tls => ProbePhase::Tls,
        }
    }
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
