//! How pages look: their size, their columns, their words.

use std::fs;

use super::pages::{Kind, Page, pages, root};
use super::words::forbidden;

/// What one reads in ten minutes.
const README_BYTES: usize = 9_000;

/// What fits beside another window.
const COLUMNS: usize = 120;

/// Every clone has them for ever.
const PICTURE_BYTES: u64 = 300_000;

/// A line without where its links lead, which no reader sees.
fn shown(line: &str) -> String {
    let mut parts = line.split("](");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push(']');
        shown.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    shown
}

#[test]
fn the_readme_is_one_page() {
    let page = Page::read("README.md");
    assert!(page.text.len() <= README_BYTES, "{} bytes", page.text.len());
}

#[test]
fn lines_fit_into_the_columns() {
    let mut long = Vec::new();
    for page in pages() {
        for (number, kind, line) in page.lines() {
            if matches!(kind, Kind::Prose | Kind::Code) && shown(line).chars().count() > COLUMNS {
                long.push(format!("{}:{number}: {line}", page.path.display()));
            }
        }
    }
    assert!(long.is_empty(), "longer than {COLUMNS} columns:\n{}", long.join("\n"));
}

#[test]
fn pages_use_the_words_of_the_field() {
    let mut found = Vec::new();
    for page in pages() {
        // What had another name before says which; nothing else does.
        let text: Vec<&str> = page.text.lines().filter(|line| !line.starts_with("  | ")).collect();
        let text = if page.path.ends_with("CHANGELOG.md") {
            text.join("\n")
        } else {
            page.text.clone()
        };
        found.extend(
            forbidden(&text)
                .into_iter()
                .map(|line| format!("{}:{line}", page.path.display())),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What else operators read, besides pages: what of the manual is not in the table of keys, configurations, descriptions.
#[test]
fn files_for_operators_use_the_words_of_the_field() {
    let files = [
        "agent/docs/examples/alerts-only.toml",
        "agent/docs/examples/compose.toml",
        "agent/docs/examples/manual/keys.rs",
        "agent/docs/examples/manual/pages.rs",
        "agent/docs/examples/nginx-redis.toml",
        "agent/tests/config/good/full.toml",
        "deploy/.env",
        "deploy/compose.alerts.yaml",
        "deploy/compose.dbus.yaml",
        "deploy/compose.proxy.yaml",
        "deploy/compose.yaml",
        "deploy/monitor/dbus.toml",
        "deploy/monitor/sentinel.toml",
        "packaging/debian/control",
        "packaging/debian/sentinel.postinst",
        "packaging/sentinel.toml",
        "systemd/demo-service.service",
        "systemd/process-targets.conf",
        "systemd/sentinel.service",
        "systemd/sysusers.d/sentinel.conf",
        "systemd/tmpfiles.d/sentinel.conf",
    ];
    let mut found = Vec::new();
    for path in files {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        found.extend(forbidden(&text).into_iter().map(|line| format!("{path}:{line}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn pictures_are_small_and_shown() {
    let all: String = pages().iter().map(|page| page.text.as_str()).collect();
    for entry in fs::read_dir(root().join("agent/docs/images")).expect("the folder of pictures") {
        let entry = entry.expect("a picture");
        let name = entry.file_name().into_string().expect("a plain name");
        let size = entry.metadata().expect("its size").len();
        assert!(size <= PICTURE_BYTES, "{name}: {size} bytes");
        assert!(all.contains(&name), "{name} is in no page");
    }
}
