//! The process itself, by the names that every exporter has for it.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// What the agent uses of the host. What cannot be read is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Process {
    pub(super) cpu: Duration,
    pub(super) resident: Option<u64>,
    pub(super) virtual_memory: Option<u64>,
    pub(super) open_fds: Option<u64>,
    pub(super) max_fds: Option<u64>,
}

/// Reads it.
pub(crate) fn read() -> Process {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    let open = fs::read_dir("/proc/self/fd").map(Iterator::count);
    Process {
        cpu: Duration::from_secs(seconds) + Duration::from_nanos(nanos),
        resident: bytes(&status, "VmRSS:"),
        virtual_memory: bytes(&status, "VmSize:"),
        // Without the one through which they are counted.
        open_fds: open.ok().and_then(|count| u64::try_from(count.saturating_sub(1)).ok()),
        max_fds: getrlimit(Resource::Nofile).current,
    }
}

/// A size in `/proc/PID/status`, which has them in KiB.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_found_by_their_names() {
        const STATUS: &str = "Name:\tVmRSS:\nVmSize:\t   20000 kB\nVmRSS:\t    8192 kB\nThreads:\t3\nVmLib:\t x kB\n";
        for (name, expected) in [
            ("VmRSS:", Some(8192 * 1024)),
            ("VmSize:", Some(20000 * 1024)),
            ("Threads:", None),
            ("VmLib:", None),
            ("VmSwap:", None),
        ] {
            assert_eq!(bytes(STATUS, name), expected, "{name}");
        }
    }

    #[test]
    fn this_process_uses_something() {
        let process = read();
        assert!(process.cpu > Duration::ZERO);
        assert!(process.resident.is_some_and(|bytes| bytes > 1024 * 1024), "{process:?}");
        assert!(process.virtual_memory >= process.resident, "{process:?}");
        assert!(process.open_fds.is_some_and(|count| count >= 3), "{process:?}");
    }
}
