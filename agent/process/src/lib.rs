//! Process targets: what neither systemd nor Docker runs, known by its pid file.
//!
//! A [`Process`] watches one target and restarts it. Nothing is polled: the exit of a process is reported by its pidfd,
//! a new one by inotify on the directory of the pid file (see `changes.rs` for the bounded fallbacks). A run is known
//! by pid
//! *and* start time, `PID:STARTTIME`, so that a pid used again is another run, and nothing is signalled but through a
//! pidfd whose start time was checked.
//!
//! # On whose account it is down
//!
//! There is no supervisor to ask. What distinguishes a stop from a crash is the pid file, which daemons remove when
//! they stop in good order, and, where the agent started the process itself and it stayed in the foreground, its exit
//! status:
//!
//! | exit status | pid file left | pid file removed |
//! | --- | --- | --- |
//! | not known: not started by this agent, or it became a daemon | crash | stopped on purpose |
//! | code 0 | clean exit | stopped on purpose |
//! | SIGTERM, SIGINT, SIGHUP, or 128 plus their number | clean exit | stopped on purpose |
//! | SIGKILL | crash | stopped on purpose: whoever killed it also tidied up |
//! | any other code or signal | crash | crash: it says itself that it failed |
//!
//! Stop scripts remove the pid file *after* the process has gone. Where that would change the verdict, the watcher waits
//! 250 ms for it.
//!
//! At first sight without a living process, a pid file that is left means a crash while the agent did not look; no pid
//! file means that it was stopped on purpose or never started, and is left alone: a restart of the agent must not undo
//! what an operator did. A start by the agent that does not come up is a crash, whatever became of the pid file.
//!
//! # Known limits
//!
//! A daemon that fails, removes its pid file and exits non-zero looks stopped on purpose: its exit status goes to
//! another party. Processes that must be distinguished should stay in the foreground, or be units.
//!
//! A `start` that exits 0 and leaves something running without a pid file has failed, and what it left is not killed:
//! nothing names it safely any more.
//!
//! A pid file that is left from before the agent's first look, and whose pid another party has by now, is believed.

mod action;
mod changes;
mod live;
mod pid_file;
mod start;
mod verdict;
mod watcher;

use std::sync::atomic::{AtomicBool, Ordering};

use sentinel_config::ProcessTarget;
use sentinel_engine::{ActionKind, ActionResult, Event, RunId, ServiceName};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};

use watcher::Memory;

/// One process target: watched by [`Process::watch`], restarted by [`Process::restart`].
#[derive(Debug)]
pub struct Process {
    service: ServiceName,
    target: ProcessTarget,
    events: mpsc::Sender<Event>,
    /// What is known of it. Held during an action, so that what the agent does itself is not reported as news.
    memory: Mutex<Memory>,
    /// An action has ended: look again.
    acted: Notify,
    /// No operator wants to know any more.
    retired: AtomicBool,
}

impl Process {
    /// The target of `service`. What is seen of it goes to `events`, as [`Event::TargetObserved`].
    pub fn new(service: ServiceName, target: ProcessTarget, events: mpsc::Sender<Event>) -> Self {
        Self {
            service,
            target,
            events,
            memory: Mutex::default(),
            acted: Notify::new(),
            retired: AtomicBool::new(false),
        }
    }

    /// Watches until nobody receives the events any more. Sends what it sees first, then every change.
    pub async fn watch(&self) {
        watcher::watch(self).await;
    }

    /// Says nothing more of it, also not of an action that is under way and will be finished.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Carries out `kind`, unless the target is no longer at the run that was judged. Takes at most the target's timeout
    /// for the stop and again for the start. What it led to has been sent to the events when this returns.
    ///
    /// `begun` is reported when nothing of the old run is left and the `start` command runs.
    ///
    /// Dropping the future while the target starts kills what has not come up yet.
    pub async fn restart(
        &self,
        kind: ActionKind,
        expected: Option<&RunId>,
        begun: oneshot::Sender<()>,
    ) -> ActionResult {
        action::restart(self, kind, expected, begun).await
    }
}
