//! The near end of the control socket.

use std::error::Error;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, result};

use reqwest::{Method, StatusCode, Url};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use sentinel_api::ErrorResponse;
use sentinel_text::innermost;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::exit::Exit;

/// Longer than the server's own deadline, so that its answer wins.
const DEADLINE: Duration = Duration::from_secs(15);

/// Most bytes of an answer. The status of ten thousand services is a tenth of this.
const ANSWER_MAX: usize = 64 * 1024 * 1024;

/// Asks a running agent.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    socket: PathBuf,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The agent said no; holds its words.
    #[error("{0}")]
    Refused(String),
    /// The agent is there and could not answer; holds its words.
    #[error("{0}")]
    Failed(String),
    /// Nobody could be asked.
    #[error("failed to reach the agent on `{}`", socket.display())]
    Unreachable {
        /// The control socket.
        socket: PathBuf,
        /// The reason.
        source: reqwest::Error,
    },
    /// What came is no answer.
    #[error("the agent's answer cannot be read: {0}")]
    Garbled(String),
}

/// A `Result` of asking.
pub(super) type Result<T> = result::Result<T, ClientError>;

impl Client {
    /// A client of the agent that listens on `socket`. Nothing is sent yet.
    pub fn new(socket: &Path) -> Result<Self> {
        // The HTTP client wants to know how to do TLS, which never happens here: so it gets no certificates to trust,
        // which also spares it reading the host's.
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map(|builder| {
                builder
                    .with_root_certificates(RootCertStore::empty())
                    .with_no_client_auth()
            })
            .map_err(|error| ClientError::Failed(error.to_string()))?;
        let unreachable = |source| ClientError::Unreachable {
            socket: socket.to_owned(),
            source,
        };
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DEADLINE)
            .build()
            .map_err(unreachable)?;
        Ok(Self {
            http,
            socket: socket.to_owned(),
        })
    }

    /// `GET`s what stands at `path`, one segment each, with `query`; the answer's JSON as it came.
    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<String> {
        self.ask(Method::GET, path, query, String::new()).await
    }

    /// `POST`s `body` to `path`; the answer's JSON as it came.
    pub async fn post(&self, path: &[&str], body: &impl Serialize) -> Result<String> {
        let body = serde_json::to_string(body).map_err(|error| ClientError::Failed(error.to_string()))?;
        self.ask(Method::POST, path, &[], body).await
    }

    async fn ask(&self, method: Method, path: &[&str], query: &[(&str, &str)], body: String) -> Result<String> {
        let request = self.http.request(method, url(path, query)?).body(body);
        let unreachable = |source| ClientError::Unreachable {
            socket: self.socket.clone(),
            source,
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > ANSWER_MAX {
                return Err(ClientError::Garbled(format!("it is longer than {ANSWER_MAX} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(bytes).map_err(|error| ClientError::Garbled(error.to_string()))?;
        match response.status() {
            status if status.is_success() => Ok(text),
            status => Err(refusal(status, &text)),
        }
    }
}

/// The URL of `path`; the host in it means nothing.
fn url(path: &[&str], query: &[(&str, &str)]) -> Result<Url> {
    let wrong = || ClientError::Failed("the request cannot be written as a URL".to_owned());
    let mut url = Url::parse("http://sentinel/").map_err(|_| wrong())?;
    url.path_segments_mut()
        .map_err(|()| wrong())?
        .pop_if_empty()
        .push("v1")
        .extend(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

/// What an answer that is not a success means.
fn refusal(status: StatusCode, body: &str) -> ClientError {
    let words = serde_json::from_str(body).map_or_else(
        |_| format!("the agent answered with status {}", status.as_u16()),
        |ErrorResponse { error }| error,
    );
    if status.is_client_error() {
        ClientError::Refused(words)
    } else {
        ClientError::Failed(words)
    }
}

/// Reads the answer.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| ClientError::Garbled(error.to_string()))
}

impl ClientError {
    /// The exit code for it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Refused(_) => Exit::Failure,
            Self::Failed(_) | Self::Unreachable { .. } | Self::Garbled(_) => Exit::Unreachable,
        }
    }

    /// What happened and what to do about it, for the person at the terminal.
    pub fn explain(&self) -> String {
        let Self::Unreachable { socket, source } = self else {
            return self.to_string();
        };
        if source.is_timeout() {
            return format!("{self}: no answer within {}s", DEADLINE.as_secs());
        }
        let place = socket.display();
        match io_kind(source) {
            Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => format!(
                "no agent is listening on `{place}`; start it with `systemctl start sentinel` or `sentinel run`"
            ),
            Some(io::ErrorKind::PermissionDenied) => match owning_group(socket) {
                Some(group) => {
                    format!("permission denied on `{place}`; run this as root or as a member of the group `{group}`")
                }
                None => format!("permission denied on `{place}`; run this as root"),
            },
            _ => format!("{self}: {}", innermost(source)),
        }
    }
}

/// The kind of the system's error at the bottom of `error`.
fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && error.raw_os_error().is_some()
        {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

/// The group other than root's that may use `socket`, or, where that cannot be seen, that may enter its directory.
fn owning_group(socket: &Path) -> Option<String> {
    const ROOT: u32 = 0;
    let found = fs::metadata(socket)
        .or_else(|_| fs::metadata(socket.parent().unwrap_or(socket)))
        .ok()?;
    if found.gid() == ROOT {
        return None;
    }
    let number = found.gid().to_string();
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let named = groups.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)? == number).then(|| name.to_owned())
    });
    Some(named.unwrap_or(number))
}
