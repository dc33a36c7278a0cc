//! Slack: within its limits, in its threads, and what its answers mean.

use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use sentinel_config::{SlackSettings, SlackStyle};
use sentinel_notify::{Delivered, DeliveryError, DeliveryErrorKind, Retry};

use super::slack_server::{self, CHANNEL, Post, Shared, TOKEN, api_error};
use super::*;

async fn start() -> (String, Shared) {
    let slack = Shared::default();
    let shared = slack.clone();
    let (url, _) = server(move |request| slack_server::answer(&shared, request)).await;
    (url, slack)
}

fn incoming(url: &str) -> Receiver {
    webhook_of(url, SlackStyle::Blocks)
}

fn webhook_of(url: &str, style: SlackStyle) -> Receiver {
    receiver(ReceiverKind::Slack(SlackSettings::Webhook {
        url: Secret::from(format!("{url}/services/T0/B0/secret")),
        style,
    }))
}

fn bot(url: &str, token: &str, channel: &str) -> Receiver {
    receiver(ReceiverKind::Slack(SlackSettings::Bot {
        token: Secret::from(token),
        channel: channel.to_owned(),
        api_url: format!("{url}/api/").parse().unwrap(),
    }))
}

async fn send(receiver: &Receiver, message: &Message, first: Option<First>) -> Result<Delivered, DeliveryError> {
    receiver
        .deliver(&delivery(message, first), sentinel_base::clock::wall())
        .await
}

fn posts(slack: &Shared) -> Vec<Post> {
    slack.lock().unwrap().posts.clone()
}

/// All that is to be read in a post.
fn shown(post: &Post) -> String {
    let blocks = post.payload["blocks"].as_array().cloned().unwrap_or_default();
    let texts: Vec<&str> = blocks
        .iter()
        .map(|block| block["text"]["text"].as_str().unwrap())
        .collect();
    texts.join("\n\n")
}

#[tokio::test]
async fn a_post_says_all_there_is_to_say() {
    let (url, slack) = start().await;
    let delivered = send(&incoming(&url), &message("fired"), None).await.unwrap();
    assert_eq!(delivered.reference, None, "a webhook is told no name");
    let posts = posts(&slack);
    let expected = "\
🟠 web1: shop is down: killed by signal KILL

Since: 2026-11-22 16:03:00 UTC
So far: 0s
Severity: warning
More: sentinel incidents 7  (on web1)

```
16:03:00  killed by signal KILL
```

signal:
```
9
```";
    assert_eq!(shown(&posts[0]), expected);
    assert_eq!(
        posts[0].payload["text"],
        "web1: shop is down: killed by signal KILL\nMore: sentinel incidents 7  (on web1)"
    );
}

#[tokio::test]
async fn who_is_not_slack_gets_an_attachment_that_it_shows() {
    let (url, slack) = start().await;
    let styles = [
        (SlackStyle::Auto, false),
        (SlackStyle::Attachments, false),
        (SlackStyle::Blocks, true),
    ];
    for (style, _) in styles {
        send(&webhook_of(&url, style), &message("fired"), None).await.unwrap();
    }
    for (post, (style, has_blocks)) in posts(&slack).iter().zip(styles) {
        assert_eq!(post.payload["blocks"].is_array(), has_blocks, "{style:?}");
        assert_eq!(post.payload["attachments"].is_array(), !has_blocks, "{style:?}");
        let text = post.payload["text"].as_str().unwrap();
        assert!(
            text.contains("killed by signal KILL\n") && text.contains("sentinel incidents 7"),
            "{style:?}: {text}"
        );
    }
    let attachment = &posts(&slack)[0].payload["attachments"][0];
    assert_eq!(
        attachment["text"],
        "```\n16:03:00  killed by signal KILL\n```\nsignal:\n```\n9\n```"
    );
    assert_eq!(attachment["fields"][0]["value"], "2026-11-22 16:03:00 UTC");
}

