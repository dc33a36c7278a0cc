//! `slack = { ... }`.

use secrecy::ExposeSecret as _;

use super::either::{either, url, warn_of_open_file};
use crate::findings::{Findings, join};
use crate::inputs::SlackInput;
use crate::rules;
use crate::settings::{SlackSettings, SlackStyle};

/// Where Slack is, unless said otherwise.
const API: &str = "https://slack.com/api/";

pub(super) fn settings(path: &str, input: SlackInput, findings: &mut Findings) -> Option<SlackSettings> {
    let is_webhook = input.webhook_url.is_some() || input.webhook_url_file.is_some();
    let is_bot = input.token.is_some() || input.token_file.is_some();
    match (is_webhook, is_bot) {
        (true, true) => {
            findings.wrong(path, "has both a webhook and a token; keep one of them");
            None
        }
        (true, false) => webhook(path, input, findings),
        (false, true) => bot(path, input, findings),
        (false, false) => {
            if !findings.is_bad(path) {
                findings.wrong(
                    path,
                    "does not say how to post; add `webhook_url_file`, or `token_file` and `channel`",
                );
            }
            None
        }
    }
}

fn webhook(path: &str, input: SlackInput, findings: &mut Findings) -> Option<SlackSettings> {
    for (key, is_set) in [
        ("channel", input.channel.is_some()),
        ("api_url", input.api_url.is_some()),
    ] {
        if is_set {
            findings.wrong(
                &join(path, key),
                "is for a bot with a token; a webhook always posts to its own channel",
            );
        }
    }
    let file = input.webhook_url_file.as_deref();
    let found = either(path, "webhook_url", input.webhook_url, file, findings)?;
    url(&join(path, "webhook_url_file"), &found, file.is_some(), findings);
    warn_of_open_file(path, "webhook_url", findings);
    let style = match input.style.as_deref() {
        Some("blocks") => SlackStyle::Blocks,
        Some("attachments") => SlackStyle::Attachments,
        _ => SlackStyle::Auto,
    };
    Some(SlackSettings::Webhook { url: found, style })
}

fn bot(path: &str, input: SlackInput, findings: &mut Findings) -> Option<SlackSettings> {
    if input.style.is_some() {
        findings.wrong(
            &join(path, "style"),
            "is for a webhook; a bot speaks to Slack, which shows blocks",
        );
    }
    let file = input.token_file.as_deref();
    let token = either(path, "token", input.token, file, findings);
    let key = join(path, if file.is_some() { "token_file" } else { "token" });
    if let Some(token) = &token {
        if !token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            findings.wrong(&key, "holds characters that no token may");
        }
        warn_of_open_file(path, "token", findings);
    }
    if input.channel.is_none() && !findings.is_bad(path) {
        findings.wrong(path, "does not say where the bot writes; add `channel`");
    }
    // It was checked before.
    let mut api_url = rules::http_url(input.api_url.as_deref().unwrap_or(API)).ok()?;
    if !api_url.path().ends_with('/') {
        let path = format!("{}/", api_url.path());
        api_url.set_path(&path);
    }
    Some(SlackSettings::Bot {
        token: token?,
        channel: input.channel?,
        api_url,
    })
}
