//! A living process, held by its pidfd: it cannot be mistaken for another one that gets the same pid later.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::time::{ClockId, clock_gettime};
use sentinel_engine::RunId;
use tokio::io::unix::AsyncFd;

use super::pid_file::Named;

/// Ticks per second of the start time in `/proc/PID/stat`. Fixed by the kernel's ABI on every architecture Rust's Linux
/// targets run on.
const TICKS_PER_SECOND: u64 = 100;

/// The start time is field 22 of `/proc/PID/stat`; counted from 0 behind the command's name, which ends field 2.
const START_TIME: usize = 22 - 3;

/// A living process.
#[derive(Debug)]
pub(super) struct Live {
    pid: Pid,
    started: Ticks,
    pidfd: AsyncFd<OwnedFd>,
}

/// Clock ticks since the host's boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks(u64);

/// Why a process could not be taken hold of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoHold {
    /// It is not there: no process, or no more.
    Ended,
    /// It is there, and is not to be touched. Holds the reason.
    Unusable(String),
    /// It cannot be seen. Holds the reason.
    Unreadable(String),
}

impl Live {
    /// Takes hold of the process that a pid file names.
    ///
    /// A pid file that belongs neither to root nor to the agent's user must name a process of its owner: else any user
    /// could have the agent kill a process of another.
    pub(super) fn open(named: &Named) -> Result<Self, NoHold> {
        let pid = named.pid;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| match errno {
            // EINVAL, ENOENT: a thread of some process.
            Errno::SRCH | Errno::INVAL | Errno::NOENT => NoHold::Ended,
            other => NoHold::Unreadable(format!("failed to open process {pid}: {}", io::Error::from(other))),
        })?;
        let facts = facts(pid);
        // Only now is it certain that `/proc` spoke of the process that the pidfd holds: it has not made way for another.
        if has_ended(&pidfd) {
            return Err(NoHold::Ended);
        }
        let (owner, started) =
            facts.map_err(|error| NoHold::Unreadable(format!("failed to read `/proc/{pid}/stat`: {error}")))?;
        let trusted = [0, rustix::process::geteuid().as_raw(), owner];
        if !trusted.contains(&named.owner) {
            return Err(NoHold::Unusable(format!(
                "the pid file belongs to user {}, and names a process of user {owner}",
                named.owner
            )));
        }
        // `register`, which replaces `new`, is unsafe for the sake of types that close their descriptor early; `OwnedFd` is none.
        #[allow(deprecated)]
        let pidfd = AsyncFd::new(pidfd)
            .map_err(|error| NoHold::Unreadable(format!("failed to wait for process {pid}: {error}")))?;
        Ok(Self { pid, started, pidfd })
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Which run this is: `PID:STARTTIME`.
    pub(super) fn run_id(&self) -> RunId {
        RunId::from(format!("{}:{}", self.pid, self.started.0))
    }

    /// How long it has been running.
    pub(super) fn age(&self) -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        let now = Duration::new(
            u64::try_from(now.tv_sec).unwrap_or_default(),
            u32::try_from(now.tv_nsec).unwrap_or_default(),
        );
        now.saturating_sub(self.started.since_boot())
    }

    /// Whether it has ended; a zombie has.
    pub(super) fn has_ended(&self) -> bool {
        has_ended(self.pidfd.get_ref())
    }

    /// Returns when it has ended.
    pub(super) async fn ended(&self) {
        while !self.has_ended() {
            match self.pidfd.readable().await {
                Ok(mut ready) if !self.has_ended() => ready.clear_ready(),
                Ok(_) => return,
                // The runtime is going down, and with it whoever waits here.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Sends a signal to this very process; no error when it has ended.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(self.pidfd.get_ref(), signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl Ticks {
    fn since_boot(self) -> Duration {
        let hundredths = u32::try_from(self.0 % TICKS_PER_SECOND).unwrap_or_default();
        Duration::new(self.0 / TICKS_PER_SECOND, hundredths * 10_000_000)
    }
}

/// A pidfd is readable when its process has ended.
fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut fds, Some(&at_once)), Ok(1..))
}

/// Who runs a process, and since when.
fn facts(pid: Pid) -> io::Result<(u32, Ticks)> {
    let directory = format!("/proc/{pid}");
    let owner = std::fs::metadata(&directory)?.uid();
    let stat = std::fs::read(format!("{directory}/stat"))?;
    let started = start_time(&stat).ok_or_else(|| io::Error::other("it has no start time"))?;
    Ok((owner, started))
}

/// The start time in `/proc/PID/stat`. The command's name in it is chosen by the process, and may hold spaces, line
/// ends and parentheses: only what follows the last parenthesis is the kernel's.
fn start_time(stat: &[u8]) -> Option<Ticks> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = str::from_utf8(stat.get(end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(START_TIME)?.parse().ok().map(Ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_time_is_found_behind_any_name() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20 21";
        for name in ["sleep", "a b", "a) S 1 2 3 (b", ") ", "", "\n)", "(("] {
            let stat = format!("4242 ({name}) {rest}\n");
            assert_eq!(start_time(stat.as_bytes()), Some(Ticks(777)), "{name:?}");
        }
        let not_utf8 = [b"4242 (\xff\xfe) ", rest.as_bytes()].concat();
        assert_eq!(start_time(&not_utf8), Some(Ticks(777)));
    }

    #[test]
    fn stat_that_is_cut_has_no_start_time() {
        for stat in ["", "4242 (sleep", "4242 (sleep)", "4242 (sleep) S 1 2 3", ")"] {
            assert_eq!(start_time(stat.as_bytes()), None, "{stat:?}");
        }
    }

    #[test]
    fn ticks_are_hundredths_of_a_second() {
        assert_eq!(Ticks(12_345).since_boot(), Duration::from_millis(123_450));
        assert!(Ticks(u64::MAX).since_boot() > Duration::from_secs(1));
    }
}
