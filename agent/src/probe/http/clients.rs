//! The HTTP clients, shared by all probes that need the same.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{CONNECTION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};

use super::connector::Observed;
use crate::config::HttpProbe;
use crate::probe::error::ProbeError;
use crate::probe::resolver::Resolver;

/// What services see in their logs.
pub(super) const USER_AGENT: &str = concat!("sentinel/", env!("CARGO_PKG_VERSION"));

/// Idle connections kept per host and port with `keep_alive`: as many as there may be probes of one server at once,
/// within reason.
const IDLE_PER_HOST: usize = 4;

/// Idle connections are closed after this; most servers close theirs after 5 s to 75 s themselves.
const IDLE_FOR: Duration = Duration::from_secs(60);

/// Whose certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nobody's: for plain http, which needs no certificates.
    Nobody,
    /// Those the host trusts.
    Host,
    /// Those issued by the authorities in this PEM text. By content, so that a replaced file makes a new client.
    Only(Arc<[u8]>),
    /// Any.
    Anybody,
}

impl Trust {
    /// As the settings say. Reads the CA file.
    pub(super) fn of(settings: &HttpProbe) -> Result<Self, ProbeError> {
        match &settings.ca_file {
            _ if settings.insecure => Ok(Self::Anybody),
            Some(path) => read_ca_file(path).map(Self::Only),
            None => Ok(Self::Host),
        }
    }
}

fn read_ca_file(path: &Path) -> Result<Arc<[u8]>, ProbeError> {
    let pem = std::fs::read(path).map_err(|source| ProbeError::CaFile {
        path: path.to_owned(),
        source,
    })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(pem.into()),
        _ => Err(ProbeError::NoCertificate(path.to_owned())),
    }
}

/// Makes clients, and gives the same one to everyone who needs the same. A client costs little; the certificates of the
/// host, which come with [`Trust::Host`], cost a megabyte.
#[derive(Debug)]
pub(in crate::probe) struct Clients {
    resolver: Resolver,
    made: Mutex<Vec<(Trust, bool, Client)>>,
}

impl Clients {
    /// Installs `ring` as the TLS provider of the process, unless one is installed.
    pub(in crate::probe) fn new(resolver: Resolver) -> Self {
        // Fails when there is one already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            resolver,
            made: Mutex::default(),
        }
    }

    /// The client for this trust that keeps connections, or does not.
    pub(super) fn client(&self, trust: Trust, keep_alive: bool) -> reqwest::Result<Client> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, client)) = made.iter().find(|(t, k, _)| *t == trust && *k == keep_alive) {
            return Ok(client.clone());
        }
        let client = self.build(&trust, keep_alive)?;
        made.push((trust, keep_alive, client.clone()));
        Ok(client)
    }

    fn build(&self, trust: &Trust, keep_alive: bool) -> reqwest::Result<Client> {
        let mut headers = HeaderMap::new();
        if !keep_alive {
            // Tells the server that this is all, and lets it close first: the wait that follows is then on its side.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(headers)
            // A proxy would answer for the service.
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            // One request per connection gains nothing from HTTP/2.
            .http1_only()
            // Every probe has its own deadline, and watches its own connection: no need for the kernel to do so too.
            .tcp_keepalive(None)
            .tcp_keepalive_interval(None)
            .tcp_keepalive_retries(None)
            .tcp_user_timeout(None)
            .dns_resolver(self.resolver.clone())
            .connector_layer(Observed)
            .pool_max_idle_per_host(if keep_alive { IDLE_PER_HOST } else { 0 })
            .pool_idle_timeout(IDLE_FOR);
        let builder = match trust {
            Trust::Nobody => builder.tls_certs_only([]),
            Trust::Host => builder,
            Trust::Only(pem) => builder.tls_certs_only(Certificate::from_pem_bundle(pem)?),
            Trust::Anybody => builder.tls_danger_accept_invalid_certs(true),
        };
        builder.build()
    }
}
