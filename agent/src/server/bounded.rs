//! A listener that cannot be used up: so many connections at once, each with a time for its request, none of them idle for long;
//! and some of the places are root's, whatever anybody else does.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// What a listener allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections served at once.
    pub(super) connections: usize,
    /// Connections served beside those, of the privileged.
    pub(super) privileged: usize,
    /// Accepted connections that wait for a place. What comes then is closed: in the kernel's queue it would stand before the
    /// privileged, who cannot be known there.
    pub(super) waiting: usize,
    /// From the first byte of a request, or from the beginning of the connection, to the end of its head. A client that
    /// connects has its request at hand.
    pub(super) head: Duration,
    /// How long nothing may be written. Longer than the deadline of a request.
    pub(super) idle: Duration,
    /// Who is privileged.
    pub(super) is_privileged: fn(&UnixStream) -> bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 32,
            privileged: 8,
            waiting: 64,
            head: Duration::from_secs(5),
            idle: Duration::from_secs(30),
            is_privileged: is_root,
        }
    }
}

/// Whether root connected, as the kernel vouches for it.
fn is_root(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0)
}

/// Bounds what a listener accepts.
#[derive(Debug)]
pub(super) struct Bounded {
    listener: UnixListener,
    limits: Limits,
    places: Arc<Semaphore>,
    privileged: Arc<Semaphore>,
    waiting: VecDeque<(UnixStream, SocketAddr)>,
}

impl Bounded {
    pub(super) fn new(listener: UnixListener, limits: Limits) -> Self {
        Self {
            listener,
            limits,
            places: Arc::new(Semaphore::new(limits.connections)),
            privileged: Arc::new(Semaphore::new(limits.privileged)),
            waiting: VecDeque::new(),
        }
    }

    fn serve(&self, io: UnixStream, place: OwnedSemaphorePermit) -> BoundedIo {
        BoundedIo {
            io,
            limits: self.limits,
            phase: Phase::Head(Head::default()),
            deadline: Box::pin(sleep(self.limits.head)),
            _place: place,
        }
    }

    /// A place for this connection, if there is one now. Whoever is not privileged waits behind those who wait.
    fn place_for(&self, io: &UnixStream) -> Option<OwnedSemaphorePermit> {
        let take = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        let is_privileged = (self.limits.is_privileged)(io);
        let common = || take(&self.places).filter(|_| is_privileged || self.waiting.is_empty());
        if is_privileged {
            take(&self.privileged).or_else(common)
        } else {
            common()
        }
    }
}

impl Listener for Bounded {
    type Io = BoundedIo;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let places = Arc::clone(&self.places);
            tokio::select! {
                biased;
                // The semaphore is never closed.
                Ok(place) = places.acquire_owned(), if !self.waiting.is_empty() => {
                    if let Some((io, address)) = self.waiting.pop_front() {
                        return (self.serve(io, place), address);
                    }
                }
                (io, address) = Listener::accept(&mut self.listener) => {
                    if let Some(place) = self.place_for(&io) {
                        return (self.serve(io, place), address);
                    }
                    if self.waiting.len() < self.limits.waiting {
                        self.waiting.push_back((io, address));
                    } else {
                        tracing::debug!("Too many connections wait; one was closed");
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// What a connection is at.
#[derive(Debug)]
enum Phase {
    /// The head of a request is on its way.
    Head(Head),
    /// The request is being answered.
    Answer,
    /// It was answered; another may follow.
    Idle,
}

/// Looks for the empty line that ends a head.
#[derive(Debug, Default)]
struct Head {
    /// The line so far has nothing in it but its end.
    is_empty_line: bool,
}

impl Head {
    /// Whether the head ends in `bytes`.
    fn ends_in(&mut self, bytes: &[u8]) -> bool {
        bytes.iter().any(|byte| match byte {
            b'\n' if self.is_empty_line => true,
            b'\n' => {
                self.is_empty_line = true;
                false
            }
            b'\r' => false,
            _ => {
                self.is_empty_line = false;
                false
            }
        })
    }
}

/// A connection that holds its place and watches its own time. What is merely sent gives it no more: a client that sends a byte
/// now and then would hold its place for ever.
#[derive(Debug)]
pub(super) struct BoundedIo {
    io: UnixStream,
    limits: Limits,
    phase: Phase,
    deadline: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl BoundedIo {
    /// The connection itself.
    pub(super) const fn inner(&self) -> &UnixStream {
        &self.io
    }

    fn enter(&mut self, phase: Phase, within: Duration) {
        self.phase = phase;
        self.deadline.as_mut().reset(Instant::now() + within);
    }

    fn has_read(&mut self, bytes: &[u8]) {
        if matches!(self.phase, Phase::Idle) && !bytes.is_empty() {
            self.enter(Phase::Head(Head::default()), self.limits.head);
        }
        if let Phase::Head(head) = &mut self.phase
            && head.ends_in(bytes)
        {
            self.enter(Phase::Answer, self.limits.idle);
        }
    }

    /// Passes on what `io` says of its progress, unless the time is over.
    fn in_time<T>(&mut self, context: &mut Context<'_>, progress: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            return progress;
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn has_written<T>(&mut self, context: &mut Context<'_>, progress: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.enter(Phase::Idle, self.limits.idle);
        }
        self.in_time(context, progress)
    }
}

impl AsyncRead for BoundedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let progress = Pin::new(&mut self.io).poll_read(context, buffer);
        if progress.is_ready() {
            self.has_read(buffer.filled().get(before..).unwrap_or_default());
            // Bytes that trickle in are no progress.
            if matches!(self.phase, Phase::Head(_)) && self.deadline.is_elapsed() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        self.in_time(context, progress)
    }
}

impl AsyncWrite for BoundedIo {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.io).poll_write(context, bytes);
        self.has_written(context, progress)
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
        self.has_written(context, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_an_empty_line_however_it_is_cut() {
        for (head, expected) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            ("GET / HTTP/1.1\nHost: a\n\n", true),
            ("GET / HTTP/1.1\r\nHost: a\r\n", false),
            ("GET / HTTP/1.1\r\n X\r\n", false),
            ("", false),
        ] {
            for size in 1..=head.len().max(1) {
                let mut seen = Head::default();
                let ended = head.as_bytes().chunks(size).any(|chunk| seen.ends_in(chunk));
                assert_eq!(ended, expected, "{head:?} in pieces of {size}");
            }
        }
    }
}
