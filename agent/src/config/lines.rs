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

    /// The line in which `span` begins, with carets under it. `None` when it may hold a secret or is too long to help.
    pub(super) fn excerpt(&self, span: &Range<usize>) -> Option<String> {
        /// Longer lines wrap, and the caret would point nowhere.
        const MAX_LEN: usize = 120;
        /// Text beside these words may be what nobody else should read, and errors go to logs.
        const SECRETS: [&str; 7] = ["secret", "token", "password", "authorization", "key", "url", "header"];

        let (number, column) = self.position(span.start);
        let text = self.text[self.starts[number - 1]..].lines().next()?.trim_end();
        let lower = text.to_lowercase();
        if text.len() > MAX_LEN || text.chars().any(char::is_control) || SECRETS.iter().any(|word| lower.contains(word))
        {
            return None;
        }
        let margin = " ".repeat(number.to_string().len());
        let left = " ".repeat(column - 1);
        let room = text.chars().count().saturating_sub(column - 1);
        let carets = "^".repeat(span.len().min(room).max(1));
        Some(format!("{margin} |\n{number} | {text}\n{margin} | {left}{carets}"))
    }
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
        assert_eq!(Lines::of("secret = \"whsec_\n").excerpt(&(9..16)), None);
    }
}
