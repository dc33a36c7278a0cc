//! `listen`, `token_file` and `listen_insecure` of `[agent]`.

use std::path::Path;

use secrecy::ExposeSecret as _;

use super::receivers::either;
use crate::findings::Findings;
use crate::rules;
use crate::secret::Secret;
use crate::web::{Listen, WebSettings};

/// What is shorter can be tried out.
const TOKEN_MIN: usize = 16;

/// More than a head of a request should have in one field.
const TOKEN_MAX: usize = 512;

pub(super) fn settings(
    listen: Option<&str>,
    token_file: Option<&Path>,
    insecure: bool,
    findings: &mut Findings,
) -> WebSettings {
    // It was checked, so what cannot be read was reported.
    let listen = listen.and_then(|text| rules::listen(text).ok()).flatten();
    let token = token_file.and_then(|file| token(file, findings));
    if listen.as_ref().is_some_and(Listen::is_remote) && token_file.is_none() && !insecure {
        findings.wrong(
            "agent.listen",
            "can be reached by other hosts; add `token_file`, or `listen_insecure = true` to serve whoever asks",
        );
    }
    WebSettings { listen, token }
}

fn token(file: &Path, findings: &mut Findings) -> Option<Secret> {
    let token = either("agent", "token", None, Some(file), findings)?;
    if !token.is_stand_in()
        && let Err(reason) = check(token.expose_secret())
    {
        findings.wrong("agent.token_file", reason);
    }
    Some(token)
}

/// Checks a token by what `Authorization: Bearer` can carry (RFC 6750, `b64token`). Nothing of it is repeated.
fn check(token: &str) -> Result<(), String> {
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
            assert_eq!(check(token).is_ok(), expected, "{token:?}");
        }
    }
}
