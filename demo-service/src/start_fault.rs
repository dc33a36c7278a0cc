//! A fault as a flag: `--fault NAME[=VALUE][@DELAY]`.

use std::str::FromStr;
use std::time::Duration;

use crate::fault::{Fault, FaultError};

/// A fault given on the command line: `NAME[=VALUE][@DELAY]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartFault {
    /// Neither bind nor listen for this long, so that connections are refused.
    Refuse(Duration),
    /// Be well for `after`, counted from listening, and then fail.
    Inject { fault: Fault, after: Duration },
}

impl FromStr for StartFault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (fault, after) = match text.split_once('@') {
            Some((fault, delay)) => match humantime::parse_duration(delay) {
                Ok(after) => (fault, after),
                Err(_) => {
                    return Err(FaultError::BadDelay { text: delay.to_owned() });
                }
            },
            None => (text, Duration::ZERO),
        };
        let (name, value) = match fault.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (fault, None),
        };
        if name == "refuse" {
            // There is nothing to delay: it is over before the service listens.
            let value = text.strip_prefix("refuse=").unwrap_or_default();
            return humantime::parse_duration(value)
                .map(Self::Refuse)
                .map_err(|_| FaultError::BadValue {
                    name: "refuse",
                    value: value.to_owned(),
                    expected: "a duration such as `10s`",
                });
        }
        Ok(Self::Inject {
            fault: Fault::parse(name, value)?,
            after,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::USAGE;

    #[test]
    fn flags_are_read_as_they_are_documented() {
        let now = |fault| {
            Ok(StartFault::Inject {
                fault,
                after: Duration::ZERO,
            })
        };
        let five = Duration::from_secs(5);
        for (text, expected) in [
            ("crash=3", now(Fault::Crash { code: 3 })),
            ("crash", now(Fault::Crash { code: 1 })),
            ("abort", now(Fault::Abort)),
            ("hang", now(Fault::Hang)),
            ("status=500", now(Fault::Status { code: 500 })),
            ("slow=5000ms", now(Fault::Slow { delay: five })),
            ("slow=5s", now(Fault::Slow { delay: five })),
            ("slow=5000", now(Fault::Slow { delay: five })),
            ("memory=64", now(Fault::Memory { mib: 64 })),
            ("deadlock", now(Fault::Deadlock)),
            ("refuse=5s", Ok(StartFault::Refuse(five))),
            (
                "hang@5s",
                Ok(StartFault::Inject {
                    fault: Fault::Hang,
                    after: five,
                }),
            ),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_reason() {
        for (text, expected) in [
            ("crash=256", "crash: `256` is not an exit code from 0 to 255"),
            ("crash=-1", "crash: `-1` is not an exit code from 0 to 255"),
            ("status=100", "status: `100` is not a status from 200 to 599"),
            ("status=600", "status: `600` is not a status from 200 to 599"),
            ("slow=0", "slow: `0` is not a delay from 1 to 600000 milliseconds"),
            ("slow=11m", "slow: `11m` is not a delay from 1 to 600000 milliseconds"),
            ("memory=0", "memory: `0` is not 1 to 1024 MiB"),
            ("memory=1025", "memory: `1025` is not 1 to 1024 MiB"),
            ("hang=1", "hang takes no value, but got `1`"),
            ("refuse", "refuse: `` is not a duration such as `10s`"),
            ("refuse=1s@2s", "refuse: `1s@2s` is not a duration such as `10s`"),
            ("crash=3@soon", "`@soon` is not a delay such as `@5s`"),
        ] {
            let error = text.parse::<StartFault>().unwrap_err();
            assert_eq!(error.to_string(), expected, "{text}");
        }
        assert!(matches!("oops".parse::<StartFault>(), Err(FaultError::Unknown { .. })));
    }

    #[test]
    fn every_default_parses_and_is_written_back() {
        for usage in &USAGE {
            let fault = Fault::parse(usage.name, None).unwrap();
            assert_eq!(
                fault.to_string().parse(),
                Ok(StartFault::Inject {
                    fault,
                    after: Duration::ZERO
                })
            );
        }
    }
}
