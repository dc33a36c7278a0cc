//! What is asked of a service.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::receivers::headers;
use crate::findings::{Findings, join};
use crate::inputs::{HttpInput, ServiceInput};
use crate::rules;
use crate::secret::Secret;
use crate::settings::{CommandProbe, HttpProbe, ProbeSettings, TcpProbe};

/// The probes of the service at `path`, each with this deadline.
pub(super) fn probes(
    path: &str,
    input: &mut ServiceInput,
    timeout: Duration,
    findings: &mut Findings,
) -> Vec<ProbeSettings> {
    let http = input
        .http
        .take()
        .and_then(|http| http_probe(&join(path, "http"), http, timeout, findings));
    let tcp = input.tcp.take().map(|address| TcpProbe { address, timeout });
    let command = input.command.take().map(|argv| {
        program(&join(path, "command"), &argv, findings);
        CommandProbe { argv, timeout }
    });
    http.map(|probe| ProbeSettings::Http(Box::new(probe)))
        .into_iter()
        .chain(tcp.map(ProbeSettings::Tcp))
        .chain(command.map(ProbeSettings::Command))
        .collect()
}

fn http_probe(path: &str, input: HttpInput, timeout: Duration, findings: &mut Findings) -> Option<HttpProbe> {
    let Some(url) = input.url.as_deref().and_then(|url| rules::http_url(url).ok()) else {
        if !findings.is_bad(path) {
            findings.wrong(path, "`url` is missing");
        }
        return None;
    };
    let status = input.status.unwrap_or_else(|| vec!["200-299".to_owned()]);
    if status.is_empty() && !findings.is_bad(&join(path, "status")) {
        findings.wrong(&join(path, "status"), "accepts nothing; name at least one status");
    }
    let method = input.method.unwrap_or_else(|| "GET".to_owned());
    for (name, is_set) in [
        ("body_contains", input.body_contains.is_some()),
        ("json", !input.json.is_empty()),
    ] {
        if is_set && method == "HEAD" {
            findings.wrong(&join(path, name), "an answer to HEAD has no body");
        }
    }
    if let Some(max_latency) = input.max_latency.filter(|max_latency| *max_latency > timeout) {
        let (latency, timeout) = (rules::spell(max_latency), rules::spell(timeout));
        let message = format!("{latency} is never reached: the probe fails after `timeout`, {timeout}");
        findings.wrong(&join(path, "max_latency"), message);
    }
    check_tls(path, url.scheme(), input.ca_file.as_deref(), input.insecure, findings);
    let inline = input
        .headers
        .into_iter()
        .map(|(name, value)| (name, Secret::from(value)));
    let headers = headers(path, inline.collect(), input.headers_file.as_deref(), findings);
    let headers = headers
        .into_iter()
        .map(|(name, value)| (name, value.expose_secret().to_owned()));
    Some(HttpProbe {
        url,
        method,
        headers: headers.collect(),
        status: status.iter().filter_map(|status| rules::status(status).ok()).collect(),
        body_contains: input.body_contains,
        json: input.json,
        max_latency: input.max_latency,
        ca_file: input.ca_file,
        insecure: input.insecure,
        keep_alive: input.keep_alive,
        follow: input.follow,
        timeout,
    })
}

fn check_tls(path: &str, scheme: &str, ca_file: Option<&Path>, insecure: bool, findings: &mut Findings) {
    for (name, is_set) in [("ca_file", ca_file.is_some()), ("insecure", insecure)] {
        if is_set && scheme == "http" {
            findings.wrong(&join(path, name), "means nothing for an http URL");
        }
    }
    let key = join(path, "ca_file");
    let Some(file) = ca_file else {
        return;
    };
    if insecure {
        findings.wrong(&key, "is not looked at when `insecure` accepts any certificate");
    }
    if let Err(reason) = findings.referenced.certificates(file) {
        findings.wrong(&key, reason.at(file));
    }
}

/// Checks that a command names its program by an absolute path: the agent's `PATH` is not part of the configuration.
pub(super) fn program(key: &str, argv: &[String], findings: &mut Findings) {
    if findings.is_bad(key) {
        return;
    }
    match argv.first() {
        None => findings.wrong(key, "names no program"),
        Some(program) => {
            if let Err(reason) = rules::absolute_path(program) {
                let first = format!("{key}[0]");
                let mut message = format!("the program: {reason}");
                if !program.contains('/') && program.len() <= 64 {
                    let _ = write!(
                        message,
                        "; write its whole path, such as {}",
                        rules::shown(&format!("/usr/bin/{program}"))
                    );
                }
                findings.wrong_at(findings.place_of(&first), &first, message, None);
            }
        }
    }
}
