//! Just enough of HTTP to be probed and told. Threads and blocking sockets: it adds no runtime to what is measured.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// Nothing here takes longer, but for what waits on purpose.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was asked.
pub struct Request {
    /// Method and path: `GET /health`.
    pub line: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Answers every request by `answer`, with a status and a body, for ever. A connection carries one request.
pub fn serve(
    port: u16,
    answer: impl Fn(&Request) -> (u16, String) + Clone + Send + 'static,
) -> anyhow::Result<std::convert::Infallible> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| format!("port {port} is taken"))?;
    loop {
        let (stream, _) = listener.accept()?;
        let answer = answer.clone();
        // A client that breaks off has only itself to blame.
        std::thread::spawn(move || exchange(stream, answer));
    }
}

fn exchange(mut stream: TcpStream, answer: impl Fn(&Request) -> (u16, String)) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = read_request(&mut stream)?;
    let (status, body) = answer(&request);
    let length = body.len();
    let text = format!("HTTP/1.1 {status} .\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(text.as_bytes())?;
    Ok(())
}

fn read_request(stream: &mut TcpStream) -> anyhow::Result<Request> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        read_more(stream, &mut bytes)?;
    };
    let text = String::from_utf8_lossy(bytes.get(..head).unwrap_or_default()).into_owned();
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(Ok(0), |(_, value)| value.trim().parse::<usize>())?;
    while bytes.len() < head + length {
        read_more(stream, &mut bytes)?;
    }
    let mut words = text.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Ok(Request {
        line: format!("{method} {path}"),
        body: bytes.split_off(head),
    })
}

fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> anyhow::Result<()> {
    let mut chunk = [0; 4096];
    match stream.read(&mut chunk)? {
        0 => bail!("the client broke off"),
        count => {
            bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
            Ok(())
        }
    }
}

/// Asks for `path`, and answers the body of what must be a 200.
pub fn get(port: u16, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("half an answer")?;
    if !head.starts_with("HTTP/1.1 200 ") {
        bail!("{path} answered {}", head.lines().next().unwrap_or_default());
    }
    Ok(body.to_owned())
}
