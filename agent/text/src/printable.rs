//! Text from outside made harmless: one line stays one line, and no terminal is informed what to do.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Appends `text` between quotes, escaped as a JSON string; that is also what logfmt readers undo.
pub fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unprintable(c) => push_escape(out, c),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// `text` with every character that a terminal would act on replaced by its `\u` escape.
///
/// For operators, not for machines: the result cannot be distinguished from text that held the escape to begin with.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unprintable(c) => push_escape(&mut out, c),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Whether `c` moves the cursor, hides, or reorders what is shown, or stands for bytes that were not UTF-8.
///
/// C0, DEL and C1 controls drive terminals (C1 includes CSI as one character); the rest are line separators, zero-width
/// and bidirectional controls, tags, and the replacement character that a lossy conversion leaves.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffd}' | '\u{e0000}'..='\u{e007f}')
}

/// Appends `c` as JSON writes it: one `\uXXXX`, or two beyond the first plane.
fn push_escape(out: &mut String, c: char) {
    let mut units = [0; 2];
    for unit in c.encode_utf16(&mut units) {
        // Writing to a string cannot fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str) -> String {
        let mut out = String::new();
        push_quoted(&mut out, text);
        out
    }

    #[test]
    fn quoting_is_undone_by_any_json_reader() {
        let all: String = (0..0x3000).chain(0xe0000..0xe0100).filter_map(char::from_u32).collect();
        assert_eq!(serde_json::from_str::<String>(&quoted(&all)).unwrap(), all);
    }

    #[test]
    fn terminal_sequences_do_not_survive() {
        assert_eq!(quoted("a\x1b[31mred\u{9b}2J"), r#""a\u001b[31mred\u009b2J""#);
        assert_eq!(printable("a\x1b]0;title\x07\r\n"), r"a\u001b]0;title\u0007\r\n");
    }

    #[test]
    fn text_cannot_be_turned_around_or_hidden() {
        assert_eq!(printable("\u{202e}evil\u{200b}"), r"\u202eevil\u200b");
        assert_eq!(printable("tag\u{e0041}"), r"tag\udb40\udc41");
    }

    #[test]
    fn other_languages_are_left_alone() {
        let text = "Dienst läuft — 服务 ✅";
        assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
    }
}
