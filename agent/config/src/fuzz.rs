//! Whatever stands in a file, in the environment or in labels, it is settings or problems that say something. `make fuzz` tries
//! more of it.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Kind, ROOT, Section, load, meaning, service_keys};

/// The names of all keys.
fn names() -> Vec<String> {
    fn add(section: &'static Section, seen: &mut BTreeSet<&'static str>, names: &mut BTreeSet<String>) {
        if !seen.insert(section.path) {
            return;
        }
        for key in section.keys.iter().copied().flatten() {
            names.insert(key.name.to_owned());
            if let Kind::Table { section, .. } | Kind::Tables { section, .. } | Kind::Named { section, .. } = key.kind {
                add(section, seen, names);
            }
        }
    }
    let (mut seen, mut names) = (BTreeSet::new(), BTreeSet::new());
    add(&ROOT, &mut seen, &mut names);
    assert!(names.len() > 50, "{names:?}");
    names.into_iter().collect()
}

const VALUES: [&str; 32] = [
    "\"5s\"",
    "\"0s\"",
    "\"99999999999999999999d\"",
    "\"18446744073709551615s\"",
    "5",
    "-1",
    "0",
    "9223372036854775807",
    "1e308",
    "nan",
    "inf",
    "true",
    "2026-11-22T16:03:00Z",
    "[]",
    "[[]]",
    "[200, 204]",
    "[\"200-299\", \"999-1\"]",
    "[\"a\", \"a\"]",
    "{}",
    "{ a = 1 }",
    "{ url = \"http://[::1]:9/\" }",
    "\"http://user:pw@host:99999/\"",
    "\"tcp://x\"",
    "\"127.0.0.1:0\"",
    "\"/nonexistent\"",
    "\"{{ title }}\"",
    "\"mon-fri 22:00-24:00\"",
    "\"\"",
    "\"a.service\"",
    "\"\\u0000\"",
    "'''\n'''",
    "\"é\"",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => prop::sample::select(names()),
        2 => prop::sample::select(vec!["web", "a", "\"\"", "\"a.b\"", "'é'"]).prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => prop::sample::select(&VALUES[..]).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => any::<String>().prop_map(|text| format!("{text:?}")),
    ]
}

/// Names joined by dots.
fn path(length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(name(), length).prop_map(|names| names.join("."))
}

/// Lines that are TOML more often than not.
fn file() -> impl Strategy<Value = String> {
    const HEADERS: [&str; 9] = [
        "[agent]",
        "[defaults]",
        "[services.web]",
        "[services.db]",
        "[[maintenance]]",
        "[alerts]",
        "[[alerts.routes]]",
        "[receivers.team.webhook]",
        "[receivers.team.slack]",
    ];
    let assignment = (path(1..3), value()).prop_map(|(path, value)| format!("{path} = {value}"));
    let line = prop_oneof![
        3 => prop::sample::select(&HEADERS[..]).prop_map(str::to_owned),
        1 => path(1..4).prop_map(|path| format!("[{path}]")),
        1 => path(1..4).prop_map(|path| format!("[[{path}]]")),
        12 => assignment,
        1 => Just("unit = \"web.service\"".to_owned()),
        1 => any::<String>(),
    ];
    prop::collection::vec(line, 0..16).prop_map(|lines| lines.join("\n"))
}

fn variables() -> impl Strategy<Value = Vec<(String, String)>> {
    let variable = (prop::collection::vec(name(), 1..5), value())
        .prop_map(|(names, value)| (format!("SENTINEL__{}", names.join("__").to_uppercase()), value));
    prop::collection::vec(variable, 0..4)
}

proptest! {
    #[test]
    fn any_file_and_environment_are_settings_or_problems(
        text in prop_oneof![6 => file().prop_map(String::into_bytes), 1 => prop::collection::vec(any::<u8>(), 0..200)],
        variables in variables(),
    ) {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("sentinel.toml");
        std::fs::write(&file, text)?;
        if let Err(errors) = load(&file, variables) {
            prop_assert!(!errors.problems.is_empty());
            prop_assert!(errors.problems.iter().all(|problem| !problem.message.is_empty()), "{}", errors);
        }
    }

    #[test]
    fn any_labels_are_keys_or_problems(
        labels in prop::collection::btree_map(path(1..4), value().prop_map(|value| value.trim_matches('"').to_owned()), 0..8),
    ) {
        for name in labels.keys() {
            meaning(name);
        }
        match service_keys("web", ("container", "web"), &labels) {
            Ok(keys) => prop_assert!(keys.len() <= labels.len()),
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }
}
