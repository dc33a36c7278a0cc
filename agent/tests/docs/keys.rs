//! `agent/docs/configuration.md` has every key, from the table that the configuration is checked by.

use std::fmt::Write as _;
use std::fs;

use sentinel_config::{Bounds, Key, Kind};
use sentinel_text::exact_span;

use super::listed::{Part, parts};
use super::pages::{Page, root};

const PAGE: &str = "agent/docs/configuration.md";
const BEGIN: &str = "<!-- keys: written by UPDATE_GOLDEN=1 cargo test -p sentinel --test agent docs:: -->\n";
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
                "\nAlso the {} keys of [`[{with}]`](#{}), for this one alone.\n",
                keys.len(),
                anchor(with)
            ),
            Part::Keys(keys) => {
                text.push_str("\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
                keys.iter().try_for_each(|key| writeln!(text, "{}", row(key)))
            }
        };
    }
    format!("{text}\n")
}

/// Of the heading of a section.
fn anchor(path: &str) -> String {
    path.replace('.', "").to_lowercase()
}

fn row(key: &Key) -> String {
    let Key {
        name,
        kind,
        default,
        doc,
    } = key;
    let value = value(kind).replace('|', "\\|");
    let (default, doc) = (quoted(default), doc.replace('|', "\\|"));
    format!("| `{name}` | {value} | {default} | {doc}. |")
}

/// What a value may be: as messages say it, but shorter, and with the way to the keys of a table.
fn value(kind: &Kind) -> String {
    let span = |Bounds { min, max }: &Bounds| format!("{} to {}", exact_span(*min), exact_span(*max));
    match kind {
        Kind::Duration(bounds) => format!("duration, {}", span(bounds)),
        Kind::AutoOrDuration(bounds) => format!("`\"auto\"`, or duration, {}", span(bounds)),
        Kind::OffOrDuration(bounds) => format!("`\"off\"`, or duration, {}", span(bounds)),
        Kind::Table { section, .. } => format!("[table](#{})", anchor(section.path)),
        Kind::Tables { section, max } => format!("[tables](#{}), at most {max}", anchor(section.path)),
        Kind::Named { section, max } => format!("[table for each name](#{}), at most {max}", anchor(section.path)),
        Kind::List { max, .. } => format!("list, at most {max}"),
        Kind::OneOrMore { max, .. } => format!("{kind}, at most {max}"),
        Kind::Map { max, .. } => format!("table, at most {max} keys"),
        _ => kind.to_string(),
    }
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
