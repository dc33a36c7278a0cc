//! The operator's own words, as each kind of receiver sends them.

use sentinel_config::{CommandSettings, SlackSettings, SlackStyle};
use serde_json::Value;

use super::*;
use crate::log::logged;

#[tokio::test]
async fn each_kind_sends_the_operators_words() {
    let (url, mut requests) = server(ok).await;
    let template = "{{ service }}/{{ kind }} at {{ opened_at | local }}\nlook: {{ cause.kind or 'nothing' }}";
    let expected = "shop/fired at 2026-11-22 16:03:00 UTC";
    let at = sentinel_base::clock::wall();
    let delivery = delivery(&message("fired"), None);

    let receiver = with_template(webhook(&url, &["secret"]), Some(template));
    receiver.deliver(&delivery, at).await.unwrap();
    assert_eq!(
        next(&mut requests).await.body,
        format!("{expected}\nlook: nothing").as_bytes()
    );

    let slack = SlackSettings::Webhook {
        url: Secret::from(url.as_str()),
        style: SlackStyle::Blocks,
    };
    let receiver = with_template(ReceiverKind::Slack(slack), Some(template));
    receiver.deliver(&delivery, at).await.unwrap();
    let payload: Value = serde_json::from_slice(&next(&mut requests).await.body).unwrap();
    assert_eq!(payload["text"], format!("{expected}\nlook: nothing"));
    assert_eq!(payload["blocks"][0]["text"]["text"], format!("🟠 {expected}"));
    assert_eq!(payload["blocks"][1]["text"]["text"], "look: nothing");

    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let script = format!("printf '%s' \"$SENTINEL_TITLE|$SENTINEL_TEXT\" > {}", out.display());
    let command = CommandSettings {
        argv: ["/bin/sh", "-c", &script].map(str::to_owned).to_vec(),
        env: BTreeMap::new(),
        timeout: BOUND,
    };
    let receiver = with_template(ReceiverKind::Command(command), Some(template));
    receiver.deliver(&delivery, at).await.unwrap();
    assert_eq!(
        std::fs::read_to_string(out).unwrap(),
        format!("{expected}|{expected}\n\nlook: nothing")
    );
}

#[tokio::test]
async fn a_template_that_fails_loses_no_alert() {
    let (url, mut requests) = server(ok).await;
    // Fails on this very message, and not on those it was tried on.
    let template = "{% if attempts == 3 %}{{ no_such_name }}{% endif %}x";
    let mut message = message("fired");
    message.data.attempts = 3;
    let receiver = with_template(webhook(&url, &[]), Some(template));
    let _ = logged();
    let mut delivery = delivery(&message, None);
    for attempt in [1, 2] {
        delivery.attempt = attempt;
        receiver.deliver(&delivery, sentinel_base::clock::wall()).await.unwrap();
    }
    let logged = logged();
    assert_eq!(logged.matches("`no_such_name` is undefined").count(), 1, "{logged}");
    assert!(logged.contains("receiver=\"team\""), "{logged}");
    let body: Value = serde_json::from_slice(&next(&mut requests).await.body).unwrap();
    assert_eq!(body["data"]["summary"], message.data.summary);
    assert_eq!(
        body["template_error"],
        "line 1 of the template: undefined value: `no_such_name` is undefined"
    );
}
