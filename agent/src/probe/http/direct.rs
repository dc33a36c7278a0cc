//! The plainest case, and the commonest on a host: no name to look up, no TLS, no connection to be kept. The connection
//! then belongs to the probe, and nothing of what a client does for many users of many connections is paid for.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::Context;

use futures_util::future::poll_fn;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1::{self, Connection};
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use reqwest::{Body, Request, Url};
use tokio::net::TcpStream;

use super::clients;
use super::reply::AskError;
use crate::probe::stage::{Stage, reached};

/// Where to ask, when this way will do.
pub(super) fn address(url: &Url) -> Option<SocketAddr> {
    if url.scheme() != "http" {
        return None;
    }
    let ip = match url.host()? {
        url::Host::Ipv4(ip) => IpAddr::V4(ip),
        url::Host::Ipv6(ip) => IpAddr::V6(ip),
        url::Host::Domain(_) => return None,
    };
    Some(SocketAddr::new(ip, url.port_or_known_default()?))
}

/// Asks at `address`. Dropping the future, or the reply, closes the connection.
pub(super) async fn send(request: &Request, address: SocketAddr) -> Result<Reply, AskError> {
    reached(Stage::Connecting);
    let stream = TcpStream::connect(address).await.map_err(|error| AskError {
        connecting: true,
        source: error.into(),
    })?;
    reached(Stage::Waiting);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut connection = Driven(Some(Box::pin(connection)));
    let mut answer = std::pin::pin!(sender.send_request(with_usual_headers(request)?));
    let response = poll_fn(|cx| {
        connection.poll(cx);
        answer.as_mut().poll(cx)
    })
    .await?;
    Ok(Reply { response, connection })
}

/// As the clients send it: what they say of themselves, and that this is all.
fn with_usual_headers(request: &Request) -> Result<hyper::Request<Body>, AskError> {
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
    for (name, value) in [
        (HOST, host),
        (ACCEPT, HeaderValue::from_static("*/*")),
        (USER_AGENT, HeaderValue::from_static(clients::USER_AGENT)),
        (CONNECTION, HeaderValue::from_static("close")),
    ] {
        ready.headers_mut().entry(name).or_insert(value);
    }
    Ok(ready)
}

/// An answer whose head has come, and the connection that the rest comes by.
pub(super) struct Reply {
    response: hyper::Response<Incoming>,
    connection: Driven,
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
                self.connection.poll(cx);
                Pin::new(self.response.body_mut()).poll_frame(cx)
            });
            match frame.await.transpose()?.map(hyper::body::Frame::into_data) {
                Some(Ok(bytes)) => return Ok(Some(bytes)),
                None => return Ok(None),
                // Trailers.
                Some(Err(_)) => {}
            }
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.response.fmt(f)
    }
}

/// A connection that gets on whenever its user waits, in the user's task; gone once it ended.
struct Driven(Option<Pin<Box<TcpConnection>>>);

type TcpConnection = Connection<TokioIo<TcpStream>, Body>;

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
