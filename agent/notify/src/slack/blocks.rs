//! Payloads for Slack, within its limits whatever the message says. Pure.
//!
//! Documented: 50 blocks, 150 characters in a header, 3,000 in a section, 10 elements in a context, about 40,000 in the
//! text. Known from the field: blocks of some 13,000 characters together are refused (`msg_blocks_too_long`). A payload
//! here stays below 8,000 bytes, and a section below 2,500.

use sentinel_engine::{Resolution, Severity};
use serde_json::{Value, json};
use url::Url;

use crate::message::Message;
use crate::text::Text;

/// A payload takes no more, in bytes of JSON.
const PAYLOAD_MAX: usize = 8000;
/// The text of a section takes no more, in bytes of JSON, of which a character takes at least one.
const SECTION_MAX: usize = 2500;
/// Characters of a header, as UTF-16 counts them, which is never less than any other way does.
const HEADER_MAX: usize = 150;
/// Bytes of the first line of the text that stands in notifications and where blocks cannot be shown, and of its others.
const FALLBACK_MAX: usize = 600;
const FALLBACK_LINE_MAX: usize = 200;
/// A part that has less room than this is left out.
const PART_MIN: usize = 60;
/// What a block takes besides its text, in bytes; more than any does.
const BLOCK_COST: usize = 80;

/// The payload for `message`; `place` is what says where it goes.
pub(super) fn payload(message: &Message, text: &Text, place: &Value) -> Value {
    let mut page = Page::new(place, text);
    let mut fallback = escape(&text.title, FALLBACK_MAX, usize::MAX, page.apart);
    for line in text.brief() {
        fallback.push('\n');
        fallback.push_str(&escape(&line, FALLBACK_LINE_MAX, usize::MAX, page.apart));
    }
    page.set_fallback(&fallback);
    let header = format!("{} {}", sign(message), text.title);
    let (header, cut) = (
        escape(&header, usize::MAX, HEADER_MAX, page.apart),
        header.encode_utf16().count() > HEADER_MAX,
    );
    page.push(json!({ "type": "header", "text": { "type": "plain_text", "text": header, "emoji": false } }));
    // Of several, each is named below.
    if cut && text.members.is_empty() {
        page.section(&text.title, "", "");
    }
    let facts: Vec<String> = text
        .facts
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    page.section(&facts.join("\n"), "", "");
    if let Some(url) = &text.url {
        page.link(url);
    }
    page.section(&bullets(&text.members), "", "");
    if let Some(written) = &text.written {
        page.section(written, "", "");
    }
    page.section(&text.timeline.join("\n"), "```\n", "\n```");
    for evidence in &text.evidence {
        let title = format!("{}:\n```\n", escape(&evidence.title, 200, usize::MAX, true));
        page.section(&evidence.text, &title, "\n```");
    }
    page.finish()
}

/// The same without blocks, for when Slack does not like them.
pub(super) fn plain_payload(text: &Text, place: &Value) -> Value {
    let mut page = Page::new(place, text);
    let room = page.room().saturating_sub(BLOCK_COST);
    page.set_fallback(&escape(&text.whole(), room, usize::MAX, page.apart));
    page.payload
}

/// What colour it would have.
pub(super) fn sign(message: &Message) -> &'static str {
    match (message.data.resolution, message.data.severity) {
        (Some(Resolution::Healed | Resolution::Recovered), _) => "✅",
        (Some(_), _) | (None, Severity::Info) => "🔵",
        (None, Severity::Warning) => "🟠",
        (None, Severity::Critical) => "🔴",
    }
}

fn bullets(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| format!("• {line}")).collect();
    lines.join("\n")
}

/// A payload that grows until it is full.
struct Page {
    payload: Value,
    blocks: Vec<Value>,
    /// Whether backticks in the text are just that. In the operator's own words they may be meant.
    apart: bool,
}

