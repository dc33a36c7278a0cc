//! Every link within the repository leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::pages::{Kind, Page, pages, root};

/// Where the links of a page lead, with their lines.
fn links(page: &Page) -> Vec<(usize, &str)> {
    let lines = page.lines().into_iter();
    let prose = lines.filter(|(_, kind, _)| matches!(kind, Kind::Prose | Kind::Table));
    let found = prose.flat_map(|(number, _, line)| {
        let parts = line.split("](").skip(1);
        parts.filter_map(move |part| Some((number, part.split_once(')')?.0)))
    });
    found.collect()
}

/// The anchors of a page, as GitHub makes them of its headings.
fn anchors(page: &Page) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut used = BTreeMap::<String, u32>::new();
    for (_, kind, line) in page.lines() {
        let title = line.trim_start_matches('#');
        if kind != Kind::Prose || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().chars().filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ => letter.is_alphanumeric().then_some(letter),
        });
        let anchor = kept.collect::<String>().to_lowercase();
        let before = used.entry(anchor.clone()).or_default();
        anchors.insert(match *before {
            0 => anchor,
            count => format!("{anchor}-{count}"),
        });
        *before += 1;
    }
    anchors
}

/// `a/../b` as `b`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let anchors: BTreeMap<&Path, BTreeSet<String>> = pages.iter().map(|page| (&*page.path, anchors(page))).collect();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for page in &pages {
        for (number, link) in links(page) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = page.path.parent().unwrap_or(Path::new(""));
            let target = if file.is_empty() {
                page.path.clone()
            } else {
                plain(&folder.join(file))
            };
            let there = root().join(&target).exists();
            let known = anchor.is_empty() || anchors.get(&*target).is_some_and(|all| all.contains(anchor));
            if !there || !known {
                wrong.push(format!("{}:{number}: {link}", page.path.display()));
            }
        }
    }
    assert!(seen > 50, "only {seen} links were found");
    assert!(wrong.is_empty(), "these lead nowhere:\n{}", wrong.join("\n"));
}
