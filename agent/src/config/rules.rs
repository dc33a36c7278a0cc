//! The rules for single values: names, durations, addresses, paths.
//!
//! Each answers the parsed value or a sentence that says what is wrong. None repeats what may be a secret.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use humantime::format_duration;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use lettre::message::Mailbox;
use reqwest::header::{HeaderName, HeaderValue};
use url::{Host, Url};

use super::schema::Bounds;
use super::settings::{ContainerTarget, DockerAddress};

/// The longest text that is ever meant: addresses, arguments, header values.
const MAX_TEXT: usize = 4096;

/// The longest template, in bytes. What it makes is bounded where it is used.
const MAX_TEMPLATE: usize = 16 * 1024;

/// Whether what is sent to `host`, a name or an address as URLs have it, never leaves this one.
pub(crate) fn is_this_host(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// `text` in backticks, fit for one line of a terminal.
pub(super) fn shown(text: &str) -> String {
    const MAX_SHOWN: usize = 60;
    let mut escaped: String = text.escape_debug().take(MAX_SHOWN + 1).collect();
    if escaped.chars().count() > MAX_SHOWN {
        escaped.pop();
        escaped.push('…');
    }
    format!("`{escaped}`")
}

/// The name of a service or receiver. Lower case only, since variables of the environment are lower-cased.
pub(crate) fn name(text: &str) -> Result<(), String> {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let rest = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte));
    if first && rest && text.len() <= 64 {
        return Ok(());
    }
    Err(format!(
        "{} is not a name: up to 64 of `a-z`, `0-9`, `.`, `_` and `-`, the first a letter or digit",
        shown(text)
    ))
}

/// The name of a service, or a pattern with `*` and `?`.
pub(super) fn pattern(text: &str) -> Result<(), String> {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-*?".contains(&byte);
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(known) {
        return Ok(());
    }
    Err(format!(
        "{} is neither the name of a service nor a pattern such as \"db-*\"",
        shown(text)
    ))
}

/// The name of a service, a pattern with `*` and `?`, or the host itself.
pub(crate) fn alert_pattern(text: &str) -> Result<(), String> {
    if text == sentinel_engine::HOST {
        return Ok(());
    }
    pattern(text)
}

/// A time of day, `02:00` or `02:00:30`.
pub(super) fn time_of_day(text: &str) -> Result<Time, String> {
    Time::strptime("%H:%M", text)
        .or_else(|_| Time::strptime("%H:%M:%S", text))
        .map_err(|_| format!("{} is not a time of day from \"00:00\" to \"23:59\"", shown(text)))
}

/// A time zone by its IANA name.
pub(super) fn zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| {
        format!(
            "this host knows no time zone {}; names are such as \"Europe/Berlin\", and come with the package tzdata",
            shown(text)
        )
    })
}

/// The name of a label, as Prometheus has them but in lower case.
pub(crate) fn label_name(text: &str) -> Result<(), String> {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if first && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') && text.len() <= 64
    {
        return Ok(());
    }
    Err(format!(
        "{} is not the name of a label: up to 64 of `a-z`, `0-9` and `_`, the first not a digit",
        shown(text)
    ))
}

/// One printable line of at most `max` characters.
fn line(text: &str, max: usize) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character".to_owned());
    }
    if text.chars().count() > max {
        return Err(format!("is longer than {max} characters"));
    }
    Ok(())
}

/// The agent's name in messages.
pub(super) fn agent_name(text: &str) -> Result<(), String> {
    line(text, 253)
}

/// The value of a label.
pub(crate) fn label_value(text: &str) -> Result<(), String> {
    line(text, 256)
}

/// Text that must occur in a body. It may span lines.
pub(super) fn needle(text: &str) -> Result<(), String> {
    match text.len() {
        0 => Err("is empty, which every body contains".to_owned()),
        1..=MAX_TEXT => Ok(()),
        _ => Err(format!("is longer than {MAX_TEXT} bytes")),
    }
}

/// An absolute path. The agent's working directory is nobody's business.
pub(super) fn absolute_path(text: &str) -> Result<(), String> {
    if !text.starts_with('/') {
        return Err(format!("{} is not an absolute path", shown(text)));
    }
    if text.contains('\0') || text.len() > MAX_TEXT {
        return Err(format!("{} is not a possible path", shown(text)));
    }
    Ok(())
}

