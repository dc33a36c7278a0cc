//! What must never be shown of a receiver, taken out of what may.
//!
//! * `forms`: how the other side may write what it was sent

mod forms;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use sentinel_config::Secret;
use url::Url;

use self::forms::forms;

/// Shown in place of a secret.
const REDACTED: &str = "[redacted]";

/// Parts shorter than this are words, not secrets; taking them out would only make errors unreadable. The whole path and
/// every whole setting are taken out whatever their length.
const PART_MIN: usize = 6;

/// Everything that is secret about one receiver, in every form. Longest first, so that no part of a longer one is left over.
pub(super) struct Redactor(Vec<SecretString>);

/// Secrets while they are collected.
#[derive(Default)]
pub(super) struct Secrets {
    whole: Vec<String>,
    parts: Vec<String>,
}

impl Secrets {
    /// An address of which only scheme, host and port may be shown.
    pub(super) fn address(mut self, url: &Url) -> Self {
        let texts = [
            url.as_str(),
            &url[url::Position::BeforePath..],
            url.path(),
            url.query().unwrap_or_default(),
            url.fragment().unwrap_or_default(),
            url.username(),
            url.password().unwrap_or_default(),
        ];
        self.whole.extend(texts.map(str::to_owned));
        self.whole.extend(texts.map(decoded));
        let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
        if !user.is_empty() {
            self.whole.push(format!("{user}:{password}"));
        }
        for segment in url.path().split('/') {
            self.parts.extend([segment.to_owned(), decoded(segment)]);
        }
        for (key, value) in url.query_pairs() {
            self.parts.extend([key.into_owned(), value.into_owned()]);
        }
        let query = url.query().unwrap_or_default();
        self.parts.extend(query.split(['&', '=']).map(str::to_owned));
        self
    }

    /// A token, or what holds one.
    pub(super) fn token(mut self, secret: &Secret) -> Self {
        let secret = secret.expose_secret();
        self.whole.push(secret.to_owned());
        // `Bearer TOKEN`: the token alone is what matters; of `xoxb-NUMBER-TOKEN` too; and `whsec_` is no part of the key.
        self.parts.extend(secret.split_whitespace().map(str::to_owned));
        self.parts.extend(secret.split([' ', '-']).map(str::to_owned));
        self.parts.extend(secret.strip_prefix("whsec_").map(str::to_owned));
        // `Basic BASE64` and `whsec_BASE64`: the other side knows what is in it.
        if let Some((_, encoded)) = secret.split_once([' ', '_'])
            && let Ok(text) = STANDARD.decode(encoded.trim())
            && let Ok(text) = String::from_utf8(text)
        {
            self.whole
                .extend(text.split_once(':').map(|(_, password)| password.to_owned()));
            self.whole.push(text);
        }
        match Url::parse(secret.trim()) {
            Ok(url) if url.has_host() => self.address(&url),
            _ => self,
        }
    }

    pub(super) fn tokens<'a>(self, secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        secrets.into_iter().fold(self, Self::token)
    }

    /// A password, which may be made of words, and the texts in which it is `sent` with a name.
    pub(super) fn password(mut self, password: &Secret, sent: &[String]) -> Self {
        self.whole.push(password.expose_secret().to_owned());
        self.whole.extend_from_slice(sent);
        self
    }

    /// What takes them out.
    pub(super) fn redactor(self) -> Redactor {
        let whole = self
            .whole
            .iter()
            .filter(|text| !text.trim().trim_matches('/').is_empty());
        let parts = self.parts.iter().filter(|part| part.len() >= PART_MIN);
        let mut found: Vec<String> = whole.chain(parts).flat_map(|secret| forms(secret)).collect();
        found.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        found.dedup();
        Redactor(found.into_iter().map(SecretString::from).collect())
    }
}

