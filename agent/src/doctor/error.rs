//! Why something about the host is not known.

use std::error::Error;
use std::io;

use super::WITHIN;
use crate::polkit::{ConfigurationError, InstallError, Untrusted};
use sentinel_config::ConfigErrors;
use sentinel_store::StoreError;

use crate::polkit;

/// A fact that could not be collected.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// Whoever was asked did not answer in time.
    #[error("no answer within {}s", WITHIN.as_secs())]
    Late,
    /// The thread that looked is gone.
    #[error("the answer broke off")]
    BrokeOff,
    /// Root could not become the agent's user, for this reason, and looks at nothing that it might leave its own.
    #[error("{0}")]
    NotJudged(String),
    /// `journalctl` is not there, or may not be run.
    #[error("`journalctl` cannot be run")]
    Journal(#[source] io::Error),
    /// systemd cannot be asked.
    #[error(transparent)]
    Bus(#[from] sentinel_systemd::BusError),
    /// systemd, or one of its helpers, did not answer.
    #[error(transparent)]
    Survey(#[from] sentinel_systemd::SurveyError),
    /// The Engine did not answer.
    #[error(transparent)]
    Docker(#[from] sentinel_docker::QuestionError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The configuration makes no rule.
    #[error(transparent)]
    Wanted(#[from] polkit::RuleError),
    /// Others than root could have written the configuration.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The configuration that root would make a rule from.
    #[error("the files of the configuration alone, without variables, have {} error{}", .0.count(), if .0.count() == 1 { "" } else { "s" })]
    Configuration(ConfigErrors),
    /// The unit files that are a part of it.
    #[error(transparent)]
    Sections(ConfigurationError),
    /// The rule that is in place cannot be read.
    #[error(transparent)]
    Rule(#[from] InstallError),
    /// The running agent did not answer.
    #[error(transparent)]
    Agent(#[from] Box<dyn Error + Send + Sync>),
}

impl From<ConfigurationError> for FactError {
    fn from(error: ConfigurationError) -> Self {
        match error {
            ConfigurationError::Wrong(errors) => Self::Configuration(errors),
            ConfigurationError::Sections(_) => Self::Sections(error),
        }
    }
}

/// Why the agent's user is not known, or why this process is not his.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The files that name users and groups.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// Which of them.
        path: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The unit names a user that is not there.
    #[error("there is no user `{0}`, as which the agent is to run")]
    NoUser(String),
    /// The unit names a group that is not there.
    #[error("there is no group `{0}`, which the agent is to have")]
    NoGroup(String),
    /// A line without numbers.
    #[error("`/etc/passwd` says nothing usable of `{0}`")]
    Broken(String),
    /// Other threads would stay root's.
    #[error("cannot become `{name}` with {threads} threads")]
    Threads {
        /// The user.
        name: String,
        /// How many there are.
        threads: usize,
    },
    /// The kernel refuses.
    #[error("cannot become `{name}`")]
    Refused {
        /// The user.
        name: String,
        /// The kernel's answer.
        source: rustix::io::Errno,
    },
}
