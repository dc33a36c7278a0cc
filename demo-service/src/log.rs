//! Logfmt on stdout, one event a line.
//!
//! No timestamps: journald and Docker both add their own.

use std::fmt::{Display, Write as _};
use std::io::Write as _;

/// Writes `event=NAME key=value ...` as one line.
///
/// A stdout that nobody reads any more is no reason to stop serving, so
/// write errors are ignored (`println!` would panic).
pub(crate) fn event(name: &str, fields: &[(&str, &dyn Display)]) {
    let line = format_line(name, fields);
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(line.as_bytes());
    let _ = stdout.flush();
}

fn format_line(name: &str, fields: &[(&str, &dyn Display)]) -> String {
    let mut line = format!("event={name}");
    for (key, value) in fields {
        let value = value.to_string();
        let bare =
            !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c.is_control() || "\"=\\".contains(c));
        // `{:?}` quotes and escapes the way logfmt readers expect. Writing to
        // a `String` cannot fail.
        let _ = if bare {
            write!(line, " {key}={value}")
        } else {
            write!(line, " {key}={value:?}")
        };
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::format_line;

    #[test]
    fn values_that_would_break_a_line_are_quoted() {
        let line = format_line("x", &[("a", &1), ("b", &"two words"), ("c", &"q\"\n"), ("d", &"")]);
        assert_eq!(line, "event=x a=1 b=\"two words\" c=\"q\\\"\\n\" d=\"\"\n");
    }
}
