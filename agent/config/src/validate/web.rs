//! `listen`, `token_file` and `listen_insecure` of `[agent]`.

use std::path::Path;

use secrecy::ExposeSecret as _;

use super::receivers::either;
use crate::findings::Findings;
use crate::rules;
use crate::secret::Secret;
use crate::web::{Listen, WebSettings};

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
        && let Err(reason) = rules::bearer_token(token.expose_secret())
    {
        findings.wrong("agent.token_file", reason);
    }
    Some(token)
}
