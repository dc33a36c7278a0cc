//! TCP probes: something accepts.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use sentinel_config::TcpProbe;
use sentinel_engine::{ProbeOutcome, Verdict};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::error::ProbeError;
use super::error_mapping;
use super::resolver::Resolver;
use super::stage::{STAGE, Stage, reached};

/// A TCP probe, ready to run: passes when one of the name's addresses accepts.
#[derive(Debug)]
pub(super) struct TcpCheck {
    host: String,
    port: u16,
    timeout: Duration,
    resolver: Resolver,
}

impl TcpCheck {
    pub(super) fn new(settings: &TcpProbe, resolver: Resolver) -> Result<Self, ProbeError> {
        let (host, port) =
            host_and_port(&settings.address).ok_or_else(|| ProbeError::Address(settings.address.clone()))?;
        Ok(Self {
            host,
            port,
            timeout: settings.timeout,
            resolver,
        })
    }

    /// The host and port that are asked.
    pub(super) fn asks(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    pub(super) async fn run(&self) -> ProbeOutcome {
        let start = Instant::now();
        let deadline = start + self.timeout;
        let attempt = async {
            match timeout_at(deadline, self.attempt(deadline)).await {
                Ok(verdict) => verdict,
                Err(_) => error_mapping::overdue(STAGE.with(Cell::get), self.timeout),
            }
        };
        let verdict = STAGE.scope(Stage::Connecting.into(), attempt).await;
        ProbeOutcome {
            verdict,
            status_code: None,
            latency: start.elapsed(),
            answers: Vec::new(),
        }
    }

    async fn attempt(&self, deadline: Instant) -> Verdict {
        let addresses = match self.resolver.lookup(self.host.clone(), self.port).await {
            Ok(addresses) => addresses,
            Err(error) => return error_mapping::lookup_error(&error),
        };
        reached(Stage::Connecting);
        match connect_any(&addresses, deadline).await {
            Ok(_connected) => Verdict::Passed,
            Err(error) => error_mapping::io_error(&error, self.timeout),
        }
    }
}

/// Connects to the first address that accepts. Each gets an equal share of the time left, so that one which swallows
/// packets does not keep the next from being asked.
async fn connect_any(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for (tried, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// `HOST:PORT`, `[IPV6]:PORT`.
fn host_and_port(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match bare {
        Some(ipv6) => ipv6,
        None if host.contains(':') => return None,
        None => host,
    };
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_host_and_port_and_nothing_else() {
        let table = [
            ("db:5432", Some(("db", 5432))),
            ("127.0.0.1:80", Some(("127.0.0.1", 80))),
            ("[::1]:80", Some(("::1", 80))),
            ("::1:80", None),
            ("db", None),
            (":80", None),
            ("[]:80", None),
            ("db:0", None),
            ("db:http", None),
            ("db:65536", None),
        ];
        for (address, expected) in table {
            let expected = expected.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(host_and_port(address), expected, "{address}");
        }
    }
}
