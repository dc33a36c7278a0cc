//! One connection to a server, from the name to the last byte of the answer. It belongs to the probe that made it, and gets
//! on in that probe's task: dropping it leaves nothing behind.
//!
//! Every byte of the server comes through [`Guarded`], which counts what comes before the head of an answer is whole.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{Either, poll_fn, select};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use reqwest::{Body, Request, Url};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sentinel_base::head_guard::{Guarded, Room};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Origin};

use super::ask_error::AskError;
use super::clients::{Client, USER_AGENT as OWN_NAME};
use crate::stage::{Stage, reached};

/// Addresses of the other family are tried as well when those of the first have not answered by then (RFC 8305).
const OTHER_FAMILY: Duration = Duration::from_millis(300);

/// A connection that was kept is not used after this; most servers close theirs after 5 s to 75 s themselves.
const IDLE_FOR: Duration = Duration::from_secs(60);

/// A connection on which something can be asked.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    driven: Driven,
    room: Room,
    /// Whom it leads to.
    origin: Origin,
    /// When it was last used.
    used: Instant,
}

impl Connection {
    /// Connects to where `url` leads.
    pub(super) async fn open(url: &Url, client: &Client) -> Result<Self, AskError> {
        let stream = dial(url, client).await.map_err(|source| AskError {
            connecting: true,
            source,
        })?;
        reached(Stage::Waiting);
        let (guarded, room) = Guarded::new(stream);
        let (sender, connection) = http1::handshake(TokioIo::new(guarded)).await?;
        Ok(Self {
            sender,
            driven: Driven(Some(Box::pin(connection))),
            room,
            origin: url.origin(),
            used: Instant::now(),
        })
    }

    /// Whether it leads to where `url` does, and can be used again.
    pub(super) async fn is_good_for(&mut self, url: &Url) -> bool {
        // Whether the server has closed it shows when it is looked at.
        poll_fn(|cx| {
            self.driven.poll(cx);
            Poll::Ready(())
        })
        .await;
        self.driven.0.is_some()
            && !self.sender.is_closed()
            && self.used.elapsed() < IDLE_FOR
            && self.origin == url.origin()
    }

    /// Asks; `keep` says that the server is to leave the connection open.
    pub(super) async fn ask(mut self, request: &Request, keep: bool) -> Result<Reply, AskError> {
        reached(Stage::Waiting);
        self.room.for_head();
        let request = with_usual_headers(request, keep)?;
        let response = {
            let (sender, driven) = (&mut self.sender, &mut self.driven);
            poll_fn(|cx| {
                driven.poll(cx);
                sender.poll_ready(cx)
            })
            .await?;
            let mut answer = pin!(sender.send_request(request));
            poll_fn(|cx| {
                driven.poll(cx);
                answer.as_mut().poll(cx)
            })
            .await?
        };
        self.room.for_body();
        Ok(Reply {
            response,
            connection: self,
            is_whole: false,
        })
    }
}

/// A stream to the server of `url`, encrypted where that says so.
async fn dial(url: &Url, client: &Client) -> Result<Stream, Box<dyn std::error::Error + Send + Sync>> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "the URL names no server");
    let (host, port) = (
        url.host().ok_or_else(invalid)?,
        url.port_or_known_default().ok_or_else(invalid)?,
    );
    let (addresses, name) = match host {
        Host::Ipv4(ip) => (vec![SocketAddr::from((ip, port))], ServerName::from(IpAddr::V4(ip))),
        Host::Ipv6(ip) => (vec![SocketAddr::from((ip, port))], ServerName::from(IpAddr::V6(ip))),
        Host::Domain(name) => {
            let server = ServerName::try_from(name.to_owned())?;
            (client.resolver.lookup(name.to_owned(), port).await?, server)
        }
    };
    reached(Stage::Connecting);
    let stream = connect(&addresses).await?;
    if url.scheme() != "https" {
        return Ok(Stream::Plain(stream));
    }
    let Some(tls) = &client.tls else {
        return Err(io::Error::other("there are no certificates to trust").into());
    };
    reached(Stage::Encrypting);
    let connector = TlsConnector::from(Arc::<ClientConfig>::clone(tls));
    let stream = connector.connect(name, stream).await?;
    Ok(Stream::Secure(Box::new(stream)))
}

