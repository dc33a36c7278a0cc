//! A server that answers as the path says, byte by byte where that matters.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Default)]
pub(crate) struct Seen {
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Seen,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Seen::default();
        let server = Self {
            address,
            seen: seen.clone(),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                seen.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, seen.clone()));
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }

    /// The heads of all requests, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, seen: Seen) {
    while let Some(head) = head(&mut stream).await {
        seen.requests.lock().unwrap().push(head.clone());
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        if answer(&mut stream, &path, &head).await.is_err() {
            return;
        }
    }
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(bytes).ok()
}

async fn answer(stream: &mut TcpStream, path: &str, head: &str) -> std::io::Result<()> {
    if let Some(count) = path.strip_prefix("/redirect/") {
        let location = match count.parse::<u32>() {
            Ok(0) => "/ok".to_owned(),
            Ok(count) => format!("/redirect/{}", count - 1),
            Err(_) => "/redirect/loop".to_owned(),
        };
        return redirect(stream, &location).await;
    }
    if let Some(location) = path.strip_prefix("/to?") {
        return redirect(stream, location).await;
    }
    match path {
        "/ok" => whole(stream, "200 OK", "all ok").await,
        "/json" => whole(stream, "200 OK", r#"{"status":"ok","db":{"up":true}}"#).await,
        "/head" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
                .await
        }
        "/500" => whole(stream, "500 Internal Server Error", "broken").await,
        "/token" if head.contains("x-token: secret\r\n") => whole(stream, "200 OK", "").await,
        "/token" => whole(stream, "401 Unauthorized", "").await,
        "/silent" => std::future::pending().await,
        "/hangs-after-head" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
                .await?;
            std::future::pending().await
        }
        "/drip" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
                .await?;
            loop {
                stream.write_all(b"x").await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        "/endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nbegins well ").await?;
            loop {
                stream.write_all(&[b'x'; 8192]).await?;
            }
        }
        "/endless-head" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-long: ").await?;
            loop {
                stream.write_all(&[b'x'; 8192]).await?;
            }
        }
        "/endless-interim" => loop {
            stream.write_all(b"HTTP/1.1 102 Processing\r\n\r\n").await?;
        },
        "/interim" => {
            stream
                .write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
                .await?;
            whole(stream, "200 OK", "").await
        }
        "/short" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nxyz")
                .await?;
            Err(std::io::ErrorKind::ConnectionAborted.into())
        }
        "/garbage" => {
            stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await?;
            std::future::pending().await
        }
        _ => Err(std::io::ErrorKind::ConnectionAborted.into()),
    }
}

async fn whole(stream: &mut TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    stream
        .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes())
        .await
}

async fn redirect(stream: &mut TcpStream, location: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(head.as_bytes()).await
}

/// A port nothing listens on: it was just free, and stays bound without listening for as long as this lives.
pub(crate) fn refused_port() -> (tokio::net::TcpSocket, SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A listener whose queue is full: a further connection gets no answer at all, as behind a dropping firewall.
pub(crate) async fn full_listener() -> (tokio::net::TcpListener, Vec<TcpStream>) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let listener = socket.listen(1).unwrap();
    let mut held = Vec::new();
    for _ in 0..64 {
        match tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            Ok(connected) => held.push(connected.unwrap()),
            Err(_) => return (listener, held),
        }
    }
    panic!("the queue never filled");
}