#[tokio::test]
async fn whatever_a_service_says_slack_takes_it() {
    let (url, slack) = start().await;
    let receivers = [incoming(&url), bot(&url, TOKEN, CHANNEL)];
    let inputs = [
        "x".repeat(64 * 1024),
        "<!channel> <@U012AB3CD> <!here|here> @channel @everyone & < >".repeat(100),
        "``` ` `` ```".repeat(500),
        "🔥👨‍👩‍👧".repeat(3000),
        "\u{202e}שלום\u{202c} עולם ".repeat(800),
        "a\0b\u{1}c\u{1b}[31m\r\n".repeat(900),
        "\"\\\n".repeat(5000),
        String::new(),
        "\0".repeat(300),
    ];
    let mut sent = 0;
    for input in &inputs {
        for field in 0..5 {
            let mut message = message("fired");
            let data = &mut message.data;
            match field {
                0 => data.summary.clone_from(input),
                1 => data.doing.clone_from(input),
                2 => {
                    let (title, text) = (input.clone(), input.clone());
                    data.evidence = vec![Evidence { title, text }; 3];
                }
                3 => {
                    let (at, text) = (message.timestamp, input.clone());
                    data.timeline = vec![TimelineLine { at, text }; 16];
                }
                _ => data.labels = (0..50).map(|n| (format!("l{n}"), input.clone())).collect(),
            }
            // As the outbox would hold it if nothing were cut on the way in.
            let mut delivery = delivery(&message, None);
            delivery.payload = serde_json::to_vec(&message).unwrap();
            for receiver in &receivers {
                receiver.deliver(&delivery, sentinel_base::clock::wall()).await.unwrap();
                sent += 1;
            }
        }
    }
    let slack = slack.lock().unwrap();
    assert_eq!(slack.broken, Vec::<String>::new());
    assert_eq!(
        (slack.posts.len(), slack.requests),
        (sent, sent),
        "none needed a second try"
    );
    for post in &slack.posts {
        assert!(post.payload.to_string().len() <= 8000);
    }
}

#[tokio::test]
async fn a_bot_keeps_an_incident_in_one_place() {
    let (url, slack) = start().await;
    // chat.postMessage takes a name; what comes later needs the ID that it answered.
    let bot = bot(&url, TOKEN, "alerts");
    let reference = send(&bot, &message("fired"), None).await.unwrap().reference;
    assert_eq!(reference.as_deref(), Some("C012AB3CD/1795363380.000001"));
    let first = || {
        Some(First {
            event: "msg_first".to_owned(),
            reference: reference.clone(),
            shared: false,
        })
    };
    let mut gave_up = message("gave_up");
    gave_up.data.severity = Severity::Critical;
    gave_up.data.summary = "web1: shop is down and restarting does not help".to_owned();
    send(&bot, &gave_up, first()).await.unwrap();
    let mut resolved = message("resolved");
    resolved.data.resolution = Some(sentinel_engine::Resolution::Recovered);
    resolved.data.summary = "web1: shop recovered by itself after 3.2s".to_owned();
    send(&bot, &resolved, first()).await.unwrap();

    let posts = posts(&slack);
    let seen: Vec<_> = posts
        .iter()
        .map(|post| (post.thread.as_deref(), post.broadcast, post.edits))
        .collect();
    let parent = Some("1795363380.000001");
    assert_eq!(seen, [(None, false, 2), (parent, true, 0), (parent, false, 0)]);
    assert!(
        shown(&posts[0]).starts_with("✅ web1: shop recovered by itself"),
        "{}",
        shown(&posts[0])
    );
    assert!(shown(&posts[1]).starts_with("🔴 web1: shop is down and restarting does not help"));
}

#[tokio::test]
async fn the_news_of_one_incident_does_not_replace_a_message_about_several() {
    let (url, slack) = start().await;
    let bot = bot(&url, TOKEN, CHANNEL);
    let mut group = Message::about_alerts(
        "group",
        "web1",
        Timestamp::UNIX_EPOCH,
        Severity::Warning,
        "2 services are down",
    );
    group.data.members = vec![Member::new(7, "shop", "fired", Severity::Warning, "shop is down")];
    let reference = send(&bot, &group, None).await.unwrap().reference;
    let first = || {
        Some(First {
            event: "msg_group".to_owned(),
            reference: reference.clone(),
            shared: true,
        })
    };
    send(&bot, &message("update"), first()).await.unwrap();
    let mut resolved = message("resolved");
    resolved.data.resolution = Some(sentinel_engine::Resolution::Recovered);
    send(&bot, &resolved, first()).await.unwrap();

    let posts = posts(&slack);
    let seen: Vec<_> = posts
        .iter()
        .map(|post| (post.thread.as_deref(), post.broadcast, post.edits))
        .collect();
    let parent = Some("1795363380.000001");
    assert_eq!(
        seen,
        [(None, false, 0), (parent, false, 0), (parent, true, 0)],
        "the end is to be seen in the channel"
    );
    assert!(
        shown(&posts[0]).contains("2 services are down"),
        "the other one is still down"
    );
}

