//! Who is answered. Pure.
//!
//! A page on the web can make a browser on this host send requests to loopback, under a name of its own that leads here.
//! Such a request names that name as its host, and is refused; what a script cannot send is a name that is this host's.

use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, StatusCode, Uri, header};

/// What a request is checked against.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    /// The address that is listened on; `None` for a Unix socket, which no browser reaches.
    pub(crate) bound: Option<SocketAddr>,
    /// The host's name.
    pub(crate) host: &'a str,
    /// What has to be sent.
    pub(crate) token: Option<&'a str>,
}

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    /// The status.
    pub(crate) status: StatusCode,
    /// Why, for whoever asked.
    pub(crate) reason: String,
}

impl Rules<'_> {
    /// Checks a request by its head.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
        if let Some(bound) = self.bound {
            self.check_host(bound, uri, headers)?;
        }
        self.token.map_or(Ok(()), |token| check_token(token, headers))
    }

    fn check_host(&self, bound: SocketAddr, uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
        let mut named = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else {
            return Err(denied(
                StatusCode::BAD_REQUEST,
                "the request must have one `Host` header",
            ));
        };
        let host = host.to_str().unwrap_or_default();
        // A request to a proxy names the host in its target, which counts (RFC 9112, 3.2.2).
        let host = uri.authority().map_or(host, |authority| authority.as_str());
        let name = name_of(host);
        if self.is_ours(bound, name) {
            return Ok(());
        }
        Err(denied(
            StatusCode::MISDIRECTED_REQUEST,
            "this host is not known by the name in `Host`; ask for its address, or for `localhost` on the host itself",
        ))
    }

    /// Whether `name` stands for this host whatever a name server says.
    fn is_ours(&self, bound: SocketAddr, name: &str) -> bool {
        if let Ok(address) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            // Whoever asks for an address reaches it: there is no name to lead elsewhere.
            return address.is_loopback() || bound.ip().is_unspecified() || address == bound.ip();
        }
        let name = name.trim_end_matches('.');
        let is_host = name.eq_ignore_ascii_case(self.host);
        if bound.ip().is_loopback() && self.token.is_none() {
            return is_localhost(name);
        }
        let first = name.split('.').next().unwrap_or_default();
        // A script that was led here has no token.
        let is_full_name = self.token.is_some() && first.eq_ignore_ascii_case(self.host);
        is_localhost(name) || is_host || is_full_name
    }
}

fn is_localhost(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
}

/// `HOST:PORT` without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

fn check_token(token: &str, headers: &HeaderMap) -> Result<(), Denied> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(sent), None) = (sent.next(), sent.next()) else {
        return Err(denied(
            StatusCode::UNAUTHORIZED,
            "a token is required; send it as `Authorization: Bearer TOKEN`",
        ));
    };
    let bytes = sent.as_bytes();
    let (scheme, rest) = bytes.split_at(bytes.len().min("Bearer ".len()));
    if scheme.eq_ignore_ascii_case(b"Bearer ") && is_same(rest.trim_ascii(), token.as_bytes()) {
        return Ok(());
    }
    Err(denied(StatusCode::UNAUTHORIZED, "the token is not the right one"))
}

/// Compares in a time that depends on the lengths alone: how many of the first bytes were right cannot be measured.
fn is_same(sent: &[u8], wanted: &[u8]) -> bool {
    let differing = sent
        .iter()
        .zip(wanted)
        .fold(0, |differing, (sent, wanted)| black_box(differing | (sent ^ wanted)));
    differing == 0 && sent.len() == wanted.len()
}

fn denied(status: StatusCode, reason: &str) -> Denied {
    Denied {
        status,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn asked(bound: &str, token: Option<&str>, headers: &[(&str, &str)]) -> u16 {
        let rules = Rules {
            bound: bound.parse().ok(),
            host: "web-1",
            token,
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: header::HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        match rules.check(&Uri::from_static("/metrics"), &map) {
            Ok(()) => 200,
            Err(denied) => denied.status.as_u16(),
        }
    }

    #[test]
    fn a_host_is_known_by_its_own_names_alone() {
        #[rustfmt::skip]
        let table = [
            // what is listened on, whether there is a token, the host asked for, the status
            ("127.0.0.1:9464", false, "127.0.0.1:9464", 200),
            ("127.0.0.1:9464", false, "localhost:9464", 200),
            ("127.0.0.1:9464", false, "LOCALHOST", 200),
            ("127.0.0.1:9464", false, "localhost.", 200),
            ("127.0.0.1:9464", false, "[::1]:9464", 200),
            ("127.0.0.1:9464", false, "127.1.2.3", 200),
            ("127.0.0.1:9464", false, "web-1:9464", 421),
            ("127.0.0.1:9464", false, "192.0.2.1:9464", 421),
            ("127.0.0.1:9464", false, "evil.example", 421),
            ("127.0.0.1:9464", false, "localhost.evil.example", 421),
            ("127.0.0.1:9464", false, "127.0.0.1.evil.example", 421),
            ("127.0.0.1:9464", false, "", 421),
            ("127.0.0.1:9464", true, "web-1.example.com:9464", 200),
            ("192.0.2.1:9464", false, "192.0.2.1:9464", 200),
            ("192.0.2.1:9464", false, "192.0.2.2:9464", 421),
            ("192.0.2.1:9464", false, "web-1:9464", 200),
            ("192.0.2.1:9464", false, "web-1.evil.example", 421),
            ("192.0.2.1:9464", true, "WEB-1.example.com", 200),
            ("192.0.2.1:9464", true, "web-2.example.com", 421),
            ("0.0.0.0:9464", false, "198.51.100.7:9464", 200),
            ("[::]:9464", false, "[2001:db8::1]:9464", 200),
            ("[::]:9464", false, "evil.example:9464", 421),
            ("no address: a Unix socket", false, "anything", 200),
        ];
        for (bound, has_token, host, expected) in table {
            let bearer = format!("Bearer {TOKEN}");
            let token = has_token.then_some(TOKEN);
            let status = asked(bound, token, &[("host", host), ("authorization", &bearer)]);
            assert_eq!(status, expected, "{bound} {has_token} {host}");
        }
    }

    #[test]
    fn a_request_has_one_host() {
        assert_eq!(asked("127.0.0.1:9464", None, &[]), 400);
        let twice = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(asked("127.0.0.1:9464", None, &twice), 400);
    }

    #[test]
    fn a_token_opens_and_nothing_else_does() {
        for (sent, expected) in [
            (Some("Bearer 0123456789abcdef"), 200),
            (Some("bearer 0123456789abcdef"), 200),
            (Some("Bearer  0123456789abcdef"), 200),
            (Some("Bearer 0123456789abcdeF"), 401),
            (Some("Bearer 0123456789abcde"), 401),
            (Some("Bearer 0123456789abcdef0"), 401),
            (Some("Bearer "), 401),
            (Some("Bearer"), 401),
            (Some("Basic 0123456789abcdef"), 401),
            (Some("0123456789abcdef"), 401),
            (Some(""), 401),
            (None, 401),
        ] {
            let headers: Vec<_> = sent.into_iter().map(|sent| ("authorization", sent)).collect();
            assert_eq!(asked("unix", Some(TOKEN), &headers), expected, "{sent:?}");
        }
        let twice = [
            ("authorization", "Bearer 0123456789abcdef"),
            ("authorization", "Bearer 0123456789abcdef"),
        ];
        assert_eq!(asked("unix", Some(TOKEN), &twice), 401);
    }
}
