//! What a good answer looks like. Pure, but for reading the body.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use reqwest::Url;
use sentinel_config::HttpProbe;
use sentinel_engine::{FailureKind, Verdict};
use sentinel_text::exact_span;
use sentinel_text::one_line;
use serde_json::Value;

use super::ask_error::AskError;
use super::connection::Reply;
use crate::failed;

/// Reading stops here, in bytes: enough for any health answer, and an endless one cannot fill the memory.
const BODY_CAP: usize = 64 * 1024;

/// Foreign and configured text is cut to this many characters in a detail.
const QUOTED: usize = 80;

/// What a good answer looks like.
#[derive(Debug)]
pub(super) struct Expectation {
    status: Vec<RangeInclusive<u16>>,
    contains: Option<String>,
    json: BTreeMap<String, Value>,
    max_latency: Option<Duration>,
}

/// The body, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Body {
    bytes: Vec<u8>,
    cut: bool,
}

impl Body {
    /// Reads up to the cap; keeps the bytes only if they are wanted.
    pub(super) async fn read(response: &mut Reply, keep: bool) -> Result<Self, AskError> {
        let mut body = Self::default();
        let mut seen = 0;
        while let Some(chunk) = response.chunk().await? {
            let room = BODY_CAP - seen;
            let fits = chunk.get(..room.min(chunk.len())).unwrap_or_default();
            seen += fits.len();
            if keep {
                body.bytes.extend_from_slice(fits);
            }
            if chunk.len() > room {
                body.cut = true;
                break;
            }
        }
        Ok(body)
    }
}

impl Expectation {
    pub(super) fn of(settings: &HttpProbe) -> Self {
        Self {
            status: settings.status.clone(),
            contains: settings.body_contains.clone(),
            json: settings.json.clone(),
            max_latency: settings.max_latency,
        }
    }

    pub(super) fn needs_body(&self) -> bool {
        self.contains.is_some() || !self.json.is_empty()
    }

    /// What is wrong with the status, if anything. `leads_to` is where it leads as a redirect.
    pub(super) fn status_failure(&self, status: u16, leads_to: Option<Url>) -> Option<Verdict> {
        let accepted = self.status.iter().any(|range| range.contains(&status));
        (!accepted).then(|| {
            let mut detail = format!("status {status}");
            if let Some(mut url) = leads_to {
                // Tokens stand in the rest.
                let _ = (url.set_username(""), url.set_password(None));
                url.set_query(None);
                url.set_fragment(None);
                detail = format!("{detail} to {}", quoted(url.as_str()));
            }
            failed(FailureKind::Status(status), detail)
        })
    }

    /// Judges a complete answer with an accepted status. A wrong answer is wrong however slow it was.
    pub(super) fn judge(&self, body: &Body, latency: Duration) -> Verdict {
        if let Some(wrong) = self.text_failure(body).or_else(|| self.json_failure(body)) {
            return failed(FailureKind::Body, wrong);
        }
        match self.max_latency {
            Some(max) if latency > max => {
                // Whole milliseconds: nanoseconds are noise for operators.
                let took = Duration::from_millis(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX));
                failed(
                    FailureKind::Slow,
                    format!("took {}, more than {}", exact_span(took), exact_span(max)),
                )
            }
            _ => Verdict::Passed,
        }
    }

    fn text_failure(&self, body: &Body) -> Option<String> {
        let wanted = self.contains.as_deref()?;
        if contains(&body.bytes, wanted.as_bytes()) {
            return None;
        }
        let place = if body.cut {
            "the first 64 KiB of the body lack"
        } else {
            "body lacks"
        };
        Some(format!("{place} \"{}\"", quoted(wanted)))
    }

    fn json_failure(&self, body: &Body) -> Option<String> {
        if self.json.is_empty() {
            return None;
        }
        if body.cut {
            return Some("body is larger than 64 KiB, too large to read as JSON".to_owned());
        }
        let Ok(document) = serde_json::from_slice::<Value>(&body.bytes) else {
            return Some("body is not JSON".to_owned());
        };
        self.json
            .iter()
            .find_map(|(pointer, wanted)| match document.pointer(pointer) {
                Some(found) if found == wanted => None,
                Some(found) => Some(format!(
                    "{pointer} is {}, not {}",
                    quoted_json(found),
                    quoted_json(wanted)
                )),
                None => Some(format!("body has no {pointer}")),
            })
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|window| window == needle)
}

