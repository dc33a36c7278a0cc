//! Payloads for what takes Slack's messages and shows no blocks: Mattermost, Rocket.Chat, Discord's `/slack`. Pure.
//!
//! They answer 200 to a message with blocks, and show its `text` and nothing else. All of them show `text` and one
//! attachment. The limits are the least of theirs: Discord takes 2,000 characters of text, 1,024 in a field and 6,000 in an
//! attachment, Rocket.Chat 5,000 in all.

use sentinel_engine::{Resolution, Severity};
use serde_json::{Value, json};

use super::blocks::{cut, sign};
use crate::message::Message;
use crate::text::{BRIEF, Text};

/// The text takes no more, in UTF-16.
const TEXT_MAX: usize = 1500;
/// Of that, a line besides the first.
const LINE_MAX: usize = 300;
/// A field takes no more.
const FIELD_MAX: usize = 200;
/// The attachment's own text takes no more.
const BODY_MAX: usize = 2200;
/// A field that is shorter stands beside another.
const SHORT: usize = 40;

/// The payload for `message`.
pub(super) fn payload(message: &Message, text: &Text) -> Value {
    let said = said(message, text);
    let data = &message.data;
    let title = if message.is_incident() {
        format!("incident {} of {} on {}", data.incident, data.service, data.host)
    } else {
        data.host.clone()
    };
    let mut attachment = json!({
        "fallback": said,
        "color": color(message),
        "title": escape(&title, FIELD_MAX),
        "text": body(text),
        "fields": fields(text),
    });
    if let Some(url) = &text.url {
        attachment["title_link"] = url.as_str().into();
    }
    json!({ "text": said, "attachments": [attachment] })
}

/// What happened and why, what is done, and what to do next: all that a notification shows.
fn said(message: &Message, text: &Text) -> String {
    let mut said = format!("{} {}", sign(message), escape(&text.title, TEXT_MAX / 2));
    for line in text.brief() {
        said.push('\n');
        said.push_str(&escape(&line, LINE_MAX));
    }
    said
}

fn fields(text: &Text) -> Vec<Value> {
    let others = text.facts.iter().filter(|(name, _)| !BRIEF.contains(name));
    others
        .map(|(name, value)| json!({ "title": name, "value": escape(value, FIELD_MAX), "short": value.len() < SHORT }))
        .collect()
}

/// The members, what the operator's template made, the timeline and the evidence, for as long as there is room.
fn body(text: &Text) -> String {
    let members: Vec<String> = text.members.iter().map(|member| format!("• {member}")).collect();
    let mut parts = vec![(String::new(), members.join("\n"), false)];
    parts.extend(
        text.written
            .iter()
            .map(|written| (String::new(), written.clone(), false)),
    );
    parts.push((String::new(), text.timeline.join("\n"), true));
    for evidence in &text.evidence {
        parts.push((format!("{}:\n", evidence.title), evidence.text.clone(), true));
    }
    let mut body = String::new();
    for (before, inside, is_fenced) in parts {
        let frame = if is_fenced { ["```\n", "\n```"] } else { ["", ""] };
        let before = escape(&before, FIELD_MAX);
        let used = body.encode_utf16().count() + before.encode_utf16().count();
        let room = BODY_MAX.saturating_sub(used + 10);
        let inside = escape(&inside, room);
        // Less than a line is better left out.
        if inside.trim().is_empty() || room < SHORT {
            continue;
        }
        if !body.is_empty() {
            body.push('\n');
        }
        for piece in [&before, frame[0], &inside, frame[1]] {
            body.push_str(piece);
        }
    }
    body
}

fn color(message: &Message) -> &'static str {
    match (message.data.resolution, message.data.severity) {
        (Some(Resolution::Healed | Resolution::Recovered), _) => "#2eb886",
        (Some(_), _) | (None, Severity::Info) => "#439fe0",
        (None, Severity::Warning) => "#daa038",
        (None, Severity::Critical) => "#a30200",
    }
}

