//! How far a probe has come, for its deadline to say what it cut off.

use std::cell::Cell;

/// How far a probe has come; says what a deadline cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Every lookup thread is busy: the agent's fault, or that of a dead name server.
    LookupQueued,
    /// The name is being looked up.
    Resolving,
    /// The connection is being made.
    Connecting,
    /// Connected; the TLS handshake is under way.
    Encrypting,
    /// Connected and asked; nothing has come back.
    Waiting,
    /// The answer has begun.
    Reading,
}

tokio::task_local! {
    /// The stage of the probe that runs in this task.
    pub(super) static STAGE: Cell<Stage>;
}

/// Notes how far the current probe has come.
pub(super) fn reached(stage: Stage) {
    // Outside of a probe there is no receiver to notify.
    let _ = STAGE.try_with(|current| current.set(stage));
}
