//! Where metrics are served over HTTP, and to whom.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::secret::Secret;

/// `listen`, `token_file` and `listen_insecure` of `[agent]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebSettings {
    /// Where; `None` when nothing is served. Off by default for now: it becomes loopback once the page exists, which has to
    /// be paid for by everybody and useful to everybody.
    pub listen: Option<Listen>,
    /// What a client has to send (`Authorization: Bearer`); without it every client that reaches the address is answered.
    pub token: Option<Secret>,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `ADDRESS:PORT`.
    Tcp(SocketAddr),
    /// `unix:PATH`.
    Unix(PathBuf),
}

impl Listen {
    /// Whether another host could reach it.
    pub const fn is_remote(&self) -> bool {
        match self {
            Self::Tcp(address) => !address.ip().is_loopback(),
            Self::Unix(_) => false,
        }
    }
}

/// As it is written in the configuration.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
