//! An attempt to deliver that failed.

use std::time::Duration;

use thiserror::Error;

use super::retry::{self, Retry};

/// An attempt to deliver that failed. Made to be shown: it never holds a path, a query, a header or a secret, nor a
/// source that does.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct DeliveryError {
    kind: DeliveryErrorKind,
    text: String,
    ambiguous: bool,
    retry_after: Option<Duration>,
}

/// How far an attempt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryErrorKind {
    /// No connection: name, route, refused, TLS. The message was not sent.
    Connect,
    /// No answer in time.
    Timeout,
    /// The connection broke after the message was sent, or the answer was no HTTP.
    Broken,
    /// An answer other than success, by its HTTP status.
    Status(u16),
    /// A refusal in the receiver's own words, for good: a word of Slack's, 5yz of SMTP, an exit status.
    Refused,
    /// Another failure in the receiver's own words, which may pass. The message did not arrive.
    Unavailable,
}

impl DeliveryErrorKind {
    /// The word used in logs and metrics. A closed set.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Status(300..=399) => "redirect",
            Self::Status(429) => "throttled",
            Self::Status(500..) => "server_error",
            Self::Status(_) | Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

impl DeliveryError {
    /// An error with its text, which must have been redacted.
    pub(super) const fn new(kind: DeliveryErrorKind, text: String) -> Self {
        let ambiguous = match kind {
            DeliveryErrorKind::Connect
            | DeliveryErrorKind::Status(300..=499)
            | DeliveryErrorKind::Refused
            | DeliveryErrorKind::Unavailable => false,
            // Whoever answers 5xx may have done half of it.
            DeliveryErrorKind::Timeout | DeliveryErrorKind::Broken | DeliveryErrorKind::Status(_) => true,
        };
        Self {
            kind,
            text,
            ambiguous,
            retry_after: None,
        }
    }

    /// The same, with the receiver's wish for when to come back.
    #[must_use]
    pub(super) const fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// The same, with what an operator can do about it.
    #[must_use]
    pub(super) fn with_hint(mut self, hint: &str) -> Self {
        self.text.push_str(hint);
        self
    }

    /// The same, but the receiver may have got the message.
    #[must_use]
    pub(super) const fn ambiguous(mut self) -> Self {
        self.ambiguous = true;
        self
    }

    /// How far it came.
    pub const fn kind(&self) -> DeliveryErrorKind {
        self.kind
    }

    /// Whether trying again can help.
    pub const fn retry(&self) -> Retry {
        retry::judge(self.kind)
    }

    /// Whether the receiver may have got the message all the same.
    pub const fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// How long the receiver asks to be left alone.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}