impl Page {
    fn new(place: &Value, text: &Text) -> Self {
        let mut payload = json!({ "unfurl_links": false, "unfurl_media": false });
        if let (Value::Object(payload), Value::Object(place)) = (&mut payload, place) {
            payload.extend(place.clone());
        }
        Self {
            payload,
            blocks: Vec::new(),
            apart: text.written.is_none(),
        }
    }

    fn set_fallback(&mut self, text: &str) {
        // Slack refuses a message without text.
        let text = if text.trim().is_empty() { "Sentinel" } else { text };
        self.payload["text"] = text.into();
    }

    /// Bytes that are left.
    fn room(&self) -> usize {
        let used = self.payload.to_string().len() + Value::from(self.blocks.clone()).to_string().len();
        // For the name of the blocks and what holds them.
        PAYLOAD_MAX.saturating_sub(used + BLOCK_COST)
    }

    fn push(&mut self, block: Value) {
        self.blocks.push(block);
    }

    /// Adds a section with as much of `text` as there is room for, between `before` and `after`, which are escaped.
    fn section(&mut self, text: &str, before: &str, after: &str) {
        let frame = json_len(before) + json_len(after);
        let room = self
            .room()
            .saturating_sub(BLOCK_COST)
            .min(SECTION_MAX)
            .saturating_sub(frame);
        let text = escape(text, room, usize::MAX, self.apart);
        if text.trim().is_empty() || room < PART_MIN {
            return;
        }
        let text = format!("{before}{text}{after}");
        self.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } }));
    }

    /// Adds a section that is a link, written as Slack has them: in `verbatim` text it makes none of its own. What is no
    /// address of a page is not one to Slack either (`<!channel>`), and a cut one leads nowhere: both are left out.
    fn link(&mut self, url: &str) {
        let web = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(url) = web else { return };
        let mut text = String::from("<");
        for letter in url.as_str().chars() {
            match letter {
                '&' => text.push_str("&amp;"),
                '<' => text.push_str("%3C"),
                '>' => text.push_str("%3E"),
                // Behind it Slack expects other words for the link.
                '|' => text.push_str("%7C"),
                letter => text.push(letter),
            }
        }
        text.push('>');
        if json_len(&text) <= self.room().saturating_sub(BLOCK_COST).min(SECTION_MAX) {
            self.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } }));
        }
    }

    fn finish(mut self) -> Value {
        self.payload["blocks"] = self.blocks.into();
        self.payload
    }
}

/// `text` with nothing that Slack would take for more than text, cut so that it takes at most `max_bytes` in JSON and
/// `max_units` in UTF-16.
///
/// `&`, `<` and `>` are escaped, as Slack asks for: no `<!channel>` or `<@U123>` is left. What stands behind an `@` is kept
/// apart from it, for clients that look for names themselves. With `apart`, backticks are kept apart from one another, so
/// that they neither begin nor end a fence.
fn escape(text: &str, max_bytes: usize, max_units: usize, apart: bool) -> String {
    cut(text, max_bytes, max_units, |letter| match letter {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '@' => Some("@\u{200b}"),
        '`' if apart => Some("`\u{200b}"),
        _ => None,
    })
}

/// `text` with other pieces for some of its letters, cut so that it takes at most `max_bytes` in JSON and `max_units` in
/// UTF-16. No piece is cut.
pub(super) fn cut(
    text: &str,
    max_bytes: usize,
    max_units: usize,
    instead: impl Fn(char) -> Option<&'static str>,
) -> String {
    const MORE: &str = "…";
    let mut escaped = String::new();
    let (mut bytes, mut units) = (0, 0);
    let total = text.chars().count();
    let (mut end, mut fits_more) = (0, true);
    for (index, letter) in text.chars().enumerate() {
        let mut buffer = [0; 4];
        let letter = if letter == '\n' {
            letter
        } else {
            sentinel_text::clip::plain(letter)
        };
        let piece: &str = match instead(letter) {
            Some(piece) => piece,
            None => letter.encode_utf8(&mut buffer),
        };
        bytes += json_len(piece);
        units += piece.encode_utf16().count();
        // There must be room for what says that there is more, unless this is the last letter.
        let is_last = index + 1 == total;
        let reserve = if is_last { 0 } else { MORE.len() };
        let reserve_units = usize::from(!is_last);
        if bytes > max_bytes || units > max_units {
            fits_more = false;
            break;
        }
        escaped.push_str(piece);
        if bytes + reserve <= max_bytes && units + reserve_units <= max_units {
            end = escaped.len();
        }
    }
    if !fits_more {
        escaped.truncate(end);
        if max_bytes >= MORE.len() && max_units >= 1 {
            escaped.push_str(MORE);
        }
    }
    escaped
}

