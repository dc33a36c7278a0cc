//! Values that stand in the configuration or in files of their own.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::ExposeSecret as _;

use crate::findings::{Findings, join};
use crate::problem::Fault;
use crate::referenced::{ReadableBy, SecretFile};
use crate::rules;
use crate::secret::{self, CONTROL_GROUP, SECRETS_DIRECTORY, SECRETS_GROUP, Secret, Secrets};

/// The value of `name` or what stands in the file `name_file`; both at once is an error.
pub(in crate::validate) fn either(
    path: &str,
    name: &str,
    inline: Option<Secret>,
    file: Option<&Path>,
    findings: &mut Findings,
) -> Option<Secret> {
    let file_key = join(path, &format!("{name}_file"));
    let Some(file) = file else {
        return inline;
    };
    if inline.is_some() {
        findings.wrong(&file_key, format!("`{name}` is set as well; keep one of them"));
        return None;
    }
    match read(file, &file_key, findings) {
        Ok(Some(secret)) => Some(secret),
        Ok(None) => {
            findings.unread.push(file_key);
            Some(Secret::stand_in())
        }
        Err(reason) => {
            findings.wrong(&file_key, reason);
            None
        }
    }
}

/// The headers of `headers` at `path`, and those in the file `headers_file`, a line each, as `Name: value`. A header is
/// in one of the two.
pub(in crate::validate) fn headers(
    path: &str,
    mut headers: BTreeMap<String, Secret>,
    file: Option<&Path>,
    findings: &mut Findings,
) -> BTreeMap<String, Secret> {
    let key = join(path, "headers_file");
    let Some(text) = either(path, "headers", None, file, findings).filter(|text| !text.is_stand_in()) else {
        return headers;
    };
    for (number, line) in (1..).zip(text.expose_secret().lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // Nothing of the line is shown: it may be a secret without its name.
        let checked = line
            .split_once(':')
            .map(|(name, value)| (name.trim(), value.trim()))
            .filter(|(name, value)| rules::header_name(name).is_ok() && rules::header_value(value).is_ok());
        let Some((name, value)) = checked else {
            findings.wrong(
                &key,
                format!("line {number} of the file is no header; write `Name: value`"),
            );
            continue;
        };
        if headers.keys().any(|known| known.eq_ignore_ascii_case(name)) {
            findings.wrong(
                &key,
                format!("line {number} of the file sets a header that is set already"),
            );
            continue;
        }
        headers.insert(name.to_owned(), Secret::from(value));
    }
    headers
}

/// What stands in the file; `None` when it is not to be read here.
fn read(file: &Path, key: &str, findings: &mut Findings) -> Result<Option<Secret>, Fault> {
    if findings.secrets == Secrets::None {
        return Ok(None);
    }
    let (secret, readable_by) = match findings.referenced.secret(file)? {
        SecretFile::Read { secret, readable_by } => (secret, readable_by),
        SecretFile::Elsewhere(name) => {
            let message = format!(
                "the credential `{name}` is only there while systemd runs the agent, with `LoadCredential={name}:PATH` in \
                 its unit"
            );
            if findings.secrets == Secrets::All {
                return Err(message.into());
            }
            findings.warn(key, format!("not looked at: {message}"));
            return Ok(None);
        }
    };
    let shown = file.display();
    let message = match readable_by {
        ReadableBy::Agent => return Ok(Some(secret)),
        ReadableBy::ControlGroup => format!(
            "`{shown}` may be read by members of the group `{CONTROL_GROUP}`, who may control the agent; in \
             `{SECRETS_DIRECTORY}` the agent alone reads it (`sentinel doctor` says what is wrong with that directory)"
        ),
        ReadableBy::World => format!(
            "`{shown}` may be read by every user of this host; `chgrp {SECRETS_GROUP}` and `chmod 0640` leave it to the agent"
        ),
    };
    findings.warn(key, message);
    Ok(Some(secret))
}

/// Reports a URL that was read from a file and is none; one in the configuration was checked before.
pub(in crate::validate) fn url(file_key: &str, url: &Secret, is_from_file: bool, findings: &mut Findings) {
    if is_from_file && let Err(reason) = rules::http_url(url.expose_secret()) {
        findings.wrong(file_key, format!("the file's text cannot be used: {reason}"));
    }
}

/// Warns of a secret `name` of the table `path` that stands in a file which others than the agent may read.
pub(super) fn warn_of_open_file(path: &str, name: &str, findings: &mut Findings) {
    let key = join(path, name);
    let place = findings.place_of(&key);
    if !findings.has(&key) || place.line().is_none() {
        return;
    }
    let file = Path::new(place.name());
    if secret::is_world_readable(file) {
        let message = format!("stands in a file that every user of this host may read; use `{name}_file`");
        findings.warn(&key, message);
    } else if secret::is_control_group_readable(file) {
        let message = format!(
            "stands in a file that members of the group `{CONTROL_GROUP}` may read, who may control the agent; use \
             `{name}_file = \"{SECRETS_DIRECTORY}/NAME\"`, which the agent alone may read"
        );
        findings.warn(&key, message);
    }
}
