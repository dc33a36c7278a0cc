//! How the other side may write a secret that it repeats: in JSON, in a page, in an address, in base64. Pure.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded::byte_serialize;

/// What is never encoded in an address (RFC 3986, "unreserved").
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What `encodeURIComponent` of JavaScript leaves as it is besides.
const SCRIPT: &AsciiSet = &COMPONENT
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// What is shorter looks like any other text once it is encoded.
const ENCODED_MIN: usize = 4;

/// `secret` itself and the other ways to write it.
pub(super) fn forms(secret: &str) -> Vec<String> {
    // What a program says is put on one line.
    let words: Vec<&str> = secret
        .split(|letter: char| letter.is_control() || letter.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    let mut forms = vec![secret.to_owned(), words.join(" ")];
    forms.dedup();
    for text in forms.clone() {
        if text.len() >= ENCODED_MIN {
            written(&text, &mut forms);
            // As headers hold it, which are written in other places too. Padding says nothing.
            for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                written(&encoded, &mut forms);
                forms.push(encoded);
            }
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

/// Adds how `text` is written in an address, in JSON and in a page.
fn written(text: &str, forms: &mut Vec<String>) {
    let component = utf8_percent_encode(text, COMPONENT).to_string();
    forms.extend([lower_hex(&component), component]);
    forms.push(utf8_percent_encode(text, SCRIPT).to_string());
    forms.push(byte_serialize(text.as_bytes()).collect());
    let json = in_json(text);
    let ascii = in_ascii(&json);
    // PHP escapes the slash too.
    forms.extend([json.replace('/', "\\/"), ascii.replace('/', "\\/"), json, ascii]);
    let page = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    forms.push(page.clone());
    let page = page.replace('"', "&quot;");
    forms.extend(["&#39;", "&#x27;", "&#039;", "&apos;"].map(|quote| page.replace('\'', quote)));
}

/// `%2F` as `%2f`.
fn lower_hex(encoded: &str) -> String {
    let mut left = 0_u8;
    encoded
        .chars()
        .map(|letter| {
            let is_hex = left > 0;
            left = if letter == '%' { 2 } else { left.saturating_sub(1) };
            if is_hex { letter.to_ascii_lowercase() } else { letter }
        })
        .collect()
}

fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// JSON with nothing but ASCII, as Python writes it.
fn in_ascii(json: &str) -> String {
    let mut ascii = String::new();
    for letter in json.chars() {
        if letter.is_ascii() {
            ascii.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_write_it_is_known() {
        let forms = forms("a/b \"<é>'\n🔥");
        for expected in [
            "a/b \"<é>'\n🔥",
            "a/b \"<é>' 🔥",
            "a%2Fb%20%22%3C%C3%A9%3E%27%0A%F0%9F%94%A5",
            "a%2fb%20%22%3c%c3%a9%3e%27%0a%f0%9f%94%a5",
            r#"a/b \"<é>'\n🔥"#,
            r#"a\/b \"<é>'\n🔥"#,
            r#"a/b \"<\u00e9>'\n\ud83d\udd25"#,
            r#"a\/b \"<\u00e9>'\n\ud83d\udd25"#,
            "a%2Fb%20%22%3C%C3%A9%3E'%0A%F0%9F%94%A5",
            "a%2Fb+%22%3C%C3%A9%3E%27%0A%F0%9F%94%A5",
            "a/b &quot;&lt;é&gt;&#39;\n🔥",
            "a/b \"&lt;é&gt;'\n🔥",
            "YS9iICI8w6k+Jwrwn5Sl",
            "YS9iICI8w6k-Jwrwn5Sl",
        ] {
            assert!(forms.iter().any(|form| form == expected), "{expected}: {forms:?}");
        }
        assert_eq!(super::forms("abc"), ["abc"], "too short to be known when it is encoded");
        assert_eq!(super::forms("tok123"), ["dG9rMTIz", "tok123"]);
    }
}
