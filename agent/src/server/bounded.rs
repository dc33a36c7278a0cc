//! A listener that cannot be used up: so many connections at once, none of them idle for long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Connections served at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 32;

/// A connection on which nothing moves for this long is closed. Longer than the deadline of a request.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Bounds what `L` accepts.
#[derive(Debug)]
pub(super) struct Bounded<L> {
    listener: L,
    permits: Arc<Semaphore>,
    idle_max: Duration,
}

impl<L> Bounded<L> {
    pub(super) fn new(listener: L) -> Self {
        Self::with_limits(listener, CONNECTIONS_MAX, IDLE_MAX)
    }

    pub(super) fn with_limits(listener: L, connections: usize, idle_max: Duration) -> Self {
        Self {
            listener,
            permits: Arc::new(Semaphore::new(connections)),
            idle_max,
        }
    }
}

impl<L: Listener> Listener for Bounded<L> {
    type Io = BoundedIo<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // The semaphore is never closed; without a permit the connection would merely be uncounted.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        let (io, address) = self.listener.accept().await;
        let io = BoundedIo {
            io,
            idle: Box::pin(sleep(self.idle_max)),
            idle_max: self.idle_max,
            _permit: permit,
        };
        (io, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that holds its permit and watches its own idleness.
#[derive(Debug)]
pub(super) struct BoundedIo<I> {
    io: I,
    idle: Pin<Box<Sleep>>,
    idle_max: Duration,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<I> BoundedIo<I> {
    /// The connection itself.
    pub(super) const fn inner(&self) -> &I {
        &self.io
    }

    /// Passes on what `io` says of its progress, and starts the idle time anew when there was some.
    fn watch<T>(&mut self, context: &mut Context<'_>, progress: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            let deadline = Instant::now() + self.idle_max;
            self.idle.as_mut().reset(deadline);
            return progress;
        }
        ready!(self.idle.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for BoundedIo<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.io).poll_read(context, buffer);
        self.watch(context, progress)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for BoundedIo<I> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.io).poll_write(context, bytes);
        self.watch(context, progress)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.watch(context, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
