//! What is written about the log against what is logged: `agent/docs/logging.md` and the message catalog.
//!
//! Reports are logged and looked at; what other parts log is read out of the sources, as those events need a host that is
//! out of order. `UPDATE_GOLDEN=1` writes the table of events again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tracing::subscriber::with_default;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

use super::journal::native_name;
use super::message_id::MESSAGE_IDS;
use super::tests::every_kind;

/// What is known of one `event=` word.
#[derive(Debug, Default)]
struct Kind {
    levels: BTreeSet<String>,
    fields: BTreeSet<String>,
    /// Those that every event of it has.
    always: Option<BTreeSet<String>>,
}

impl Kind {
    fn add(&mut self, level: &str, fields: BTreeSet<String>, present: &BTreeSet<String>) {
        self.levels.insert(level.to_owned());
        self.always = Some(match self.always.take() {
            None => present.clone(),
            Some(before) => before.intersection(present).cloned().collect(),
        });
        self.fields.extend(fields);
    }
}

/// One event of a log: level, word, fields of its kind, fields that have a value.
type Seen = (String, String, BTreeSet<String>, BTreeSet<String>);

#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Vec<Seen>>>);

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let record = super::record::Record::of(event);
        let names = |names: &mut dyn Iterator<Item = &str>| names.map(str::to_owned).collect();
        self.0.lock().unwrap().push((
            event.metadata().level().to_string().to_lowercase(),
            record.field("event").unwrap_or_default().to_owned(),
            names(&mut event.metadata().fields().iter().map(|field| field.name())),
            names(&mut record.fields.iter().map(|(name, _)| *name)),
        ));
    }
}

/// Every kind of event there is.
fn kinds() -> BTreeMap<String, Kind> {
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    let keep = Keep::default();
    with_default(Registry::default().with(keep.clone()), || {
        for (report, _) in every_kind() {
            sentinel_driver::report::report(&report, None);
        }
    });
    for (level, word, fields, present) in keep.0.lock().unwrap().drain(..) {
        kinds.entry(word).or_default().add(&level, fields, &present);
    }
    for logged in sources().iter().flat_map(|path| logged(path)) {
        if let Some(word) = logged.word {
            let fields = logged.fields;
            kinds
                .entry(word)
                .or_default()
                .add(logged.level, fields.clone(), &fields);
        }
    }
    kinds
}

/// The files of the agent, without those of tests.
fn sources() -> Vec<PathBuf> {
    // Every crate beneath the agent's folder logs.
    let agent = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = fs::read_dir(agent)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("src"));
    let mut folders: Vec<PathBuf> = crates.filter(|folder| folder.is_dir()).collect();
    folders.push(agent.join("src"));
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() > 100, "these are not the sources");
    files
}

/// One use of a macro of `tracing`.
struct Logged {
    level: &'static str,
    /// The literal after `event =`.
    word: Option<String>,
    fields: BTreeSet<String>,
    text: String,
}

/// What a file logs, but for its tests and for reports, whose word is a variable.
fn logged(path: &Path) -> Vec<Logged> {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut found = Vec::new();
    for level in ["error", "warn", "info", "debug"] {
        for (at, start) in text.match_indices(&format!("{level}!(")) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let arguments = arguments(&text[at + start.len()..]);
            let (mut word, mut fields) = (None, BTreeSet::new());
            for argument in arguments.iter().filter(|argument| !argument.starts_with('"')) {
                let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
                let name = name.trim().trim_start_matches(['%', '?']);
                if name == "event" {
                    word = value.trim().strip_prefix('"').and_then(|word| word.strip_suffix('"'));
                }
                fields.insert(name.to_owned());
            }
            found.push(Logged {
                level,
                word: word.map(str::to_owned),
                fields,
                text: format!("{}: {level}!({})", path.display(), arguments.join(", ")),
            });
        }
    }
    found
}

/// The arguments of a macro, from behind its opening parenthesis.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let mut all = vec![String::new()];
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' if !quoted && depth == 0 => break,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        all.last_mut().unwrap().push(c);
    }
    let trimmed = all.iter().map(|argument| argument.trim().to_owned());
    trimmed.filter(|argument| !argument.is_empty()).collect()
}

