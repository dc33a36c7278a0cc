//! A connection one can wait for the end of.
//!
//! A crash on request should come after its own answer has reached the caller.
//! Sleeping a little before crashing would mostly do; this does it always: the
//! answer says `Connection: close`, the HTTP layer writes all of it to the socket,
//! shuts the socket down and drops it, and only then does [`Closed::wait`] return.
//! What the kernel has by then, it delivers even when the process dies.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Accepts [`Connection`]s.
pub(crate) struct ConnectionListener(pub(crate) TcpListener);

impl Listener for ConnectionListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // axum's own accept loop, for what it does about running out of descriptors.
        let (stream, peer) = Listener::accept(&mut self.0).await;
        (
            Connection {
                stream,
                just_read: false,
                open: watch::Sender::default(),
            },
            peer,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A TCP connection that says when it is gone.
pub(crate) struct Connection {
    /// Stands before `open`: fields are dropped in order, so the socket is
    /// closed by the time anybody hears of it.
    stream: TcpStream,
    /// Whether the last read brought something.
    just_read: bool,
    /// Never sent on; its end is the message.
    open: watch::Sender<()>,
}

/// Waits for the end of the connection a request came in on.
#[derive(Clone)]
pub(crate) struct Closed(watch::Receiver<()>);

impl Closed {
    /// Returns when the connection is closed, whichever side closed it.
    pub(crate) async fn wait(mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

impl Connected<IncomingStream<'_, ConnectionListener>> for Closed {
    fn connect_info(incoming: IncomingStream<'_, ConnectionListener>) -> Self {
        Self(incoming.io().open.subscribe())
    }
}

impl AsyncRead for Connection {
    /// Reads, with a pause after whatever was read: hyper drops a request unseen
    /// when it finds the end of the connection right behind it, and a fault must
    /// be injected even for a caller who hangs up at once.
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if mem::take(&mut self.just_read) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.just_read = buffer.filled().len() > before;
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
