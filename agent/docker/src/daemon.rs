//! The daemon as systemd sees it: whether to speak to it now.
//!
//! On most hosts systemd holds Docker's socket, and starts the daemon for whoever connects. An agent that tries again and
//! again would so undo the stop of an operator, or start a daemon that was given up. Where there is a bus, it is asked first.

use std::path::Path;
use std::time::Duration;

use sentinel_config::DockerAddress;
use zbus::Connection;
use zbus::wire::OwnedVariant;

use super::error::AtRest;

const SYSTEMD: &str = "org.freedesktop.systemd1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const UNIT: &str = "org.freedesktop.systemd1.Unit";

/// `docker.service`, which every distribution's package has, as an object of the bus.
const DOCKER: &str = "/org/freedesktop/systemd1/unit/docker_2eservice";

/// Where systemd listens for it.
const SOCKETS: [&str; 2] = ["/var/run/docker.sock", "/run/docker.sock"];

/// systemd answers in milliseconds. Without an answer nothing is known, and the socket is tried.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Asks systemd about the daemon, over a connection that is kept while it is of use.
#[derive(Debug, Default)]
pub(super) struct Daemon {
    bus: Option<Connection>,
}

impl Daemon {
    /// Why the daemon must not be spoken to now, if so.
    pub(super) async fn rests(&mut self, address: &DockerAddress) -> Option<AtRest> {
        let DockerAddress::Unix(path) = address else {
            return None;
        };
        if !SOCKETS.iter().any(|socket| path == Path::new(socket)) {
            return None;
        }
        let asked = tokio::time::timeout(ANSWER_WITHIN, self.ask()).await;
        let Ok(Ok([load, active, sub])) = asked else {
            self.bus = None;
            return None;
        };
        rests(&load, &active, &sub)
    }

    async fn ask(&mut self) -> zbus::Result<[String; 3]> {
        let bus = match &self.bus {
            Some(bus) => bus.clone(),
            None => self.bus.insert(Connection::system().await?).clone(),
        };
        let mut state: [String; 3] = Default::default();
        for (value, name) in state.iter_mut().zip(["LoadState", "ActiveState", "SubState"]) {
            let answer = bus
                .call_method(Some(SYSTEMD), DOCKER, Some(PROPERTIES), "Get", &(UNIT, name))
                .await?;
            let answered: OwnedVariant = answer.body().deserialize()?;
            *value = String::try_from(answered)?;
        }
        Ok(state)
    }
}

fn rests(load: &str, active: &str, sub: &str) -> Option<AtRest> {
    if load != "loaded" {
        // Something else runs the daemon here.
        return None;
    }
    match active {
        "inactive" | "deactivating" => Some(AtRest::Stopped),
        "failed" => Some(AtRest::Failed),
        "activating" if sub.starts_with("auto-restart") => Some(AtRest::AboutToRestart),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_does_not_run_is_not_woken() {
        for (load, active, sub, rested) in [
            ("loaded", "active", "running", false),
            ("loaded", "reloading", "reload", false),
            ("loaded", "activating", "start", false),
            ("loaded", "activating", "auto-restart", true),
            ("loaded", "inactive", "dead", true),
            ("loaded", "failed", "failed", true),
            ("loaded", "deactivating", "stop-sigterm", true),
            ("not-found", "inactive", "dead", false),
            ("masked", "inactive", "dead", false),
        ] {
            assert_eq!(rests(load, active, sub).is_some(), rested, "{load} {active} {sub}");
        }
    }
}
