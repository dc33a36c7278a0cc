//! The bound on what a server may say before the head of its answer is whole, in one place for everything that is asked over
//! a connection of the agent's own.
//!
//! Whoever reads the body bounds that. Nothing else bounds what comes before: neither a head without an end nor interim
//! answers (1xx) without an end may take more than a moment.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The head of an answer, and the interim answers before it, are no longer, in bytes. Servers refuse heads of 8 to 64 KiB.
const HEAD_MAX: usize = 64 * 1024;

/// The server said more than any head is long.
#[derive(Debug, Error)]
#[error("the head of the answer does not end within {} KiB", HEAD_MAX / 1024)]
pub struct Endless;

/// How much a guarded stream may still take in.
#[derive(Clone, Debug)]
pub struct Room(Arc<AtomicUsize>);

impl Room {
    /// An answer is waited for.
    pub fn for_head(&self) {
        self.0.store(HEAD_MAX, Ordering::Relaxed);
    }

    /// Its head has come. What comes from now on is bounded by whoever reads it.
    pub fn for_body(&self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }
}

/// A stream of which only so much can be read before more is allowed.
pub struct Guarded<S> {
    stream: S,
    room: Room,
}

impl<S> Guarded<S> {
    /// A stream on which a first answer is waited for.
    pub fn new(stream: S) -> (Self, Room) {
        let room = Room(Arc::new(AtomicUsize::new(HEAD_MAX)));
        let guarded = Self {
            stream,
            room: room.clone(),
        };
        (guarded, room)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let left = self.room.0.load(Ordering::Relaxed);
        if left == 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, Endless)));
        }
        let room = left.min(into.remaining());
        let mut part = ReadBuf::new(into.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        into.advance(read);
        if left != usize::MAX {
            self.room.0.store(left - read, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn a_head_is_bounded_and_a_body_is_not() {
        let (mut guarded, room) = Guarded::new(tokio::io::repeat(b'x'));
        let mut read = Vec::new();
        let error = guarded.read_to_end(&mut read).await.unwrap_err();
        assert_eq!(read.len(), HEAD_MAX);
        assert!(error.get_ref().unwrap().is::<Endless>(), "{error}");
        room.for_body();
        let mut mebibyte = vec![0; 1024 * 1024];
        guarded.read_exact(&mut mebibyte).await.unwrap();
        room.for_head();
        assert!(guarded.read_exact(&mut mebibyte).await.is_err());
    }
}
