//! What every source file keeps: it is one idea, and its errors have types.

use std::fs;
use std::path::PathBuf;

use super::pages::root;

/// Lines of code of one file, at most; blank lines and comments are none.
const LINES_MAX: usize = 500;

/// What may be longer: tables and stories, of which each case stands for itself.
const TABLES: [&str; 8] = [
    "agent/engine/src/alerting/dispatch/tests.rs",
    "agent/engine/tests/alerting.rs",
    "agent/engine/tests/policy.rs",
    "agent/src/cli/tests.rs",
    "agent/src/server/tests.rs",
    "agent/src/telemetry/tests.rs",
    "agent/tests/config/mod.rs",
    "agent/tests/host/polkit.rs",
];

/// Where an error may be a sentence: it is all that a rule about a text has to say, and whoever calls adds the place.
const RULES: [&str; 11] = [
    // The configuration, file by file and rule by rule.
    "agent/config/src/rules/",
    "agent/config/src/schema.rs",
    "agent/config/src/secret.rs",
    "agent/config/src/template.rs",
    // What is given on the command line.
    "agent/src/cli/args.rs",
    "demo-service/src/cli.rs",
    // What a test has against what it looks at.
    "agent/engine/tests/simulation/invariants/",
    "agent/engine/tests/simulation/lives.rs",
    "agent/tests/receivers/slack_server.rs",
    // The samples below.
    "agent/tests/docs/sources.rs",
    "agent/tests/simulate/mod.rs",
];

/// Every source file beneath these folders, wherever the crates lie.
pub(crate) fn sources() -> Vec<(String, String)> {
    let mut folders = vec![PathBuf::from("agent"), PathBuf::from("demo-service")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder of the repository") {
            let entry = entry.expect("an entry of it");
            let path = folder.join(entry.file_name());
            if entry.file_type().expect("its type").is_dir() {
                folders.extend((entry.file_name() != "target").then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(root().join(&path)).expect("a text");
                sources.push((path.display().to_string(), text));
            }
        }
    }
    sources.sort();
    sources
}

/// The code without comments of whole lines.
fn code(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with("//")
    })
}

/// Whether a type is a text and nothing else.
fn is_text(name: &str) -> bool {
    let name = name.trim();
    name == "String" || name.starts_with('&') && name.ends_with("str") || name.starts_with("Cow<")
}

/// The parameters of a generic type, from behind its `<` to the `>` that ends it.
fn parameters(text: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut all) = (0_usize, 0, Vec::new());
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        match letter {
            '<' | '(' | '[' => depth += 1,
            '>' if before == '-' => {}
            '>' if depth == 0 => {
                all.push(&text[begin..at]);
                break;
            }
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                all.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
        before = letter;
    }
    all.retain(|parameter| !parameter.trim().is_empty());
    all
}

/// The results in a source whose error is a text, and the names that would hide one.
fn texts_for_errors(source: &str) -> Vec<String> {
    let code = code(source).collect::<Vec<_>>().join("\n");
    let results = code.match_indices("Result<").filter_map(|(at, name)| {
        let parameters = parameters(&code[at + name.len()..]);
        let is_wrong = matches!(*parameters, [_, error] if is_text(error));
        is_wrong.then(|| format!("Result<{}>", parameters.join(",").replace('\n', " ")))
    });
    let names = code.lines().filter_map(|line| {
        let (name, meant) = line.trim_start().trim_start_matches("pub ").split_once(" = ")?;
        let meant = meant.strip_suffix(';')?;
        (name.starts_with("type ") && is_text(meant)).then(|| line.trim().to_owned())
    });
    results.chain(names).collect()
}

fn is_one_of(path: &str, listed: &[&str]) -> bool {
    listed
        .iter()
        .any(|listed| path == *listed || listed.ends_with('/') && path.starts_with(listed))
}

/// What is wrong with those that are not listed, and which of the listed are so without need.
fn judged(listed: &[&str], wrong: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let sources = sources();
    assert!(sources.len() > 500, "these are not the sources: {}", sources.len());
    let (mut found, mut needed) = (Vec::new(), Vec::new());
    for (path, text) in &sources {
        let wrong = wrong(text);
        if is_one_of(path, listed) {
            needed.extend((!wrong.is_empty()).then_some(path.as_str()));
        } else {
            found.extend(wrong.into_iter().map(|wrong| format!("{path}: {wrong}")));
        }
    }
    let idle = listed
        .iter()
        .filter(|listed| !needed.iter().any(|path| is_one_of(path, &[listed])));
    found.extend(idle.map(|listed| format!("{listed} is an exception without need")));
    found
}

#[test]
fn files_are_no_longer_than_one_idea() {
    let found = judged(&TABLES, |text| {
        let lines = code(text).count();
        (lines > LINES_MAX)
            .then(|| format!("{lines} lines of code"))
            .into_iter()
            .collect()
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn errors_have_types() {
    let found = judged(&RULES, texts_for_errors);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn an_error_that_is_a_text_is_found_however_it_is_written() {
    for (source, expected) in [
        ("fn a() -> Result<(), String> {", vec!["Result<(), String>"]),
        ("fn a() -> Result<u8, &'static str>;", vec!["Result<u8, &'static str>"]),
        (
            "fn a() -> io::Result<Result<u8, Cow<'_, str>>>;",
            vec!["Result<u8, Cow<'_, str>>"],
        ),
        (
            "a: Option<Result<(u8, [u8; 2]), &str>>,",
            vec!["Result<(u8, [u8; 2]), &str>"],
        ),
        (
            "fn a(\n    b: u8,\n) -> Result<\n    BTreeMap<String, String>,\n    String,\n> {",
            vec!["Result<     BTreeMap<String, String>,     String>"],
        ),
        (
            "work: impl Fn() -> Result<Box<dyn Fn(u8) -> u8>, String>,",
            vec!["Result<Box<dyn Fn(u8) -> u8>, String>"],
        ),
        ("type Lost = String;", vec!["type Lost = String;"]),
        ("pub type Why = &'static str;", vec!["pub type Why = &'static str;"]),
        ("fn a() -> Result<String, Error> {", vec![]),
        ("fn a() -> io::Result<String> {", vec![]),
        ("fn a() -> Result<BTreeMap<u8, String>, Error<String>> {", vec![]),
        (
            "/// A `Result<(), String>` it is not.\ntype Names = Vec<String>;",
            vec![],
        ),
    ] {
        assert_eq!(texts_for_errors(source), expected, "{source}");
    }
}

#[test]
fn lines_of_code_are_neither_blank_nor_comments() {
    let source =
        "//! What it is.\n\nuse a;\n    /// Why.\n    fn b() {\n        // Because.\n        c(); // So.\n    }\n";
    assert_eq!(code(source).count(), 4);
}
