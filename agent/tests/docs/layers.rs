//! Which crate may use which: the table of `agent/docs/architecture.md`, the manifests, and what the pure crates import.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::pages::{Kind, Page, root};

/// Crates whose answers depend on what they are given alone.
const PURE: [&str; 3] = ["engine", "simulation", "text"];

/// What a pure crate may use of others: data, and numbers of the calendar.
const HARMLESS: [&str; 2] = ["jiff", "serde"];

/// Where a pure crate must not look: whatever answers differently the next time.
const IMPURE: [&str; 12] = [
    "std::env",
    "std::fs",
    "std::io::stdin",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "Timestamp::now",
    "TimeZone::system",
    "tokio::",
];

type Layers = BTreeMap<String, BTreeSet<String>>;

/// The crates of the agent by the names of their folders, each with the path of its manifest.
fn crates() -> BTreeMap<String, PathBuf> {
    let folders = fs::read_dir(root().join("agent")).expect("the agent's folder");
    let folders = folders.map(|entry| entry.expect("an entry of it").path());
    let manifests = folders
        .map(|folder| folder.join("Cargo.toml"))
        .filter(|path| path.is_file());
    let name = |path: &Path| {
        path.parent()
            .and_then(Path::file_name)
            .expect("a folder")
            .to_string_lossy()
            .into_owned()
    };
    manifests.map(|path| (name(&path), path)).collect()
}

/// The names behind `[dependencies]` in a manifest.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let behind = manifest.split("[dependencies]\n").nth(1).unwrap_or_default();
    let lines = behind.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next());
    names
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Of those the agent's own, by the names of their folders.
fn own(dependencies: &BTreeSet<String>) -> BTreeSet<String> {
    dependencies
        .iter()
        .filter_map(|name| name.strip_prefix("sentinel-"))
        .map(str::to_owned)
        .collect()
}

/// The table of the page: first cell and third.
fn drawn() -> Layers {
    let page = Page::read("agent/docs/architecture.md");
    let rows = page.lines().into_iter().filter(|(_, kind, _)| *kind == Kind::Table);
    let names = |cell: &str| {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(|name| name.trim_end_matches('/').to_owned())
            .collect()
    };
    let rows = rows.filter_map(|(_, _, line)| {
        let cells: Vec<&str> = line.split('|').collect();
        let folder: Vec<String> = names(cells.get(1)?);
        let [folder] = folder.as_slice() else { return None };
        let is_crate = cells.len() == 6 && root().join("agent").join(folder).join("Cargo.toml").is_file();
        is_crate.then(|| (folder.clone(), names(cells[3]).into_iter().collect()))
    });
    rows.collect()
}

/// Whoever needs itself, over whatever way.
fn circles(layers: &Layers) -> Vec<&str> {
    let needs = |from: &str| {
        let (mut all, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(name) = next.pop() {
            let lower = layers.get(&name).into_iter().flatten();
            next.extend(lower.filter(|lower| all.insert((*lower).clone())).cloned());
        }
        all
    };
    layers
        .keys()
        .filter(|name| needs(name).contains(*name))
        .map(String::as_str)
        .collect()
}

/// What stands in `source`, beside comments and tests, and is not pure.
fn impure(source: &str) -> Vec<&'static str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let code: Vec<&str> = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    // `use std::{env, fs}` says the same as `use std::env`.
    let grouped = |name: &str| {
        let short = name.rsplit("::").next().unwrap_or(name);
        let groups = code
            .split("use std::{")
            .skip(1)
            .filter_map(|group| group.split(';').next());
        name.matches("::").count() == 1
            && name.starts_with("std::")
            && groups
                .flat_map(|group| group.split([',', '{', '}', ' ', '\n', ':']))
                .any(|word| word == short)
    };
    IMPURE
        .into_iter()
        .filter(|name| code.contains(name) || grouped(name))
        .collect()
}

#[test]
fn crates_use_those_that_the_architecture_shows() {
    let real: Layers = crates()
        .into_iter()
        .map(|(name, path)| (name, own(&dependencies(&fs::read_to_string(path).expect("a manifest")))))
        .collect();
    assert!(real.len() >= 14, "{real:?}");
    assert_eq!(
        drawn(),
        real,
        "the table of agent/docs/architecture.md, and the manifests"
    );
    assert_eq!(circles(&real), Vec::<&str>::new());
}

#[test]
fn pure_crates_have_nothing_impure_to_call() {
    let crates = crates();
    for name in PURE {
        let manifest = fs::read_to_string(&crates[name]).expect("a manifest");
        let foreign: Vec<String> = dependencies(&manifest)
            .into_iter()
            .filter(|name| !name.starts_with("sentinel-") && !HARMLESS.contains(&name.as_str()))
            .collect();
        assert_eq!(foreign, Vec::<String>::new(), "{name}");
        let mut folders = vec![crates[name].with_file_name("src")];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("its sources") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("tests.rs") {
                    seen += 1;
                    let source = fs::read_to_string(&path).expect("a source");
                    assert_eq!(impure(&source), Vec::<&str>::new(), "{}", path.display());
                }
            }
        }
        assert!(seen > 5, "{name} has {seen} sources");
    }
}

#[test]
fn what_is_not_pure_is_found() {
    for (source, found) in [
        ("use std::fs;", vec!["std::fs"]),
        ("use std::{collections::BTreeMap, env};", vec!["std::env"]),
        ("let now = std::time::Instant::now();", vec!["std::time::Instant"]),
        ("let now = Timestamp::now();", vec!["Timestamp::now"]),
        ("use std::time::Duration; // not std::fs", vec!["std::fs"]),
        ("// std::fs\nuse std::time::Duration;", vec![]),
        ("fn pure() {}\n#[cfg(test)]\nmod tests { use std::fs; }", vec![]),
    ] {
        assert_eq!(impure(source), found, "{source}");
    }
}

#[test]
fn circles_are_found() {
    let layers = |pairs: &[(&str, &str)]| -> Layers {
        pairs
            .iter()
            .map(|(name, lower)| {
                (
                    (*name).to_owned(),
                    lower.split_whitespace().map(str::to_owned).collect(),
                )
            })
            .collect()
    };
    assert_eq!(
        circles(&layers(&[("a", "b c"), ("b", "c"), ("c", "")])),
        Vec::<&str>::new()
    );
    assert_eq!(
        circles(&layers(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")])),
        ["a", "b", "c"]
    );
}
