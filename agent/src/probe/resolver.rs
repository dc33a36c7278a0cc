//! Name lookups by the host's own resolver, bounded.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::Semaphore;

use super::stage::{Stage, reached};

/// A name without address. A type of its own, to be found in the source chain of an error.
#[derive(Debug, Error)]
#[error("failed to look up a name")]
pub(super) struct LookupError(#[from] pub(super) io::Error);

/// Looks names up by `getaddrinfo`, so that `/etc/hosts` and `nsswitch.conf` count, on at most a few threads.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    threads: Arc<Semaphore>,
}

impl Resolver {
    pub(super) fn new(threads: usize) -> Self {
        Self {
            threads: Arc::new(Semaphore::new(threads)),
        }
    }

    /// The addresses of `host` with `port`, in the order in which they should be tried.
    pub(super) async fn lookup(&self, host: String, port: u16) -> Result<Vec<SocketAddr>, LookupError> {
        reached(Stage::LookupQueued);
        let permit = self.threads.clone().acquire_owned().await.map_err(io::Error::other)?;
        reached(Stage::Resolving);
        let addresses = tokio::task::spawn_blocking(move || {
            // The thread cannot be called off: its permit is free when it is, not when the probe has gone.
            let _permit = permit;
            let addresses = (host.as_str(), port).to_socket_addrs();
            addresses
                .map(Iterator::collect)
                .map_err(|error| shortage().unwrap_or(error))
        });
        let addresses = addresses.await.map_err(io::Error::other)??;
        reached(Stage::Connecting);
        Ok(addresses)
    }
}

/// Why this process can open nothing now, if it cannot. Out of descriptors, `getaddrinfo` reads neither its files nor
/// the network, and claims that the name does not exist: the agent's shortage would look like the service's outage.
fn shortage() -> Option<io::Error> {
    UnixDatagram::unbound().err()
}
