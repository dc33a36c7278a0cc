//! Lines and columns of a text.

use std::ops::Range;

/// Finds positions in a text without reading it from the start each time.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(index, _)| index + 1))
            .collect();
        Self { text, starts }
    }

    /// Line and column, in characters, both counted from 1.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let before = self.text[start..]
            .char_indices()
            .take_while(|(index, _)| start + index < offset);
        (line, before.count() + 1)
    }

    /// The line with this offset, without its end, and where it begins.
    pub(super) fn line(&self, offset: usize) -> (&'a str, usize) {
        let start = self.starts[self.position(offset).0 - 1];
        (self.text[start..].lines().next().unwrap_or_default(), start)
    }

    /// The line in which `span` begins, with carets under it. `None` when it may hold a secret or is too long to help.
    pub(super) fn excerpt(&self, span: &Range<usize>) -> Option<String> {
        /// Longer lines wrap, and the caret would point nowhere.
        const MAX_LEN: usize = 120;

        let (number, column) = self.position(span.start);
        let text = self.text[self.starts[number - 1]..].lines().next()?.trim_end();
        if text.len() > MAX_LEN || text.chars().any(char::is_control) || is_secret(text) {
            return None;
        }
        // What a line holds may be said by the header of its table alone.
        let before = self.text[..self.starts[number - 1]].lines();
        if before.rev().find(|line| is_header(line)).is_some_and(is_secret) {
            return None;
        }
        let margin = " ".repeat(number.to_string().len());
        let left = " ".repeat(column - 1);
        let room = text.chars().count().saturating_sub(column - 1);
        let carets = "^".repeat(span.len().min(room).max(1));
        Some(format!("{margin} |\n{number} | {text}\n{margin} | {left}{carets}"))
    }
}

/// Whether a line, or a table by its header, may hold a secret: errors go to logs.
fn is_secret(text: &str) -> bool {
    const WORDS: [&str; 10] = [
        "secret",
        "token",
        "password",
        "authorization",
        "key",
        "url",
        "header",
        "env",
        "receivers.",
        "heartbeat",
    ];
    let text = text.to_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

/// Whether a line is the header of a table, and not a list within a list. One that was not closed is meant as one too.
fn is_header(line: &str) -> bool {
    let name = line.trim_start().trim_start_matches('[');
    let name = (name.len() < line.trim_start().len()).then(|| name.trim_start());
    name.is_some_and(|name| name.starts_with(|letter: char| letter.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let lines = Lines::of("a = 1\n\"ü\" = x\n");
        assert_eq!(lines.position(0), (1, 1));
        assert_eq!(lines.position(5), (1, 6));
        assert_eq!(lines.position(6), (2, 1));
        assert_eq!(lines.position(13), (2, 7));
        assert_eq!(lines.position(1000), (3, 1));
    }

    #[test]
    fn excerpt_points_at_the_span() {
        let lines = Lines::of("a = 1\nb = 10s\n");
        assert_eq!(lines.excerpt(&(10..13)).unwrap(), "  |\n2 | b = 10s\n  |     ^^^");
    }

    #[test]
    fn excerpt_hides_what_may_be_secret() {
        for text in [
            "secret = \"whsec_\n",
            // What it is stands in another line.
            "[receivers.team.webhook]\nsecret = [\n  \"hunter2\n]\n",
            "[receivers.team.webhook.headers]\nX-Pin = \"hunter2\n",
            "[ receivers.pager.command.env ]\nPIN = \"hunter2\n",
            "[receivers.pager.command\nPIN = \"hunter2\n",
            "[services.shop.http.headers]\nX-Pin = \"hunter2\n",
            "receivers.pager.command.env.PIN = \"hunter2\n",
            "command = { argv = [\"/bin/page\"], env = { PIN = \"hunter2 } }\n",
        ] {
            let at = text.find("hunter2").unwrap_or(9);
            assert_eq!(Lines::of(text).excerpt(&(at..at + 2)), None, "{text}");
        }
        let text = "[receivers.team.webhook]\nsecret = \"x\"\n[services.shop]\nargv = [\n[\"a\n";
        let at = text.len() - 3;
        let excerpt = Lines::of(text).excerpt(&(at..at + 2)).unwrap();
        assert!(excerpt.contains("[\"a"), "another table: {excerpt}");
    }
}