#[tokio::test]
async fn an_incident_links_to_its_page() {
    let (url, slack) = start().await;
    let mut message = message("fired");
    message.data.url = Some("https://runbooks.example.com/shop?host=web1&x=<!channel>|y".to_owned());
    send(&incoming(&url), &message, None).await.unwrap();
    let posts = posts(&slack);
    let blocks = posts[0].payload["blocks"].as_array().unwrap();
    assert_eq!(
        blocks[2]["text"]["text"], "<https://runbooks.example.com/shop?host=web1&amp;x=%3C!channel%3E%7Cy>",
        "after the facts, where it is not cut off"
    );
    assert_eq!(slack.lock().unwrap().broken, Vec::<String>::new());
}

#[tokio::test]
async fn a_deleted_message_does_not_keep_the_news_back() {
    let (url, slack) = start().await;
    let bot = bot(&url, TOKEN, CHANNEL);
    let first = |reference: &str| {
        Some(First {
            event: "msg_first".to_owned(),
            reference: Some(reference.to_owned()),
            shared: false,
        })
    };
    let parent = "C012AB3CD/1795363380.000001";
    #[rustfmt::skip]
    let table: [(&str, &[&str], Option<&str>); 6] = [
        ("no longer to be edited", &["edit_window_closed"], Some("1795363380.000001")),
        ("posted by another bot", &["cant_update_message"], Some("1795363380.000001")),
        // A reply would stand below what is left of it, where nobody looks.
        ("deleted", &["message_not_found"], None),
        ("no place for replies", &["cant_update_message", "cannot_reply_to_message"], None),
        ("deleted meanwhile", &["edit_window_closed", "thread_not_found"], None),
        ("in a channel that was archived, and the bot has another one now", &["is_archived"], None),
    ];
    for (what, answers, thread) in table {
        slack.lock().unwrap().posts.clear();
        send(&bot, &message("fired"), None).await.unwrap();
        slack
            .lock()
            .unwrap()
            .script
            .extend(answers.iter().map(|word| api_error(word)));
        send(&bot, &message("gave_up"), first(parent)).await.unwrap();
        let posts = posts(&slack);
        let reported: Vec<_> = posts.iter().skip(1).map(|post| post.thread.as_deref()).collect();
        assert_eq!(reported, [thread], "{what}");
        assert_eq!(slack.lock().unwrap().script.len(), 0, "{what}: all was answered");
    }
    // It is unknown what Slack called the first one, or what was kept is nonsense.
    let unknown = First {
        event: "msg_first".to_owned(),
        reference: None,
        shared: false,
    };
    for first in [Some(unknown), first("nonsense")] {
        send(&bot, &message("resolved"), first).await.unwrap();
        assert_eq!(posts(&slack).last().unwrap().thread, None);
    }
}

#[tokio::test]
async fn where_no_user_may_write_the_news_is_refused_and_a_bad_day_is_waited_for() {
    let (url, slack) = start().await;
    let bot = bot(&url, TOKEN, CHANNEL);
    let first = || {
        Some(First {
            event: "msg_first".to_owned(),
            reference: Some("C012AB3CD/1795363380.000001".to_owned()),
            shared: false,
        })
    };
    #[rustfmt::skip]
    let table: [(&[&str], Retry, bool, &str); 4] = [
        (&["is_archived", "is_archived"], Retry::Never, false, "said `is_archived`: the channel is archived"),
        (&["token_revoked", "token_revoked"], Retry::Never, false, "said `token_revoked`: the token is wrong"),
        (&["ratelimited"], Retry::Later, false, "said `ratelimited`"),
        (&["message_not_found", "internal_error"], Retry::Later, true, "said `internal_error`"),
    ];
    for (answers, retry, is_ambiguous, text) in table {
        slack
            .lock()
            .unwrap()
            .script
            .extend(answers.iter().map(|word| api_error(word)));
        let error = send(&bot, &message("gave_up"), first()).await.unwrap_err();
        assert_eq!((error.retry(), error.is_ambiguous()), (retry, is_ambiguous), "{error}");
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(slack.lock().unwrap().script.len(), 0, "{text}: all was answered");
    }
    assert_eq!(posts(&slack).len(), 0);
}

