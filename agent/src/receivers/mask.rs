//! Takes out of foreign text what looks like a secret: passwords in addresses, and what stands behind words such as
//! `password=`. A guess, and a careful one: what it spares is no promise. Pure.

/// Shown in place of a secret.
const MASKED: &str = "[redacted]";

/// What comes behind one of these words and `=` or `:` is a secret.
const WORDS: [&str; 10] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "authorization",
    "cookie",
];

/// Words between a name and its secret: `Authorization: Bearer ...`.
const SCHEMES: [&str; 3] = ["bearer", "basic", "digest"];

/// `text` without what looks like a secret.
pub(crate) fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((kept, secret)) = find(rest) {
        masked.push_str(&rest[..kept]);
        masked.push_str(MASKED);
        rest = &rest[kept + secret..];
    }
    masked.push_str(rest);
    masked
}

/// Where the first secret begins, and its length.
fn find(text: &str) -> Option<(usize, usize)> {
    text.char_indices()
        .filter(|(_, letter)| matches!(letter, '=' | ':'))
        .find_map(|(at, _)| assigned(text, at).or_else(|| in_address(text, at)))
}

/// The value of `password=...`, where `at` is that of `=` or `:`.
fn assigned(text: &str, at: usize) -> Option<(usize, usize)> {
    let name = text[..at].trim_end_matches(['"', '\'', ' ']);
    let is_secret = WORDS.iter().any(|word| {
        name.len()
            .checked_sub(word.len())
            .and_then(|start| name.get(start..))
            .is_some_and(|end| end.eq_ignore_ascii_case(word))
    });
    if !is_secret {
        return None;
    }
    let mut start = at + 1;
    start += text[start..].len() - text[start..].trim_start_matches(['"', '\'', ' ']).len();
    if let Some((scheme, after)) = text[start..].split_once(' ')
        && SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme))
    {
        start = text.len() - after.trim_start().len();
    }
    let end = |letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '&' | ',' | ';' | ')' | '}' | ']');
    let length = text[start..].find(end).unwrap_or(text.len() - start);
    // Already taken out, or there is none.
    (length > 0 && !text[start..].starts_with(MASKED)).then_some((start, length))
}

/// The user and password of `scheme://user:password@host`, where `at` is that of the first colon.
fn in_address(text: &str, at: usize) -> Option<(usize, usize)> {
    let start = at + text[at..].strip_prefix("://").map(|_| 3)?;
    let end = |letter: char| letter.is_whitespace() || matches!(letter, '/' | '?' | '#' | '"' | '\'' | '<' | '>');
    let authority = &text[start..start + text[start..].find(end).unwrap_or(text.len() - start)];
    let length = authority.rfind('@')?;
    (length > 0 && !authority.starts_with(MASKED)).then_some((start, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_taken_out() {
        #[rustfmt::skip]
        let table = [
            ("connect postgres://app:hunter2@db:5432/shop failed", "connect postgres://[redacted]@db:5432/shop failed"),
            ("password=hunter2 user=app", "password=[redacted] user=app"),
            ("PGPASSWORD=hunter2", "PGPASSWORD=[redacted]"),
            (r#"{"token": "abc", "n": 1}"#, r#"{"token": "[redacted]", "n": 1}"#),
            ("Authorization: Bearer abc.def\nnext", "Authorization: Bearer [redacted]\nnext"),
            ("GET /x?api_key=abc&y=1", "GET /x?api_key=[redacted]&y=1"),
            ("a password=x, a token=y", "a password=[redacted], a token=[redacted]"),
            ("password=", "password="),
            ("password=[redacted]", "password=[redacted]"),
            ("http://127.0.0.1:8080/health: status 500", "http://127.0.0.1:8080/health: status 500"),
            ("mail to ops@example.com", "mail to ops@example.com"),
            ("wrong password: é", "wrong password: [redacted]"),
            ("connect: connection refused", "connect: connection refused"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(mask(text), expected, "{text}");
            assert_eq!(mask(&mask(text)), expected, "twice: {text}");
        }
    }
}
