//! Why a container ended, from its exit code and what was heard.

use std::time::Duration;

use jiff::Timestamp;
use sentinel_engine::Cause;

use super::tracker::Tracker;

/// The exit code of a process that was killed: 128 and SIGKILL.
const KILLED: i32 = 137;

/// A kill for want of memory and the end that it brought are told so closely together, in either order.
const OOM_WITHIN: Duration = Duration::from_secs(2);

/// The cause of the end of the last run.
///
/// Docker says how the main process ended by a shell's exit code, so 137 may be SIGKILL or `exit 137`: the number is all
/// that is certain. `OOMKilled` is set late or, with cgroup version 1, not at all; the event of the kernel's kill helps.
pub(super) fn cause_of(tracker: &Tracker) -> Cause {
    let facts = &tracker.facts;
    let starved = tracker.out_of_memory.is_some_and(|at| tracker.is_of_this_run(at));
    if facts.exit_code != 0 && (facts.oom_killed || (starved && facts.exit_code == KILLED)) {
        return Cause::OomKilled;
    }
    if !facts.error.is_empty() {
        return Cause::Other {
            result: facts.error.clone(),
        };
    }
    Cause::Exited { code: facts.exit_code }
}

/// The cause of the end of the run before this one, which its state no longer tells, if that end was heard.
pub(super) fn cause_of_end_before(tracker: &Tracker) -> Option<Cause> {
    let (died, code) = tracker.die.filter(|(at, _)| !tracker.is_of_this_run(*at))?;
    let starved = tracker.out_of_memory.is_some_and(|at| apart(at, died) <= OOM_WITHIN);
    Some(if starved && code == KILLED {
        Cause::OomKilled
    } else {
        Cause::Exited { code }
    })
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.duration_since(other).unsigned_abs()
}
