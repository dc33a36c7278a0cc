//! A Slack on loopback that holds everybody to Slack's documented limits, and answers in its words.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Request;

/// The token that this Slack knows.
pub(crate) const TOKEN: &str = "xoxb-test-token";
/// The one channel, by its ID and its name.
pub(crate) const CHANNEL: &str = "C012AB3CD";
const CHANNEL_NAME: &str = "alerts";

/// A message as its readers have it.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub ts: String,
    pub thread: Option<String>,
    pub broadcast: bool,
    pub payload: Value,
    pub edits: usize,
}

/// What happened, and what is to happen.
#[derive(Default)]
pub(crate) struct Slack {
    pub posts: Vec<Post>,
    pub requests: usize,
    /// Answers instead of the usual ones, the first first.
    pub script: VecDeque<Response>,
    /// Payloads that broke a rule, with the rule.
    pub broken: Vec<String>,
}

pub(crate) type Shared = Arc<Mutex<Slack>>;

/// Handles a request as Slack does.
pub(crate) fn answer(slack: &Shared, request: &Request) -> Response {
    let mut slack = slack.lock().unwrap();
    slack.requests += 1;
    if let Some(answer) = slack.script.pop_front() {
        return answer;
    }
    let is_api = request.path.starts_with("/api/");
    let payload = match checked(request) {
        Ok(payload) => payload,
        Err(rule) => {
            slack.broken.push(rule.clone());
            return refuse(is_api, "invalid_blocks", StatusCode::BAD_REQUEST);
        }
    };
    match request.path.as_str() {
        "/services/T0/B0/secret" => {
            slack.post(payload, None, false);
            "ok".into_response()
        }
        "/api/chat.postMessage" | "/api/chat.update" if !is_authorised(request) => {
            refuse(true, "invalid_auth", StatusCode::OK)
        }
        "/api/chat.postMessage" => slack.post_message(payload),
        "/api/chat.update" => slack.update(payload),
        _ => refuse(is_api, "no_service", StatusCode::NOT_FOUND),
    }
}

pub(crate) fn api_error(word: &str) -> Response {
    refuse(true, word, StatusCode::OK)
}

fn refuse(is_api: bool, word: &str, status: StatusCode) -> Response {
    if is_api {
        axum::Json(json!({ "ok": false, "error": word })).into_response()
    } else {
        (status, word.to_owned()).into_response()
    }
}

fn is_authorised(request: &Request) -> bool {
    request
        .headers
        .get(header::AUTHORIZATION)
        .is_some_and(|value| value == &format!("Bearer {TOKEN}"))
}

impl Slack {
    fn post(&mut self, payload: Value, thread: Option<String>, broadcast: bool) -> String {
        let ts = format!("1795363380.{:06}", self.posts.len() + 1);
        self.posts.push(Post {
            ts: ts.clone(),
            thread,
            broadcast,
            payload,
            edits: 0,
        });
        ts
    }

    fn post_message(&mut self, payload: Value) -> Response {
        if payload["channel"] != CHANNEL && payload["channel"] != CHANNEL_NAME {
            return api_error("channel_not_found");
        }
        let thread = payload["thread_ts"].as_str().map(str::to_owned);
        if thread
            .as_ref()
            .is_some_and(|thread| self.posts.iter().all(|post| post.ts != *thread))
        {
            return api_error("thread_not_found");
        }
        let broadcast = payload["reply_broadcast"].as_bool().unwrap_or(false);
        let ts = self.post(payload, thread, broadcast);
        axum::Json(json!({ "ok": true, "channel": CHANNEL, "ts": ts })).into_response()
    }

    fn update(&mut self, payload: Value) -> Response {
        // Unlike chat.postMessage it does not know channels by their names.
        if payload["channel"] != CHANNEL {
            return api_error("channel_not_found");
        }
        let ts = payload["ts"].as_str().unwrap_or_default().to_owned();
        let Some(post) = self.posts.iter_mut().find(|post| post.ts == ts) else {
            return api_error("message_not_found");
        };
        post.payload = payload;
        post.edits += 1;
        axum::Json(json!({ "ok": true, "channel": CHANNEL, "ts": ts })).into_response()
    }
}

/// The payload, or the rule that it breaks.
fn checked(request: &Request) -> Result<Value, String> {
    let is_json = request
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.to_str().unwrap().starts_with("application/json"));
    rule(is_json, "it is JSON")?;
    let payload: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
    rule(payload.is_object(), "it is an object")?;
    let text = payload["text"].as_str().unwrap_or_default();
    rule(!text.trim().is_empty(), "there is a text")?;
    rule(text.chars().count() <= 40_000, "the text has at most 40,000 characters")?;
    is_harmless(text)?;
    let no_blocks = Vec::new();
    let blocks = match &payload["blocks"] {
        Value::Null => &no_blocks,
        blocks => blocks.as_array().ok_or("blocks is a list")?,
    };
    rule(blocks.len() <= 50, "there are at most 50 blocks")?;
    let mut total = 0;
    for block in blocks {
        total += check_block(block)?;
    }
    rule(total <= 13_000, "all blocks together have at most 13,000 characters")?;
    Ok(payload)
}

/// Characters of one block.
fn check_block(block: &Value) -> Result<usize, String> {
    let text = block["text"]["text"].as_str().unwrap_or_default();
    let length = text.encode_utf16().count();
    match block["type"].as_str() {
        Some("header") => {
            rule(block["text"]["type"] == "plain_text", "a header is plain text")?;
            rule((1..=150).contains(&length), "a header has 1 to 150 characters")?;
        }
        Some("section") => {
            rule(block["text"]["type"] == "mrkdwn", "a section is mrkdwn")?;
            rule((1..=3000).contains(&length), "a section has 1 to 3,000 characters")?;
            rule(text.matches("```").count().is_multiple_of(2), "every fence is closed")?;
        }
        other => return Err(format!("a block is a header or a section, not {other:?}")),
    }
    is_harmless(text)?;
    Ok(length)
}

/// Whether nobody is called and nothing disturbs the screen.
fn is_harmless(text: &str) -> Result<(), String> {
    // A section may be a link, and nothing else then.
    let link = text.strip_prefix("<https://").and_then(|rest| rest.strip_suffix('>'));
    let shown = link.unwrap_or(text);
    rule(!shown.contains(['<', '>']), "< and > are escaped")?;
    rule(link.is_none_or(|link| !link.contains(['|', ' '])), "a link is a link")?;
    for word in ["@channel", "@here", "@everyone"] {
        rule(!text.contains(word), "nobody is called")?;
    }
    let wild = |letter: char| (letter.is_control() && letter != '\n') || ('\u{202a}'..='\u{202e}').contains(&letter);
    rule(!text.chars().any(wild), "no character disturbs the screen")
}

fn rule(holds: bool, text: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(text.to_owned()) }
}
