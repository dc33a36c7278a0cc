//! Exit codes. They are part of the interface: scripts rely on them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// 0: done, or the answer is yes.
    Ok = 0,
    /// 1: the answer is no. The configuration is wrong, there is no such service, a fault was not healed.
    No = 1,
    /// 2: the command line is wrong, or the scenario that it names.
    Usage = 2,
    /// 3: no agent answers: it does not run, may not be asked, or stands still.
    Unreachable = 3,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
