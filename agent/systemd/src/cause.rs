//! Why a unit ended, from its `Result` and the end of its main process.

use sentinel_engine::Cause;

use super::facts::Facts;

/// `CLD_EXITED`, `CLD_KILLED`, `CLD_DUMPED` of waitid(2), as `ExecMainCode` holds them.
pub(super) const EXITED: i32 = 1;
pub(super) const KILLED: i32 = 2;
pub(super) const DUMPED: i32 = 3;

/// With what systemd stops a process, unless `KillSignal=` says otherwise.
const SIGTERM: i32 = 15;

/// A result that hides the one before, since version 262.
pub(super) const START_LIMIT: &str = "start-limit-hit";

/// The cause of the end of the last run.
///
/// `Result` says how systemd judged it, the main process says how it ended. They need not agree: with a failed
/// `ExecStartPre=` the main process never ran, and a signal can be a success.
pub(super) fn cause_of(facts: &Facts) -> Cause {
    match (facts.result.as_str(), facts.exec_code) {
        ("oom-kill", _) => Cause::OomKilled,
        ("watchdog", _) => Cause::Watchdog,
        ("timeout", _) => Cause::Timeout,
        (START_LIMIT, EXITED) if facts.exec_status != 0 => exited(facts.exec_status),
        // What a restart ended by SIGTERM did not fail: the limit alone kept it from coming back.
        (START_LIMIT, KILLED) if facts.exec_status == SIGTERM => Cause::StartLimit,
        (START_LIMIT, KILLED | DUMPED) => Cause::Killed {
            signal: facts.exec_status,
            core_dumped: facts.exec_code == DUMPED,
        },
        (START_LIMIT, _) => Cause::StartLimit,
        ("success" | "" | "exit-code", EXITED) => exited(facts.exec_status),
        // The main process never ran.
        ("exit-code", 0) => Cause::NotStarted {
            reason: "a command that runs before its program failed (ExecStartPre=)".to_owned(),
        },
        ("success" | "" | "signal", KILLED) => Cause::Killed {
            signal: facts.exec_status,
            core_dumped: false,
        },
        ("success" | "" | "signal" | "core-dump", DUMPED) => Cause::Killed {
            signal: facts.exec_status,
            core_dumped: true,
        },
        ("success" | "", _) => Cause::Unknown,
        (result, _) => Cause::Other {
            result: result.to_owned(),
        },
    }
}

/// The cause of an exit with `code`. Between fork and exec systemd speaks by codes of its own (systemd.exec(5), "Process Exit
/// Codes"); a program that uses one of them is taken for that, here as in `systemctl status`.
pub(super) fn exited(code: i32) -> Cause {
    let (name, what) = match code {
        200 => ("CHDIR", "its working directory cannot be entered"),
        203 => ("EXEC", "its program is missing or cannot be executed"),
        208 => ("STDIN", "its standard input cannot be opened"),
        209 => ("STDOUT", "its standard output cannot be opened"),
        216 => ("GROUP", "its group is not known"),
        217 => ("USER", "its user is not known"),
        218 => ("CAPABILITIES", "its capabilities cannot be set"),
        219 => ("CGROUP", "its control group cannot be set up"),
        226 => (
            "NAMESPACE",
            "its sandbox cannot be set up, often as a path in it is missing",
        ),
        228 => ("SECCOMP", "its filter of system calls cannot be set"),
        233 => ("RUNTIME_DIRECTORY", "its directory in /run cannot be made"),
        238 => ("STATE_DIRECTORY", "its directory in /var/lib cannot be made"),
        239 => ("CACHE_DIRECTORY", "its directory in /var/cache cannot be made"),
        240 => ("LOGS_DIRECTORY", "its directory in /var/log cannot be made"),
        241 => ("CONFIGURATION_DIRECTORY", "its directory in /etc cannot be made"),
        243 => ("CREDENTIALS", "its credentials cannot be read"),
        _ => return Cause::Exited { code },
    };
    Cause::NotStarted {
        reason: format!("{what} ({code}/{name})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_and_main_process_name_the_cause() {
        let other = |result: &str| Cause::Other { result: result.into() };
        let not_started = |reason: &str| Cause::NotStarted { reason: reason.into() };
        let killed = |signal, core_dumped| Cause::Killed { signal, core_dumped };
        for (result, code, status, cause) in [
            // kill -9
            ("signal", KILLED, 9, killed(9, false)),
            ("core-dump", DUMPED, 6, killed(6, true)),
            // exit 1
            ("exit-code", EXITED, 1, Cause::Exited { code: 1 }),
            ("exit-code", EXITED, 255, Cause::Exited { code: 255 }),
            // The binary is gone.
            (
                "exit-code",
                EXITED,
                203,
                not_started("its program is missing or cannot be executed (203/EXEC)"),
            ),
            (
                "exit-code",
                EXITED,
                217,
                not_started("its user is not known (217/USER)"),
            ),
            // ExecStartPre= failed; the main process never ran.
            (
                "exit-code",
                0,
                0,
                not_started("a command that runs before its program failed (ExecStartPre=)"),
            ),
            // ExecStartPost= failed, and the main process was ended for it.
            ("exit-code", KILLED, 15, other("exit-code")),
            // WatchdogSec=: systemd sends SIGABRT itself.
            ("watchdog", KILLED, 6, Cause::Watchdog),
            ("timeout", KILLED, 15, Cause::Timeout),
            ("oom-kill", KILLED, 9, Cause::OomKilled),
            ("start-limit-hit", 0, 0, Cause::StartLimit),
            // systemd 262: the process says what the result hides.
            ("start-limit-hit", EXITED, 7, Cause::Exited { code: 7 }),
            ("start-limit-hit", EXITED, 0, Cause::StartLimit),
            ("start-limit-hit", KILLED, 9, killed(9, false)),
            // A restart of a unit at its limit stopped it, and could not start it.
            ("start-limit-hit", KILLED, 15, Cause::StartLimit),
            ("start-limit-hit", DUMPED, 6, killed(6, true)),
            // kill -TERM of a service without a handler counts as success.
            ("success", KILLED, 15, killed(15, false)),
            ("success", EXITED, 0, Cause::Exited { code: 0 }),
            ("success", 0, 0, Cause::Unknown),
            ("", 0, 0, Cause::Unknown),
            ("protocol", EXITED, 0, other("protocol")),
            ("resources", 0, 0, other("resources")),
        ] {
            let facts = Facts {
                result: result.into(),
                exec_code: code,
                exec_status: status,
                ..Facts::default()
            };
            assert_eq!(cause_of(&facts), cause, "{result} {code} {status}");
        }
    }
}
