//! Questions to the Engine whose answers are read here and not by the generated models: HTTP over a connection of its own,
//! with a bound on everything that may come.

use std::future::poll_fn;
use std::pin::Pin;

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::client::CallError;
use super::facts::clip;
use crate::config::DockerAddress;

/// The longest answer that is read: the list of 10,000 containers with the labels of Compose takes 15 MB.
const ANSWER_MAX: usize = 64 * 1024 * 1024;

/// The longest event. It repeats the labels of its container, each of which may take kilobytes.
const EVENT_MAX: usize = 1024 * 1024;

/// An answer whose head has come. Dropping it ends the connection.
pub(super) struct Reply {
    status: u16,
    body: Incoming,
    connection: JoinHandle<()>,
    /// What has come and was not asked for yet.
    rest: Vec<u8>,
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Asks for `path`, with its query.
pub(super) async fn get(address: &DockerAddress, path: &str) -> Result<Reply, CallError> {
    let unreachable = |error: std::io::Error| CallError::NotConnected(error.to_string());
    match address {
        DockerAddress::Unix(socket) => {
            let stream = UnixStream::connect(socket).await.map_err(unreachable)?;
            send(stream, "docker", path).await
        }
        DockerAddress::Tcp(host) => {
            let stream = TcpStream::connect(host).await.map_err(unreachable)?;
            send(stream, host, path).await
        }
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    host: &str,
    path: &str,
) -> Result<Reply, CallError> {
    let lost = |error: hyper::Error| CallError::Lost(clip(&error.to_string()));
    let invalid = |error: hyper::http::Error| CallError::NotConnected(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    // What goes wrong with it reaches whoever reads the answer.
    let connection = tokio::spawn(async move { drop(connection.await) });
    let request = hyper::Request::get(path)
        .header(HOST, host)
        .header(CONNECTION, HeaderValue::from_static("close"))
        .body(Empty)
        .map_err(invalid)?;
    let answer = sender.send_request(request).await;
    let (head, body) = answer.map_err(lost)?.into_parts();
    Ok(Reply {
        status: head.status.as_u16(),
        body,
        connection,
        rest: Vec::new(),
    })
}

impl Reply {
    /// The whole of it, as JSON. Any status but 200 is an error with the Engine's words.
    pub(super) async fn json<T: DeserializeOwned>(mut self) -> Result<T, CallError> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.chunk().await? {
            if whole.len() + bytes.len() > ANSWER_MAX {
                return Err(CallError::Lost("its answer does not end".to_owned()));
            }
            whole.extend_from_slice(&bytes);
        }
        if self.status != 200 {
            return Err(CallError::Status(self.status, words(&whole)));
        }
        serde_json::from_slice(&whole).map_err(|error| CallError::Lost(format!("its answer makes no sense: {error}")))
    }

    /// The next event; `None` when there is none to come.
    pub(super) async fn event(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        if self.status != 200 {
            return Err(CallError::Status(self.status, "it tells no events".to_owned()));
        }
        let mut searched = 0;
        loop {
            if let Some(end) = self.rest[searched..].iter().position(|byte| *byte == b'\n') {
                let event = self.rest.drain(..=searched + end).collect();
                return Ok(Some(event));
            }
            searched = self.rest.len();
            if searched > EVENT_MAX {
                return Err(CallError::Lost("its event does not end".to_owned()));
            }
            match self.chunk().await? {
                Some(bytes) => self.rest.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, CallError> {
        loop {
            let frame = poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await;
            let frame = frame
                .transpose()
                .map_err(|error| CallError::Lost(clip(&error.to_string())))?;
            match frame.map(hyper::body::Frame::into_data) {
                Some(Ok(bytes)) => return Ok(Some(bytes)),
                None => return Ok(None),
                // Trailers.
                Some(Err(_)) => {}
            }
        }
    }
}

/// The Engine's words for what went wrong: `{"message": "..."}`, or plain text of a proxy.
fn words(answer: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(answer).ok();
    let message = parsed.as_ref().and_then(|parsed| parsed.get("message")?.as_str());
    let plain = String::from_utf8_lossy(answer.get(..1024).unwrap_or(answer));
    clip(message.unwrap_or(&plain))
}

/// The body of a question.
struct Empty;

impl hyper::body::Body for Empty {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}