/// Bytes that `text` takes in JSON, without quotes.
fn json_len(text: &str) -> usize {
    text.chars()
        .map(|letter| match letter {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' => 6,
            letter => letter.len_utf8(),
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;
    use crate::message::{Evidence, Member, TimelineLine};

    /// Text as the worst of services would log it.
    fn nasty() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "<!channel>",
            "<@U012AB3CD>",
            "<!subteam^S1|x>",
            "@here",
            "&",
            "<",
            ">",
            "```",
            "`",
            "*",
            "\0",
            "\n",
            "\u{202e}",
            "\u{1b}[31m",
            "\"",
            "\\",
            "🔥",
            "👨\u{200d}👩\u{200d}👧",
            "ש",
            "é",
            "x",
            "word ",
            "\u{feff}",
        ]);
        prop_oneof![
            prop::collection::vec(pieces.clone(), 0..40).prop_map(|pieces| pieces.concat()),
            (pieces, 0..70_000usize).prop_map(|(piece, length)| piece.repeat(length / piece.len())),
            ".{0,300}",
        ]
    }

    fn address() -> impl Strategy<Value = String> {
        prop_oneof![nasty(), nasty().prop_map(|path| format!("https://web.example/{path}"))]
    }

    prop_compose! {
        /// A message with anything in it, also what the agent itself would never let in.
        fn message()(
            summary in nasty(), service in nasty(), doing in nasty(), label in nasty(),
            lines in prop::collection::vec(nasty(), 0..4), evidence in prop::collection::vec((nasty(), nasty()), 0..3),
            members in prop::collection::vec(nasty(), 0..4), url in prop::option::of(address()), over in any::<bool>(),
            is_incident in any::<bool>(),
        ) -> Message {
            let at = Timestamp::UNIX_EPOCH;
            let mut message = Message::about_alerts("group", "host", at, Severity::Warning, "");
            if is_incident {
                message.kind = "incident.fired".to_owned();
            }
            let data = &mut message.data;
            (data.summary, data.service, data.doing, data.url) = (summary, service, doing, url);
            data.labels.insert("label".to_owned(), label);
            data.resolution = over.then_some(Resolution::Healed);
            data.timeline = lines.into_iter().map(|text| TimelineLine { at, text }).collect();
            data.evidence = evidence.into_iter().map(|(title, text)| Evidence { title, text }).collect();
            data.members = members
                .into_iter()
                .map(|summary| Member { summary, ..Member::new(1, "s", "fired", Severity::Info, "") })
                .collect();
            message
        }
    }

    /// Every text of a payload, by the type of its block.
    fn texts(payload: &Value) -> Vec<(String, String)> {
        let blocks = payload["blocks"].as_array().cloned().unwrap_or_default();
        let mut texts = vec![("fallback".to_owned(), payload["text"].as_str().unwrap().to_owned())];
        for block in blocks {
            let of = |value: &Value| value.as_str().unwrap().to_owned();
            texts.push((of(&block["type"]), of(&block["text"]["text"])));
        }
        texts
    }

    fn is_within_limits(payload: &Value, is_written: bool) -> Result<(), TestCaseError> {
        prop_assert!(
            payload.to_string().len() <= PAYLOAD_MAX,
            "{} bytes",
            payload.to_string().len()
        );
        prop_assert!(payload["blocks"].as_array().is_none_or(|blocks| blocks.len() <= 50));
        for (kind, text) in texts(payload) {
            let max = match kind.as_str() {
                "header" => 150,
                "section" => SECTION_MAX,
                _ => PAYLOAD_MAX,
            };
            prop_assert!(
                text.encode_utf16().count() <= max,
                "{kind}: {}",
                text.encode_utf16().count()
            );
            prop_assert!(!text.trim().is_empty(), "{kind} is empty");
            let link = text.strip_prefix("<http").and_then(|rest| rest.strip_suffix('>'));
            let link = link.filter(|_| kind == "section" && !is_written);
            let shown = link.unwrap_or(&text);
            prop_assert!(!shown.contains(['<', '>']), "{kind} is not escaped: {text}");
            if link.is_some() {
                prop_assert!(
                    !text.contains(|letter: char| letter == '|' || letter.is_whitespace()),
                    "{text}"
                );
                continue;
            }
            prop_assert!(
                !text.chars().any(|letter| letter.is_control() && letter != '\n'),
                "{kind}"
            );
            for (at, _) in text.match_indices('&') {
                let known = ["&amp;", "&lt;", "&gt;"]
                    .iter()
                    .any(|entity| text[at..].starts_with(entity));
                prop_assert!(known, "{kind} was cut in an entity: {}", &text[at..]);
            }
            for (at, _) in text.match_indices('@') {
                prop_assert!(
                    text[at..].starts_with("@\u{200b}"),
                    "{kind} calls somebody: {}",
                    &text[at..]
                );
            }
            let fences = text.matches("```").count();
            prop_assert!(
                is_written || fences == 0 || fences == 2 && text.ends_with("\n```"),
                "{text}"
            );
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        #[test]
        fn every_payload_is_within_slacks_limits(message in message(), place in 0..3u8) {
            let text = Text::of(&message, &TimeZone::UTC);
            let place = match place {
                0 => Value::Null,
                1 => json!({ "channel": "C012AB3CD" }),
                _ => json!({ "channel": "C012AB3CD", "thread_ts": "1795363380.000100", "reply_broadcast": true }),
            };
            is_within_limits(&payload(&message, &text, &place), false)?;
            is_within_limits(&plain_payload(&text, &place), false)?;
            let written = Text::written(&text.whole());
            is_within_limits(&payload(&message, &written, &place), true)?;
            prop_assert_eq!(payload(&message, &text, &place), payload(&message, &text, &place));
        }
    }

    #[test]
    fn a_title_that_is_cut_is_reported_whole_unless_a_list_says_the_same() {
        let at = Timestamp::UNIX_EPOCH;
        let title = format!("web1: 2 services are down: {}", "shop (a long story), ".repeat(20));
        let mut message = Message::about_alerts("group", "web1", at, Severity::Warning, &title);
        let times_shown = |message: &Message| {
            let text = Text::of(message, &TimeZone::UTC);
            let payload = payload(message, &text, &Value::Null);
            payload["blocks"]
                .to_string()
                .matches("web1: 2 services are down")
                .count()
        };
        assert_eq!(times_shown(&message), 2, "in the header, cut, and below it");
        message.data.members = vec![Member::new(1, "shop", "fired", Severity::Warning, "shop is down")];
        assert_eq!(times_shown(&message), 1);
    }

    #[test]
    fn what_is_cut_says_so_and_what_fits_does_not() {
        let table = [
            ("abc", 3, 99, "abc"),
            ("abcd", 3, 99, "…"),
            ("abcdef", 5, 99, "ab…"),
            ("a<b", 6, 99, "a&lt;b"),
            ("a<bc", 6, 99, "a…"),
            ("abcdef", 99, 4, "abc…"),
            ("🔥🔥", 99, 4, "🔥🔥"),
            ("🔥🔥🔥", 99, 4, "🔥…"),
            ("a\0b", 99, 99, "a b"),
        ];
        for (text, bytes, units, expected) in table {
            assert_eq!(
                escape(text, bytes, units, false),
                expected,
                "{text} in {bytes}, {units}"
            );
        }
        assert_eq!(escape("```", 99, 99, true), "`\u{200b}`\u{200b}`\u{200b}");
    }
}
