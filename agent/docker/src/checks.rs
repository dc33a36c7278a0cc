//! What the last runs of a container's health check mean: that it is not well, or only that the check cannot be run.
//!
//! The Engine counts both alike. A check that cannot be run says nothing of what it was to look at, and a restart does not
//! change that: the same image has the same programs in it, and while containerd is away a restart loses the container.

use super::answers;
use super::facts::clip;

/// `State.Health`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Health {
    /// It has no check.
    #[default]
    Unchecked,
    /// The check has not passed since it started, and has not failed often enough.
    Starting,
    Healthy,
    /// The check failed as often as it may; what it said last.
    Unhealthy(String),
    /// As often as it may fail, the check could not be run.
    NotRun {
        /// Why not.
        reason: String,
        /// containerd, which runs both, cannot be reached.
        runtime_away: bool,
    },
}

/// What the Engine says when a check takes too long: that is a check that was run, and failed.
const TIMED_OUT: &str = "exceeded timeout";

/// Exit codes of a shell, and of whatever follows its example: a program that may not be executed, or is not there.
const NOT_RUN: [i32; 2] = [126, 127];

/// Where an error of the Engine, which names every layer that it came through, begins to say what is wrong.
const LAST_LAYER: &str = "exec: \"";

/// What errors say when the connection to containerd is the trouble.
const RUNTIME_AWAY: [&str; 4] = [
    "containerd.sock",
    "ttrpc: closed",
    "code = Unavailable",
    "containerd: connection",
];

/// What the Engine's own verdict comes from.
pub(super) fn judge(reported: &answers::Health) -> Health {
    match reported.status.as_str() {
        "starting" => Health::Starting,
        "healthy" => Health::Healthy,
        "unhealthy" => unhealthy(reported),
        "none" | "" => Health::Unchecked,
        word => {
            answers::unknown("health", word);
            Health::Unchecked
        }
    }
}

fn unhealthy(reported: &answers::Health) -> Health {
    let Some(last) = reported.log.last() else {
        return Health::Unhealthy(String::new());
    };
    if let Some(reason) = obstacle(last).filter(|_| is_runtime_away(&last.output)) {
        return Health::NotRun {
            reason,
            runtime_away: true,
        };
    }
    // Only the last few are kept. One among them that was run, and failed, says that it is not well.
    let streak = reported.failing_streak.unwrap_or(1).max(1);
    let mut failures = reported.log.iter().rev().take(streak);
    if let Some(failed) = failures.find(|check| check.exit_code != 0 && obstacle(check).is_none()) {
        return Health::Unhealthy(clip(&failed.output));
    }
    match obstacle(last) {
        Some(reason) => Health::NotRun {
            reason,
            runtime_away: false,
        },
        None => Health::Unhealthy(clip(&last.output)),
    }
}

/// Why a check could not be run, if it could not.
fn obstacle(check: &answers::Check) -> Option<String> {
    let output = check.output.trim();
    let by_engine = check.exit_code == -1 && !output.contains(TIMED_OUT);
    if by_engine || NOT_RUN.contains(&check.exit_code) || (check.exit_code != 0 && is_missing_program(output)) {
        Some(reason(output))
    } else {
        None
    }
}

/// Whether the last thing that was said is a shell's word that a program is not there: `curl ... || exit 1` ends with 1.
fn is_missing_program(output: &str) -> bool {
    let last = output.lines().last().unwrap_or_default();
    let parts: Vec<&str> = last.split(": ").map(str::trim).collect();
    match parts.as_slice() {
        // `/bin/sh: 1: curl: not found`, `bash: line 1: curl: command not found`, `sh: curl: not found`
        [shell, .., _, "not found" | "command not found"] => {
            let name = shell.rsplit('/').next().unwrap_or(shell);
            matches!(name, "sh" | "ash" | "bash" | "dash" | "zsh" | "ksh")
        }
        _ => false,
    }
}

fn is_runtime_away(output: &str) -> bool {
    RUNTIME_AWAY.iter().any(|words| output.contains(words))
}

/// What is wrong, without the layers through which it came.
fn reason(output: &str) -> String {
    if is_runtime_away(output) {
        return "containerd cannot be reached".to_owned();
    }
    let innermost = output.rfind(LAST_LAYER).map(|at| &output[at + LAST_LAYER.len() - 1..]);
    let said = innermost.unwrap_or_else(|| output.lines().last().unwrap_or_default());
    let said = said.trim_end_matches(": unknown").trim();
    if said.is_empty() {
        "it says nothing".to_owned()
    } else {
        clip(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(checks: &[(i32, &str)]) -> Health {
        judge(&answers::Health {
            status: "unhealthy".to_owned(),
            failing_streak: Some(checks.len()),
            log: checks
                .iter()
                .map(|(exit_code, output)| answers::Check {
                    exit_code: *exit_code,
                    output: (*output).to_owned(),
                })
                .collect(),
        })
    }

    /// As Docker 20.10, 26.1 and 28.5 write them.
    #[test]
    fn check_that_could_not_be_run_is_no_failure_of_the_container() {
        let not_run = |reason: &str, runtime_away| Health::NotRun {
            reason: reason.to_owned(),
            runtime_away,
        };
        let failed = |output: &str| Health::Unhealthy(output.to_owned());
        for (checks, expected) in [
            (vec![(1, "no answer")], failed("no answer")),
            (
                vec![(-1, "Health check exceeded timeout (1s)")],
                failed("Health check exceeded timeout (1s)"),
            ),
            (
                vec![(
                    -1,
                    "OCI runtime exec failed: exec failed: unable to start container process: exec: \"curl\": executable \
                     file not found in $PATH: unknown",
                )],
                not_run("\"curl\": executable file not found in $PATH", false),
            ),
            (
                vec![(
                    126,
                    "OCI runtime exec failed: exec: \"/check\": permission denied: unknown",
                )],
                not_run("\"/check\": permission denied", false),
            ),
            (
                vec![(127, "/bin/sh: /bin/nosuch: not found\n")],
                not_run("/bin/sh: /bin/nosuch: not found", false),
            ),
            // `curl -f http://localhost/ || exit 1` where there is no curl.
            (
                vec![(1, "/bin/sh: 1: curl: not found\n")],
                not_run("/bin/sh: 1: curl: not found", false),
            ),
            (
                vec![(1, "bash: line 1: curl: command not found")],
                not_run("bash: line 1: curl: command not found", false),
            ),
            (vec![(1, "page: not found")], failed("page: not found")),
            (vec![(127, "")], not_run("it says nothing", false)),
            (
                vec![(
                    -1,
                    "connection error: desc = \"transport: Error while dialing dial unix /run/containerd/containerd.sock: \
                     connect: connection refused\": unavailable",
                )],
                not_run("containerd cannot be reached", true),
            ),
            // What failed before was a failure; unless nothing can be done about it now.
            (vec![(1, "no answer"), (127, "sh: x: not found")], failed("no answer")),
            (
                vec![
                    (1, "no answer"),
                    (-1, "dial unix /run/containerd/containerd.sock: connect"),
                ],
                not_run("containerd cannot be reached", true),
            ),
            (vec![], failed("")),
        ] {
            assert_eq!(judged(&checks), expected, "{checks:?}");
        }
    }
}
