//! `[receivers.*]` and `[alerts]`.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::default_notify_after;
use crate::config::findings::{Findings, join};
use crate::config::inputs::{AlertsInput, ReceiverInput, WebhookInput};
use crate::config::schema::nearest;
use crate::config::settings::{AlertSettings, ReceiverKind, ReceiverSettings, WebhookSettings};
use crate::config::{rules, secret};

pub(super) fn settings(
    inputs: BTreeMap<String, ReceiverInput>,
    alerts: AlertsInput,
    findings: &mut Findings,
) -> (Vec<ReceiverSettings>, AlertSettings) {
    let names: Vec<String> = inputs.keys().cloned().collect();
    let alerts = alert_settings(alerts, &names, findings);
    let receivers = inputs
        .into_iter()
        .filter_map(|(name, input)| receiver(name, input, findings))
        .collect();
    (receivers, alerts)
}

fn alert_settings(input: AlertsInput, names: &[String], findings: &mut Findings) -> AlertSettings {
    if let Some(chosen) = &input.receivers {
        for (index, name) in chosen.iter().enumerate() {
            let key = format!("alerts.receivers[{index}]");
            if !names.contains(name) {
                let suggestion = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
                let message = format!("there is no [receivers.{name}]");
                findings.wrong_at(findings.place_of(&key), &key, message, suggestion);
            }
        }
        if chosen.is_empty() && !names.is_empty() {
            findings.warn("alerts.receivers", "is empty: nobody is told");
        }
    }
    let mut receivers = input.receivers.unwrap_or_else(|| names.to_vec());
    receivers.sort();
    receivers.dedup();
    AlertSettings {
        receivers,
        notify_after: input.notify_after.unwrap_or_else(default_notify_after),
    }
}

fn receiver(name: String, input: ReceiverInput, findings: &mut Findings) -> Option<ReceiverSettings> {
    let path = join("receivers", &name);
    let Some(webhook) = input.webhook else {
        if !findings.is_bad(&path) {
            findings.wrong(&path, "does not say how to reach it; add `webhook`");
        }
        return None;
    };
    let webhook = webhook_settings(&join(&path, "webhook"), webhook, findings)?;
    Some(ReceiverSettings {
        name,
        kind: ReceiverKind::Webhook(webhook),
    })
}

fn webhook_settings(path: &str, input: WebhookInput, findings: &mut Findings) -> Option<WebhookSettings> {
    let url = either(path, "url", input.url, input.url_file.as_deref(), findings);
    let secret = either(path, "secret", input.secret, input.secret_file.as_deref(), findings);
    if url.is_none() && !findings.is_bad(path) {
        findings.wrong(path, "does not say where to POST; add `url` or `url_file`");
    }
    if let (Some(url), Some(_)) = (&url, &input.url_file)
        && let Err(reason) = rules::http_url(url.expose_secret())
    {
        findings.wrong(
            &join(path, "url_file"),
            format!("the file's text cannot be used: {reason}"),
        );
    }
    if let Some(secret) = &secret {
        let key = join(
            path,
            if input.secret_file.is_some() {
                "secret_file"
            } else {
                "secret"
            },
        );
        if let Err(reason) = secret::check_signing(secret.expose_secret()) {
            findings.wrong(&key, reason);
        } else if input.secret_file.is_none() && is_in_open_file(&key, findings) {
            findings.warn(
                &key,
                "stands in a file that everybody on this host may read; use `secret_file`",
            );
        }
    }
    Some(WebhookSettings {
        url: url?,
        secret,
        headers: input.headers,
    })
}

/// The value of `name` or what stands in the file `name_file`; both at once is an error.
fn either(
    path: &str,
    name: &str,
    inline: Option<SecretString>,
    file: Option<&Path>,
    findings: &mut Findings,
) -> Option<SecretString> {
    let file_key = join(path, &format!("{name}_file"));
    let Some(file) = file else {
        return inline;
    };
    if inline.is_some() {
        findings.wrong(&file_key, format!("`{name}` is set as well; keep one of them"));
        return None;
    }
    match secret::read(file) {
        Ok(secret) => {
            if secret::is_world_readable(file) {
                let message = format!(
                    "`{}` may be read by everybody on this host; chmod 0640 or less",
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

fn is_in_open_file(key: &str, findings: &Findings) -> bool {
    let place = findings.place_of(key);
    place.line().is_some() && secret::is_world_readable(Path::new(place.name()))
}