/// What stands in an address, as the other side may read it.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl Redactor {
    /// As [`Self::redact`], for the end of a longer text: also without the end of a secret at its beginning.
    pub(super) fn redact_tail(&self, text: &str) -> String {
        let head = self
            .0
            .iter()
            .filter_map(|secret| overlap_at_start(text, secret.expose_secret()))
            .max();
        self.redact(&text[head.unwrap_or(0)..], false)
    }

    /// `text` without secrets and control characters. When it was `cut` short, also without the beginning of a secret at
    /// its end.
    pub(super) fn redact(&self, text: &str, cut: bool) -> String {
        let mut text = text.to_owned();
        if cut {
            let tail = self
                .0
                .iter()
                .filter_map(|secret| overlap(&text, secret.expose_secret()))
                .max();
            text.truncate(text.len() - tail.unwrap_or(0));
        }
        for secret in &self.0 {
            text = text.replace(secret.expose_secret(), REDACTED);
        }
        text.chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect()
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

/// Length of the longest end of `text` that is a beginning of `secret`.
fn overlap(text: &str, secret: &str) -> Option<usize> {
    (1..=secret.len().min(text.len()))
        .rev()
        .find(|length| secret.is_char_boundary(*length) && text.ends_with(&secret[..*length]))
}

/// Length of the longest beginning of `text` that is an end of `secret`.
fn overlap_at_start(text: &str, secret: &str) -> Option<usize> {
    (1..=secret.len().min(text.len())).rev().find(|length| {
        secret.is_char_boundary(secret.len() - length) && text.starts_with(&secret[secret.len() - length..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        let url =
            Url::parse("https://bob:hunter2@hooks.example:8443/services/T0000/XXXX%20secret?token=abc%2Fdef#frag")
                .unwrap();
        let login = STANDARD.encode("ops:open sesame");
        Secrets::default()
            .address(&url)
            .token(&Secret::from("Bearer tok-123456"))
            .token(&Secret::from("whsec_c2VjcmV0"))
            .token(&Secret::from(format!("Basic {login}")))
            .password(&Secret::from("pässword \"1\""), &["me:pässword \"1\"".to_owned()])
            .redactor()
    }

    #[test]
    fn every_secret_is_taken_out_wherever_it_stands() {
        let redactor = redactor();
        for secret in [
            "/services/T0000/XXXX%20secret",
            "XXXX%20secret",
            "XXXX secret",
            "token=abc%2Fdef",
            "abc/def",
            "hunter2",
            "bob",
            "Bearer tok-123456",
            "tok-123456",
            "whsec_c2VjcmV0",
            "c2VjcmV0",
            "open sesame",
            "ops:open sesame",
            "pässword \"1\"",
            "p\\u00e4ssword \\\"1\\\"",
            "pässword &quot;1&quot;",
            "p%C3%A4ssword%20%221%22",
            "bWU6cMOkc3N3b3JkICIxIg==",
            "https://bob:hunter2@hooks.example:8443/services/T0000/XXXX%20secret?token=abc%2Fdef#frag",
        ] {
            let shown = redactor.redact(&format!("no such hook: {secret}, sorry"), false);
            assert!(!shown.contains(secret), "{shown}");
            assert!(
                shown.starts_with("no such hook: ") && shown.ends_with(", sorry"),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_secret_that_was_cut_off_is_taken_out_too() {
        let redactor = redactor();
        for length in 1.."tok-123456".len() {
            let cut = format!("wrong token {}", &"tok-123456"[..length]);
            let shown = redactor.redact(&cut, true);
            assert_eq!(shown, "wrong token ", "{length} letters of it were read");
        }
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(redactor().redact("a\u{1b}[31mb\r\nc\u{9b}d", false), "a [31mb  c d");
    }

    #[test]
    fn a_root_path_does_not_take_out_every_slash() {
        let redactor = Secrets::default()
            .address(&Url::parse("http://localhost/").unwrap())
            .redactor();
        assert_eq!(redactor.redact("text/html", false), "text/html");
    }
}
