//! What can be wrong with the settings of a receiver, beyond what the configuration is checked for.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A setting makes no sense, or cannot work on this host. Never holds a value that may be secret.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// There is no program to run.
    #[error("its argv is empty")]
    NoProgram,
    /// It is no URL.
    #[error("its url cannot be understood")]
    Url(#[source] url::ParseError),
    /// The address of Slack's methods.
    #[error("its api_url cannot be used")]
    ApiUrl(#[source] url::ParseError),
    /// It is a URL of something else.
    #[error("its url must begin with http:// or https:// and name a host")]
    NotHttp,
    /// The host has no certificates, or no randomness.
    #[error("TLS cannot be set up on this host")]
    Tls(#[source] Option<Box<dyn Error + Send + Sync>>),
    /// The token holds what no header can.
    #[error("its token holds characters that no token may")]
    Token,
    /// HTTP has no such name.
    #[error("`{0}` is not the name of a header")]
    HeaderName(String),
    /// The value of this header holds what no header can.
    #[error("the value of header `{0}` has characters that no header can hold")]
    HeaderValue(String),
    /// The authorities that it trusts.
    #[error("`{}` cannot be read", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of authorities holds none.
    #[error("`{}` holds no usable certificates", .0.display())]
    NoCertificates(PathBuf),
    /// The secret to sign with announces what it is not.
    #[error("what follows `whsec_` in the secret is not base64")]
    SecretNotBase64,
    /// There is nothing to sign with.
    #[error("the secret is empty")]
    EmptySecret,
    /// The template does not compile; holds what is wrong with it, and where.
    #[error("its template cannot be used: {0}")]
    Template(String),
}

impl SettingsError {
    /// Of a client that cannot be made. What the library says itself is no more than that.
    pub(super) fn tls(error: &reqwest::Error) -> Self {
        Self::Tls(error.source().map(|cause| cause.to_string().into()))
    }
}
