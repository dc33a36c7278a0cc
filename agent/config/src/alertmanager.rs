//! `alertmanager = { ... }` of a receiver.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::secret::Secret;

/// `alertmanager = { urls, resend, headers, user + password | password_file, token | token_file, ca_file }`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertmanagerSettings {
    /// Every replica, each of which is sent every alert; never empty.
    pub urls: Vec<Url>,
    /// What fires is sent again each so often. Default 60 s.
    pub resend: Duration,
    /// Sent along; secret, as tokens often stand in them.
    pub headers: BTreeMap<String, Secret>,
    /// Who the agent is to the replicas.
    pub login: Option<HttpLogin>,
    /// Trust the certificates in this file (PEM) instead of the host's.
    pub ca_file: Option<PathBuf>,
}

/// Who the agent is to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpLogin {
    /// A name and a password: `Authorization: Basic`.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token: `Authorization: Bearer`.
    Bearer(Secret),
}
