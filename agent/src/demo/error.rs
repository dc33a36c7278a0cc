//! What can go wrong with the demo itself.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::ClientError;

/// Why the story could not be asked to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum DemoError {
    /// The service to be kept up is not there.
    #[error(
        "`demo-service` is neither beside `{}` nor in PATH; build both with \
         `cargo build -p sentinel -p demo-service`, or simply run `make demo`", .0.display()
    )]
    NoDemoService(PathBuf),
    /// The system said no.
    #[error("failed to {doing}")]
    System {
        /// What was being done, and to what.
        doing: String,
        /// The reason.
        source: io::Error,
    },
    /// The agent could not be asked, or said no.
    #[error("failed to ask the agent {what}")]
    Control {
        /// What for.
        what: String,
        /// The reason.
        source: ClientError,
    },
    /// The agent is gone. Holds how it ended.
    #[error("the agent ended by itself: it {0}")]
    AgentEnded(String),
    /// The agent could not start the service. Holds the reason.
    #[error("the agent could not start `demo-service`: {0}")]
    NotStarted(String),
    /// Another party took the service's port between its reservation and its use.
    #[error("the port that was reserved for `demo-service` was taken by another program")]
    PortTaken,
    /// The agent's budget is spent.
    #[error("the agent gave up on `demo-service`")]
    GaveUp,
    /// Something took too long.
    #[error("waited {} in vain for {what}", sentinel_text::exact_span(*limit))]
    Late {
        /// What was awaited.
        what: String,
        /// For how long.
        limit: Duration,
    },
}

impl DemoError {
    /// For `map_err`: what was being done when the system said no.
    pub(super) fn doing(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::System { doing, source }
    }
}
