//! Addresses: URLs, mail, hosts and ports.

use std::net::{IpAddr, SocketAddr};

use lettre::message::Mailbox;
use url::{Host, Url};

use super::{MAX_TEXT, line, shown, text::socket_path};
use crate::target::DockerAddress;
use crate::web::Listen;

/// Whether what is sent to `host`, a name or an address as URLs have it, never leaves this one.
pub fn is_this_host(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What is said of other schemes.
const ONLY_HTTP: &str = "begins with neither `http://` nor `https://`, which are what is supported";

/// What to write in place of an address that names no scheme. The address is not repeated.
fn without_scheme(text: &str) -> &'static str {
    if text.starts_with([':', '/']) {
        "names no host; write all of it, as in \"http://127.0.0.1:8080/health\""
    } else {
        "names no scheme; begin it with `http://` or `https://`"
    }
}

/// A URL that can be asked over HTTP. The text is not repeated: tokens stand in URLs.
pub(crate) fn http_url(text: &str) -> Result<Url, String> {
    if text.len() > MAX_TEXT {
        return Err(format!("is longer than {MAX_TEXT} bytes"));
    }
    if text.chars().any(char::is_control) {
        // A parser of URLs leaves out the ends of lines, and would make one address of two.
        return Err("holds the end of a line or another control character, as no URL does".to_owned());
    }
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => without_scheme(text).to_owned(),
        error => format!("is not a URL: {error}"),
    })?;
    match url.scheme() {
        "http" | "https" => {}
        // `localhost:8080/health` reads like a scheme and its path.
        _ if url.cannot_be_a_base() && url.path().starts_with(|first: char| first.is_ascii_digit()) => {
            return Err(without_scheme(text).to_owned());
        }
        "unix" => {
            return Err(format!(
                "{ONLY_HTTP}; ask a Unix socket with `command` and curl's `--unix-socket`"
            ));
        }
        "tcp" => {
            return Err(format!(
                "{ONLY_HTTP}; to see whether something listens, write `tcp = \"HOST:PORT\"`"
            ));
        }
        "h2" | "h2c" | "grpc" => {
            return Err(format!(
                "{ONLY_HTTP}, in version 1.1; ask other versions with `command` and a program that knows them"
            ));
        }
        _ => return Err(ONLY_HTTP.to_owned()),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("the URL names no host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "user and password do not belong in a URL; send an `Authorization` header with `headers`".to_owned(),
        );
    }
    Ok(url)
}

/// A mail server, `smtp://HOST:PORT` or `smtps://HOST:PORT`: its name or address, its port, and whether it is encrypted
/// from the first byte. The text is not repeated: it may hold a password.
pub(crate) fn mail_server(text: &str) -> Result<(String, u16, bool), String> {
    let url = Url::parse(text).map_err(|_| "is not `smtp://HOST:PORT` or `smtps://HOST:PORT`".to_owned())?;
    let (is_implicit, default) = match url.scheme() {
        "smtp" => (false, 587),
        "smtps" => (true, 465),
        _ => return Err("must begin with `smtp://` or `smtps://`".to_owned()),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("user and password do not belong in it; use `user` and `password_file`".to_owned());
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err("names more than a server".to_owned());
    }
    // Only for schemes it knows does the parser look at what the host is.
    let host = Host::parse(url.host_str().unwrap_or_default()).map_err(|_| "names no possible host".to_owned())?;
    let host = match host {
        Host::Domain(name) => name,
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    match url.port() {
        Some(0) => Err("the port must be 1 to 65535".to_owned()),
        port => Ok((host, port.unwrap_or(default), is_implicit)),
    }
}

/// An address for mail, with or without a name: `ops@example.com`, `Name <ops@example.com>`.
pub(crate) fn mailbox(text: &str) -> Result<Mailbox, String> {
    let wrong = || {
        format!(
            "{} is not an address such as \"ops@example.com\" or \"Name <ops@example.com>\"",
            shown(text)
        )
    };
    line(text, 320).map_err(|_| wrong())?;
    let mailbox: Mailbox = text.parse().map_err(|_| wrong())?;
    // Few servers take others, and none of those that do knows whether the next one does.
    if !mailbox.email.to_string().is_ascii() {
        return Err(format!("{} has letters other than ASCII in its address", shown(text)));
    }
    Ok(mailbox)
}

/// `HOST:PORT`, with IPv6 addresses in brackets.
pub(crate) fn host_port(text: &str) -> Result<(), String> {
    let wrong = |reason: &str| Err(format!("{} is not `HOST:PORT`: {reason}", shown(text)));
    let Some((host, port)) = text.rsplit_once(':') else {
        return wrong("the port is missing");
    };
    if !port.bytes().all(|byte| byte.is_ascii_digit()) || !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return wrong("the port must be 1 to 65535");
    }
    if host.is_empty() {
        return wrong("the host is missing");
    }
    if host.contains(':') && !host.starts_with('[') {
        return wrong("an IPv6 address needs brackets");
    }
    if Host::parse(host).is_err() {
        return wrong("there is no such host name");
    }
    Ok(())
}

/// Where a Docker Engine listens.
pub(crate) fn docker(text: &str) -> Result<DockerAddress, String> {
    if let Some(path) = text.strip_prefix("unix://") {
        return socket_path(path).map(|()| DockerAddress::Unix(path.into()));
    }
    if let Some(address) = text.strip_prefix("tcp://") {
        let address = address.strip_suffix('/').unwrap_or(address);
        return host_port(address).map(|()| DockerAddress::Tcp(address.to_owned()));
    }
    Err(format!(
        "{} is neither `unix:///PATH` nor `tcp://HOST:PORT`",
        shown(text)
    ))
}

/// Where to listen; `None` for `off`. A name is refused: what it stands for is another question each time it is asked.
pub(crate) fn listen(text: &str) -> Result<Option<Listen>, String> {
    if text == "off" {
        return Ok(None);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return socket_path(path).map(|()| Some(Listen::Unix(path.into())));
    }
    let address: SocketAddr = text.parse().map_err(|_| {
        let named = host_port(text).is_ok();
        let hint = if named { "; name the address itself" } else { "" };
        format!(
            "{} is neither `ADDRESS:PORT`, such as `127.0.0.1:9464`, nor `unix:PATH`, nor `off`{hint}",
            shown(text)
        )
    })?;
    if address.port() == 0 {
        return Err(format!("{} has no port; it must be 1 to 65535", shown(text)));
    }
    Ok(Some(Listen::Tcp(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_is_known_by_its_names() {
        for (host, expected) in [
            ("localhost", true),
            ("LocalHost", true),
            ("127.0.0.1", true),
            ("127.8.8.8", true),
            ("[::1]", true),
            ("::1", true),
            ("192.0.2.1", false),
            ("0.0.0.0", false),
            ("localhost.example.com", false),
            ("", false),
        ] {
            assert_eq!(is_this_host(host), expected, "{host}");
        }
    }
}