/// A path that fits the address of a Unix socket (`sun_path` holds 108 bytes with its end).
pub(super) fn socket_path(text: &str) -> Result<(), String> {
    absolute_path(text)?;
    if text.len() > 107 {
        return Err("is longer than the 107 bytes a socket's path may have".to_owned());
    }
    Ok(())
}

/// One argument of a command.
pub(super) fn argument(text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err("holds a NUL, which no argument can".to_owned());
    }
    if text.len() > MAX_TEXT {
        return Err(format!("is longer than {MAX_TEXT} bytes"));
    }
    Ok(())
}

/// Parses a duration such as `10s` or `1h 30m`, within bounds.
pub(super) fn duration(text: &str, bounds: Bounds) -> Result<Duration, String> {
    let parsed = parse_duration(text)?;
    if parsed < bounds.min {
        return Err(format!("{} is too short: {bounds}", shown(text)));
    }
    if parsed > bounds.max {
        return Err(format!("{} is too long: {bounds}", shown(text)));
    }
    Ok(parsed)
}

/// Parses a duration of any length.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("{} is not a duration such as \"10s\" or \"1h 30m\"", shown(text)))
}

/// A duration as people write it.
pub(super) fn spell(duration: Duration) -> String {
    format_duration(duration).to_string()
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
pub(super) fn http_url(text: &str) -> Result<Url, String> {
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
/// from the first byte. The text is not repeated: somebody may have put a password into it.
pub(super) fn mail_server(text: &str) -> Result<(String, u16, bool), String> {
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
pub(super) fn mailbox(text: &str) -> Result<Mailbox, String> {
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
pub(super) fn host_port(text: &str) -> Result<(), String> {
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

/// A status, or a range of statuses.
pub(super) fn status(text: &str) -> Result<RangeInclusive<u16>, String> {
    let one = |part: &str| {
        let digits = part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u16>()
            .ok()
            .filter(|status| digits && (100..=599).contains(status))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (one(first), one(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        (Some(_), Some(_)) => Err(format!("{} runs backwards", shown(text))),
        _ => Err(format!(
            "{} is not a status from 100 to 599, or a range such as \"200-299\"",
            shown(text)
        )),
    }
}

/// A JSON pointer (RFC 6901).
pub(super) fn json_pointer(text: &str) -> Result<(), String> {
    let tilde_ok = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if (text.is_empty() || text.starts_with('/')) && tilde_ok && text.len() <= MAX_TEXT {
        return Ok(());
    }
    Err(format!("{} is not a JSON pointer such as \"/status\"", shown(text)))
}

/// The name of an HTTP header.
pub(super) fn header_name(text: &str) -> Result<(), String> {
    HeaderName::from_bytes(text.as_bytes())
        .map(drop)
        .map_err(|_| format!("{} is not the name of an HTTP header", shown(text)))
}

/// The value of an HTTP header. Not repeated: tokens stand in headers.
pub(super) fn header_value(text: &str) -> Result<(), String> {
    if text.len() > MAX_TEXT {
        return Err(format!("is longer than {MAX_TEXT} bytes"));
    }
    HeaderValue::from_str(text)
        .map(drop)
        .map_err(|_| "holds characters that no HTTP header may".to_owned())
}

/// Any secret text; what is in it is checked where it is used.
pub(super) fn secret(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    argument(text)
}

/// A file that holds a secret: its path, or `credential:NAME` for one that systemd hands over.
pub(super) fn secret_file(text: &str) -> Result<(), String> {
    let Some(name) = text.strip_prefix("credential:") else {
        return absolute_path(text);
    };
    // systemd.exec(5): a credential's name is a file name.
    let is_name = !name.is_empty() && name.len() <= 255 && !name.contains('/') && !name.starts_with('.');
    if is_name && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(format!("{} is not the name of a credential", shown(name)))
}

/// The name of a variable of the environment.
pub(super) fn variable_name(text: &str) -> Result<(), String> {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if first && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && text.len() <= 128 {
        return Ok(());
    }
    Err(format!("{} is not the name of a variable", shown(text)))
}

/// The text of a template; whether it is one is checked where it stands.
pub(super) fn template(text: &str) -> Result<(), String> {
    match text.len() {
        0 => Err("is empty".to_owned()),
        1..=MAX_TEMPLATE => Ok(()),
        _ => Err(format!("is longer than {MAX_TEMPLATE} bytes")),
    }
}

/// The kinds of unit systemd knows (systemd.unit(5)).
const UNIT_KINDS: [&str; 11] = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "slice",
    "scope",
];

/// The full name of a service unit. Like `systemctl`, takes `nginx` for `nginx.service`.
pub(crate) fn unit(text: &str) -> Result<String, String> {
    let kind = text
        .rsplit_once('.')
        .map(|(_, kind)| kind)
        .filter(|kind| UNIT_KINDS.contains(kind));
    if let Some(kind) = kind.filter(|kind| *kind != "service") {
        return Err(format!(
            "{} is a {kind}; only services can be watched and restarted",
            shown(text)
        ));
    }
    if text.contains(['*', '?', '[']) {
        return Err(format!("{} is a pattern; name each unit", shown(text)));
    }
    let full = if kind.is_some() {
        text.to_owned()
    } else {
        format!("{text}.service")
    };
    let stem = full.strip_suffix(".service").unwrap_or_default();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    // UNIT_NAME_MAX of systemd is 256, with the NUL at the end.
    if stem.is_empty() || stem.starts_with('@') || !full.bytes().all(legal) || full.len() > 255 {
        return Err(format!("{} is not the name of a unit", shown(text)));
    }
    if stem.ends_with('@') {
        return Err(format!(
            "{} is a template; name an instance such as `{stem}1.service`",
            shown(text)
        ));
    }
    Ok(full)
}

/// The name of a unit of any kind, or a pattern of such names in which `*` stands for any text and `?` for one character.
/// Takes `nginx` for `nginx.service`, like [`unit()`]; what ends in `*` is left as it is.
pub(super) fn unit_pattern(text: &str) -> Result<String, String> {
    let has_kind = text
        .rsplit_once('.')
        .is_some_and(|(_, kind)| UNIT_KINDS.contains(&kind));
    let full = if has_kind || text.ends_with('*') {
        text.to_owned()
    } else {
        format!("{text}.service")
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@*?".contains(&byte);
    if text.is_empty() || text.starts_with('.') || !full.bytes().all(legal) || full.len() > 255 {
        return Err(format!("{} is not the name of a unit, nor a pattern", shown(text)));
    }
    Ok(full)
}

/// The name of a container, as Docker allows it. Without the slash under which the API lists it.
pub(crate) fn container(text: &str) -> Result<(), String> {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if first && rest && (2..=255).contains(&text.len()) {
        return Ok(());
    }
    Err(format!(
        "{} is not the name of a container: at least two of letters, digits, `_`, `.` and `-`, the first a letter or digit",
        shown(text)
    ))
}

/// A Compose service, or one container of it: `PROJECT/SERVICE`, `PROJECT/SERVICE/NUMBER`.
pub(crate) fn compose(text: &str) -> Result<ContainerTarget, String> {
    let legal = |part: &str, first: fn(&u8) -> bool| {
        let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        part.as_bytes().first().is_some_and(first) && part.bytes().all(rest) && part.len() <= 128
    };
    let parts: Vec<&str> = text.split('/').collect();
    let (project, service, number) = match parts.as_slice() {
        [project, service] => (*project, *service, None),
        [project, service, number] => match number.parse::<u32>() {
            Ok(parsed) if parsed > 0 && !number.starts_with('+') => (*project, *service, Some(parsed)),
            _ => return Err(format!("{} does not end in the number of a container", shown(text))),
        },
        _ => return Err(format!("{} is not `PROJECT/SERVICE`", shown(text))),
    };
    // Compose lowers the case of projects, and takes services as they are.
    if project.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(format!(
            "{} names no project: Compose writes them in lower case",
            shown(text)
        ));
    }
    if !legal(project, u8::is_ascii_alphanumeric)
        || !legal(service, |byte| byte.is_ascii_alphanumeric() || b"_.-".contains(byte))
    {
        return Err(format!("{} is not `PROJECT/SERVICE`", shown(text)));
    }
    Ok(ContainerTarget::Compose {
        project: project.to_owned(),
        service: service.to_owned(),
        number,
    })
}

/// Where a Docker Engine listens.
pub(super) fn docker(text: &str) -> Result<DockerAddress, String> {
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

/// Why the agent may not restart `unit`: it would cut off the branch it sits on.
pub(crate) fn protected(unit: &str) -> Option<&'static str> {
    match unit {
        "sentinel.service" => Some("that is the agent itself"),
        "dbus.service" | "dbus-broker.service" => Some("the agent speaks to systemd through it"),
        "polkit.service" => Some("it decides whether the agent may restart anything"),
        _ if unit.starts_with("systemd-") => Some("it is part of systemd"),
        _ => None,
    }
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
