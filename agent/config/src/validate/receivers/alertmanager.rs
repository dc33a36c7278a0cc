//! `alertmanager = { ... }` of a receiver.

use std::time::Duration;

use super::either::headers;
use super::login::{LoginInput, password, secret};
use crate::alertmanager::{AlertmanagerSettings, HttpLogin};
use crate::findings::{Findings, join};
use crate::inputs::AlertmanagerInput;
use crate::rules;

/// Prometheus sends its alerts again about as often.
const RESEND: Duration = Duration::from_secs(60);

/// What is asked of a replica, below its URL.
const API: &str = "/api/v2/alerts";

pub(super) fn settings(path: &str, input: AlertmanagerInput, findings: &mut Findings) -> Option<AlertmanagerSettings> {
    let key = join(path, "urls");
    match &input.urls {
        None if !findings.is_bad(path) => findings.wrong(path, "does not say where it is; add `urls`"),
        Some(urls) if urls.is_empty() && !findings.is_bad(&key) => {
            findings.wrong(&key, "is empty: no replica would be notified");
        }
        _ => {}
    }
    let urls: Vec<_> = input.urls?.iter().filter_map(|url| rules::http_url(url).ok()).collect();
    // Those that are wrong have been left out, and so the others are not where they stood.
    let places: Vec<_> = urls.iter().enumerate().filter(|_| !findings.is_bad(&key)).collect();
    for (index, url) in places {
        let key = format!("{key}[{index}]");
        if urls.iter().take(index).any(|other| other == url) {
            findings.wrong(&key, "is there already");
        }
        let path = url.path().trim_end_matches('/');
        // Only at its end: a proxy may well have such a part before it.
        if ["/api/v1", "/api/v2"]
            .iter()
            .any(|api| path.trim_end_matches("/alerts").ends_with(api))
        {
            let message = format!("names a part of its API, to which `{API}` would be added; leave it out");
            findings.wrong(&key, message);
        }
    }
    if let Some(file) = &input.ca_file {
        let key = join(path, "ca_file");
        if urls.iter().all(|url| url.scheme() == "http") {
            findings.wrong(&key, "means nothing for http URLs");
        } else if let Err(reason) = findings.referenced.certificates(file) {
            findings.wrong(&key, reason.at(file));
        }
    }
    let basic = LoginInput {
        user: input.user,
        password: input.password,
        password_file: input.password_file,
    };
    let basic = password(path, basic, findings);
    let token = secret(path, "token", input.token, input.token_file.as_deref(), findings);
    if basic.is_some() && token.is_some() {
        findings.wrong(&join(path, "user"), "there is a token as well; keep one way to log in");
    }
    let headers = headers(path, input.headers, input.headers_file.as_deref(), findings);
    if (basic.is_some() || token.is_some())
        && let Some(name) = headers.keys().find(|name| name.eq_ignore_ascii_case("authorization"))
    {
        let inline = join(&join(path, "headers"), name);
        let key = if findings.has(&inline) {
            inline
        } else {
            join(path, "headers_file")
        };
        findings.wrong(&key, "there is a login as well; keep one of them");
    }
    let basic = basic.map(|(user, password)| HttpLogin::Basic { user, password });
    Some(AlertmanagerSettings {
        urls,
        resend: input.resend.unwrap_or(RESEND),
        headers,
        login: basic.or(token.map(HttpLogin::Bearer)),
        ca_file: input.ca_file,
    })
}
