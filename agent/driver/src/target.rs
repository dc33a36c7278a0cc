//! What the driver works through: something that can be restarted, and something that can be probed. On a host those are
//! units, containers, processes and their probes.

use std::collections::BTreeSet;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;
use sentinel_config::{Origin, Reach};
use sentinel_engine::{Action, ActionResult, ProbeOutcome, RunId};
use tokio::sync::oneshot;

use super::report::Runner;

/// Why the log of a target could not be read.
pub type LogError = Box<dyn Error + Send + Sync>;

/// Lines of a log as they were written, the oldest first; each may be anything but a line end.
pub type LogLines = Vec<Vec<u8>>;

/// Something that can be restarted.
pub trait Target: Clone + Send + Sync + 'static {
    /// Carries out `action`, about the run that it names alone. `begun` is answered when the new run begins. No unit but
    /// those in `may_affect` may be stopped or restarted by it.
    fn restart(
        &self,
        action: &Action,
        may_affect: &[String],
        begun: oneshot::Sender<()>,
    ) -> impl Future<Output = ActionResult> + Send;

    /// At most the last `count` lines that `run` wrote before `at`; `None` when the log of such a target is kept nowhere.
    fn last_lines(
        &self,
        run: Option<&RunId>,
        at: Timestamp,
        count: u32,
    ) -> impl Future<Output = Option<Result<LogLines, LogError>>> + Send;

    /// The newest run that was seen, which may be over before the engine has news of it; `None` where runs are not followed.
    fn newest_run(&self) -> impl Future<Output = Option<RunId>> + Send;

    /// What runs it, for the log.
    fn runner(&self) -> Option<Runner<'_>>;

    /// The unit that a restart of another may be allowed to affect.
    fn unit(&self) -> Option<&str>;
}

/// The probes of one service.
pub trait Probes: Send + Sync + 'static {
    /// Asks all of them once.
    fn round(&self) -> impl Future<Output = ProbeOutcome> + Send;

    /// What they ask with, for metrics: `http`, `tcp`, `command`, or `several` that are not the same.
    fn kind(&self) -> &'static str;

    /// The TCP ports of this host that they ask.
    fn ports(&self) -> BTreeSet<u16>;
}

/// What the driver needs to know of a service.
pub struct ServiceHandle<T, P> {
    /// Its probes.
    pub probes: Arc<P>,
    /// Its target, if it has one.
    pub target: Option<T>,
    /// Which other units a restart of it may restart or stop.
    pub reach: Reach,
    /// How many of the last lines of its log are evidence, at most.
    pub log_lines: u32,
    /// Where it comes from.
    pub origin: Origin,
}

impl<T: Clone, P> Clone for ServiceHandle<T, P> {
    fn clone(&self) -> Self {
        Self {
            probes: Arc::clone(&self.probes),
            target: self.target.clone(),
            reach: self.reach.clone(),
            log_lines: self.log_lines,
            origin: self.origin.clone(),
        }
    }
}
