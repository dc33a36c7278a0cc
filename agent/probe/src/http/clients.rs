//! Whose certificates are believed, shared by all probes that believe the same.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt as _;
use sentinel_config::HttpProbe;

use crate::error::ProbeError;
use crate::resolver::Resolver;

/// What services see in their logs.
pub(super) const USER_AGENT: &str = concat!("sentinel/", env!("CARGO_PKG_VERSION"));

/// Whose certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// No certificate: for plain http, which needs no certificates.
    Nothing,
    /// Those the host trusts.
    Host,
    /// Those issued by the authorities in this PEM text. By content, so that a replaced file makes a new client.
    Only(Arc<[u8]>),
    /// Any.
    Any,
}

impl Trust {
    /// As the settings say. Reads the CA file.
    pub(super) fn of(settings: &HttpProbe) -> Result<Self, ProbeError> {
        match &settings.ca_file {
            _ if settings.insecure => Ok(Self::Any),
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
    match roots(&pem) {
        Ok(roots) if !roots.is_empty() => Ok(pem.into()),
        _ => Err(ProbeError::NoCertificate(path.to_owned())),
    }
}

/// The certificates in a PEM text, to be believed.
fn roots(pem: &[u8]) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| rustls::Error::General(error.to_string()))?;
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// How to reach servers. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) resolver: Resolver,
    /// For https; `None` where nobody's certificates are believed.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// Makes clients, and gives the same trust to everyone who needs the same: the certificates of the host, which come with
/// [`Trust::Host`], cost a megabyte.
#[derive(Debug)]
pub(crate) struct Clients {
    resolver: Resolver,
    made: Mutex<Vec<(Trust, Arc<ClientConfig>)>>,
}

impl Clients {
    /// Installs `ring` as the TLS provider of the process, unless one is installed.
    pub(crate) fn new(resolver: Resolver) -> Self {
        // Fails when there is one already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            resolver,
            made: Mutex::default(),
        }
    }

    /// The client for this trust.
    pub(super) fn client(&self, trust: Trust) -> Result<Client, rustls::Error> {
        let client = |tls| Client {
            resolver: self.resolver.clone(),
            tls,
        };
        if trust == Trust::Nothing {
            return Ok(client(None));
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, tls)) = made.iter().find(|(known, _)| *known == trust) {
            return Ok(client(Some(Arc::clone(tls))));
        }
        let tls = Arc::new(config(&trust)?);
        made.push((trust, Arc::clone(&tls)));
        Ok(client(Some(tls)))
    }
}

fn config(trust: &Trust) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder();
    let mut config = match trust {
        Trust::Nothing => builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth(),
        Trust::Host => builder.with_platform_verifier()?.with_no_client_auth(),
        Trust::Only(pem) => builder.with_root_certificates(roots(pem)?).with_no_client_auth(),
        Trust::Any => {
            let provider = Arc::clone(builder.crypto_provider());
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Any(provider)))
                .with_no_client_auth()
        }
    };
    // One request per connection gains nothing from HTTP/2.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Believes any certificate, as `insecure` says. That the server holds its key is seen to all the same.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
