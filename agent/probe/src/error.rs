//! Why probes could not be made ready.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a probe could not be made ready. A fault of the configuration or of the host, never of the probed service.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The method is not a token.
    #[error("`{0}` is not an HTTP method")]
    Method(String),
    /// A header cannot be sent. Its value is not shown: it may be secret.
    #[error("the header `{0}` has an invalid name or value")]
    Header(String),
    /// The URL cannot be asked.
    #[error("`{0}` is not an http or https URL")]
    Scheme(String),
    /// The CA file cannot be read.
    #[error("failed to read the CA file `{}`", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The CA file holds no certificate that can be used.
    #[error("the CA file `{}` holds no valid PEM certificate", .0.display())]
    NoCertificate(PathBuf),
    /// There is no way to make TLS connections: most likely because the host has no CA certificates.
    #[error("failed to set up the client for `{url}`; does this host have CA certificates?")]
    Client {
        /// Scheme, host and port asked.
        url: String,
        /// Why.
        source: rustls::Error,
    },
    /// Not `HOST:PORT`.
    #[error("`{0}` is not HOST:PORT")]
    Address(String),
    /// A command without a program.
    #[error("the probe command is empty")]
    EmptyCommand,
}
