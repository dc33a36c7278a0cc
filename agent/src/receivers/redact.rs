//! What must never be shown of a receiver, taken out of what may.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::config::Secret;

/// Shown in place of a secret.
const REDACTED: &str = "[redacted]";

/// Parts shorter than this are words, not secrets; taking them out would only make errors unreadable. The whole path and
/// every whole setting are taken out whatever their length.
const PART_MIN: usize = 6;

/// Everything that is secret about one receiver.
pub(super) struct Redactor {
    /// Longest first, so that no part of a longer one is left over.
    secrets: Vec<SecretString>,
}

impl Redactor {
    /// For a receiver whose address is no secret, and that has these `secrets`.
    pub(super) fn of(secrets: &[SecretString]) -> Self {
        let mut secrets = secrets.to_vec();
        secrets.retain(|secret| !secret.expose_secret().is_empty());
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        Self { secrets }
    }

    /// For a receiver at `url`, of which only scheme, host and port may be shown, with these other `secrets`.
    pub(super) fn new<'a>(url: &Url, secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut found = Found::default();
        found.address(url);
        secrets.into_iter().for_each(|secret| found.secret(secret));
        found.finish()
    }

    /// For a receiver whose address is no secret.
    pub(super) fn without_address<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut found = Found::default();
        secrets.into_iter().for_each(|secret| found.secret(secret));
        found.finish()
    }

    /// As [`Self::redact`], for the end of a longer text: also without the end of a secret at its beginning.
    pub(super) fn redact_tail(&self, text: &str) -> String {
        let head = self
            .secrets
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
                .secrets
                .iter()
                .filter_map(|secret| overlap(&text, secret.expose_secret()))
                .max();
            text.truncate(text.len() - tail.unwrap_or(0));
        }
        for secret in &self.secrets {
            text = text.replace(secret.expose_secret(), REDACTED);
        }
        text.chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect()
    }
}

/// Length of the longest beginning of `text` that is an end of `secret`.
fn overlap_at_start(text: &str, secret: &str) -> Option<usize> {
    (1..=secret.len().min(text.len())).rev().find(|length| {
        secret.is_char_boundary(secret.len() - length) && text.starts_with(&secret[secret.len() - length..])
    })
}

/// Secrets while they are looked for.
#[derive(Default)]
struct Found {
    whole: Vec<String>,
    parts: Vec<String>,
}

impl Found {
    fn address(&mut self, url: &Url) {
        for text in [
            url.as_str(),
            &url[url::Position::BeforePath..],
            url.path(),
            url.query().unwrap_or_default(),
            url.fragment().unwrap_or_default(),
            url.username(),
            url.password().unwrap_or_default(),
        ] {
            self.whole(text);
        }
        self.parts.extend(url.path().split('/').map(str::to_owned));
        for (key, value) in url.query_pairs() {
            self.parts.extend([key.into_owned(), value.into_owned()]);
        }
        let query = url.query().unwrap_or_default();
        self.parts.extend(query.split(['&', '=']).map(str::to_owned));
    }

    fn secret(&mut self, secret: &Secret) {
        let secret = secret.expose_secret();
        self.whole(secret);
        // `Bearer TOKEN`: the token alone is what matters; of `xoxb-NUMBER-TOKEN` too; and `whsec_` is no part of the key.
        self.parts.extend(secret.split_whitespace().map(str::to_owned));
        self.parts.extend(secret.split([' ', '-']).map(str::to_owned));
        self.parts.extend(secret.strip_prefix("whsec_").map(str::to_owned));
    }

    fn whole(&mut self, text: &str) {
        if !text.trim_matches('/').is_empty() {
            self.whole.push(text.to_owned());
        }
    }

    fn finish(self) -> Redactor {
        let mut found = self.whole;
        found.extend(self.parts.into_iter().filter(|part| part.len() >= PART_MIN));
        found.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        found.dedup();
        Redactor {
            secrets: found.into_iter().map(SecretString::from).collect(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        let url = Url::parse("https://bob:hunter2@hooks.example:8443/services/T0000/XXXXsecret?token=abc%2Fdef#frag")
            .unwrap();
        Redactor::new(
            &url,
            [&Secret::from("Bearer tok-123456"), &Secret::from("whsec_c2VjcmV0")],
        )
    }

    #[test]
    fn every_secret_is_taken_out_wherever_it_stands() {
        let redactor = redactor();
        for secret in [
            "/services/T0000/XXXXsecret",
            "XXXXsecret",
            "token=abc%2Fdef",
            "abc/def",
            "hunter2",
            "bob",
            "Bearer tok-123456",
            "tok-123456",
            "whsec_c2VjcmV0",
            "c2VjcmV0",
            "https://bob:hunter2@hooks.example:8443/services/T0000/XXXXsecret?token=abc%2Fdef#frag",
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
        let redactor = Redactor::new(&Url::parse("http://localhost/").unwrap(), []);
        assert_eq!(redactor.redact("text/html", false), "text/html");
    }
}
