//! Recovery actions on a process target.

use std::time::Duration;

use rustix::process::Signal;
use sentinel_base::subprocess::{self, Group};
use sentinel_config::ProcessTarget;
use sentinel_engine::{ActionKind, ActionResult, RunId};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::Process;
use super::live::Live;
use super::start::{Started, start};
use super::watcher::{Memory, ProcessState};

/// How long a process may take to go after SIGKILL. Longer means that the kernel holds it, as in a wait for a dead disk.
const KILL_WITHIN: Duration = Duration::from_secs(5);

/// See [`Process::restart`].
pub(super) async fn restart(
    process: &Process,
    kind: ActionKind,
    expected: Option<&RunId>,
    begun: oneshot::Sender<()>,
) -> ActionResult {
    let mut memory = process.memory.lock().await;
    let result = match prepare(process, &mut memory, kind, expected).await {
        Ok(()) => match start(&process.target, begun).await {
            Started::Up(live, named, child) => {
                memory.started(live, named, child);
                ActionResult::Done
            }
            Started::Failed(result, cause) => {
                memory.start_failed(cause);
                result
            }
        },
        Err(result) => result,
    };
    memory.look_and_report(process).await;
    drop(memory);
    process.acted.notify_one();
    result
}

/// Sees to it that nothing runs, if the target is still what was judged; else the result is final.
async fn prepare(
    process: &Process,
    memory: &mut Memory,
    kind: ActionKind,
    expected: Option<&RunId>,
) -> Result<(), ActionResult> {
    let live = match memory.look_up(process) {
        ProcessState::Running(live) => Some(live),
        ProcessState::Down { .. } => None,
        ProcessState::Unusable(reason) | ProcessState::Unreadable(reason) => return Err(ActionResult::Refused(reason)),
    };
    let last = memory.run_id();
    if let (Some(expected), Some(last)) = (expected, &last)
        && expected != last
    {
        return Err(ActionResult::Outdated(format!("another run by now, {}", last.as_str())));
    }
    match (kind, live) {
        (ActionKind::StartTrigger, _) => Err(ActionResult::Refused("nothing triggers a process".to_owned())),
        (ActionKind::Start, None) => Ok(()),
        (ActionKind::Start, Some(live)) => Err(ActionResult::Outdated(format!("it runs, as process {}", live.pid()))),
        (ActionKind::Restart, None) => Err(ActionResult::Outdated("it no longer runs".to_owned())),
        (ActionKind::Restart, Some(live)) => {
            stop(&process.target, &live).await?;
            match memory.look_up(process) {
                // Whoever was faster started what was to be started; twice would be once too often.
                ProcessState::Running(_) => Err(ActionResult::Done),
                _ => Ok(()),
            }
        }
    }
}

/// Ends the process: by the `stop` command or SIGTERM, and by SIGKILL when that did not help in time.
async fn stop(target: &ProcessTarget, live: &Live) -> Result<(), ActionResult> {
    let deadline = Instant::now() + target.timeout;
    let stopped_by_command = match &target.stop {
        Some(argv) => run(argv, deadline).await,
        None => false,
    };
    if !stopped_by_command {
        signal(live, Signal::TERM)?;
    }
    if timeout_at(deadline, live.ended()).await.is_ok() {
        return Ok(());
    }
    signal(live, Signal::KILL)?;
    timeout(KILL_WITHIN, live.ended())
        .await
        .map_err(|_| ActionResult::Failed(format!("process {} does not end, not even by SIGKILL", live.pid())))
}

fn signal(live: &Live, signal: Signal) -> Result<(), ActionResult> {
    live.signal(signal)
        .map_err(|error| ActionResult::Refused(format!("may not signal process {}: {error}", live.pid())))
}

/// Runs the `stop` command; true when it ended well in time. One that fails or hangs is no reason not to stop.
async fn run(argv: &[String], deadline: Instant) -> bool {
    let Some(mut command) = subprocess::command(argv) else {
        return false;
    };
    let Ok(mut child) = command.stderr(std::process::Stdio::null()).spawn() else {
        return false;
    };
    let group = Group::of(&child);
    match timeout_at(deadline, child.wait()).await {
        Ok(status) => {
            group.release();
            status.is_ok_and(|status| status.success())
        }
        Err(_) => false,
    }
}
