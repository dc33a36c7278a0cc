//! Command probes: a program that exits 0.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use sentinel_base::subprocess::{self, Group, Tail};
use sentinel_config::CommandProbe;
use sentinel_engine::{FailureKind, ProbeOutcome, Verdict};
use sentinel_text::exact_span;
use tokio::process::Child;
use tokio::time::{Instant, timeout, timeout_at};

use super::error::ProbeError;
use super::{error_mapping, failed};

/// How much of the end of stderr goes into the detail, in bytes. A few lines: an alert is no log.
const STDERR_KEPT: usize = 512;

/// How long to read on after the exit. What was written is in the pipe by then; but a background child may hold the
/// other end for ever.
const STDERR_AFTER_EXIT: Duration = Duration::from_millis(50);

/// How long to wait for what was killed. It is gone at once, unless the kernel has it in an uninterruptible wait; then the
/// runtime reaps it whenever it ends.
const REAP_WITHIN: Duration = Duration::from_secs(1);

/// A command probe, ready to run.
#[derive(Debug)]
pub(super) struct CommandCheck {
    argv: Vec<String>,
    timeout: Duration,
}

impl CommandCheck {
    pub(super) fn new(settings: &CommandProbe) -> Result<Self, ProbeError> {
        if settings.argv.is_empty() {
            return Err(ProbeError::EmptyCommand);
        }
        Ok(Self {
            argv: settings.argv.clone(),
            timeout: settings.timeout,
        })
    }

    pub(super) async fn run(&self) -> ProbeOutcome {
        let start = Instant::now();
        let verdict = self.attempt(start + self.timeout).await;
        ProbeOutcome {
            verdict,
            status_code: None,
            latency: start.elapsed(),
            answers: Vec::new(),
        }
    }

    async fn attempt(&self, deadline: Instant) -> Verdict {
        let Some(mut command) = subprocess::command(&self.argv) else {
            return failed(FailureKind::Agent, "the probe command is empty");
        };
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return self.not_started(&error),
        };
        let group = Group::of(&child);
        let mut stderr = Tail::new(STDERR_KEPT);
        match timeout_at(deadline, wait(&mut child, &mut stderr)).await {
            Ok(Ok(status)) => {
                group.release();
                judge(status, &stderr)
            }
            Ok(Err(error)) => Verdict::Skipped(format!("the agent could not wait for the command: {error}")),
            Err(_) => {
                drop(group);
                // The wait only reaps; its result is known.
                let _ = timeout(REAP_WITHIN, child.wait()).await;
                let what = format!("still running after {}", exact_span(self.timeout));
                failed(FailureKind::Timeout, sentinel_text::with_words(&what, &stderr.line()))
            }
        }
    }

    fn not_started(&self, error: &io::Error) -> Verdict {
        // fork answers EAGAIN when the limit on processes is reached.
        if error.kind() == io::ErrorKind::WouldBlock {
            return Verdict::Skipped("the agent could not ask: too many processes".to_owned());
        }
        let program = self.argv.first().map_or("", String::as_str);
        error_mapping::own_shortage(error).unwrap_or_else(|| {
            failed(
                FailureKind::Agent,
                format!("cannot run `{program}`: {}", error_mapping::os_words(error)),
            )
        })
    }
}

/// Waits for the exit, reading stderr all the while so that a talkative command is not held up by a full pipe.
async fn wait(child: &mut Child, stderr: &mut Tail) -> io::Result<ExitStatus> {
    let Some(mut pipe) = child.stderr.take() else {
        return child.wait().await;
    };
    let status = tokio::select! {
        status = child.wait() => status?,
        () = stderr.fill(&mut pipe) => return child.wait().await,
    };
    // Running out of time here is the expected end when a background child lives on.
    let _ = timeout(STDERR_AFTER_EXIT, stderr.fill(&mut pipe)).await;
    Ok(status)
}

fn judge(status: ExitStatus, stderr: &Tail) -> Verdict {
    if status.success() {
        Verdict::Passed
    } else {
        // A shell, `env` or a wrapper says so of what it cannot run.
        let kind = match status.code() {
            Some(126 | 127) => FailureKind::Agent,
            _ => FailureKind::Command,
        };
        failed(
            kind,
            sentinel_text::with_words(&subprocess::ending(status), &stderr.line()),
        )
    }
}
