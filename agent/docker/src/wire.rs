//! Questions to the Engine whose answers are read here and not by the generated models: HTTP over a connection of its own,
//! with a bound on everything that may come.

use std::future::poll_fn;
use std::pin::Pin;

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use sentinel_base::head_guard::Guarded;
use sentinel_config::DockerAddress;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::error::{CallError, NoAnswer, Unreachable};
use super::facts::clip;
use super::log::Log;

/// The longest answer that is read: the list of 10,000 containers with the labels of Compose takes 15 MB.
const ANSWER_MAX: usize = 32 * 1024 * 1024;

/// The longest event. It repeats the labels of its container, each of which may take kilobytes.
const EVENT_MAX: usize = 1024 * 1024;

/// The most of a log that is read for its last lines: 1,000 of the longest lines that Docker leaves whole.
const LOG_MAX: usize = 16 * 1024 * 1024;

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
    let unreachable = |error: std::io::Error| Unreachable::Socket(error);
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
    let (guarded, room) = Guarded::new(stream);
    let (mut sender, connection) = http1::handshake(TokioIo::new(guarded)).await?;
    // What goes wrong with it reaches whoever reads the answer.
    let connection = tokio::spawn(async move { drop(connection.await) });
    let request = hyper::Request::get(path)
        .header(HOST, host)
        .header(CONNECTION, HeaderValue::from_static("close"))
        .body(Empty)
        .map_err(Unreachable::Request)?;
    let answer = sender.send_request(request).await;
    let (head, body) = answer?.into_parts();
    room.for_body();
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
                return Err(NoAnswer::Endless("answer").into());
            }
            whole.extend_from_slice(&bytes);
        }
        if self.status != 200 {
            return Err(self.refused(words(&whole)));
        }
        serde_json::from_slice(&whole).map_err(|error| NoAnswer::Malformed(error).into())
    }

    /// The next event; `None` when there is none to come.
    pub(super) async fn event(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        if self.status != 200 {
            return Err(self.refused("it tells no events".to_owned()));
        }
        let mut searched = 0;
        loop {
            if let Some(end) = self.rest[searched..].iter().position(|byte| *byte == b'\n') {
                let event = self.rest.drain(..=searched + end).collect();
                return Ok(Some(event));
            }
            searched = self.rest.len();
            if searched > EVENT_MAX {
                return Err(NoAnswer::Endless("event").into());
            }
            match self.chunk().await? {
                Some(bytes) => self.rest.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }

    /// Of a log, at most so many of the last bytes that were written to it.
    pub(super) async fn log(mut self, kept: usize) -> Result<Vec<u8>, CallError> {
        if self.status != 200 {
            // What it says of that is an answer like any other.
            return self.json().await.map(|_: serde_json::Value| Vec::new());
        }
        let mut log = Log::new(kept);
        let mut read = 0;
        while let Some(bytes) = self.chunk().await? {
            read += bytes.len();
            if read > LOG_MAX {
                return Err(NoAnswer::Endless("log").into());
            }
            log.take(&bytes);
        }
        Ok(log.written)
    }

    const fn refused(&self, message: String) -> CallError {
        CallError::Status {
            status: self.status,
            message,
        }
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, CallError> {
        loop {
            let frame = poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await;
            match frame.transpose()?.map(hyper::body::Frame::into_data) {
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use sentinel_text::chain;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

    /// An Engine that answers one question with `head`, and then with the letter x so often.
    async fn engine(head: &'static str, times: usize) -> DockerAddress {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            // Whoever has had enough hangs up.
            let _ = stream.write_all(head.as_bytes()).await;
            let chunk = vec![b'x'; 64 * 1024];
            let mut left = times;
            while left > 0 && stream.write_all(&chunk[..left.min(chunk.len())]).await.is_ok() {
                left = left.saturating_sub(chunk.len());
            }
        });
        DockerAddress::Tcp(address.to_string())
    }

    fn lost<T>(answer: Result<T, CallError>) -> String {
        match answer {
            Err(CallError::Lost(why)) => chain(&why),
            Err(other) => panic!("{}", chain(&other)),
            Ok(_) => panic!("it was taken"),
        }
    }

    async fn ask(head: &'static str, times: usize) -> Result<Reply, CallError> {
        get(&engine(head, times).await, "/x").await
    }

    #[tokio::test]
    async fn an_answer_is_bounded() {
        let answer = ask(HEAD, ANSWER_MAX).await.unwrap().json::<serde_json::Value>().await;
        assert!(
            lost(answer).starts_with("its answer makes no sense"),
            "as long as it may be"
        );
        let answer = ask(HEAD, ANSWER_MAX + 1)
            .await
            .unwrap()
            .json::<serde_json::Value>()
            .await;
        assert_eq!(lost(answer), "its answer does not end");
        let refusal = "HTTP/1.1 500 No\r\nConnection: close\r\n\r\n";
        let answer = ask(refusal, 1024 * 1024)
            .await
            .unwrap()
            .json::<serde_json::Value>()
            .await;
        let Err(CallError::Status { status: 500, message }) = answer else {
            panic!("{answer:?}");
        };
        assert!(message.len() <= 1024, "{}", message.len());
    }

    #[tokio::test]
    async fn an_event_is_bounded() {
        let mut events = ask(HEAD, EVENT_MAX + 64 * 1024).await.unwrap();
        assert_eq!(lost(events.event().await), "its event does not end");
    }

    #[tokio::test]
    async fn a_log_is_bounded_and_its_end_is_kept() {
        let log = ask(HEAD, 1024 * 1024).await.unwrap().log(8 * 1024).await.unwrap();
        assert_eq!(log.len(), 8 * 1024);
        let log = ask(HEAD, LOG_MAX + 1).await.unwrap().log(8 * 1024).await;
        assert_eq!(lost(log), "its log does not end");
    }

    #[tokio::test]
    async fn a_head_is_bounded() {
        let endless = ask("HTTP/1.1 200 OK\r\nX: ", 1024 * 1024).await;
        assert!(lost(endless).contains("the head of the answer does not end"));
    }
}