/// The word of `held/storm` is `held`.
fn word(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

fn native(field: &str) -> String {
    format!("SENTINEL_{}", native_name(field))
}

#[test]
fn every_kind_has_a_number_and_every_number_a_kind() {
    let kinds = kinds();
    let logged: BTreeSet<&str> = kinds.keys().map(String::as_str).collect();
    // Said by the thread that writes the log itself, without a macro.
    let own = ["log_lines_lost"];
    let numbered: BTreeSet<&str> = MESSAGE_IDS
        .iter()
        .map(|(name, _)| word(name))
        .filter(|word| !own.contains(word))
        .collect();
    assert_eq!(logged, numbered);
}

#[test]
fn every_error_is_an_event_with_a_name() {
    for logged in sources().iter().flat_map(|path| logged(path)) {
        if logged.level == "error" {
            assert!(logged.fields.contains("event"), "{}", logged.text);
        }
    }
}

/// The table of events as it must stand in the documentation.
fn table() -> String {
    let mut kinds = kinds();
    kinds.entry("log_lines_lost".to_owned()).or_default().add(
        "warn",
        ["event", "lines"].map(str::to_owned).into(),
        &BTreeSet::new(),
    );
    let mut lines = vec![
        "| event | level | fields | MESSAGE_ID |".to_owned(),
        "| --- | --- | --- | --- |".to_owned(),
    ];
    for (name, id) in MESSAGE_IDS {
        let Some(kind) = kinds.get(word(name)) else { continue };
        let name = match name.split_once('/') {
            None => name.to_owned(),
            Some((word, "host_wide")) => format!("{word}, cause_kind=host_wide"),
            Some((word, hold)) => format!("{word}, reason_kind={hold}"),
        };
        let levels: Vec<&str> = kind.levels.iter().map(String::as_str).collect();
        let fields = kind
            .fields
            .iter()
            .filter(|field| *field != "event" && *field != "message");
        let fields: Vec<&str> = fields.map(String::as_str).collect();
        let (levels, fields) = (levels.join(", "), fields.join(" "));
        lines.push(format!("| {name} | {levels} | {fields} | {id} |"));
    }
    lines.join("\n")
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/logging.md");

/// The part of the page below this heading.
fn below<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, below) = page
        .split_once(&format!("\n## {heading}\n"))
        .expect("the heading is there");
    below.split("\n## ").next().unwrap()
}

#[test]
fn the_documented_events_are_those_there_are() {
    let page = fs::read_to_string(PAGE).unwrap();
    let part = below(&page, "Events");
    let from = part.find("| event |").expect("the table of events is there");
    let (written, right) = (part[from..].trim_end(), table());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(PAGE, page.replace(written, &right)).unwrap();
        return;
    }
    assert_eq!(written, right, "UPDATE_GOLDEN=1 writes it again");
}

#[test]
fn every_field_is_documented_once() {
    let page = fs::read_to_string(PAGE).unwrap();
    let rows = below(&page, "Fields")
        .lines()
        .filter_map(|line| line.strip_prefix("| SENTINEL_"));
    let written: Vec<String> = rows.map(|row| row.split(' ').next().unwrap().to_owned()).collect();
    let mut there: BTreeSet<String> = kinds()
        .values()
        .flat_map(|kind| kind.fields.iter())
        .map(|field| native_name(field))
        .collect();
    there.remove("MESSAGE");
    there.extend(["UNIT", "LINES"].map(str::to_owned));
    let once: BTreeSet<String> = written.iter().cloned().collect();
    assert_eq!(once.len(), written.len(), "one of them stands there twice");
    assert_eq!(once, there);
}

/// An entry of the catalog.
#[derive(Debug)]
struct Entry {
    id: String,
    headers: BTreeMap<String, String>,
    body: String,
}

fn catalog() -> Vec<Entry> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/sentinel.catalog");
    let text = fs::read_to_string(path).unwrap();
    let entries = text.split("\n-- ").skip(1);
    entries
        .map(|entry| {
            let (id, rest) = entry.split_once('\n').unwrap();
            let (headers, body) = rest.split_once("\n\n").expect("an empty line follows the headers");
            let headers = headers.lines().map(|line| {
                let (name, value) = line.split_once(": ").expect("a header");
                (name.to_owned(), value.to_owned())
            });
            // Comments, which tell the event, are no part of it.
            let body = body
                .lines()
                .filter(|line| !line.starts_with('#'))
                .collect::<Vec<_>>()
                .join("\n");
            Entry {
                id: id.to_owned(),
                headers: headers.collect(),
                body: body.trim().to_owned(),
            }
        })
        .collect()
}

/// The fields that a text names between two `@`.
fn named(text: &str) -> Vec<&str> {
    text.split('@').skip(1).step_by(2).collect()
}

#[test]
fn the_catalog_explains_every_kind_and_nothing_else() {
    let catalog = catalog();
    let explained: BTreeSet<&str> = catalog.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(explained.len(), catalog.len(), "one of them stands there twice");
    let numbered: BTreeSet<&str> = MESSAGE_IDS.iter().map(|(_, id)| *id).collect();
    assert_eq!(explained, numbered);
}

#[test]
fn an_entry_names_only_what_every_event_of_its_kind_has() {
    let kinds = kinds();
    for entry in catalog() {
        let (name, _) = MESSAGE_IDS.iter().find(|(_, id)| *id == entry.id).unwrap();
        let headers: Vec<&str> = entry.headers.keys().map(String::as_str).collect();
        assert_eq!(headers, ["Defined-By", "Documentation", "Subject", "Support"], "{name}");
        assert!(!entry.body.is_empty(), "{name}");
        let always = kinds
            .get(word(name))
            .and_then(|kind| kind.always.clone())
            .unwrap_or_default();
        let mut has: BTreeSet<String> = always.iter().map(|field| native(field)).collect();
        has.extend(["MESSAGE", "SENTINEL_LINES"].map(str::to_owned));
        for field in named(&entry.headers["Subject"]).into_iter().chain(named(&entry.body)) {
            assert!(has.contains(field), "{name} has no {field}");
        }
    }
}