/// Connects to the first address that accepts. A family that swallows packets delays the other by a moment only.
async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let is_first = |address: &SocketAddr| {
        addresses
            .first()
            .is_some_and(|first| first.is_ipv4() == address.is_ipv4())
    };
    let (first, second): (Vec<SocketAddr>, Vec<SocketAddr>) = addresses.iter().copied().partition(is_first);
    let mut first = pin!(in_turn(first));
    if second.is_empty() {
        return first.await;
    }
    match select(first.as_mut(), pin!(sleep(OTHER_FAMILY))).await {
        Either::Left((Ok(stream), _)) => return Ok(stream),
        // What the first family says is what counts when the other fails as well.
        Either::Left((Err(error), _)) => return in_turn(second).await.map_err(|_| error),
        Either::Right(_) => {}
    }
    match select(first, pin!(in_turn(second))).await {
        Either::Left((Ok(stream), _)) | Either::Right((Ok(stream), _)) => Ok(stream),
        Either::Left((Err(error), second)) => second.await.map_err(|_| error),
        Either::Right((Err(_), first)) => first.await,
    }
}

async fn in_turn(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What is said of the asker, and whether this is all.
fn with_usual_headers(request: &Request, keep: bool) -> Result<hyper::Request<Body>, AskError> {
    let url = request.url();
    let target = url
        .query()
        .map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let mut ready = hyper::Request::new(Body::default());
    *ready.method_mut() = request.method().clone();
    let invalid = |error: hyper::http::Error| AskError {
        connecting: true,
        source: error.into(),
    };
    *ready.uri_mut() = target
        .parse()
        .map_err(|error: hyper::http::uri::InvalidUri| invalid(error.into()))?;
    let host = HeaderValue::from_str(&host).map_err(|error| invalid(error.into()))?;
    *ready.headers_mut() = request.headers().clone();
    // With `close` the server hangs up first, and the wait that follows is on its side.
    let close = (!keep).then(|| (CONNECTION, HeaderValue::from_static("close")));
    for (name, value) in [
        (HOST, host),
        (ACCEPT, HeaderValue::from_static("*/*")),
        (USER_AGENT, HeaderValue::from_static(OWN_NAME)),
    ]
    .into_iter()
    .chain(close)
    {
        ready.headers_mut().entry(name).or_insert(value);
    }
    Ok(ready)
}

/// An answer whose head has come, and the connection that the rest comes by.
pub(super) struct Reply {
    response: hyper::Response<Incoming>,
    connection: Connection,
    /// Whether the body was read to its end.
    is_whole: bool,
}

impl Reply {
    pub(super) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next part of the body; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, AskError> {
        loop {
            let frame = poll_fn(|cx| {
                self.connection.driven.poll(cx);
                Pin::new(self.response.body_mut()).poll_frame(cx)
            });
            match frame.await.transpose()?.map(hyper::body::Frame::into_data) {
                Some(Ok(bytes)) => return Ok(Some(bytes)),
                None => {
                    self.is_whole = true;
                    return Ok(None);
                }
                // Trailers.
                Some(Err(_)) => {}
            }
        }
    }

    /// The connection, for the next question, if the answer was read to its end.
    pub(super) fn into_connection(self) -> Option<Connection> {
        let Self {
            mut connection,
            is_whole,
            ..
        } = self;
        connection.used = Instant::now();
        is_whole.then_some(connection)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.response.fmt(f)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// A connection that gets on whenever its user waits, in the user's task; gone once it ended.
struct Driven(Option<Pin<Box<Exchange>>>);

type Exchange = http1::Connection<TokioIo<Guarded<Stream>>, Body>;

impl Driven {
    /// Gets on as far as possible. What goes wrong also reaches whoever waits for the answer.
    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.0
            && connection.as_mut().poll(cx).is_ready()
        {
            self.0 = None;
        }
    }
}

/// What leads to the server.
enum Stream {
    Plain(TcpStream),
    /// Boxed: most probes of a host are plain, and what TLS keeps is large.
    Secure(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn both(&mut self) -> Pin<&mut dyn Both> {
        match self {
            Self::Plain(stream) => Pin::new(stream),
            Self::Secure(stream) => Pin::new(stream.as_mut()),
        }
    }
}

/// Both ways.
trait Both: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Both for T {}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.both().poll_read(cx, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.both().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.both().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.both().poll_shutdown(cx)
    }
}
