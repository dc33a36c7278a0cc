//! Secrets that stand in files of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use super::files::read_limited;

/// Keys and tokens are short; what is larger is the wrong file.
const MAX_SECRET: u64 = 64 << 10;

/// Reads a secret, without the white space around it.
pub(super) fn read(path: &Path) -> Result<SecretString, String> {
    let shown = path.display();
    let bytes = read_limited(path, MAX_SECRET).map_err(|reason| format!("`{shown}` {reason}"))?;
    let text = str::from_utf8(&bytes)
        .map_err(|_| format!("`{shown}` is not UTF-8 text"))?
        .trim();
    if text.is_empty() {
        return Err(format!("`{shown}` is empty"));
    }
    Ok(text.to_owned().into())
}

/// Whether everybody on the host may read the file.
pub(super) fn is_world_readable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// Checks a signing secret: one that says it is a Standard Webhooks secret must be one.
pub(super) fn check_signing(secret: &str) -> Result<(), String> {
    /// Standard Webhooks, "Signature scheme": between 24 and 64 bytes.
    const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

    let Some(encoded) = secret.strip_prefix("whsec_") else {
        return Ok(());
    };
    match STANDARD.decode(encoded) {
        Err(_) => Err("what follows `whsec_` is not base64".to_owned()),
        Ok(key) if !KEY_BYTES.contains(&key.len()) => Err(format!(
            "what follows `whsec_` decodes to {} bytes; it must be 24 to 64",
            key.len()
        )),
        Ok(_) => Ok(()),
    }
}
