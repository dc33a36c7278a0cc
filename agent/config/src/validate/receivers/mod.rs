//! `[receivers.*]`. Each kind of receiver is a file; `either` is for the values that may stand in files.

mod alertmanager;
mod command;
mod either;
mod email;
mod login;
mod slack;
mod template;
mod webhook;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

pub(super) use either::{either, headers, url};

use crate::findings::{Findings, join};
use crate::inputs::ReceiverInput;
use crate::rules;
use crate::settings::{ReceiverKind, ReceiverSettings};

pub(super) fn settings(
    inputs: BTreeMap<String, ReceiverInput>,
    zone: Option<&str>,
    findings: &mut Findings,
) -> Vec<ReceiverSettings> {
    let zone = self::zone(zone);
    inputs
        .into_iter()
        .filter_map(|(name, input)| receiver(name, input, &zone, findings))
        .collect()
}

/// Whose clocks count. The name was checked, and unknown zones reported.
fn zone(name: Option<&str>) -> TimeZone {
    name.and_then(|name| rules::zone(name).ok())
        .unwrap_or_else(TimeZone::system)
}

fn receiver(name: String, input: ReceiverInput, zone: &TimeZone, findings: &mut Findings) -> Option<ReceiverSettings> {
    let path = join("receivers", &name);
    let template = template::settings(&path, input.template, input.template_file.as_deref(), findings);
    let known = [
        ("slack", input.slack.is_some()),
        ("webhook", input.webhook.is_some()),
        ("email", input.email.is_some()),
        ("alertmanager", input.alertmanager.is_some()),
        ("command", input.command.is_some()),
    ];
    let kinds: Vec<&str> = known
        .into_iter()
        .filter_map(|(kind, is_set)| is_set.then_some(kind))
        .collect();
    let kind = match kinds.as_slice() {
        [] => {
            if !findings.is_bad(&path) {
                let known: Vec<String> = known.iter().map(|(kind, _)| format!("`{kind}`")).collect();
                let message = format!("does not say how to reach it; add one of {}", known.join(", "));
                findings.wrong(&path, message);
            }
            return None;
        }
        [kind] => join(&path, kind),
        [first, second, ..] => {
            findings.wrong(
                &path,
                format!("has both `{first}` and `{second}`; make two receivers of it"),
            );
            return None;
        }
    };
    let kind = None
        .or_else(|| Some(ReceiverKind::Slack(slack::settings(&kind, input.slack?, findings)?)))
        .or_else(|| {
            Some(ReceiverKind::Webhook(webhook::settings(
                &kind,
                input.webhook?,
                findings,
            )?))
        })
        .or_else(|| {
            let email = email::settings(&kind, input.email?, findings)?;
            Some(ReceiverKind::Email(Box::new(email)))
        })
        .or_else(|| {
            let manager = alertmanager::settings(&kind, input.alertmanager?, findings)?;
            Some(ReceiverKind::Alertmanager(manager))
        })
        .or_else(|| {
            Some(ReceiverKind::Command(command::settings(
                &kind,
                input.command?,
                findings,
            )))
        })?;
    if template.is_some() && matches!(kind, ReceiverKind::Alertmanager(_)) {
        // Who words its notifications is the Alertmanager, from labels and annotations.
        findings.wrong(
            &path,
            "an Alertmanager has templates of its own; this one would not be used",
        );
    }
    Some(ReceiverSettings {
        name,
        kind,
        zone: zone.clone(),
        template,
    })
}
