//! What Slack's answers mean. Pure.
//!
//! Incoming webhooks answer `ok`, or a status with a word as plain text; the Web API answers 200 with `{"ok": ...}` also
//! when it refuses. Words as documented for `chat.postMessage`, `chat.update` and incoming webhooks.

use serde::Deserialize;

use crate::http::Body;

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It took the message; a bot is told its name.
    Posted(Option<Posted>),
    /// It does not like the payload's form.
    Form(String),
    /// There is no such place, or nobody may write there: the message that was to be edited or replied to, or the channel.
    Place(String),
    /// It will never take it, for the reason named by this word.
    Refused(String),
    /// It did not take it, and may later.
    Later(String),
    /// It may have taken it.
    Unclear(String),
    /// The HTTP status says it all.
    Status,
    /// It is no answer of Slack.
    Nonsense,
}

/// A message that was posted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Posted {
    /// The channel's ID.
    pub(super) channel: Option<String>,
    /// The time that is the message's name.
    pub(super) ts: Option<String>,
}

#[derive(Deserialize)]
struct ApiAnswer {
    ok: bool,
    error: Option<String>,
    #[serde(flatten)]
    posted: Posted,
}

/// What an answer with `status` and `body` means.
pub(super) fn meaning(status: u16, body: &Body, is_api: bool) -> Meaning {
    let text = body.text.trim();
    if !(200..300).contains(&status) {
        return match text {
            "invalid_blocks" | "invalid_blocks_format" | "invalid_payload" | "msg_too_long" | "msg_blocks_too_long"
                if status == 400 =>
            {
                Meaning::Form(text.to_owned())
            }
            _ => Meaning::Status,
        };
    }
    match serde_json::from_str::<ApiAnswer>(text) {
        Ok(answer) if answer.ok => Meaning::Posted(Some(answer.posted)),
        Ok(answer) => refusal(answer.error.unwrap_or_else(|| "unknown_error".to_owned())),
        // A webhook answers `ok`; those of other products, nothing or something else.
        Err(_) if !is_api => Meaning::Posted(None),
        Err(_) => Meaning::Nonsense,
    }
}

fn refusal(error: String) -> Meaning {
    match error.as_str() {
        "invalid_blocks" | "invalid_blocks_format" | "msg_too_long" | "msg_blocks_too_long" | "invalid_attachments" => {
            Meaning::Form(error)
        }
        "message_not_found"
        | "thread_not_found"
        | "cannot_reply_to_message"
        | "channel_not_found"
        | "is_archived"
        | "not_in_channel"
        | "restricted_action"
        | "restricted_action_read_only_channel"
        | "restricted_action_thread_locked"
        | "restricted_action_non_threadable_channel" => Meaning::Place(error),
        "ratelimited"
        | "rate_limited"
        | "message_limit_exceeded"
        | "request_timeout"
        | "service_unavailable"
        | "team_added_to_org"
        | "org_login_required" => Meaning::Later(error),
        // "It's possible some aspect of the operation succeeded before the error was raised."
        "internal_error" | "fatal_error" | "unknown_error" => Meaning::Unclear(error),
        _ => Meaning::Refused(error),
    }
}

/// What an operator can do about a refusal.
pub(super) fn hint(error: &str) -> &'static str {
    match error {
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" => {
            ": the token is wrong or no longer valid"
        }
        "missing_scope" | "not_allowed_token_type" => ": the token lacks the scope `chat:write`",
        "invalid_token" | "no_service" | "no_service_id" | "no_active_hooks" => {
            ": the webhook's address is wrong, or the webhook was removed"
        }
        "no_team" | "team_disabled" => ": there is no such workspace any more",
        "channel_not_found" => ": no such channel, or a private one that the bot is not a member of",
        "not_in_channel" => ": invite the bot to the channel",
        "is_archived" | "channel_is_archived" => ": the channel is archived",
        "restricted_action"
        | "restricted_action_read_only_channel"
        | "restricted_action_thread_locked"
        | "restricted_action_non_threadable_channel"
        | "action_prohibited"
        | "posting_to_general_channel_denied" => ": a rule of the workspace keeps it from writing there",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        let refused = |word: &str| Meaning::Refused(word.to_owned());
        let form = |word: &str| Meaning::Form(word.to_owned());
        let place = |word: &str| Meaning::Place(word.to_owned());
        let posted = Posted {
            channel: Some("C1".to_owned()),
            ts: Some("1.2".to_owned()),
        };
        #[rustfmt::skip]
        let table = [
            (200, "ok", false, Meaning::Posted(None)),
            (200, "", false, Meaning::Posted(None)),
            (200, r#"{"ok":true,"channel":"C1","ts":"1.2"}"#, true, Meaning::Posted(Some(posted))),
            (200, r#"{"ok":false,"error":"channel_not_found"}"#, true, place("channel_not_found")),
            (200, r#"{"ok":false,"error":"message_not_found"}"#, true, place("message_not_found")),
            (200, r#"{"ok":false,"error":"cannot_reply_to_message"}"#, true, place("cannot_reply_to_message")),
            (200, r#"{"ok":false,"error":"is_archived"}"#, true, place("is_archived")),
            (200, r#"{"ok":false,"error":"edit_window_closed"}"#, true, refused("edit_window_closed")),
            (200, r#"{"ok":false,"error":"invalid_auth"}"#, true, refused("invalid_auth")),
            (200, r#"{"ok":false,"error":"token_revoked"}"#, true, refused("token_revoked")),
            (200, r#"{"ok":false,"error":"a_word_of_the_future"}"#, true, refused("a_word_of_the_future")),
            (200, r#"{"ok":false,"error":"org_login_required"}"#, true, Meaning::Later("org_login_required".to_owned())),
            (200, r#"{"ok":false,"error":"ratelimited"}"#, true, Meaning::Later("ratelimited".to_owned())),
            (200, r#"{"ok":false,"error":"fatal_error"}"#, true, Meaning::Unclear("fatal_error".to_owned())),
            (200, r#"{"ok":false,"error":"invalid_blocks"}"#, true, form("invalid_blocks")),
            (200, r#"{"ok":false,"error":"no_service"}"#, false, refused("no_service")),
            (200, "<html>login</html>", true, Meaning::Nonsense),
            (400, "invalid_blocks", false, form("invalid_blocks")),
            (400, "invalid_payload", false, form("invalid_payload")),
            (400, "user_not_found", false, Meaning::Status),
            (403, "action_prohibited", false, Meaning::Status),
            (404, "no_service", false, Meaning::Status),
            (410, "channel_is_archived", false, Meaning::Status),
            (429, "", true, Meaning::Status),
            (500, "rollup_error", false, Meaning::Status),
        ];
        for (status, text, is_api, expected) in table {
            assert_eq!(meaning(status, &Body::of(text), is_api), expected, "{status} {text}");
        }
    }
}
