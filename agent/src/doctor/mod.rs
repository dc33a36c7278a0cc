//! `sentinel doctor`: does the agent have what it needs on this host, and how to fix what it lacks.
//!
//! Facts are collected by small files, each within a deadline and none by acting: nothing is restarted, sent or written.
//! [`judge()`] is the pure function from facts to findings.
//!
//! What counts is what the agent's user may do, not who asks. So root first looks at what only root can see, then becomes
//! that user for good, and looks at the rest with the same eyes as the agent ([`Account`]).

mod account;
mod clock;
mod error;
mod facts;
mod host;
mod judge;
mod root;
mod secrets;

pub use account::Account;
pub use error::{AccountError, FactError};
pub use facts::{AgentFacts, Facts, RuleFacts};
pub use host::collect;
pub use judge::{Finding, Level, judge};
pub use root::{RootFacts, look as look_as_root, unit_user};

use std::time::Duration;

/// Whatever takes longer does not work, as far as an agent is concerned that has to act within seconds.
const WITHIN: Duration = Duration::from_secs(20);

/// The answer, unless it takes too long.
async fn within<T, E: Into<FactError>>(answer: impl Future<Output = Result<T, E>>) -> Result<T, FactError> {
    match tokio::time::timeout(WITHIN, answer).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_elapsed) => Err(FactError::Late),
    }
}

/// What `work` answers on a thread of its own, which may hang on a disk or a network for as long as it likes.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, FactError> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(work()));
    within(async { receiver.await.map_err(|_gone| FactError::BrokeOff) }).await
}
