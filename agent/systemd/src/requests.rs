//! The handle to a running watcher, and what it asks of it.

use tokio::sync::{mpsc, oneshot, watch};

use super::facts::{Facts, Properties};
use super::message::{CallError, JobMethod};
use super::peers::Listed;
use super::relations::Relations;
use super::runs::Runs;
use super::watcher::Watched;

/// Requests that wait for the watcher. The engine has few actions in flight; more than this is a fault, and waits.
pub(super) const REQUESTS_MAX: usize = 32;

/// Asks a [`super::Watcher`] for something, over its connection to the bus. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Systemd {
    requests: mpsc::Sender<Request>,
    units: watch::Sender<Vec<Watched>>,
}

/// A unit as it was when PID 1 answered.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) facts: Facts,
    pub(super) relations: Relations,
}

impl View {
    pub(super) fn of(properties: &Properties<'_>) -> Self {
        let mut facts = Facts::default();
        facts.merge(properties);
        Self {
            facts,
            relations: Relations::of(properties),
        }
    }
}

/// What tells where a watched unit has written what.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Its canonical name.
    pub(super) id: String,
    /// `LogNamespace=`.
    pub(super) namespace: String,
    pub(super) runs: Runs,
}

/// What can be asked of the connection.
#[derive(Debug)]
pub(super) enum Request {
    /// A unit as it is now.
    Read {
        unit: String,
        interface: &'static str,
        reply: oneshot::Sender<Result<View, CallError>>,
    },
    /// What was seen of a watched unit and its runs; no call is made.
    Runs {
        unit: String,
        reply: oneshot::Sender<Result<Written, CallError>>,
    },
    /// The states of these units.
    States {
        units: Vec<String>,
        reply: oneshot::Sender<Result<Vec<Listed>, CallError>>,
    },
    /// `ResetFailedUnit`.
    ResetFailed {
        unit: String,
        reply: oneshot::Sender<Result<(), CallError>>,
    },
    /// A job; answered with its result once it is gone.
    Job {
        unit: String,
        method: JobMethod,
        begins: Option<Begins>,
        reply: oneshot::Sender<Result<String, CallError>>,
    },
}

/// Who is notified when a unit is at another run than it was: it starts, or has started.
#[derive(Debug)]
pub(super) struct Begins {
    /// The run that is to be replaced.
    pub(super) before: String,
    pub(super) report: oneshot::Sender<()>,
}

impl Begins {
    /// Whether this is the new run.
    pub(super) fn is_met_by(&self, now: &Facts) -> bool {
        let starts = now.active_state.is_up() && !now.sub_state.starts_with("auto-restart");
        starts && !now.invocation.is_empty() && now.invocation != self.before
    }
}

impl Request {
    /// Answers that nothing was done.
    pub(super) fn refuse(self) {
        // Whoever asked may have stopped waiting.
        match self {
            Self::Read { reply, .. } => drop(reply.send(Err(CallError::NotConnected))),
            Self::Runs { reply, .. } => drop(reply.send(Err(CallError::NotConnected))),
            Self::States { reply, .. } => drop(reply.send(Err(CallError::NotConnected))),
            Self::ResetFailed { reply, .. } => drop(reply.send(Err(CallError::NotConnected))),
            Self::Job { reply, .. } => drop(reply.send(Err(CallError::NotConnected))),
        }
    }
}

/// The answer to a request that has been made.
pub(super) struct Answer<T>(oneshot::Receiver<Result<T, CallError>>);

impl<T> Answer<T> {
    /// Waits for it, as long as the connection lives.
    pub(super) async fn get(self) -> Result<T, CallError> {
        self.0.await.unwrap_or(Err(CallError::Lost))
    }
}

impl Systemd {
    pub(super) fn new(requests: mpsc::Sender<Request>, units: watch::Sender<Vec<Watched>>) -> Self {
        Self { requests, units }
    }

    /// Watches these units from now on, and no others. Units that stay are not disturbed.
    pub fn watch(&self, units: Vec<Watched>) {
        self.units.send_replace(units);
    }

    pub(super) async fn read(&self, unit: &str, interface: &'static str) -> Result<Answer<View>, CallError> {
        let unit = unit.to_owned();
        self.ask(|reply| Request::Read { unit, interface, reply }).await
    }

    pub(super) async fn runs(&self, unit: &str) -> Result<Written, CallError> {
        let unit = unit.to_owned();
        self.ask(|reply| Request::Runs { unit, reply }).await?.get().await
    }

    pub(super) async fn states(&self, units: Vec<String>) -> Result<Answer<Vec<Listed>>, CallError> {
        self.ask(|reply| Request::States { units, reply }).await
    }

    pub(super) async fn reset_failed(&self, unit: &str) -> Result<Answer<()>, CallError> {
        let unit = unit.to_owned();
        self.ask(|reply| Request::ResetFailed { unit, reply }).await
    }

    pub(super) async fn job(
        &self,
        unit: &str,
        method: JobMethod,
        begins: Option<Begins>,
    ) -> Result<Answer<String>, CallError> {
        let unit = unit.to_owned();
        self.ask(|reply| Request::Job {
            unit,
            method,
            begins,
            reply,
        })
        .await
    }

    /// Hands a request over. Requests are sent in the order in which they are handed over.
    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, CallError>>) -> Request,
    ) -> Result<Answer<T>, CallError> {
        let (reply, answer) = oneshot::channel();
        match self.requests.send(request(reply)).await {
            Ok(()) => Ok(Answer(answer)),
            Err(_closed) => Err(CallError::NotConnected),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::ActiveState;
    use super::*;

    #[test]
    fn only_another_run_that_starts_or_runs_has_begun() {
        use ActiveState::{Activating, Active, Deactivating, Failed, Inactive, Reloading};
        // The state, its sub-state, the run; whether the new run has begun.
        for (active_state, sub_state, run, begun) in [
            (Active, "running", "01", false),
            (Deactivating, "stop-sigterm", "01", false),
            (Inactive, "dead", "01", false),
            (Activating, "start", "01", false),
            (Activating, "auto-restart", "02", false),
            (Activating, "start", "", false),
            (Activating, "start-pre", "02", true),
            (Activating, "start", "02", true),
            (Active, "running", "02", true),
            (Reloading, "reload", "02", true),
            (Failed, "failed", "02", false),
        ] {
            let now = Facts {
                active_state,
                sub_state: sub_state.into(),
                invocation: run.into(),
                ..Facts::default()
            };
            let begins = Begins {
                before: "01".into(),
                report: oneshot::channel().0,
            };
            assert_eq!(begins.is_met_by(&now), begun, "{active_state:?} {sub_state} {run}");
        }
    }
}
