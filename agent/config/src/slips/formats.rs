//! Texts that are not TOML: other formats, and texts without quotes.

use std::ops::Range;

/// The most that is read of a text to know its format.
const MAX_LINES: usize = 50;

/// What a text that is not TOML is written in, and where that shows: the place of the first line that shows it.
pub(crate) fn other_format(text: &str) -> Option<(usize, &'static str)> {
    const YAML: &str = "this looks like YAML, and the configuration is TOML: write [services.web] in place of `services:` and \
                        `web:`, and `unit = \"nginx\"` in place of `unit: nginx`";
    const MONIT: &str = "this looks like a configuration of Monit: write [services.web] with `unit = \"nginx\"` in place of \
                         `check process`, and `http = \"http://127.0.0.1/\"` in place of `if failed port 80`";
    const JSON: &str =
        "this looks like JSON, and the configuration is TOML: write [services.web] and `unit = \"nginx\"`";
    const UNIT: &str = "this looks like a unit file of systemd, and the configuration is TOML: write [services.web] and \
                        `unit = \"nginx\"`; a unit file itself takes a section [X-Sentinel]";

    let mut offset = 0;
    for line in text.split_inclusive('\n').take(MAX_LINES) {
        let at = offset + (line.len() - line.trim_start().len());
        offset += line.len();
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "---" || is_yaml(line) {
            return Some((at, YAML));
        }
        if is_monit(line) {
            return Some((at, MONIT));
        }
        if line == "{" || line.starts_with("{\"") || line.starts_with("{ \"") {
            return Some((at, JSON));
        }
        if matches!(line, "[Unit]" | "[Service]" | "[Install]" | "[X-Sentinel]") {
            return Some((at, UNIT));
        }
    }
    None
}

/// `services:`, `unit: nginx` or `- name: web`, and not a key of TOML.
fn is_yaml(line: &str) -> bool {
    let line = line.strip_prefix("- ").unwrap_or(line);
    let Some((key, rest)) = line.split_once(':') else {
        return false;
    };
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !key.is_empty() && key.bytes().all(is_word) && (rest.is_empty() || rest.starts_with(' '))
}

/// `check process nginx with pidfile ...`, `set daemon 30`.
fn is_monit(line: &str) -> bool {
    let mut words = line.split_whitespace();
    match words.next().map(str::to_ascii_lowercase).as_deref() {
        Some("check") => words.next().is_some_and(|word| {
            let kinds = [
                "process",
                "host",
                "system",
                "file",
                "program",
                "network",
                "filesystem",
                "directory",
            ];
            kinds.contains(&word.to_ascii_lowercase().as_str())
        }),
        Some("set") => words.next().is_some_and(|word| word != "="),
        _ => false,
    }
}

/// What to write for a text without quotes at `span`, counted from the start of its `line`. A parser says only what it
/// did not find: "expected `nan`" for `nginx`.
pub(crate) fn unquoted(line: &str, span: Range<usize>) -> Option<String> {
    let (key, _) = line.split_once('=')?;
    let text = line.get(span.clone()).filter(|_| span.start > key.len())?;
    let starts_as_text = text
        .starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/' || letter == ':')
        || text.starts_with(|letter: char| letter.is_ascii_digit()) && text.parse::<f64>().is_err();
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"'[]{},#".contains(&byte));
    let is_key = key
        .trim()
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if !starts_as_text || !is_plain || !is_key {
        return None;
    }
    let is_whole = line[key.len() + 1..span.start].trim().is_empty();
    Some(if is_whole {
        format!("{} = \"{text}\"", key.trim())
    } else {
        format!("\"{text}\"")
    })
}
