//! Whether systemd will restart a unit by itself.

use sentinel_engine::Supervisor;

use super::cause::{DUMPED, EXITED, KILLED, START_LIMIT};
use super::facts::{ExitSet, Facts};
use super::names::unit_type;

/// What `Restart=` means for a run that has just ended.
///
/// `at_rest` says that PID 1 itself was asked since, or refused a restart. It decides about an automatic restart in the
/// same breath as it declares a unit failed, so whoever asks never sees the moment between; only signals show it. A unit
/// that is down at rest although `Restart=` applies is one that systemd has given up. Neither `Result` nor `NRestarts`
/// tell this reliably: at the start limit `Result` stays that of the last run, and `NRestarts` counts over all time.
pub(super) fn after_end(facts: &Facts, at_rest: bool) -> Supervisor {
    if is_listed(facts, &facts.restart_prevent) {
        Supervisor::Forbids
    } else if facts.sub_state.ends_with("-before-auto-restart") {
        // Since version 254 the moment between has a name.
        Supervisor::Active
    } else if !would_restart(facts) {
        Supervisor::Passive
    } else if at_rest || facts.result == START_LIMIT {
        Supervisor::GaveUp
    } else {
        Supervisor::Active
    }
}

/// `service_shall_restart()` of systemd's service.c, but for stops asked for, which the caller has distinguished.
fn would_restart(facts: &Facts) -> bool {
    if unit_type(&facts.id) != "service" {
        return false;
    }
    if is_listed(facts, &facts.restart_prevent) {
        return false;
    }
    if is_listed(facts, &facts.restart_force) {
        return true;
    }
    let result = result_of(facts);
    match facts.restart.as_str() {
        "always" => result != "exec-condition",
        "on-success" => result == "success",
        "on-failure" => !matches!(result, "success" | "exec-condition"),
        "on-abnormal" => !matches!(result, "success" | "exit-code" | "exec-condition"),
        "on-watchdog" => result == "watchdog",
        "on-abort" => matches!(result, "signal" | "core-dump"),
        // "no", and words of a later version: the agent waits out what it does not know by settling.
        _ => false,
    }
}

/// Whether the main process ended as `set` says.
fn is_listed(facts: &Facts, set: &ExitSet) -> bool {
    match facts.exec_code {
        EXITED => set.codes.contains(&facts.exec_status),
        KILLED | DUMPED => set.signals.contains(&facts.exec_status),
        _ => false,
    }
}

/// The result of the last run. Since version 262 the start limit takes its place, also after starts by hand, and what is
/// left is how the main process ended; of an end by one of its clean signals systemd made a success.
fn result_of(facts: &Facts) -> &str {
    const CLEAN_SIGNALS: [i32; 4] = [1, 2, 13, 15];
    match (facts.result.as_str(), facts.exec_code) {
        (START_LIMIT, EXITED) if facts.exec_status == 0 => "success",
        (START_LIMIT, KILLED) if CLEAN_SIGNALS.contains(&facts.exec_status) => "success",
        (START_LIMIT, KILLED) => "signal",
        (START_LIMIT, DUMPED) => "core-dump",
        (START_LIMIT, _) => "exit-code",
        (result, _) => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(restart: &str, result: &str, code: i32, status: i32) -> Facts {
        Facts {
            id: "a.service".into(),
            restart: restart.into(),
            result: result.into(),
            exec_code: code,
            exec_status: status,
            ..Facts::default()
        }
    }

    #[test]
    fn restart_applies_to_some_results() {
        // The table of `Restart=` in systemd.service(5).
        let results = [
            "success",
            "exit-code",
            "signal",
            "core-dump",
            "timeout",
            "watchdog",
            "exec-condition",
        ];
        for (restart, applies) in [
            ("no", [false, false, false, false, false, false, false]),
            ("always", [true, true, true, true, true, true, false]),
            ("on-success", [true, false, false, false, false, false, false]),
            ("on-failure", [false, true, true, true, true, true, false]),
            ("on-abnormal", [false, false, true, true, true, true, false]),
            ("on-abort", [false, false, true, true, false, false, false]),
            ("on-watchdog", [false, false, false, false, false, true, false]),
        ] {
            for (result, expected) in results.iter().zip(applies) {
                assert_eq!(
                    would_restart(&ended(restart, result, 0, 0)),
                    expected,
                    "{restart} {result}"
                );
            }
        }
    }

    #[test]
    fn listed_exits_come_before_restart() {
        let mut facts = ended("on-failure", "exit-code", 1, 42);
        facts.restart_prevent.codes = vec![42];
        assert!(!would_restart(&facts));
        assert_eq!(after_end(&facts, true), Supervisor::Forbids);
        facts.restart_prevent = ExitSet {
            codes: Vec::new(),
            signals: vec![42],
        };
        assert_eq!(after_end(&facts, true), Supervisor::GaveUp, "an exit code is no signal");
        facts.exec_code = KILLED;
        assert_eq!(after_end(&facts, true), Supervisor::Forbids);

        let mut facts = ended("no", "signal", 2, 15);
        facts.restart_force = ExitSet {
            codes: Vec::new(),
            signals: vec![15],
        };
        assert!(would_restart(&facts));
    }

    #[test]
    fn down_at_rest_although_restart_applies_is_given_up() {
        let crash = ended("on-failure", "exit-code", 1, 1);
        assert_eq!(after_end(&crash, false), Supervisor::Active);
        assert_eq!(after_end(&crash, true), Supervisor::GaveUp);
        assert_eq!(after_end(&ended("no", "exit-code", 1, 1), true), Supervisor::Passive);
        // systemd 262 says this as well after starts by hand that were refused.
        for (restart, code, status, expected) in [
            ("no", 1, 1, Supervisor::Passive),
            ("no", 0, 0, Supervisor::Passive),
            ("on-failure", 1, 1, Supervisor::GaveUp),
            ("on-failure", 1, 0, Supervisor::Passive),
            ("on-failure", 2, 15, Supervisor::Passive),
            ("on-abort", 2, 9, Supervisor::GaveUp),
            ("on-abort", 3, 6, Supervisor::GaveUp),
            ("always", 1, 0, Supervisor::GaveUp),
            ("always", 0, 0, Supervisor::GaveUp),
        ] {
            let facts = ended(restart, "start-limit-hit", code, status);
            assert_eq!(after_end(&facts, false), expected, "{restart} {code} {status}");
        }
        let mut between = crash;
        between.sub_state = "failed-before-auto-restart".into();
        assert_eq!(after_end(&between, true), Supervisor::Active);
    }
}
