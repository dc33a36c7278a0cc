//! Breaks a running service from the command line, so that an image without curl can be broken, too.

use std::str::FromStr;
use std::time::Duration;

use axum::http::uri::Authority;
use thiserror::Error;
use tokio::time::timeout;

use crate::cli::InjectOptions;
use crate::fault::{Fault, FaultError, Usage};
use crate::healthcheck::{HealthUrl, HealthcheckError, request_status};

/// It answers at once, or not at all.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What to ask for, as it stands in the path: `crash?code=3`, or `reset`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Injection(String);

/// Why the service is not broken, or not as far as is known.
#[derive(Debug, Error)]
pub(crate) enum InjectError {
    /// The address is not one.
    #[error("`{0}` is not an address such as 127.0.0.1:8080")]
    Address(Authority),
    /// Faults are switched off there.
    #[error("it takes no faults; start it with --chaos or DEMO_CHAOS=1")]
    SwitchedOff,
    /// It answered something else.
    #[error("it answered status {0}")]
    Status(u16),
    /// It could not be asked.
    #[error("it cannot be asked")]
    Request(#[source] HealthcheckError),
}

/// Asks for the fault; it is in effect, or about to be, when this returns.
pub(crate) async fn run(options: &InjectOptions) -> Result<(), InjectError> {
    let url: HealthUrl = format!("http://{}/chaos/{}", options.to, options.fault.0)
        .parse()
        .map_err(|_| InjectError::Address(options.to.clone()))?;
    let asked = timeout(ANSWER_WITHIN, request_status("POST", &url)).await;
    match asked.unwrap_or(Err(HealthcheckError::Timeout(ANSWER_WITHIN))) {
        Ok(200..=299) => Ok(()),
        // What is asked for was checked, so it is the place that is not there.
        Ok(404) => Err(InjectError::SwitchedOff),
        Ok(status) => Err(InjectError::Status(status)),
        Err(error) => Err(InjectError::Request(error)),
    }
}

impl FromStr for Injection {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        if text == "reset" {
            return Ok(Self(text.to_owned()));
        }
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        // Written back by the fault itself: what goes into the path is what was understood.
        let fault = Fault::parse(name, value)?.to_string();
        Ok(Self(match (fault.split_once('='), Usage::find(name)?.parameter) {
            (Some((name, value)), Some(parameter)) => format!("{name}?{parameter}={value}"),
            _ => fault,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_as_flags_and_asked_for_as_requests() {
        for (text, path) in [
            ("crash=3", "crash?code=3"),
            ("crash", "crash?code=1"),
            ("hang", "hang"),
            ("slow=2s", "slow?ms=2000ms"),
            ("memory=512", "memory?mib=512"),
            ("reset", "reset"),
        ] {
            assert_eq!(text.parse(), Ok(Injection(path.to_owned())), "{text}");
        }
        for wrong in ["", "explode", "crash=256", "hang=1", "refuse=1s", "hang@5s"] {
            assert!(wrong.parse::<Injection>().is_err(), "{wrong}");
        }
    }
}
