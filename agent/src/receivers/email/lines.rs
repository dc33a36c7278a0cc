//! A connection that hands out one line at a time.
//!
//! What comes before STARTTLS is anybody's. Were more read than the line that answers it, what somebody on the way put
//! behind that line would be taken for the words of the server that TLS then vouches for (CVE-2011-0411 and its many
//! kin). Handed out like this, it ends in the handshake, which fails.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Read at a time, in bytes.
const CHUNK: usize = 4096;

/// See the module.
#[derive(Debug)]
pub(super) struct Lines {
    stream: TcpStream,
    /// Read and not yet handed out.
    pending: Vec<u8>,
}

impl Lines {
    pub(super) const fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            pending: Vec::new(),
        }
    }
}

impl AsyncTokioStream for Lines {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Lines {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.pending.is_empty() {
            let mut chunk = [0; CHUNK];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
            self.pending.extend_from_slice(read.filled());
        }
        let newline = self.pending.iter().position(|byte| *byte == b'\n');
        let line = newline.map_or(self.pending.len(), |at| at + 1).min(into.remaining());
        into.put_slice(&self.pending[..line]);
        self.pending.drain(..line);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lines {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
