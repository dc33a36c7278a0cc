//! What a service last wrote to its log, made fit to be kept and told. Pure.

use anstream::adapter::strip_bytes;
use sentinel_text::{clip, scrub};

/// Longest line kept, in bytes of JSON: what a line says stands at its beginning.
const LINE_MAX: usize = 400;

/// Most text kept, in bytes of JSON. Of more, the last lines are kept: they tell the end.
const TEXT_MAX: usize = 8 * 1024;

/// Lines of a log, oldest first, as one text: without colours and control characters, with what looks like a secret masked,
/// and cut to what there is room for. Empty when they say nothing.
///
/// A line is anything that a program wrote: any bytes, of any length.
pub fn log_text(lines: &[Vec<u8>]) -> String {
    let mut kept: Vec<String> = Vec::new();
    let mut room = TEXT_MAX;
    for line in lines.iter().rev() {
        let line = log_line(line);
        // Its own bytes as JSON takes them, and the end of the line.
        let cost = line.len() + line.matches(['"', '\\']).count() + 2;
        let Some(left) = room.checked_sub(cost) else { break };
        room = left;
        kept.push(line);
    }
    while kept.last().is_some_and(String::is_empty) {
        kept.pop();
    }
    kept.reverse();
    while kept.last().is_some_and(String::is_empty) {
        kept.pop();
    }
    kept.join("\n")
}

fn log_line(line: &[u8]) -> String {
    // Far more than is kept, so that a line of megabytes costs no more than others; a secret that the cut would take apart
    // is not in what is kept.
    let line = line.get(..16 * LINE_MAX).unwrap_or(line);
    let printable: Vec<u8> = strip_bytes(line).flatten().copied().collect();
    let text = String::from_utf8_lossy(&printable);
    // A journal's message may span lines. A tab would be as wide as each reader likes.
    let text = text.replace('\t', "    ").replace(['\n', '\r'], " ");
    clip(scrub(text.trim_end()).as_str(), LINE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[&[u8]]) -> String {
        log_text(&lines.iter().map(|line| line.to_vec()).collect::<Vec<_>>())
    }

    #[test]
    fn lines_are_made_fit_for_readers() {
        for (what, line, expected) in [
            ("plain", &b"listening on :8080"[..], "listening on :8080"),
            ("colours", b"\x1b[1;31mERROR\x1b[0m disk full\x1b[K", "ERROR disk full"),
            ("a title for a terminal", b"\x1b]0;pwned\x07after", "after"),
            ("a lone escape at the end", b"text\x1b[", "text"),
            ("a tab", b"\tat Main.java", "    at Main.java"),
            ("a line end in a message", b"one\r\ntwo", "one  two"),
            ("no UTF-8", b"caf\xe9 closed", "caf\u{fffd} closed"),
            ("a zero", b"a\0b", "ab"),
            (
                "a password",
                b"connecting to postgres://app:hunter2@db/x",
                "connecting to postgres://[redacted]@db/x",
            ),
            ("a turn of direction", "a\u{202e}b".as_bytes(), "a b"),
        ] {
            assert_eq!(text(&[line]), expected, "{what}");
        }
    }

    #[test]
    fn the_end_is_kept_when_there_is_not_room_for_all() {
        let lines: Vec<Vec<u8>> = (0..200)
            .map(|n| format!("{n} {}", "x".repeat(90)).into_bytes())
            .collect();
        let text = log_text(&lines);
        assert!(text.len() <= TEXT_MAX && text.len() > TEXT_MAX - 200, "{}", text.len());
        assert!(text.lines().last().is_some_and(|line| line.starts_with("199 ")));
        let first: usize = text.split(' ').next().and_then(|n| n.parse().ok()).unwrap();
        assert_eq!(text.lines().count(), 200 - first, "none in between is left out");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let text = text(&[&vec![b'"'; 64 * 1024], b"last"]);
        let mut lines = text.lines();
        let long = lines.next().unwrap();
        assert!(serde_json::to_string(long).unwrap().len() <= LINE_MAX + 2 && long.ends_with('…'));
        assert_eq!(lines.next(), Some("last"));
    }

    #[test]
    fn empty_lines_at_both_ends_say_nothing() {
        assert_eq!(text(&[b"", b" ", b"one", b"", b"two", b"\x1b[0m", b""]), "one\n\ntwo");
        assert_eq!(text(&[b"", b"\r"]), "");
        assert_eq!(text(&[]), "");
    }
}
