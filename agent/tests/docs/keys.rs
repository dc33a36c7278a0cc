//! `agent/docs/configuration.md` has every key, from the table that the configuration is checked by.

use std::fmt::Write as _;
use std::fs;

use sentinel::config::Key;

use crate::listed::{Part, limits, parts};
use crate::pages::{Page, root};

const PAGE: &str = "agent/docs/configuration.md";
const BEGIN: &str = "<!-- keys: written by UPDATE_GOLDEN=1 cargo test -p sentinel --test docs -->\n";
const END: &str = "<!-- end of keys -->\n";

/// The keys, a table for each section.
fn written() -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for part in parts() {
        let _ = match part {
            Part::Section(section) => write!(text, "\n### `[{}]`\n\n{}.\n", section.path, section.doc),
            Part::Shared { with, keys } => write!(
                text,
                "\nAlso every key of [`[{with}]`](#{}), for this one alone: {}.\n",
                with.replace('.', "").to_lowercase(),
                keys.iter().map(|key| format!("`{}`", key.name)).collect::<Vec<_>>().join(", ")
            ),
            Part::Keys(keys) => {
                text.push_str("\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
                keys.iter().try_for_each(|key| writeln!(text, "{}", row(key)))
            }
        };
    }
    format!("{text}\n")
}

fn row(key: &Key) -> String {
    let Key { name, kind, default, doc } = key;
    let limits = limits(kind).map(|limits| format!(" {limits}.")).unwrap_or_default();
    let cells = [format!("`{name}`"), kind.to_string(), quoted(default), format!("{doc}.{limits}")];
    format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

/// A default that is a value, as code; one in words as it is.
fn quoted(default: &str) -> String {
    match default {
        "" => String::new(),
        words if words.contains(['`', '\'']) || words.contains(' ') && !words.starts_with('[') => words.to_owned(),
        value => format!("`{value}`"),
    }
}

#[test]
fn every_key_is_described() {
    let page = Page::read(PAGE);
    let (before, rest) = page.text.split_once(BEGIN).expect("the keys begin");
    let (keys, after) = rest.split_once(END).expect("the keys end");
    let right = written();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(root().join(PAGE), format!("{before}{BEGIN}{right}{END}{after}")).expect("the page can be written");
        return;
    }
    assert_eq!(keys, right, "UPDATE_GOLDEN=1 writes it again");
}
