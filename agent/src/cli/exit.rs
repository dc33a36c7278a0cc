//! Exit codes. They are part of the interface: scripts rely on them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, or the answer is yes.
    Ok,
    /// 1: the answer is no. The configuration is wrong, there is no such service, a fault was not healed.
    Failure,
    /// 2: the command line is wrong, or the scenario that it names.
    Usage,
    /// 3: no agent answers: it does not run, may not be asked, or stands still.
    Unreachable,
    /// That of a command that was run: by `sentinel deploy`.
    Command(u8),
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Command(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
