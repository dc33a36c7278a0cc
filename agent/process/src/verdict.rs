//! On whose account a process has ended. Pure; the table is in the documentation of the module.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use sentinel_engine::{Cause, Intent};

/// How long a stop script may take to remove the pid file after the process has ended. `start-stop-daemon` and shell
/// scripts need milliseconds; a crash with an unknown exit status is reported this much later.
pub(super) const REMOVAL_GRACE: Duration = Duration::from_millis(250);

/// What shells add to a signal's number to make it an exit code; daemons that handle the signal often do the same.
const SIGNAL_BASE: i32 = 128;

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nobody told: it was not a child of this agent.
    Unknown,
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal { number: i32, core_dumped: bool },
}

/// What kind of ending that is, as far as intent goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Not known.
    Unknown,
    /// It ended well, or as it was asked to.
    Asked,
    /// It was killed without being asked.
    Killed,
    /// It failed.
    Failed,
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(number)) => Self::Signal {
                number,
                core_dumped: status.core_dumped(),
            },
            (None, None) => Self::Unknown,
        }
    }
}

impl Ending {
    /// The cause it stands for.
    pub(super) fn cause(self) -> Cause {
        match self {
            Self::Unknown => Cause::Unknown,
            Self::Code(code) => Cause::Exited { code },
            Self::Signal { number, core_dumped } => Cause::Killed {
                signal: number,
                core_dumped,
            },
        }
    }

    fn kind(self) -> Kind {
        let asked = |signal| matches!(signal, SIGHUP | SIGINT | SIGTERM);
        match self {
            Self::Unknown => Kind::Unknown,
            Self::Code(0) => Kind::Asked,
            Self::Code(code) if asked(code.saturating_sub(SIGNAL_BASE)) => Kind::Asked,
            Self::Signal { number, .. } if asked(number) => Kind::Asked,
            Self::Signal { number: SIGKILL, .. } => Kind::Killed,
            Self::Code(_) | Self::Signal { .. } => Kind::Failed,
        }
    }
}

/// On whose account a process is down that was seen running.
pub(super) fn intent(ending: Ending, file_left: bool) -> Intent {
    match (ending.kind(), file_left) {
        (Kind::Failed, _) | (Kind::Unknown | Kind::Killed, true) => Intent::Crash,
        (Kind::Asked, true) => Intent::CleanExit,
        (Kind::Unknown | Kind::Asked | Kind::Killed, false) => Intent::OperatorStop,
    }
}

/// Whether the verdict would be another one if the pid file were still removed.
pub(super) fn may_change(ending: Ending, file_left: bool) -> bool {
    file_left && intent(ending, true) != intent(ending, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn signal(number: i32) -> Ending {
        Ending::Signal {
            number,
            core_dumped: false,
        }
    }

    #[test]
    fn intent_follows_from_exit_status_and_pid_file() {
        use Intent::{CleanExit, Crash, OperatorStop};
        let table = [
            ("unknown: the file alone tells", Ending::Unknown, Crash, OperatorStop),
            ("a clean exit is no crash", Ending::Code(0), CleanExit, OperatorStop),
            ("TERM is how one stops things", signal(15), CleanExit, OperatorStop),
            ("INT likewise", signal(2), CleanExit, OperatorStop),
            ("HUP likewise", signal(1), CleanExit, OperatorStop),
            (
                "Java exits 143 when it is stopped",
                Ending::Code(143),
                CleanExit,
                OperatorStop,
            ),
            (
                "a shell exits 130 after INT",
                Ending::Code(130),
                CleanExit,
                OperatorStop,
            ),
            ("129 after HUP", Ending::Code(129), CleanExit, OperatorStop),
            ("KILL: who tidied up must have meant it", signal(9), Crash, OperatorStop),
            ("a failure that tidies up is a failure", Ending::Code(1), Crash, Crash),
            ("137 is a code of its own making", Ending::Code(137), Crash, Crash),
            ("SEGV", signal(11), Crash, Crash),
            ("ABRT", signal(6), Crash, Crash),
            ("a real-time signal", signal(34), Crash, Crash),
            (
                "a negative code does not overflow",
                Ending::Code(i32::MIN),
                Crash,
                Crash,
            ),
        ];
        for (name, ending, left, removed) in table {
            assert_eq!(intent(ending, true), left, "{name}, pid file left");
            assert_eq!(intent(ending, false), removed, "{name}, pid file removed");
            assert_eq!(may_change(ending, true), left != removed, "{name}");
            assert!(!may_change(ending, false), "{name}: what was removed stays removed");
        }
    }

    #[test]
    fn exit_status_becomes_the_cause() {
        assert_eq!(
            Ending::from(ExitStatus::from_raw(3 << 8)).cause(),
            Cause::Exited { code: 3 }
        );
        let dumped = Cause::Killed {
            signal: 11,
            core_dumped: true,
        };
        assert_eq!(Ending::from(ExitStatus::from_raw(0x80 + 11)).cause(), dumped);
        assert_eq!(Ending::Unknown.cause(), Cause::Unknown);
    }
}