#[tokio::test]
async fn a_form_that_slack_does_not_like_is_sent_once_more_as_plain_text() {
    let (url, slack) = start().await;
    let cases = [
        (
            incoming(&url),
            (StatusCode::BAD_REQUEST, "invalid_blocks").into_response(),
        ),
        (bot(&url, TOKEN, CHANNEL), api_error("msg_blocks_too_long")),
    ];
    for (receiver, answer) in cases {
        slack.lock().unwrap().script.push_back(answer);
        send(&receiver, &message("fired"), None).await.unwrap();
        let last = posts(&slack).pop().unwrap();
        assert!(last.payload.get("blocks").is_none());
        let text = last.payload["text"].as_str().unwrap();
        assert!(text.contains("is down") && text.contains("signal:\n    9"), "{text}");
    }
    let before = slack.lock().unwrap().requests;
    let refusals = [api_error("invalid_blocks"), api_error("invalid_blocks")];
    slack.lock().unwrap().script.extend(refusals);
    let error = send(&bot(&url, TOKEN, CHANNEL), &message("fired"), None)
        .await
        .unwrap_err();
    assert_eq!(error.retry(), Retry::Never);
    assert_eq!(slack.lock().unwrap().requests - before, 2, "once, and no more");
}

#[tokio::test]
async fn every_answer_is_understood() {
    use DeliveryErrorKind::{Broken, Refused, Status, Unavailable};
    let (url, slack) = start().await;
    let (incoming, bot) = (incoming(&url), bot(&url, TOKEN, CHANNEL));
    let plain = |status: u16, word: &'static str| (StatusCode::from_u16(status).unwrap(), word).into_response();
    let throttled = || (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "30")], "").into_response();
    let secs = |seconds| Some(Duration::from_secs(seconds));
    #[rustfmt::skip]
    let table = [
        (&incoming, plain(403, "action_prohibited"), Status(403), Retry::Never, false, None, "answered 403: action_prohibited: a rule of the workspace keeps it from writing there"),
        (&incoming, plain(404, "no_service"), Status(404), Retry::Never, false, None, "answered 404: no_service: the webhook's address is wrong, or the webhook was removed"),
        (&incoming, plain(410, "channel_is_archived"), Status(410), Retry::Never, false, None, "answered 410: channel_is_archived: the channel is archived"),
        (&incoming, plain(500, "rollup_error"), Status(500), Retry::Later, true, None, "answered 500: rollup_error"),
        (&incoming, throttled(), Status(429), Retry::Later, false, secs(30), "answered 429"),
        (&bot, throttled(), Status(429), Retry::Later, false, secs(30), "answered 429"),
        (&bot, plain(503, ""), Status(503), Retry::Later, true, None, "answered 503"),
        (&bot, api_error("ratelimited"), Unavailable, Retry::Later, false, None, "said `ratelimited`"),
        (&bot, api_error("internal_error"), Unavailable, Retry::Later, true, None, "said `internal_error`"),
        (&bot, api_error("channel_not_found"), Refused, Retry::Never, false, None, "said `channel_not_found`: no such channel"),
        (&bot, api_error("is_archived"), Refused, Retry::Never, false, None, "said `is_archived`: the channel is archived"),
        (&bot, api_error("token_revoked"), Refused, Retry::Never, false, None, "said `token_revoked`: the token is wrong"),
        (&bot, plain(200, "<html>"), Broken, Retry::Later, true, None, "what is no answer of Slack"),
    ];
    for (receiver, answer, kind, retry, ambiguous, wish, text) in table {
        slack.lock().unwrap().script.push_back(answer);
        let error = send(receiver, &message("fired"), None).await.unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(
            (error.kind(), error.retry(), error.is_ambiguous(), error.retry_after()),
            (kind, retry, ambiguous, wish),
            "{error}"
        );
    }
    let wrong_token = super::slack::bot(&url, "xoxb-wrong", CHANNEL);
    let error = send(&wrong_token, &message("fired"), None).await.unwrap_err();
    assert!(
        error.to_string().contains("said `invalid_auth`: the token is wrong"),
        "{error}"
    );
}
