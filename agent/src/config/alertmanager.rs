//! `alertmanager = { ... }` of a receiver: as it is written, and as it is used.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::secret::Secret;

/// As it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AlertmanagerInput {
    pub(super) urls: Option<Vec<String>>,
    #[serde(deserialize_with = "super::inputs::duration")]
    pub(super) resend: Option<Duration>,
    pub(super) headers: BTreeMap<String, Secret>,
    pub(super) headers_file: Option<PathBuf>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) token: Option<Secret>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) ca_file: Option<PathBuf>,
}

/// `alertmanager = { urls, resend, headers, user + password | password_file, token | token_file, ca_file }`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertmanagerSettings {
    /// Every replica, each of which is told by itself; never empty.
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
