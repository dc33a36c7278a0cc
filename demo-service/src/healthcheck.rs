//! The client for a container's `HEALTHCHECK`, so that the image needs no curl.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use axum::http::Uri;
use axum::http::uri::Authority;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cli::HealthcheckOptions;

/// How much of an answer is read in search of its status; a status line is
/// some 20 bytes, so whoever sends more does not speak HTTP.
const STATUS_LINE_MAX: u64 = 1024;

/// A URL that can be asked: plain HTTP, with a host.
#[derive(Clone, Debug)]
pub(crate) struct HealthUrl {
    authority: Authority,
    path: String,
}

/// Why the service does not count as healthy.
#[derive(Debug, Error)]
pub(crate) enum HealthcheckError {
    /// Not a URL this client can ask.
    #[error("the URL must look like http://127.0.0.1:8080/health")]
    Url,
    /// Nothing listens, or the name does not resolve.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The connection broke before the status was read.
    #[error("the connection broke")]
    Exchange(#[source] io::Error),
    /// What came back is not HTTP.
    #[error("the answer is not HTTP")]
    NotHttp,
    /// The service answered that it is not well.
    #[error("status {0}")]
    Status(u16),
    /// The deadline passed.
    #[error("no answer within {}", humantime::format_duration(*.0))]
    Timeout(Duration),
}

/// Asks once; healthy is any 2xx status within the deadline.
pub(crate) async fn run(options: &HealthcheckOptions) -> Result<(), HealthcheckError> {
    match timeout(options.timeout, request_status("GET", &options.url)).await {
        Ok(Ok(200..=299)) => Ok(()),
        Ok(Ok(status)) => Err(HealthcheckError::Status(status)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(HealthcheckError::Timeout(options.timeout)),
    }
}

/// Sends a request without a body, and answers the status that came back.
pub(crate) async fn request_status(method: &str, url: &HealthUrl) -> Result<u16, HealthcheckError> {
    let host = url.authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = url.authority.port_u16().unwrap_or(80);
    let mut stream = TcpStream::connect((host, port))
        .await
        .map_err(HealthcheckError::Connect)?;
    let request = format!(
        "{method} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: demo-service\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        url.path, url.authority,
    );
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(HealthcheckError::Exchange)?;

    let mut answer = Vec::new();
    let mut stream = stream.take(STATUS_LINE_MAX);
    while !answer.contains(&b'\n') {
        let read = stream.read_buf(&mut answer).await.map_err(HealthcheckError::Exchange)?;
        if read == 0 {
            break;
        }
    }
    parse_status(&answer).ok_or(HealthcheckError::NotHttp)
}

/// Reads the status out of `HTTP/1.1 200 OK`.
fn parse_status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    words.next()?.strip_prefix("HTTP/1.")?;
    words.next()?.parse().ok()
}

impl FromStr for HealthUrl {
    type Err = HealthcheckError;

    fn from_str(text: &str) -> Result<Self, HealthcheckError> {
        // `Uri` also refuses blanks and line breaks, which would otherwise end
        // up in the middle of the request.
        let uri: Uri = text.parse().map_err(|_| HealthcheckError::Url)?;
        let authority = uri.authority().cloned().ok_or(HealthcheckError::Url)?;
        if uri.scheme_str() != Some("http") || authority.as_str().contains('@') {
            return Err(HealthcheckError::Url);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { authority, path })
    }
}

impl fmt::Display for HealthUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_with_a_host_can_be_asked() {
        for (text, shown) in [
            ("http://127.0.0.1:8080/health", Some("http://127.0.0.1:8080/health")),
            ("http://[::1]:8080/health?x=1", Some("http://[::1]:8080/health?x=1")),
            ("http://demo", Some("http://demo/")),
            ("https://demo/health", None),
            ("/health", None),
            ("demo:8080", None),
            ("http://user@demo/", None),
            ("http://demo/a b", None),
            ("", None),
        ] {
            let url = text.parse::<HealthUrl>().ok().map(|url| url.to_string());
            assert_eq!(url.as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn only_an_http_status_line_has_a_status() {
        for (answer, status) in [
            ("HTTP/1.1 200 OK\r\n", Some(200)),
            ("HTTP/1.0 503\r\n", Some(503)),
            ("SSH-2.0-OpenSSH_9.2\r\n", None),
            ("HTTP/1.1\r\n200", None),
            ("", None),
        ] {
            assert_eq!(parse_status(answer.as_bytes()), status, "{answer:?}");
        }
    }
}