fn quoted_json(value: &Value) -> String {
    quoted(&value.to_string())
}

fn quoted(text: &str) -> String {
    let line = one_line(text.as_bytes());
    match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expectation() -> Expectation {
        Expectation {
            status: vec![200..=299],
            contains: None,
            json: BTreeMap::new(),
            max_latency: None,
        }
    }

    fn body(text: &str) -> Body {
        Body {
            bytes: text.into(),
            cut: false,
        }
    }

    fn judged(expectation: &Expectation, body: &Body) -> String {
        match expectation.judge(body, Duration::ZERO) {
            Verdict::Failed(failure) => {
                assert_eq!(failure.kind, FailureKind::Body);
                failure.detail
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn status_is_accepted_within_the_ranges_only() {
        let mut expectation = expectation();
        expectation.status.push(401..=401);
        for (status, accepted) in [
            (199, false),
            (200, true),
            (299, true),
            (300, false),
            (401, true),
            (500, false),
        ] {
            assert_eq!(expectation.status_failure(status, None).is_none(), accepted, "{status}");
        }
        assert_eq!(
            expectation.status_failure(500, None),
            Some(failed(FailureKind::Status(500), "status 500"))
        );
        let elsewhere = "https://user:secret@shop.example/login?token=1#top".parse().ok();
        assert_eq!(
            expectation.status_failure(302, elsewhere),
            Some(failed(
                FailureKind::Status(302),
                "status 302 to https://shop.example/login"
            ))
        );
    }

    #[test]
    fn body_must_contain_the_text() {
        let expectation = Expectation {
            contains: Some("ok".into()),
            ..expectation()
        };
        assert_eq!(judged(&expectation, &body("all ok here")), "Passed");
        assert_eq!(judged(&expectation, &body("down")), "body lacks \"ok\"");
        assert_eq!(judged(&expectation, &body("")), "body lacks \"ok\"");
        let cut = Body {
            cut: true,
            ..body("down")
        };
        assert_eq!(judged(&expectation, &cut), "the first 64 KiB of the body lack \"ok\"");
    }

    #[test]
    fn json_pointers_must_lead_to_the_wanted_values() {
        let expectation = Expectation {
            json: BTreeMap::from([("/status".into(), json!("ok")), ("/checks/0/up".into(), json!(true))]),
            ..expectation()
        };
        let table = [
            (r#"{"status":"ok","checks":[{"up":true}]}"#, "Passed"),
            (
                r#"{"status":"degraded","checks":[{"up":true}]}"#,
                r#"/status is "degraded", not "ok""#,
            ),
            (r#"{"status":"ok","checks":[]}"#, "body has no /checks/0/up"),
            ("<html>", "body is not JSON"),
            ("", "body is not JSON"),
        ];
        for (text, expected) in table {
            assert_eq!(judged(&expectation, &body(text)), expected, "{text}");
        }
    }

    #[test]
    fn foreign_values_are_cut_and_printable_in_the_detail() {
        let expectation = Expectation {
            json: BTreeMap::from([("/status".into(), json!("ok"))]),
            ..expectation()
        };
        let text = json!({ "status": "x\u{1b}".repeat(1000) }).to_string();
        let detail = judged(&expectation, &body(&text));
        assert!(detail.chars().count() < 200 && !detail.contains('\u{1b}'), "{detail}");
    }

    #[test]
    fn correct_but_slow_is_a_failure_of_latency() {
        let expectation = Expectation {
            max_latency: Some(Duration::from_millis(100)),
            ..expectation()
        };
        let slow = expectation.judge(&Body::default(), Duration::from_micros(250_900));
        assert_eq!(slow, failed(FailureKind::Slow, "took 250ms, more than 100ms"));
        assert_eq!(
            expectation.judge(&Body::default(), Duration::from_millis(100)),
            Verdict::Passed
        );
    }
}
