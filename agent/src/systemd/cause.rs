//! Why a unit ended, from its `Result` and the end of its main process.

use sentinel_engine::Cause;

use super::facts::Facts;

/// `CLD_EXITED`, `CLD_KILLED`, `CLD_DUMPED` of waitid(2), as `ExecMainCode` holds them.
const EXITED: i32 = 1;
const KILLED: i32 = 2;
const DUMPED: i32 = 3;

/// The cause of the end of the last run.
///
/// `Result` says how systemd judged it, the main process says how it ended. They need not agree: with a failed
/// `ExecStartPre=` the main process never ran, and a signal can be a success.
pub(super) fn cause_of(facts: &Facts) -> Cause {
    match (facts.result.as_str(), facts.exec_code) {
        ("oom-kill", _) => Cause::OomKilled,
        ("watchdog", _) => Cause::Watchdog,
        ("timeout", _) => Cause::Timeout,
        ("start-limit-hit", _) => Cause::StartLimit,
        ("success" | "" | "exit-code", EXITED) => Cause::Exited {
            code: facts.exec_status,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_and_main_process_name_the_cause() {
        let other = |result: &str| Cause::Other { result: result.into() };
        let killed = |signal, core_dumped| Cause::Killed { signal, core_dumped };
        for (result, code, status, cause) in [
            // kill -9
            ("signal", KILLED, 9, killed(9, false)),
            ("core-dump", DUMPED, 6, killed(6, true)),
            // exit 1
            ("exit-code", EXITED, 1, Cause::Exited { code: 1 }),
            // The binary is gone, Type=exec.
            ("exit-code", EXITED, 203, Cause::Exited { code: 203 }),
            // ExecStartPre= failed; the main process never ran.
            ("exit-code", 0, 0, other("exit-code")),
            // WatchdogSec=: systemd sends SIGABRT itself.
            ("watchdog", KILLED, 6, Cause::Watchdog),
            ("timeout", KILLED, 15, Cause::Timeout),
            ("oom-kill", KILLED, 9, Cause::OomKilled),
            ("start-limit-hit", 0, 0, Cause::StartLimit),
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
