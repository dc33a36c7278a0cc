//! Texts and paths.

use super::{MAX_TEXT, shown};

/// The longest template, in bytes. What it makes is bounded where it is used.
const MAX_TEMPLATE: usize = 16 * 1024;

/// Text that must occur in a body. It may span lines.
pub(crate) fn needle(text: &str) -> Result<(), String> {
    match text.len() {
        0 => Err("is empty, which every body contains".to_owned()),
        1..=MAX_TEXT => Ok(()),
        _ => Err(format!("is longer than {MAX_TEXT} bytes")),
    }
}

/// An absolute path. The agent's working directory is not part of the configuration.
pub(crate) fn absolute_path(text: &str) -> Result<(), String> {
    if !text.starts_with('/') {
        return Err(format!("{} is not an absolute path", shown(text)));
    }
    if text.contains('\0') || text.len() > MAX_TEXT {
        return Err(format!("{} is not a possible path", shown(text)));
    }
    Ok(())
}

/// A path that fits the address of a Unix socket (`sun_path` holds 108 bytes with its end).
pub(crate) fn socket_path(text: &str) -> Result<(), String> {
    absolute_path(text)?;
    if text.len() > 107 {
        return Err("is longer than the 107 bytes a socket's path may have".to_owned());
    }
    Ok(())
}

/// One argument of a command.
pub(crate) fn argument(text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err("holds a NUL, which no argument can".to_owned());
    }
    if text.len() > MAX_TEXT {
        return Err(format!("is longer than {MAX_TEXT} bytes"));
    }
    Ok(())
}

/// Any secret text; what is in it is checked where it is used.
pub(crate) fn secret(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    argument(text)
}

/// A file that holds a secret: its path, or `credential:NAME` for one that systemd hands over.
pub(crate) fn secret_file(text: &str) -> Result<(), String> {
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

/// The text of a template; whether it is one is checked where it stands.
pub(crate) fn template(text: &str) -> Result<(), String> {
    match text.len() {
        0 => Err("is empty".to_owned()),
        1..=MAX_TEMPLATE => Ok(()),
        _ => Err(format!("is longer than {MAX_TEMPLATE} bytes")),
    }
}

/// Checks a token by what `Authorization: Bearer` can carry (RFC 6750, `b64token`). Nothing of it is repeated.
pub(crate) fn bearer_token(token: &str) -> Result<(), String> {
    /// What is shorter can be tried out.
    const TOKEN_MIN: usize = 16;
    /// More than a head of a request should have in one field.
    const TOKEN_MAX: usize = 512;

    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if !token.bytes().all(legal) {
        return Err("the file's text is no token: letters, digits and `-._~+/=` on one line".to_owned());
    }
    if !(TOKEN_MIN..=TOKEN_MAX).contains(&token.len()) {
        return Err(format!(
            "the token has {} characters; it must have {TOKEN_MIN} to {TOKEN_MAX}, as `openssl rand -hex 32` prints them",
            token.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_a_header_and_cannot_be_guessed() {
        for (token, expected) in [
            ("0123456789abcdef", true),
            ("0123456789-._~+/=", true),
            ("0123456789abcde", false),
            ("0123456789 abcdef", false),
            ("0123456789abcdef\n0123456789abcdef", false),
            ("0123456789abcdef\u{e9}", false),
            (&"x".repeat(512), true),
            (&"x".repeat(513), false),
        ] {
            assert_eq!(bearer_token(token).is_ok(), expected, "{token:?}");
        }
    }
}
