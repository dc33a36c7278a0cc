//! Takes out of foreign text what looks like a secret: passwords in addresses, and what stands behind words such as
//! `password=`. A guess, and a careful one: what it spares is no promise. Pure.

/// Shown in place of a secret.
const MASKED: &str = "[redacted]";

/// What comes behind one of these words and `=` or `:` is a secret; behind `--` and one of them, the next word is.
const WORDS: [&str; 24] = [
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
    "passphrase",
    "passcode",
    "_pass",
    "-pass",
    "secret_key",
    "secret-key",
    "secretkey",
    "secret_access_key",
    "secret-access-key",
    "secretaccesskey",
    "access_key",
    "access-key",
    "private_key",
    "private-key",
];

/// Words between a name and its secret: `Authorization: Bearer ...`.
const SCHEMES: [&str; 3] = ["bearer", "basic", "digest"];

/// `text` without what looks like a secret.
pub fn scrub(text: &str) -> String {
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

/// Where the first secret begins, and its length. Looks at no letter more than a few times, as a line may be long.
fn find(text: &str) -> Option<(usize, usize)> {
    let mut looked_at = 0;
    text.char_indices().find_map(|(at, letter)| match letter {
        '=' | ':' => assigned(text, at).or_else(|| in_address(text, at)),
        '-' if at >= looked_at => {
            let rest = &text[at..];
            let length = rest.find(|letter| !is_of_flag(letter)).unwrap_or(rest.len());
            looked_at = at + length;
            flagged(text, &rest[..length], looked_at)
        }
        _ => None,
    })
}

/// Whether a flag's name may have it.
fn is_of_flag(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')
}

/// Whether `name` ends with a word behind which a secret stands.
fn is_secret(name: &str) -> bool {
    WORDS.iter().any(|word| {
        name.len()
            .checked_sub(word.len())
            .and_then(|start| name.get(start..))
            .is_some_and(|end| end.eq_ignore_ascii_case(word))
    })
}

/// The value of `--password ...`, which ends at `end` after those `letters`; also as one of a list of quoted arguments.
fn flagged(text: &str, letters: &str, end: usize) -> Option<(usize, usize)> {
    let (_, name) = letters.split_once("--")?;
    if !is_secret(name) {
        return None;
    }
    let behind = &text[end..];
    let value = behind.trim_start_matches(['"', '\'', ',', ' ']);
    let has_gap = behind.len() > value.len();
    // Another argument: this one has no value.
    if !has_gap || value.starts_with('-') {
        return None;
    }
    secret_at(text, text.len() - value.len())
}

/// The secret that begins at `start`, if there is one that was not taken out already.
fn secret_at(text: &str, start: usize) -> Option<(usize, usize)> {
    let end = |letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '&' | ',' | ';' | ')' | '}' | ']');
    let quote = text[..start]
        .chars()
        .last()
        .filter(|letter| matches!(letter, '"' | '\''));
    // In quotes it may have spaces.
    let quoted = quote.and_then(|quote| text[start..].find(quote));
    let length = quoted.or_else(|| text[start..].find(end)).unwrap_or(text.len() - start);
    (length > 0 && !text[start..].starts_with(MASKED)).then_some((start, length))
}

/// The value of `password=...`, where `at` is that of `=` or `:`.
fn assigned(text: &str, at: usize) -> Option<(usize, usize)> {
    let name = text[..at].trim_end_matches(['"', '\'', ' ']);
    if !is_secret(name) {
        return None;
    }
    let mut start = at + 1;
    start += text[start..].len() - text[start..].trim_start_matches(['"', '\'', ' ']).len();
    let scheme = SCHEMES.iter().find_map(|scheme| {
        let (word, after) = text[start..].split_at_checked(scheme.len())?;
        word.eq_ignore_ascii_case(scheme).then(|| after.strip_prefix(' '))?
    });
    if let Some(after) = scheme {
        start = text.len() - after.trim_start().len();
    }
    secret_at(text, start)
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
            ("AWS_SECRET_ACCESS_KEY=wJalr/x+1 AWS_REGION=eu", "AWS_SECRET_ACCESS_KEY=[redacted] AWS_REGION=eu"),
            (r#"{"secret_key": "abc", "n": 1}"#, r#"{"secret_key": "[redacted]", "n": 1}"#),
            ("passphrase: hunter2", "passphrase: [redacted]"),
            ("DB_PASS=hunter2", "DB_PASS=[redacted]"),
            ("psql --password hunter2 -h db", "psql --password [redacted] -h db"),
            ("app --api-key 'abc def' x", "app --api-key '[redacted]' x"),
            (r#"["app", "--token", "abc", "-v"]"#, r#"["app", "--token", "[redacted]", "-v"]"#),
            ("mysql --password --host db", "mysql --password --host db"),
            ("--token", "--token"),
            ("a -- b", "a -- b"),
            ("tests pass: 5, bypass=1", "tests pass: 5, bypass=1"),
            ("connect: connection refused", "connect: connection refused"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(scrub(text), expected, "{text}");
            assert_eq!(scrub(&scrub(text)), expected, "twice: {text}");
        }
    }
}

#[cfg(test)]
mod fuzz {
    use proptest::prelude::*;

    use super::*;

    /// What means something here, between anything else.
    fn text() -> impl Strategy<Value = String> {
        let pieces = [
            WORDS.as_slice(),
            SCHEMES.as_slice(),
            &[
                MASKED, "=", ":", "--", "-", "\"", "'", " ", ",", "://", "@", "/", "\n", "é", "a",
            ],
        ]
        .concat();
        let piece = prop_oneof![
            9 => prop::sample::select(pieces).prop_map(str::to_owned),
            1 => any::<String>(),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn whatever_stands_around_a_password_it_is_taken_out(before in text(), after in text()) {
            let scrubbed = scrub(&format!("{before} password=S3sam{after}"));
            prop_assert!(!scrubbed.contains("S3sam"), "{}", scrubbed);
            scrub(&scrubbed);
        }
    }

    /// Each of these would take minutes, if every letter had all the others looked at.
    #[test]
    fn a_long_line_takes_no_longer_for_every_letter() {
        for piece in [
            "-", "--a", "=", ":", "'", "\"=", "://", "token=", "token='", "--token=", "--token ", "Bearer ", "@", " ",
        ] {
            scrub(&piece.repeat(200_000));
        }
    }
}
