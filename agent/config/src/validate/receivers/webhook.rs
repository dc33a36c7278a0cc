//! `webhook = { ... }`.

use std::collections::BTreeSet;
use std::path::Path;

use secrecy::ExposeSecret as _;

use super::either::{either, headers, url, warn_of_open_file};
use crate::findings::{Findings, join};
use crate::inputs::WebhookInput;
use crate::secret::{self, Secret};
use crate::settings::WebhookSettings;

/// What Standard Webhooks puts in headers. Receivers trust it.
const SIGNED: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

pub(super) fn settings(path: &str, input: WebhookInput, findings: &mut Findings) -> Option<WebhookSettings> {
    let found = either(path, "url", input.url, input.url_file.as_deref(), findings);
    let secrets = secrets(path, input.secret, input.secret_file.as_deref(), findings);
    if found.is_none() && !findings.is_bad(path) {
        findings.wrong(path, "does not say where to POST; add `url` or `url_file`");
    }
    let found = found?;
    url(&join(path, "url_file"), &found, input.url_file.is_some(), findings);
    let inline: BTreeSet<String> = input.headers.keys().cloned().collect();
    let headers = headers(path, input.headers, input.headers_file.as_deref(), findings);
    for name in headers.keys() {
        if SIGNED.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            let key = if inline.contains(name) {
                join(&join(path, "headers"), name)
            } else {
                join(path, "headers_file")
            };
            findings.wrong(&key, "is set by the agent itself, as Standard Webhooks has it");
        }
    }
    Some(WebhookSettings {
        url: found,
        secrets,
        headers,
    })
}

/// The signing secrets; of a file each line is one.
fn secrets(path: &str, inline: Vec<Secret>, file: Option<&Path>, findings: &mut Findings) -> Vec<Secret> {
    let (key, secrets) = if file.is_some() {
        // Which of several stands beside the file does not matter.
        let text = either(path, "secret", inline.into_iter().next(), file, findings);
        let lines = text.iter().flat_map(|text| text.expose_secret().lines());
        let secrets = lines.map(str::trim).filter(|line| !line.is_empty()).map(Secret::from);
        ("secret_file", secrets.collect())
    } else {
        ("secret", inline)
    };
    let wrong = secrets
        .iter()
        .find_map(|one| secret::check_signing(one.expose_secret()).err());
    if let Some(reason) = wrong {
        findings.wrong(&join(path, key), reason);
        return secrets;
    }
    warn_of_open_file(path, "secret", findings);
    let differs = |one: &Secret| !one.is_stand_in() && !secret::is_standard(one.expose_secret());
    if secrets.iter().any(differs) {
        let message = "is taken as it stands, where libraries of Standard Webhooks decode base64: they would refuse what it \
                       signs; `whsec_` before base64 means the same to both";
        findings.warn(&join(path, key), message);
    }
    secrets
}
