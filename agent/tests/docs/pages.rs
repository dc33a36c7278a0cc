//! The pages of the repository, and what of a page is what.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the repository begins.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A page in Markdown.
pub(crate) struct Page {
    /// Where it is, from the root.
    pub(crate) path: PathBuf,
    /// All of it.
    pub(crate) text: String,
}

/// What a line of a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text, headings, lists.
    Prose,
    /// Within a table.
    Table,
    /// Code, fenced or indented.
    Code,
    /// As [`Kind::Code`], and what a program printed: under a comment `<!-- output -->` or `<!-- output: FILE -->`.
    Output,
}

impl Page {
    /// Reads a page.
    pub(crate) fn read(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let text = fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    /// Its lines with their numbers.
    pub(crate) fn lines(&self) -> Vec<(usize, Kind, &str)> {
        let (mut fenced, mut before, mut output) = (false, "", false);
        let mut lines: Vec<(usize, Kind, &str)> = Vec::new();
        for (number, line) in self.text.lines().enumerate() {
            let code = lines
                .last()
                .is_some_and(|(_, kind, _)| matches!(kind, Kind::Code | Kind::Output));
            let fence = line.starts_with("```");
            let indented = line.starts_with("    ") && (before.is_empty() || code);
            let inside = fenced || fence || indented || (line.is_empty() && code && !before.starts_with("```"));
            if line.starts_with("<!-- output") {
                output = true;
            } else if !inside && !line.is_empty() {
                output = false;
            }
            let kind = match inside {
                true if output => Kind::Output,
                true => Kind::Code,
                false if line.starts_with('|') => Kind::Table,
                false => Kind::Prose,
            };
            fenced ^= fence;
            lines.push((number + 1, kind, line));
            before = line;
        }
        lines
    }

    /// Its fenced blocks whose language is `language`.
    pub(crate) fn blocks(&self, language: &str) -> Vec<&str> {
        let begin = format!("```{language}\n");
        let blocks = self.text.split(begin.as_str()).skip(1);
        blocks
            .map(|rest| rest.split("```").next().unwrap_or_default())
            .collect()
    }
}

/// Every page, in the order of their paths.
pub(crate) fn pages() -> Vec<Page> {
    let mut folders = vec![PathBuf::new()];
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder of the repository") {
            let entry = entry.expect("an entry of it");
            let (name, kind) = (entry.file_name(), entry.file_type().expect("its type"));
            let path = folder.join(&name);
            if kind.is_dir() && name != "target" && name != ".git" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    assert!(paths.len() > 20, "these are not the pages: {paths:?}");
    paths.into_iter().map(Page::read).collect()
}
