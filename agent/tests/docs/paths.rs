//! The way into the code that `agent/docs/architecture.md` shows is there.

use std::path::{Path, PathBuf};

use super::pages::{Kind, Page, root};

/// Where paths in prose begin.
const BASES: [&str; 5] = ["", "agent", "agent/src", "agent/engine/src", "agent/docs"];

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn is_path(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._/-".contains(letter);
    let is_source = Path::new(text).extension().is_some_and(|extension| extension == "rs");
    (is_source || text.ends_with('/')) && text.chars().all(plain)
}

/// Where the paths of a line may begin: those of a row also in the folder that its first cell names.
fn bases(kind: Kind, line: &str) -> Vec<PathBuf> {
    let mut bases: Vec<PathBuf> = BASES.map(PathBuf::from).into();
    if kind == Kind::Table {
        let first = line.split('|').nth(1).unwrap_or_default();
        for name in quoted(first) {
            let folder = Path::new("agent").join(name);
            bases.extend([folder.clone(), folder.join("src")]);
        }
    }
    bases
}

#[test]
fn paths_of_the_architecture_are_there() {
    let page = Page::read("agent/docs/architecture.md");
    let (mut missing, mut seen) = (Vec::new(), 0);
    for (number, kind, line) in page.lines() {
        let bases = bases(kind, line);
        for path in quoted(line).filter(|text| is_path(text)) {
            seen += 1;
            if !bases.iter().any(|base| root().join(base).join(path).exists()) {
                missing.push(format!("{number}: {path}"));
            }
        }
    }
    assert!(seen > 60, "only {seen} paths were found");
    assert!(missing.is_empty(), "these are not there:\n{}", missing.join("\n"));
}
