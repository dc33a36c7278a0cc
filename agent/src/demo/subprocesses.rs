//! Everything the demo starts, directly or through the agent, ends with it.
//!
//! The demo adopts what the agent leaves behind (it is a "subreaper", prctl(2)), so that its descendants become its
//! children, one after the other. A child that has not been waited for keeps its pid: nobody else can be hit.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

/// How long the killed may take to go. Longer means that the kernel holds them, as in a wait for a dead disk.
const KILL_WITHIN: Duration = Duration::from_secs(5);

/// How often to look whether they are gone.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Ends every child of this process when dropped, and what these leave behind.
#[derive(Debug)]
pub(super) struct Subprocesses {
    /// Those that were there before: a shell that became this process by `exec` leaves its own.
    foreign: Vec<Pid>,
}

impl Subprocesses {
    /// From now on the descendants of this process are its own to end.
    pub(super) fn adopt() -> io::Result<Self> {
        set_child_subreaper(Some(getpid()))?;
        Ok(Self { foreign: of(getpid()) })
    }
}

impl Drop for Subprocesses {
    fn drop(&mut self) {
        let deadline = Instant::now() + KILL_WITHIN;
        loop {
            let mut children = of(getpid());
            children.retain(|child| !self.foreign.contains(child));
            if children.is_empty() || Instant::now() > deadline {
                return;
            }
            for child in children {
                let _ = kill_process(child, Signal::KILL);
                let _ = waitpid(Some(child), WaitOptions::NOHANG);
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// The children of `parent`, as `/proc` has them.
fn of(parent: Pid) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/stat")).is_ok_and(|stat| parent_in(&stat) == Some(parent.as_raw_pid()))
        })
        .collect()
}

/// The parent in `/proc/PID/stat`: the second field behind the command's name, which may hold anything.
fn parent_in(stat: &[u8]) -> Option<i32> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = str::from_utf8(stat.get(end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parent_is_found_behind_any_name() {
        for name in ["sleep", "a b", "a) S 7 (b", "", "("] {
            assert_eq!(
                parent_in(format!("42 ({name}) S 41 40 39").as_bytes()),
                Some(41),
                "{name:?}"
            );
        }
        for cut in ["", "42 (sleep", "42 (sleep)", "42 (sleep) S"] {
            assert_eq!(parent_in(cut.as_bytes()), None, "{cut:?}");
        }
    }

    #[test]
    fn children_are_those_of_the_parent_alone() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert!(of(getpid()).contains(&pid));
        assert!(!of(pid).contains(&getpid()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!of(getpid()).contains(&pid));
    }
}
