//! A connection that is encrypted from the first byte.
//!
//! The mail library would make one itself, straight over TCP, past the guard that counts what comes. Its own TLS is used
//! all the same, so that both ways to encrypt trust the same certificates.

#![allow(deprecated, reason = "the only way to encrypt a connection that was made here")]

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::io::{AsyncRead as FuturesRead, AsyncWrite as FuturesWrite};
use lettre::transport::smtp;
use lettre::transport::smtp::client::{AsyncNetworkStream, AsyncTokioStream, TlsParameters};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// See the module.
#[derive(Debug)]
pub(super) struct Encrypted(AsyncNetworkStream);

impl Encrypted {
    /// Shakes hands over `stream`.
    pub(super) async fn over(stream: Box<dyn AsyncTokioStream>, tls: TlsParameters) -> Result<Self, smtp::Error> {
        let mut stream = AsyncNetworkStream::use_existing_tokio1(stream);
        stream.upgrade_tls(tls).await?;
        Ok(Self(stream))
    }
}

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = ready!(FuturesRead::poll_read(
            Pin::new(&mut self.0),
            context,
            into.initialize_unfilled()
        ))?;
        into.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        FuturesWrite::poll_write(Pin::new(&mut self.0), context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        FuturesWrite::poll_flush(Pin::new(&mut self.0), context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        FuturesWrite::poll_close(Pin::new(&mut self.0), context)
    }
}
