//! What runs a service: units and containers.

use super::shown;
use crate::target::ContainerTarget;

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
pub fn unit(text: &str) -> Result<String, String> {
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

/// The name of a unit of any kind, or a pattern of such names in which `*` stands for any text and `?` for one
/// character. Takes `nginx` for `nginx.service`, like [`unit()`]; what ends in `*` is left as it is.
pub(crate) fn unit_pattern(text: &str) -> Result<String, String> {
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
pub fn container(text: &str) -> Result<(), String> {
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
pub fn compose(text: &str) -> Result<ContainerTarget, String> {
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

/// Why the agent may not restart `unit`: it would cut off the branch it sits on.
pub fn protected(unit: &str) -> Option<&'static str> {
    match unit {
        "sentinel.service" => Some("that is the agent itself"),
        "dbus.service" | "dbus-broker.service" => Some("the agent speaks to systemd through it"),
        "polkit.service" => Some("it decides whether the agent may restart anything"),
        _ if unit.starts_with("systemd-") => Some("it is part of systemd"),
        _ => None,
    }
}
