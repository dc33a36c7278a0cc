//! `sentinel deploy NAME -- COMMAND`: a command during which a service is left alone.
//!
//! The agent is informed before the command starts and when it has ended, however it ended. Should this process die, the
//! agent waits no longer than `--for`. The agent knows the deploy by a number chosen here, so that ending one that the
//! agent perhaps never began is no mistake, and several deploys of one service do not end one another.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sentinel_api::DeployBody;
use sentinel_text::span_secs;
use tokio::process::Command;
use tokio::signal::unix::{self, SignalKind};

use super::args::DeployArgs;
use super::client::{Client, ClientError, Result};
use super::exit::Exit;
use super::fail;

/// How often the end is reported again to an agent that does not answer: it may be restarting, perhaps by this very deploy.
const END_TRIES: u32 = 10;

/// The gap between those.
const END_GAP: Duration = Duration::from_secs(1);

/// The shell's exit code for a command that cannot be executed, and for one that is not there.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// What the shell adds to the number of a signal to make an exit code.
const BY_SIGNAL: i32 = 128;

/// Runs the command with the service left alone.
pub(super) async fn run(client: &Client, args: &DeployArgs) -> Exit {
    // From here on a signal ends the command, not this process, which has to tell the agent of the end.
    let Ok(mut signals) = Signals::new() else {
        return fail(Exit::Failure, "failed to listen for signals; nothing was run");
    };
    let deploy = Deploy::new(client, args);
    match deploy.begin().await {
        Ok(()) => {}
        Err(error) if args.anyway && error.exit() == Exit::Unreachable => {
            let _ = fail(
                error.exit(),
                &format!("{}; running the command anyway", error.explain()),
            );
        }
        Err(error) => {
            // The agent may have taken it without an answer coming back.
            if error.exit() == Exit::Unreachable {
                let _ = deploy.notify_end().await;
            }
            return fail(error.exit(), &format!("{}; nothing was run", error.explain()));
        }
    }
    let exit = command(args, &mut signals).await;
    deploy.end().await;
    exit
}

/// One deploy, as the agent knows it.
struct Deploy<'a> {
    client: &'a Client,
    args: &'a DeployArgs,
    id: u64,
    began: Instant,
}

impl<'a> Deploy<'a> {
    fn new(client: &'a Client, args: &'a DeployArgs) -> Self {
        let now = Duration::try_from(sentinel_base::clock::wall().duration_since(jiff::Timestamp::UNIX_EPOCH))
            .unwrap_or_default();
        // Two deploys of a service have the same number only if the same pid began both in the same microsecond. What is
        // left of the time fits the 53 bits that every JSON reader keeps.
        let micros = u64::from(now.subsec_micros()) | (now.as_secs() & 0x3ff) << 20;
        let id = micros << 22 | u64::from(std::process::id() & 0x003f_ffff);
        Self {
            client,
            args,
            id,
            began: Instant::now(),
        }
    }

    async fn begin(&self) -> Result<()> {
        let body = DeployBody {
            id: self.id,
            duration_seconds: Some(self.args.duration.as_secs()),
        };
        let path = ["services", &self.args.name, "deploy"];
        self.client.post(&path, &body).await.map(drop)
    }

    async fn notify_end(&self) -> Result<()> {
        let body = DeployBody {
            id: self.id,
            duration_seconds: None,
        };
        let path = ["services", &self.args.name, "deployed"];
        self.client.post(&path, &body).await.map(drop)
    }

    /// Tells the agent, with patience. An agent that cannot be reached ends it by itself.
    async fn end(&self) {
        let took = self.began.elapsed();
        if took > self.args.duration {
            let (took, limit) = (
                span_secs(took.as_secs_f64()),
                span_secs(self.args.duration.as_secs_f64()),
            );
            let words = format!(
                "the deploy took {took}; after {limit} `{}` was watched again",
                self.args.name
            );
            let _ = fail(Exit::Failure, &words);
        }
        let mut last = None;
        for turn in 0..END_TRIES {
            if turn > 0 {
                tokio::time::sleep(END_GAP).await;
            }
            match self.notify_end().await {
                // A service that is gone needs no end.
                Ok(()) | Err(ClientError::Refused(_)) => return,
                Err(_) if self.args.anyway => return,
                Err(error) => last = Some(error),
            }
        }
        if let Some(error) = last {
            let left = span_secs(self.args.duration.saturating_sub(self.began.elapsed()).as_secs_f64());
            let words = format!(
                "{}; `{}` is left alone for another {left}",
                error.explain(),
                self.args.name
            );
            let _ = fail(Exit::Failure, &words);
        }
    }
}

/// Runs the command, passes signals on to it, and answers how it ended.
async fn command(args: &DeployArgs, signals: &mut Signals) -> Exit {
    let Some((program, arguments)) = args.command.split_first() else {
        return fail(Exit::Usage, "there is no command to run");
    };
    let mut child = match Command::new(program).args(arguments).spawn() {
        Ok(child) => child,
        Err(error) => {
            let code = match error.kind() {
                io::ErrorKind::NotFound => NOT_FOUND,
                _ => NOT_EXECUTABLE,
            };
            return fail(
                Exit::Command(code),
                &format!("failed to run `{}`: {error}", program.display()),
            );
        }
    };
    loop {
        let pid = child.id();
        tokio::select! {
            status = child.wait() => return match status {
                Ok(status) => Exit::Command(code(status)),
                Err(error) => fail(Exit::Failure, &format!("failed to wait for the command: {error}")),
            },
            signal = signals.next() => pass_on(pid, signal),
        }
    }
}

/// Hands a signal to the command, unless the terminal has done so already.
fn pass_on(pid: Option<u32>, signal: Signal) {
    if signal == Signal::INT && in_foreground() {
        return;
    }
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended this moment.
        let _ = kill_process(pid, signal);
    }
}

/// Whether this process belongs to the foreground of its terminal: then Ctrl-C has reached the command as well, and a
/// second signal would mean "at once" to many.
fn in_foreground() -> bool {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name may hold spaces and brackets; what follows its last bracket is: state, parent, group, session, terminal,
    // the terminal's foreground group.
    let Some((_, rest)) = stat.rsplit_once(") ") else {
        return false;
    };
    let fields: Vec<&str> = rest.split(' ').collect();
    matches!((fields.get(2), fields.get(5)), (Some(own), Some(foreground)) if own == foreground)
}

/// The exit code, as a shell would give it.
fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| BY_SIGNAL + signal))
        .unwrap_or(BY_SIGNAL);
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// The signals that would end this process.
struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::INT,
            Some(()) = self.terminate.recv() => Signal::TERM,
            Some(()) = self.hangup.recv() => Signal::HUP,
            else => std::future::pending().await,
        }
    }
}
