//! Connecting to the bus, again and again.

use std::time::Duration;

use sentinel_engine::{Event, ServiceName};
use sentinel_text::chain;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use zbus::Connection;

use super::bus;
use super::error::BusError;
use super::requests::{REQUESTS_MAX, Request, Systemd};
use super::session::Session;
use super::units::Units;

/// Gaps between attempts to connect. A bus that restarts answers again after a tenth of a second.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// A bus that accepts and says nothing is as good as none.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Where the bus is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BusAddress {
    /// `DBUS_SYSTEM_BUS_ADDRESS`, else the well-known socket of the host.
    #[default]
    System,
    /// An address as in the D-Bus specification: `unix:path=/run/...`.
    At(String),
}

impl BusAddress {
    /// Connects, or says why not.
    pub(super) async fn connect(&self) -> Result<Connection, BusError> {
        let address = match self {
            Self::System => None,
            Self::At(address) => Some(address.as_str()),
        };
        match tokio::time::timeout(CONNECT_WITHIN, bus::connect(address)).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(BusError::Connect(error)),
            Err(_elapsed) => Err(BusError::Silent),
        }
    }
}

/// A unit to watch for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Whose target it is. Several services may share a unit.
    pub service: ServiceName,
    /// Its full name, such as `nginx.service`. An alias will do. It need not exist.
    pub unit: String,
}

/// Watches units over the system bus, whatever becomes of the bus.
#[derive(Debug)]
pub struct Watcher {
    address: BusAddress,
    units: watch::Receiver<Vec<Watched>>,
    requests: mpsc::Receiver<Request>,
    events: mpsc::Sender<Event>,
}

impl Watcher {
    /// A watcher of these units, and the handle to it. Observations go to `events`, the newest of each service last; when
    /// `events` is full, older ones that no operator took are dropped for newer ones of the same service.
    pub fn new(address: BusAddress, units: Vec<Watched>, events: mpsc::Sender<Event>) -> (Self, Systemd) {
        let (units_sender, units) = watch::channel(units);
        let (requests_sender, requests) = mpsc::channel(REQUESTS_MAX);
        let watcher = Self {
            address,
            units,
            requests,
            events,
        };
        (watcher, Systemd::new(requests_sender, units_sender))
    }

    /// Watches until dropped. Loss of the bus is reported as [`sentinel_engine::TargetState::Unknown`], and is not an end.
    pub async fn run(mut self) {
        let mut units = Units::new(self.events.clone());
        let mut backoff = BACKOFF_MIN;
        loop {
            let reason = match self.address.connect().await {
                Ok(connection) => {
                    let mut session = Session::new(connection, &mut units, &mut self.units, &mut self.requests);
                    let reason = chain(&session.run().await);
                    if session.was_useful() {
                        backoff = BACKOFF_MIN;
                    }
                    reason
                }
                Err(error) => chain(&error),
            };
            tracing::warn!(
                event = "connection_lost",
                of = "systemd",
                reason,
                "lost the connection to systemd"
            );
            units.set(&self.units.borrow_and_update());
            units.lose_connection(&reason);
            self.wait(&mut units, backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// Lets time pass between two attempts. Requests are refused rather than kept: they are about now.
    async fn wait(&mut self, units: &mut Units, time: Duration) {
        let until = Instant::now() + time;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                Some(request) = self.requests.recv() => request.refuse(),
                () = units.flush_one() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sentinel_engine::{ActionKind, ActionResult, TargetState};

    use super::super::blast::MayAffect;
    use super::*;

    #[tokio::test]
    async fn without_a_bus_nothing_is_known_and_nothing_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let address = BusAddress::At(format!("unix:path={}/no-such-bus", folder.path().display()));
        let units = vec![Watched {
            service: ServiceName::from("a"),
            unit: "a.service".to_owned(),
        }];
        let (sender, mut events) = mpsc::channel(8);
        let (watcher, systemd) = Watcher::new(address, units, sender);
        let running = tokio::spawn(watcher.run());

        let event = events.recv().await;
        let Some(Event::TargetObserved { observation, .. }) = event else {
            panic!("{event:?}");
        };
        assert!(
            matches!(&observation.state, TargetState::Unknown(why) if why.contains("cannot connect")),
            "{observation:?}"
        );
        let result = systemd
            .restart(
                "a.service",
                ActionKind::Start,
                None,
                MayAffect::Anything,
                Some(Duration::from_secs(10)),
                tokio::sync::oneshot::channel().0,
            )
            .await;
        assert!(matches!(result, ActionResult::Outdated(_)), "{result:?}");
        assert!(!running.is_finished());

        running.abort();
        let _ = running.await;
        let result = systemd
            .restart(
                "a.service",
                ActionKind::Start,
                None,
                MayAffect::Anything,
                Some(Duration::from_secs(10)),
                tokio::sync::oneshot::channel().0,
            )
            .await;
        assert!(matches!(result, ActionResult::Outdated(_)), "{result:?}");
    }
}
