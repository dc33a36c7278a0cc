//! `sentinel doctor`: does the agent have what it needs on this host, and how to mend what it lacks.
//!
//! Facts are collected by small files, each within a deadline and none by acting: nothing is restarted, sent or written.
//! [`judge()`] is the pure function from facts to findings.
//!
//! What counts is what the agent's user may do, not who asks. So root first looks at what only root can see, then becomes
//! that user for good, and looks at the rest with the same eyes as the agent ([`Account`]).

mod account;
mod clock;
mod facts;
mod host;
mod judge;
mod root;
mod secrets;

pub use account::Account;
pub use facts::{AgentFacts, Facts, RuleFacts};
pub use host::collect;
pub use judge::{Finding, Level, judge};
pub use root::{RootFacts, look as look_as_root, unit_user};

use std::time::Duration;

/// Whatever takes longer does not work, as far as an agent is concerned that has to act within seconds.
const WITHIN: Duration = Duration::from_secs(20);

/// The answer, unless it takes too long.
async fn within<T>(answer: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(WITHIN, answer)
        .await
        .unwrap_or_else(|_elapsed| Err(format!("no answer within {}s", WITHIN.as_secs())))
}

/// What `work` answers on a thread of its own, which may hang on a disk or a network for as long as it likes.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(work()));
    within(async {
        receiver
            .await
            .unwrap_or_else(|_gone| Err("the answer broke off".to_owned()))
    })
    .await
}
