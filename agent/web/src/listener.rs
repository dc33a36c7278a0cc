//! Opens the address, and bounds who may connect, for how long, and with what.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sentinel_api::WebStatus;
use sentinel_config::Listen;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower_service::Service as _;

use crate::Web;
use crate::routes::{Shared, router};

/// Connections served at once. A scraper has one.
const CONNECTIONS: usize = 64;

/// Connections that get 503; the next ones are closed without an answer.
const TURNED_AWAY: usize = 64;

/// How long the head of a request may take. A client that connects has its request at hand.
const HEAD: Duration = Duration::from_secs(5);

/// How long a connection may last, until the last byte of its answer is taken.
const WHOLE: Duration = Duration::from_secs(30);

/// Bytes of a request's head, and header fields in it. hyper takes no less than 8 KiB.
const HEAD_BYTES: usize = 16 * 1024;
const HEADER_FIELDS: usize = 64;

/// How long to wait before the address is tried again: whoever has it may leave, and an interface may come up.
const RETRY: Duration = Duration::from_secs(30);

/// How long to wait when no connection can be accepted, as without file descriptors.
const ACCEPT_GAP: Duration = Duration::from_millis(100);

/// Every user of the host may connect to loopback; the group of the agent's control socket to this.
const SOCKET_MODE: u32 = 0o660;

/// The whole answer to a connection too many.
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Type: text/plain; charset=utf-8\r\n\
                    Content-Length: 42\r\nConnection: close\r\n\r\ntoo many connections; try again in a while";

/// Why the address could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program has it.
    #[error("the address is in use by another program")]
    InUse,
    /// It takes rights that the agent does not have.
    #[error("the agent may not listen there; ports below 1024 take CAP_NET_BIND_SERVICE")]
    Denied,
    /// The host does not have it.
    #[error("this host does not have the address")]
    NoSuchAddress,
    /// Something else than a socket is in its place.
    #[error("`{}` exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// The system said no.
    #[error("it cannot be opened")]
    Io(#[source] io::Error),
}

impl From<io::Error> for ListenError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress,
            _ => Self::Io(error),
        }
    }
}

impl ListenError {
    /// All of it in words.
    fn words(&self) -> String {
        match self {
            Self::Io(source) => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }
}

/// What accepts connections.
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Web {
    /// Serves for as long as the agent runs. While the address cannot be opened, `status` and the log say so, and it is
    /// tried again now and then; the rest of the agent does not depend on it.
    pub async fn run(self) {
        let Self {
            listen,
            host,
            token,
            driver,
            reload,
            version,
            since,
            status,
        } = self;
        let listener = opened(&listen, &status).await;
        let shared = Shared {
            listen,
            host,
            token,
            driver,
            reload,
            version,
            since,
        };
        serve(&listener, &router(Arc::new(shared))).await;
    }
}

/// The open address, once it can be had.
async fn opened(listen: &Listen, status: &tokio::sync::watch::Sender<Option<WebStatus>>) -> Listener {
    let mut said = None;
    loop {
        let address = listen.to_string();
        let error = match Listener::open(listen).await {
            Ok(listener) => {
                tracing::info!(event = "listening", address, "metrics are served");
                status.send_replace(Some(WebStatus { address, error: None }));
                return listener;
            }
            Err(error) => error.words(),
        };
        if said.as_ref() != Some(&error) {
            tracing::error!(
                event = "listen_failed",
                address,
                error,
                "metrics are not served; trying again"
            );
            said = Some(error.clone());
        }
        let error = Some(error);
        status.send_replace(Some(WebStatus { address, error }));
        tokio::time::sleep(RETRY).await;
    }
}

impl Listener {
    async fn open(listen: &Listen) -> Result<Self, ListenError> {
        match listen {
            Listen::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await?)),
            Listen::Unix(path) => {
                free(path).await?;
                let listener = UnixListener::bind(path)?;
                fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))?;
                Ok(Self::Unix(listener))
            }
        }
    }

    /// Takes the next connection and has it served.
    async fn accept(&self, server: &Server) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // The end of an answer must not wait for an acknowledgement.
                let _ = stream.set_nodelay(true);
                server.take(stream);
            }
            Self::Unix(listener) => server.take(listener.accept().await?.0),
        }
        Ok(())
    }
}

/// Removes a socket on which no process answers any more.
async fn free(path: &Path) -> Result<(), ListenError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(ListenError::NotASocket(path.to_owned())),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    match timeout(HEAD, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => Err(ListenError::Denied),
        _ => Err(ListenError::InUse),
    }
}

async fn serve(listener: &Listener, router: &Router) {
    let server = Server {
        router: router.clone(),
        places: Arc::new(Semaphore::new(CONNECTIONS)),
        turned_away: Arc::new(Semaphore::new(TURNED_AWAY)),
    };
    loop {
        if let Err(error) = listener.accept(&server).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "failed to accept a connection"
            );
            tokio::time::sleep(ACCEPT_GAP).await;
        }
    }
}

/// Serves connections, so many at a time.
struct Server {
    router: Router,
    places: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
}

impl Server {
    fn take(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let place = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned();
        if let Ok(place) = place(&self.places) {
            tokio::spawn(converse(stream, self.router.clone(), place));
        } else if let Ok(place) = place(&self.turned_away) {
            tokio::spawn(turn_away(stream, place));
        }
    }
}

/// Answers one request. Connections are not kept: a scraper comes back after many seconds, and until then an idle
/// connection would hold a place.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    _place: OwnedSemaphorePermit,
) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut router = router.clone();
        async move { router.call(request.map(Body::new)).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .header_read_timeout(HEAD)
        .max_headers(HEADER_FIELDS)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = timeout(WHOLE, connection).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended early");
    }
}

/// Says that there are too many. What the client sent is read: closed with bytes unread, TCP would take the answer back.
async fn turn_away(mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, _place: OwnedSemaphorePermit) {
    let said = async {
        stream.write_all(BUSY.as_bytes()).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(HEAD, said).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_connection_too_many_is_whole() {
        let (head, body) = BUSY.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
            "{head}"
        );
    }

    #[tokio::test]
    async fn a_socket_is_replaced_only_when_no_process_answers() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("web.sock");
        let listen = Listen::Unix(path.clone());
        let first = Listener::open(&listen).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, SOCKET_MODE);
        assert!(matches!(Listener::open(&listen).await, Err(ListenError::InUse)));
        drop(first);
        assert!(Listener::open(&listen).await.is_ok());

        fs::remove_file(&path).unwrap();
        fs::write(&path, "mine").unwrap();
        assert!(matches!(Listener::open(&listen).await, Err(ListenError::NotASocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_said_to_be() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = Listen::Tcp(taken.local_addr().unwrap());
        assert!(matches!(Listener::open(&listen).await, Err(ListenError::InUse)));
        let elsewhere = Listen::Tcp("192.0.2.1:9464".parse().unwrap());
        assert!(matches!(
            Listener::open(&elsewhere).await,
            Err(ListenError::NoSuchAddress)
        ));
    }
}
