//! Foreign words on one line.

/// Foreign bytes as one printable line: control characters and line ends become single spaces, what is no UTF-8 becomes `�`.
pub fn one_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words = text.split(|c: char| c.is_control() || c.is_whitespace());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `what`, followed by `: words` when there are any.
pub fn with_words(what: &str, words: &str) -> String {
    if words.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {words}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_bytes_become_one_printable_line() {
        assert_eq!(
            one_line(b"  \x1b[31mno\r\n\tsuch \xff file\0\n"),
            "[31mno such \u{fffd} file"
        );
    }
}
