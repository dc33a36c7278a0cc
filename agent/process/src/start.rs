//! Starting: the `start` command, until the pid file names a living process.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use sentinel_base::subprocess::{self, Group, Tail, ending};
use sentinel_config::ProcessTarget;
use sentinel_engine::{ActionResult, Cause};
use sentinel_text::with_words;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::changes::Changes;
use super::live::Live;
use super::pid_file::{self, Named, PidFile};
use super::verdict::Ending;

/// How much of the end of stderr goes into the reason of a failed start, in bytes.
const STDERR_KEPT: usize = 2048;

/// How long to read on after `start` has ended: what it wrote is in the pipe, but a daemon may hold the other end.
const STDERR_AFTER_EXIT: Duration = Duration::from_millis(50);

/// How a start ended.
pub(super) enum Started {
    /// The pid file names a living process; the child is that process, when it stayed in the foreground.
    Up(Live, Named, Option<Child>),
    /// It did not come up: what to answer, and why it is down now.
    Failed(ActionResult, Cause),
}

/// A start under way.
struct Starting<'a> {
    target: &'a ProcessTarget,
    /// The pid file from before; it names nobody who is about to start.
    stale: Option<Named>,
    child: Child,
    status: Option<ExitStatus>,
    stderr: Option<ChildStderr>,
    words: Tail,
}

/// Starts the target. Only to be called when it does not run.
///
/// `start` may become a daemon (exit 0, and leave a pid file that names a living process within the timeout) or stay
/// in the foreground. What has not come up within the timeout is killed with its whole process group.
pub(super) async fn start(target: &ProcessTarget, begun: oneshot::Sender<()>) -> Started {
    let mut changes = Changes::of(&target.pid_file);
    let stale = named(&target.pid_file);
    let Some(mut command) = subprocess::command(&target.start) else {
        return Started::Failed(ActionResult::Refused("`start` is empty".to_owned()), Cause::Unknown);
    };
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Started::Failed(not_run(target, &error), Cause::Unknown),
    };
    // Whoever waits for it may have stopped.
    let _ = begun.send(());
    let group = Group::of(&child);
    let starting = Starting {
        target,
        stale,
        stderr: child.stderr.take(),
        child,
        status: None,
        words: Tail::new(STDERR_KEPT),
    };
    starting
        .wait(&mut changes, group, Instant::now() + target.timeout)
        .await
}

impl Starting<'_> {
    async fn wait(mut self, changes: &mut Changes, group: Group, deadline: Instant) -> Started {
        // Released once the child was waited for.
        let mut group = Some(group);
        loop {
            if let Some((live, named)) = self.up() {
                group.into_iter().for_each(Group::release);
                return self.hand_over(live, named).await;
            }
            if let Some(status) = self.status.filter(|status| !status.success()) {
                return self.failed(status).await;
            }
            tokio::select! {
                () = changes.next() => (),
                status = self.child.wait(), if self.status.is_none() => {
                    group.take().into_iter().for_each(Group::release);
                    match status {
                        Ok(status) => self.status = Some(status),
                        Err(error) => return unknown(&error),
                    }
                }
                () = fill(&mut self.words, self.stderr.as_mut()), if self.stderr.is_some() => self.stderr = None,
                () = sleep_until(deadline) => {
                    drop(group);
                    return self.overdue().await;
                }
            }
        }
    }

    /// The living process that the pid file names, if it was written since.
    fn up(&self) -> Option<(Live, Named)> {
        let named = named(&self.target.pid_file).filter(|named| Some(named) != self.stale.as_ref())?;
        Live::open(&named).ok().map(|live| (live, named))
    }

    async fn hand_over(mut self, live: Live, named: Named) -> Started {
        if self.status.is_some() {
            self.finish_words().await;
        }
        if let Some(stderr) = self.stderr {
            discard(stderr);
        }
        let is_child = self.status.is_none() && self.child.id() == u32::try_from(live.pid().as_raw_pid()).ok();
        // Another child is a launcher that is about to end; the runtime reaps what is dropped.
        Started::Up(live, named, is_child.then_some(self.child))
    }

    async fn failed(mut self, status: ExitStatus) -> Started {
        self.finish_words().await;
        let what = with_words(&format!("`start` {}", ending(status)), &self.words.line());
        Started::Failed(ActionResult::Failed(what), Ending::from(status).cause())
    }

    async fn overdue(mut self) -> Started {
        if self.status.is_none() {
            // Only reaps: the group has just been killed.
            let _ = timeout(STDERR_AFTER_EXIT, self.child.wait()).await;
        }
        self.finish_words().await;
        let what = format!(
            "no living process in `{}` within {}",
            self.target.pid_file.display(),
            sentinel_text::exact_span(self.target.timeout)
        );
        Started::Failed(
            ActionResult::Failed(with_words(&what, &self.words.line())),
            Cause::Timeout,
        )
    }

    /// Reads what the ended command has written.
    async fn finish_words(&mut self) {
        let Some(mut stderr) = self.stderr.take() else { return };
        if timeout(STDERR_AFTER_EXIT, self.words.fill(&mut stderr)).await.is_err() {
            self.stderr = Some(stderr);
        }
    }
}

async fn fill(words: &mut Tail, stderr: Option<&mut ChildStderr>) {
    if let Some(stderr) = stderr {
        words.fill(stderr).await;
    }
}

fn named(path: &Path) -> Option<Named> {
    match pid_file::read(path) {
        PidFile::Names(named) => Some(named),
        _ => None,
    }
}

/// Throws away what the process writes to stderr from now on.
///
/// The pipe must be read for as long as the process lives, and that is longer than the agent does: a closed pipe ends many
/// a program at its next line, and an agent that is upgraded must not take its services along. So it goes to a `cat` of
/// its own. Where there is none, the agent reads.
fn discard(stderr: ChildStderr) {
    let Ok(pipe) = stderr.into_owned_fd() else { return };
    let Ok(spare) = pipe.try_clone() else { return };
    let cat = Command::new("cat")
        .stdin(Stdio::from(pipe))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    if cat.is_err() {
        std::thread::spawn(move || io::copy(&mut std::fs::File::from(spare), &mut io::sink()));
    }
}

fn not_run(target: &ProcessTarget, error: &io::Error) -> ActionResult {
    let program = target.start.first().map_or("", String::as_str);
    let what = format!("cannot run `{program}`: {error}");
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => ActionResult::Refused(what),
        _ => ActionResult::Failed(what),
    }
}

fn unknown(error: &io::Error) -> Started {
    let what = format!("failed to wait for `start`: {error}");
    Started::Failed(ActionResult::Unknown(what), Cause::Unknown)
}
