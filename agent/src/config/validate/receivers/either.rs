//! Values that stand in the configuration or in files of their own.

use std::path::Path;

use secrecy::ExposeSecret as _;

use crate::config::findings::{Findings, join};
use crate::config::rules;
use crate::config::secret::{self, Secret};

/// The value of `name` or what stands in the file `name_file`; both at once is an error.
pub(in crate::config::validate) fn either(
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
    let resolved = secret::resolve(file);
    match resolved.as_deref().map_err(Clone::clone).and_then(secret::read) {
        Ok(secret) => {
            if resolved.as_deref().is_ok_and(secret::is_world_readable) {
                let message = format!(
                    "`{}` may be read by everybody on this host; `chgrp sentinel` and `chmod 0640` leave it to the agent",
                    file.display()
                );
                findings.warn(&file_key, message);
            }
            Some(secret)
        }
        Err(reason) => {
            findings.wrong(&file_key, reason);
            None
        }
    }
}

/// Reports a URL that was read from a file and is none; one in the configuration was checked before.
pub(in crate::config::validate) fn url(file_key: &str, url: &Secret, is_from_file: bool, findings: &mut Findings) {
    if is_from_file && let Err(reason) = rules::http_url(url.expose_secret()) {
        findings.wrong(file_key, format!("the file's text cannot be used: {reason}"));
    }
}

/// Warns of a secret `name` of the table `path` that stands in a file which everybody on this host may read.
pub(super) fn warn_of_open_file(path: &str, name: &str, findings: &mut Findings) {
    let key = join(path, name);
    let place = findings.place_of(&key);
    if findings.has(&key) && place.line().is_some() && secret::is_world_readable(Path::new(place.name())) {
        let message = format!("stands in a file that everybody on this host may read; use `{name}_file`");
        findings.warn(&key, message);
    }
}