/// `text` with nothing that any of them would take for more than text. Entities, by which Slack escapes, some of them show
/// as they are; so what begins a mention or a fence is kept apart instead.
fn escape(text: &str, max_units: usize) -> String {
    cut(text, usize::MAX, max_units, |letter| match letter {
        '<' => Some("<\u{200b}"),
        '@' => Some("@\u{200b}"),
        '`' => Some("`\u{200b}"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::message::{Evidence, Member, TimelineLine};

    fn message() -> Message {
        let at = Timestamp::UNIX_EPOCH;
        let mut message = Message::about_alerts("fired", "web1", at, Severity::Critical, "web1: shop is down: killed");
        message.kind = "incident.fired".to_owned();
        message.data.incident = 7;
        message.data.service = "shop".to_owned();
        message.data.doing = "restart, attempt 1".to_owned();
        message.data.url = Some("https://runbooks.example/shop".to_owned());
        message.data.timeline = vec![TimelineLine::new(at, "killed")];
        message.data.evidence = vec![Evidence::new("its last log lines", "<!channel> out of ideas")];
        message
    }

    #[test]
    fn everything_is_in_what_they_show() {
        let message = message();
        let payload = payload(&message, &Text::of(&message, &TimeZone::UTC));
        let expected = json!({
            "text": "🔴 web1: shop is down: killed\nNow: restart, attempt 1\nMore: sentinel incidents 7  (on web1)\n\
                     https://runbooks.example/shop",
            "attachments": [{
                "fallback": payload["text"],
                "color": "#a30200",
                "title": "incident 7 of shop on web1",
                "title_link": "https://runbooks.example/shop",
                "text": "```\n00:00:00  killed\n```\nits last log lines:\n```\n<\u{200b}!channel> out of ideas\n```",
                "fields": [
                    { "title": "Since", "value": "1970-01-01 00:00:00 UTC", "short": true },
                    { "title": "So far", "value": "0s", "short": true },
                    { "title": "Severity", "value": "critical", "short": true },
                ],
            }],
        });
        assert_eq!(payload, expected);
    }

    #[test]
    fn whatever_a_service_says_it_is_within_their_limits() {
        for filler in ["x", "<!channel> ", "@here ", "```", "🔥", "\n", "\0"] {
            let long = filler.repeat(20_000);
            let mut message = message();
            let data = &mut message.data;
            for text in [&mut data.summary, &mut data.doing, &mut data.service, &mut data.host] {
                text.clone_from(&long);
            }
            data.labels.insert(long.clone(), long.clone());
            data.evidence = vec![Evidence::new(&long, &long); 4];
            data.members = vec![Member::new(1, &long, "fired", Severity::Info, &long); 20];
            let payload = payload(&message, &Text::of(&message, &TimeZone::UTC));
            let length = |value: &Value| value.as_str().unwrap().encode_utf16().count();
            let attachment = &payload["attachments"][0];
            let fields = attachment["fields"].as_array().unwrap();
            let of_fields: usize = fields
                .iter()
                .map(|field| length(&field["value"]) + length(&field["title"]))
                .sum();
            assert!(fields.iter().all(|field| length(&field["value"]) <= 1024), "{filler:?}");
            let embed = length(&attachment["title"]) + length(&attachment["text"]) + of_fields;
            assert!(length(&payload["text"]) <= 2000 && embed <= 6000, "{filler:?}");
            assert!(
                length(&payload["text"]) + embed <= 5000,
                "{filler:?}: {}",
                length(&payload["text"]) + embed
            );
            let all = payload.to_string();
            assert!(!all.contains("<!channel") && !all.contains("@here"), "{filler:?}");
            assert!(
                attachment["text"]
                    .as_str()
                    .unwrap()
                    .matches("```")
                    .count()
                    .is_multiple_of(2),
                "{filler:?}"
            );
        }
    }
}
