//! A connection that hands out one line at a time, and a reply's worth of bytes at most.
//!
//! A reply ends where the server says so, and one that never ends would be read until the agent is killed for the memory
//! it takes. So what comes is counted from one of our lines to the next, under TLS as well: in every mode, bytes of the
//! server reach the agent here and nowhere else.
//!
//! What comes before STARTTLS is anybody's. Were more read than the line that answers it, what somebody on the way put
//! behind that line would be taken for the words of the server that TLS then vouches for (CVE-2011-0411 and its many
//! kin). Handed out like this, it ends in the handshake, which fails.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Read at a time, in bytes.
const CHUNK: usize = 4096;

/// A reply is no longer, in bytes, with the overhead of TLS. RFC 5321 allows 512 for a line; the longest reply in use, that
/// to EHLO, has some thirty of a few words.
pub(super) const REPLY_MAX: usize = 16 * 1024;

/// What answers the beginning of a handshake is no longer, in bytes: a chain of certificates, and the names of all the
/// authorities whose clients the server would believe. One message of a handshake is 64 KiB at most for the TLS library.
const HANDSHAKE_MAX: usize = 128 * 1024;

/// The first byte of a message of a TLS handshake. No command of SMTP begins like this.
const HANDSHAKE: u8 = 0x16;

/// See the module.
#[derive(Debug)]
pub(super) struct Lines {
    stream: TcpStream,
    /// Read and not yet handed out.
    pending: Vec<u8>,
    /// So many bytes may come before something was said again.
    left: usize,
}

/// The server said more than any reply is long.
#[derive(Debug, Error)]
#[error("its reply does not end within {} KiB", REPLY_MAX / 1024)]
struct Endless;

impl Lines {
    pub(super) const fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            pending: Vec::new(),
            left: REPLY_MAX,
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
            let room = CHUNK.min(self.left);
            if room == 0 {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, Endless)));
            }
            let mut read = ReadBuf::new(&mut chunk[..room]);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
            self.left -= read.filled().len();
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
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.left = if bytes.first() == Some(&HANDSHAKE) {
            HANDSHAKE_MAX
        } else {
            REPLY_MAX
        };
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
