//! What answers at a port: only for `--probe`, and only at this host's own loopback addresses.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::propose::Proposal;

/// A local service answers at once or is not worth waiting for.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Where services say how they are, by custom; the first that answers well is taken.
const PATHS: [&str; 3] = ["/health", "/healthz", "/"];

/// Ports of one service that are asked at most.
const PORTS_MAX: usize = 8;

/// What is heard at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// No connection is accepted.
    Refused,
    /// A connection is accepted, and the answer is not HTTP.
    Tcp,
    /// It speaks HTTP, and says yes (200 to 299) to a GET of this path.
    Http(&'static str),
    /// It speaks HTTP, and says only this to a GET of `/`.
    HttpStatus(u16),
}

/// Asks at every port of a proposal.
pub(super) async fn all(proposal: &mut Proposal) {
    let loopback = proposal.ports.iter().filter(|address| address.ip().is_loopback());
    let ports: Vec<SocketAddr> = loopback.copied().take(PORTS_MAX).collect();
    let mut answers = Vec::new();
    for address in ports {
        answers.push((address, ask(address).await));
    }
    proposal.heard(&answers);
}

async fn ask(address: SocketAddr) -> Answer {
    let mut said = None;
    for path in PATHS {
        match tokio::time::timeout(ANSWER_WITHIN, status(address, path)).await {
            Ok(Ok(Some(200..=299))) => return Answer::Http(path),
            Ok(Ok(Some(status))) => said = Some(status),
            // What does not speak HTTP, or not without TLS, is not asked again.
            Ok(Ok(None)) => return Answer::Tcp,
            Ok(Err(_)) => return Answer::Refused,
            // It accepted, or the kernel did for it, and was silent.
            Err(_elapsed) => return said.map_or(Answer::Tcp, Answer::HttpStatus),
        }
    }
    said.map_or(Answer::Tcp, Answer::HttpStatus)
}

/// The status of a GET; `None` when what came back is not HTTP. An error when there is no connection.
async fn status(address: SocketAddr, path: &str) -> std::io::Result<Option<u16>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: sentinel\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    let mut head = Vec::new();
    if stream.write_all(request.as_bytes()).await.is_ok() {
        // `HTTP/1.1 200`; what follows is not needed, and whatever breaks off is not HTTP.
        let _ = stream.take(12).read_to_end(&mut head).await;
    }
    Ok(parse(&head))
}

fn parse(head: &[u8]) -> Option<u16> {
    let text = str::from_utf8(head).ok()?;
    let (version, status) = text.split_once(' ')?;
    matches!(version, "HTTP/1.0" | "HTTP/1.1")
        .then(|| status.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers requests for `path` with `answer`, and refuses others.
    async fn server(path: &'static str, yes: &'static [u8], no: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let read = stream.read(&mut request).await.unwrap();
                let asked = format!("GET {path} ");
                let answer = if request[..read].starts_with(asked.as_bytes()) {
                    yes
                } else {
                    no
                };
                stream.write_all(answer).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn what_answers_is_distinguished() {
        let good = b"HTTP/1.1 200 OK\r\n\r\n";
        let bad = b"HTTP/1.1 404 Not Found\r\n\r\n";
        assert_eq!(ask(server("/healthz", good, bad).await).await, Answer::Http("/healthz"));
        assert_eq!(ask(server("/", good, bad).await).await, Answer::Http("/"));
        assert_eq!(ask(server("/other", good, bad).await).await, Answer::HttpStatus(404));
        assert_eq!(
            ask(server("/", b"-ERR", b"-ERR unknown command").await).await,
            Answer::Tcp
        );
        assert_eq!(ask(server("/", b"", b"").await).await, Answer::Tcp);
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(ask(closed).await, Answer::Refused);
    }
}
