//! What can go wrong, and how it is written.
//!
//! A flag (`--fault crash=3`) and a request (`POST /chaos/crash?code=3`) go
//! through the same [`Fault::parse`], so both know the same faults, limits and
//! messages.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// The longest delay `slow` accepts. Any client has given up long before.
pub(crate) const SLOW_MAX: Duration = Duration::from_secs(10 * 60);

/// The most memory, in MiB, that `memory` holds in this process altogether. Large
/// enough to run into any sensible `MemoryMax=`, small enough for a laptop.
pub(crate) const MEMORY_MAX_MIB: usize = 1024;

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process exits with this code; 0 looks like a clean exit.
    Crash { code: u8 },
    /// The process dies of SIGABRT.
    Abort,
    /// Connections are accepted and requests read, but `/` and `/health` never answer.
    Hang,
    /// `/health` answers this status.
    Status { code: u16 },
    /// `/` and `/health` answer after this delay.
    Slow { delay: Duration },
    /// The process grows by this much and keeps it.
    Memory { mib: usize },
    /// The only thread blocks on a lock for good. The kernel still completes
    /// handshakes, nothing is ever answered, and only SIGKILL helps.
    Deadlock,
}

/// How one fault is written and what it does, for error messages, `GET /chaos` and the page.
pub(crate) struct Usage {
    /// The word in `--fault` and in the path.
    pub(crate) name: &'static str,
    /// The name of its query parameter, if it takes one.
    pub(crate) parameter: Option<&'static str>,
    /// What stands for the value when a request leaves it out.
    pub(crate) default: &'static str,
    /// What it does, and the values it takes.
    pub(crate) about: &'static str,
}

/// Every fault, in the order receivers are notified about them.
#[rustfmt::skip] // It is a table.
pub(crate) const USAGE: [Usage; 7] = [
    Usage::new("crash", Some("code"), "1", "exit with this code (0 to 255)"),
    Usage::new("abort", None, "", "die of SIGABRT"),
    Usage::new("hang", None, "", "accept connections, never answer / and /health"),
    Usage::new("status", Some("code"), "500", "/health answers this status (200 to 599)"),
    Usage::new("slow", Some("ms"), "5000", "/ and /health answer this late (1 to 600000 ms)"),
    Usage::new("memory", Some("mib"), "64", "grow by this much and keep it (1024 MiB at most, in all)"),
    Usage::new("deadlock", None, "", "block the only thread for good: listens, never answers"),
];

impl Usage {
    const fn new(
        name: &'static str,
        parameter: Option<&'static str>,
        default: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            parameter,
            default,
            about,
        }
    }

    /// Finds a fault by its name.
    pub(crate) fn find(name: &str) -> Result<&'static Self, FaultError> {
        USAGE.iter().find(|usage| usage.name == name).ok_or_else(|| match name {
            "refuse" => FaultError::FlagOnly,
            _ => FaultError::Unknown { name: name.to_owned() },
        })
    }

    /// The request that injects this fault, with its default value.
    pub(crate) fn request(&self) -> String {
        match self.parameter {
            Some(parameter) => format!("/chaos/{}?{parameter}={}", self.name, self.default),
            None => format!("/chaos/{}", self.name),
        }
    }
}

/// Why something is not a fault.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum FaultError {
    /// It could only be had before the service listened.
    #[error("refuse is for the start alone: --fault refuse=10s")]
    FlagOnly,
    /// No fault has this name.
    #[error(
        "no fault is called `{name}`; there are crash, abort, hang, status, slow, memory, deadlock \
         and, as a flag, refuse"
    )]
    Unknown { name: String },
    /// The value is missing, is not of the right type, or is out of range.
    #[error("{name}: `{value}` is not {expected}")]
    BadValue {
        name: &'static str,
        value: String,
        expected: &'static str,
    },
    /// The fault takes no value.
    #[error("{name} takes no value, but got `{value}`")]
    NoValue { name: &'static str, value: String },
    /// All the memory that may be held is spoken for.
    #[error("memory: {mib} MiB more would be over the limit of {MEMORY_MAX_MIB} MiB in all")]
    MemoryLimit { mib: usize },
    /// `@` is not followed by a duration.
    #[error("`@{text}` is not a delay such as `@5s`")]
    BadDelay { text: String },
}

impl Fault {
    /// Reads a fault from its name and value. Without a value, the default applies.
    pub(crate) fn parse(name: &str, value: Option<&str>) -> Result<Self, FaultError> {
        let usage = Usage::find(name)?;
        let text = match (usage.parameter, value) {
            (None, Some(value)) if !value.is_empty() => {
                return Err(FaultError::NoValue {
                    name: usage.name,
                    value: value.to_owned(),
                });
            }
            (_, value) => value.unwrap_or(usage.default),
        };
        let bad = |expected| FaultError::BadValue {
            name: usage.name,
            value: text.to_owned(),
            expected,
        };
        match usage.name {
            "crash" => {
                let code = text.parse().map_err(|_| bad("an exit code from 0 to 255"))?;
                Ok(Self::Crash { code })
            }
            "abort" => Ok(Self::Abort),
            "hang" => Ok(Self::Hang),
            "status" => {
                // 1xx is not an answer but the announcement of one.
                let code = text.parse().ok().filter(|code| (200..=599).contains(code));
                code.map(|code| Self::Status { code })
                    .ok_or_else(|| bad("a status from 200 to 599"))
            }
            "slow" => parse_slow(text)
                .map(|delay| Self::Slow { delay })
                .ok_or_else(|| bad("a delay from 1 to 600000 milliseconds")),
            "memory" => {
                let mib = text.parse().ok().filter(|mib| (1..=MEMORY_MAX_MIB).contains(mib));
                mib.map(|mib| Self::Memory { mib }).ok_or_else(|| bad("1 to 1024 MiB"))
            }
            "deadlock" => Ok(Self::Deadlock),
            _ => Err(FaultError::Unknown { name: name.to_owned() }),
        }
    }

    /// Whether this process can still answer a request once the fault is in effect.
    pub(crate) fn leaves_an_answer(self) -> bool {
        match self {
            Self::Hang | Self::Status { .. } | Self::Slow { .. } => true,
            // Memory, too, may end the process: growing into a limit is what it is for.
            Self::Crash { .. } | Self::Abort | Self::Memory { .. } | Self::Deadlock => false,
        }
    }
}

/// `5000` is milliseconds, as in `?ms=5000`; `5000ms` and `5s` say it themselves.
fn parse_slow(text: &str) -> Option<Duration> {
    let delay = match text.parse() {
        Ok(milliseconds) => Duration::from_millis(milliseconds),
        Err(_) => humantime::parse_duration(text).ok()?,
    };
    (Duration::from_millis(1)..=SLOW_MAX).contains(&delay).then_some(delay)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash { code } => write!(f, "crash={code}"),
            Self::Abort => f.write_str("abort"),
            Self::Hang => f.write_str("hang"),
            Self::Status { code } => write!(f, "status={code}"),
            Self::Slow { delay } => write!(f, "slow={}ms", delay.as_millis()),
            Self::Memory { mib } => write!(f, "memory={mib}"),
            Self::Deadlock => f.write_str("deadlock"),
        }
    }
}
