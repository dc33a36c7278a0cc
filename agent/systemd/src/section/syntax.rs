//! The syntax of unit files, as far as one section takes it: see systemd.syntax(7). Pure.
//!
//! Any bytes may come in. What systemd passes over (comments, other sections) is passed over here; what it would warn about
//! within the section is a [`Mistake`] with its line.

/// Longest line with its continuations, in bytes; a value is a URL or a short list.
const LINE_MAX: usize = 16 * 1024;

/// Assignments of one section of one file, at most: several times what there are keys.
const ASSIGNMENTS_MAX: usize = 100;

/// One `key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) key: String,
    /// Without the white space around it; continued lines are joined.
    pub(super) value: String,
    /// The line on which it begins, from 1.
    pub(super) line: usize,
}

/// Something that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The line, from 1.
    pub(super) line: usize,
    pub(super) message: String,
}

/// Why a line, or a value, cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SyntaxError {
    /// More than [`LINE_MAX`], continuations included.
    #[error("longer than {LINE_MAX} bytes")]
    TooLong,
    /// systemd ends the line there.
    #[error("holds a NUL byte")]
    Nul,
    /// Some other encoding, or none.
    #[error("is not UTF-8 text")]
    NotUtf8,
    /// It begins with this quote, and the line ends.
    #[error("the quote {0} is not closed")]
    OpenQuote(char),
    /// A backslash before a character for which it means nothing.
    #[error("unknown escape \\{}", .0.escape_debug())]
    UnknownEscape(char),
    /// A backslash at the end.
    #[error("ends in a single \\")]
    LoneBackslash,
    /// No truth value.
    #[error("expected yes or no")]
    NoFlag,
}

/// What a file says in `[name]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    /// The line of its header; `None` when there is no such section.
    pub(super) line: Option<usize>,
    /// In the order of the file.
    pub(super) assignments: Vec<Assignment>,
    pub(super) mistakes: Vec<Mistake>,
}

/// Reads the section `[name]` of a unit file. It may stand there several times.
pub(super) fn section(name: &str, text: &[u8]) -> Section {
    let mut section = Section::default();
    let mut within = false;
    for (line, text) in logical_lines(text) {
        let text = match text {
            Ok(text) => text,
            Err(error) if within => {
                let message = error.to_string();
                section.mistakes.push(Mistake { line, message });
                continue;
            }
            Err(_) => continue,
        };
        if let Some(header) = text.strip_prefix('[') {
            let header = header.strip_suffix(']').unwrap_or(header);
            within = header == name;
            if within {
                section.line.get_or_insert(line);
            } else if header.eq_ignore_ascii_case(name) {
                section.line.get_or_insert(line);
                let message = format!("the section is called [{name}]; as [{header}] it does not count");
                section.mistakes.push(Mistake { line, message });
            }
        } else if within {
            section.take(line, &text);
        }
    }
    section
}

impl Section {
    fn take(&mut self, line: usize, text: &str) {
        let Some((key, value)) = text.split_once('=') else {
            let message = "expected KEY=VALUE".to_owned();
            self.mistakes.push(Mistake { line, message });
            return;
        };
        if self.assignments.len() >= ASSIGNMENTS_MAX {
            if self.assignments.len() == ASSIGNMENTS_MAX && !self.mistakes.iter().any(|mistake| mistake.line == line) {
                let message = format!("more than {ASSIGNMENTS_MAX} assignments");
                self.mistakes.push(Mistake { line, message });
            }
            return;
        }
        self.assignments.push(Assignment {
            key: key.trim().to_owned(),
            value: value.trim().to_owned(),
            line,
        });
    }
}

/// Lines without comments and empty ones, continued ones joined by a space, with the number of their first.
fn logical_lines(text: &[u8]) -> Vec<(usize, Result<String, SyntaxError>)> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let mut all = Vec::new();
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (index, raw) in text.split(|byte| *byte == b'\n').enumerate() {
        let raw = raw.trim_ascii();
        // Also between continued lines.
        if matches!(raw.first(), Some(b'#' | b';')) || (raw.is_empty() && open.is_none()) {
            continue;
        }
        let (line, mut joined) = open.take().unwrap_or((index + 1, Vec::new()));
        let body = raw.strip_suffix(b"\\").unwrap_or(raw);
        if joined.len() + body.len() <= LINE_MAX + 1 {
            joined.extend_from_slice(body);
        } else {
            // One byte over the limit reports that it was passed.
            joined.resize(LINE_MAX + 1, b' ');
        }
        if body.len() < raw.len() {
            if joined.len() <= LINE_MAX {
                joined.push(b' ');
            }
            open = Some((line, joined));
        } else {
            all.push((line, checked(joined)));
        }
    }
    all.extend(open.map(|(line, joined)| (line, checked(joined))));
    all
}

fn checked(line: Vec<u8>) -> Result<String, SyntaxError> {
    if line.len() > LINE_MAX {
        return Err(SyntaxError::TooLong);
    }
    match String::from_utf8(line) {
        Ok(text) if text.contains('\0') => Err(SyntaxError::Nul),
        Ok(text) => Ok(text.trim().to_owned()),
        Err(_) => Err(SyntaxError::NotUtf8),
    }
}

/// The words of a value: separated by white space, `"..."` and `'...'` stand for one, `\` escapes.
///
/// # Errors
///
/// An open quote, or an escape that systemd does not know.
pub(super) fn words(text: &str) -> Result<Vec<String>, SyntaxError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => word.get_or_insert_default().push(escaped(chars.next())?),
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_ascii_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        return Err(SyntaxError::OpenQuote(open));
    }
    words.extend(word);
    Ok(words)
}

fn escaped(c: Option<char>) -> Result<char, SyntaxError> {
    match c {
        Some('n') => Ok('\n'),
        Some('t') => Ok('\t'),
        Some('s') => Ok(' '),
        Some(c @ ('\\' | '"' | '\'' | ' ')) => Ok(c),
        Some(other) => Err(SyntaxError::UnknownEscape(other)),
        None => Err(SyntaxError::LoneBackslash),
    }
}

/// The value as one text: what stands between quotes when all of it does, else as it is.
pub(super) fn unquoted(text: &str) -> Result<String, SyntaxError> {
    if text.starts_with(['"', '\''])
        && let [word] = words(text)?.as_slice()
    {
        return Ok(word.clone());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
