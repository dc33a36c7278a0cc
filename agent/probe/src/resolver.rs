//! Name lookups by the host's own resolver, bounded, and apart for names that take long.
//!
//! `getaddrinfo` blocks a thread for as long as it likes: half a minute where a name server swallows packets. So names
//! are kept apart by how long they took the last time, and those that hang wait for one another only.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Semaphore, watch};

use super::stage::{Stage, reached};

/// A lookup that takes longer makes room for others. Files and caches answer within milliseconds, name servers within
/// tenths of a second; `getaddrinfo` itself asks again after five.
const SLOW_AFTER: Duration = Duration::from_secs(1);

/// Lookups that turn out to be slow and make room for others, for each thread of a kind. When so many hang, whoever was
/// never asked has to wait for them; a thread costs some ten kilobytes.
const HANGING_PER_THREAD: usize = 8;

/// Names of which it is remembered how long they took. More than there are services.
const NAMES_MAX: usize = 16 * 1024;

/// A name without address. A type of its own, to be found in the source chain of an error.
#[derive(Debug, Error)]
#[error("failed to look up a name")]
pub(super) struct LookupError(#[from] pub(super) io::Error);

/// Looks names up by `getaddrinfo`, so that `/etc/hosts` and `nsswitch.conf` count, on a few threads, and each name once
/// at a time. Cheap to clone.
#[derive(Clone)]
pub(super) struct Resolver(Arc<Shared>);

type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

struct Shared {
    lookup: Box<Lookup>,
    names: Mutex<HashMap<String, Known>>,
    /// Threads for names that were quick the last time, for those that were never asked, and for those that were slow.
    quick: Arc<Semaphore>,
    unknown: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    /// For lookups of the first two kinds that turned out to be slow.
    hanging: Arc<Semaphore>,
    slow_after: Duration,
}

/// What is known of a name.
#[derive(Default)]
struct Known {
    /// Whether it was slow the last time; `None` when it was never asked.
    slow: Option<bool>,
    /// The lookup under way.
    under_way: Option<watch::Receiver<Progress>>,
}

/// How far a lookup has come.
#[derive(Clone, Debug)]
enum Progress {
    /// It waits for a thread.
    Queued,
    /// The resolver has been asked.
    Asked,
    /// It has answered.
    Answered(Result<Arc<[IpAddr]>, Failure>),
}

/// What an `io::Error` says, for everyone who waits for the same lookup.
#[derive(Clone, Debug)]
struct Failure {
    code: Option<i32>,
    kind: io::ErrorKind,
    text: String,
}

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Self {
        Self {
            code: error.raw_os_error(),
            kind: error.kind(),
            text: error.to_string(),
        }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure.code {
            Some(code) => Self::from_raw_os_error(code),
            None => Self::new(failure.kind, failure.text),
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("names", &self.names().len()).finish()
    }
}

impl Resolver {
    /// A resolver that asks for at most `threads` names at once of each kind: those that were quick the last time, those
    /// that were slow, and those that were never asked.
    pub(super) fn new(threads: usize) -> Self {
        Self::by(threads, SLOW_AFTER, ask_the_host)
    }

    fn by(
        threads: usize,
        slow_after: Duration,
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        let lane = || Arc::new(Semaphore::new(threads));
        Self(Arc::new(Shared {
            lookup: Box::new(lookup),
            names: Mutex::default(),
            quick: lane(),
            unknown: lane(),
            slow: lane(),
            hanging: Arc::new(Semaphore::new(threads * HANGING_PER_THREAD)),
            slow_after,
        }))
    }

    /// The addresses of `host` with `port`, in the order in which they should be tried. Literal addresses and this very
    /// host wait for nothing.
    pub(super) async fn lookup(&self, host: String, port: u16) -> Result<Vec<SocketAddr>, LookupError> {
        let with_port = |addresses: &[IpAddr]| addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        if let Ok(literal) = host.parse::<IpAddr>() {
            return Ok(with_port(&[literal]));
        }
        if is_localhost(&host) {
            return Ok(with_port(&[Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]));
        }
        reached(Stage::LookupQueued);
        let mut progress = self.join(host);
        loop {
            let now = progress.borrow_and_update().clone();
            match now {
                Progress::Queued => {}
                Progress::Asked => reached(Stage::Resolving),
                Progress::Answered(answer) => {
                    let addresses = answer.map_err(io::Error::from)?;
                    reached(Stage::Connecting);
                    return Ok(with_port(&addresses));
                }
            }
            let gone = |_| LookupError(io::Error::other("the lookup was given up"));
            progress.changed().await.map_err(gone)?;
        }
    }

    /// The lookup of this name that is under way, or a new one.
    fn join(&self, host: String) -> watch::Receiver<Progress> {
        let mut names = self.names();
        if names.len() >= NAMES_MAX && !names.contains_key(&host) {
            names.retain(|_, known| known.under_way.is_some());
        }
        let known = names.entry(host.clone()).or_default();
        if let Some(under_way) = &known.under_way {
            return under_way.clone();
        }
        let (sender, receiver) = watch::channel(Progress::Queued);
        known.under_way = Some(receiver.clone());
        // Not the task of whoever asks: a lookup cannot be called off, and others may join it.
        tokio::spawn(self.clone().ask(host, known.slow, sender));
        receiver
    }

    async fn ask(self, host: String, was_slow: Option<bool>, progress: watch::Sender<Progress>) {
        let shared = &self.0;
        let lane = match was_slow {
            Some(false) => &shared.quick,
            None => &shared.unknown,
            Some(true) => &shared.slow,
        };
        let permit = Arc::clone(lane).acquire_owned().await;
        progress.send_replace(Progress::Asked);
        let (resolver, name) = (Arc::clone(shared), host.clone());
        let mut asking = tokio::task::spawn_blocking(move || (resolver.lookup)(&name));
        let (slow, answer) = match tokio::time::timeout(shared.slow_after, &mut asking).await {
            Ok(answer) => (false, answer),
            // The thread cannot be called off, but it can be counted among those that hang: others need not wait for it.
            Err(_elapsed) if was_slow != Some(true) => {
                tokio::select! {
                    answer = &mut asking => (true, answer),
                    _hangs = shared.hanging.acquire() => {
                        drop(permit);
                        (true, asking.await)
                    }
                }
            }
            Err(_elapsed) => (true, asking.await),
        };
        let answer = answer.map_err(io::Error::other).and_then(|answer| answer);
        let answer = answer.map(Arc::from).map_err(|error| Failure::from(&error));
        let known = Known {
            slow: Some(slow),
            under_way: None,
        };
        self.names().insert(host, known);
        progress.send_replace(Progress::Answered(answer));
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the name stands for this very host (RFC 6761, 6.3). curl answers it the same way, and in the same order.
fn is_localhost(host: &str) -> bool {
    host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost")
}

fn ask_the_host(host: &str) -> io::Result<Vec<IpAddr>> {
    let addresses = (host, 0).to_socket_addrs();
    let addresses = addresses.map_err(|error| shortage().unwrap_or(error))?;
    Ok(addresses.map(|address| address.ip()).collect())
}

/// Why this process can open nothing now, if it cannot. Out of descriptors, `getaddrinfo` reads neither its files nor
/// the network, and claims that the name does not exist: the agent's shortage would look like the service's outage.
fn shortage() -> Option<io::Error> {
    UnixDatagram::unbound().err()
}

#[cfg(test)]
mod tests;
