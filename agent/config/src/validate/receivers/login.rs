//! Names, passwords and tokens to log in with.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;

use super::either::{either, warn_of_open_file};
use crate::findings::{Findings, join};
use crate::secret::Secret;

/// A name and a password as they are written.
pub(super) struct LoginInput {
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
}

/// The name and the password to log in with; one without the other is an error.
pub(super) fn password(path: &str, input: LoginInput, findings: &mut Findings) -> Option<(String, Secret)> {
    let file = input.password_file.as_deref();
    let key = if file.is_some() { "password_file" } else { "password" };
    let is_set = file.is_some() || input.password.is_some();
    let found = secret(path, "password", input.password, file, findings);
    if input.user.is_some() && !is_set && !findings.is_bad(&join(path, key)) {
        findings.wrong(&join(path, "user"), "needs a password; add `password_file`");
    }
    if is_set && input.user.is_none() && !findings.is_bad(&join(path, "user")) {
        findings.wrong(&join(path, key), "needs the name to log in with; add `user`");
    }
    input.user.zip(found)
}

/// As [`either`], with a warning when the secret stands in a file that all may read. A password or a token is one line.
pub(super) fn secret(
    path: &str,
    name: &str,
    inline: Option<Secret>,
    file: Option<&Path>,
    findings: &mut Findings,
) -> Option<Secret> {
    if inline.is_some() && file.is_none() {
        warn_of_open_file(path, name, findings);
    }
    let found = either(path, name, inline, file, findings)?;
    if found.expose_secret().chars().any(char::is_control) {
        let key = if file.is_some() {
            format!("{name}_file")
        } else {
            name.to_owned()
        };
        findings.wrong(
            &join(path, &key),
            "holds several lines, or a control character; it must be one line of text",
        );
    }
    Some(found)
}
