//! What a reader types or copies is right: command lines, configurations, scenarios; and what is shown as output is one.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use clap::Parser as _;
use sentinel::cli::Cli;

use super::pages::{Kind, Page, pages, root};

/// The files in `/etc/sentinel/secrets` that pages name, and something that may stand in each.
const SECRETS: [(&str, &str); 7] = [
    ("slack", "https://hooks.slack.com/services/T0/B0/none"),
    ("slack-token", "xoxb-none"),
    ("mail", "none"),
    ("signing", "whsec_YmV0dGVyIGluIGEgZmlsZSwgcmVhbGx5IQ=="),
    ("headers", "X-Key: none"),
    ("alertmanager-token", "none"),
    ("metrics-token", "0123456789abcdef0123456789abcdef"),
];

/// A line that is typed at a prompt, as words; `None` for one that is not for `sentinel`, or only stands for others.
fn typed(line: &str) -> Option<Vec<String>> {
    let line = line.trim().trim_start_matches("$ ").trim_start_matches("sudo ");
    line.strip_prefix("sentinel ")?;
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut before = ' ';
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            // The rest is another command, or a comment: two spaces begin one in a list of commands.
            (None, '#' | '|' | '>' | '&' | ';') => break,
            (None, ' ') if before == ' ' => break,
            (None, ' ') => words.push(String::new()),
            (None, '[' | ']') => {}
            _ => words.last_mut()?.push(letter),
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    let words: Vec<String> = words
        .into_iter()
        .map(|word| if word == "ID" { "7".to_owned() } else { word })
        .collect();
    (!words.iter().any(|word| word == "...")).then_some(words)
}

/// What stands between backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn command_lines_are_understood() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for page in pages() {
        // It speaks of what was.
        if page.path == Path::new("CHANGELOG.md") {
            continue;
        }
        for (number, kind, line) in page.lines() {
            let lines: Vec<&str> = match kind {
                Kind::Code | Kind::Output => vec![line],
                Kind::Prose | Kind::Table => quoted(line).collect(),
            };
            for words in lines.into_iter().filter_map(typed) {
                seen += 1;
                if let Err(error) = Cli::try_parse_from(&words) {
                    let said = error.to_string();
                    let first = said.lines().next().unwrap_or_default();
                    // A command named alone, such as one that takes an argument, is a name and no line to type.
                    let named = matches!(kind, Kind::Prose | Kind::Table) && !first.contains("unrecognized");
                    let named = named && !first.contains("unexpected");
                    if !named {
                        wrong.push(format!("{}:{number}: {words:?}: {first}", page.path.display()));
                    }
                }
            }
        }
    }
    assert!(seen > 60, "only {seen} command lines were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn sentinel(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sentinel"));
    command.args(arguments).env_remove("SENTINEL_CONFIG");
    command.output().expect("the program can be run")
}

/// Asserts that `sentinel` takes `text` as a file.
fn accepted(what: &str, arguments: &[&str], text: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = folder.path().join("secrets");
    fs::create_dir(&secrets).expect("a folder in it");
    for (name, value) in SECRETS {
        fs::write(secrets.join(name), value).expect("a file in it");
    }
    let path = folder.path().join("file.toml");
    let text = text.replace("/etc/sentinel/secrets", secrets.to_str().expect("a plain path"));
    fs::write(&path, text).expect("the file");
    let mut arguments = arguments.to_vec();
    arguments.push(path.to_str().expect("a plain path"));
    let output = sentinel(&arguments);
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}:\n{said}");
}

#[test]
fn configurations_are_accepted() {
    let mut seen = 0;
    for page in pages() {
        for (number, block) in page.blocks("toml").into_iter().enumerate() {
            seen += 1;
            let what = format!("block {} of {}", number + 1, page.path.display());
            accepted(&what, &["check", "--quiet", "--config"], block);
        }
    }
    assert!(seen > 10, "only {seen} configurations were found");
}

#[test]
fn examples_are_accepted() {
    let folder = root().join("agent/docs/examples");
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("the folder of examples") {
        let path = entry.expect("an entry of it").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            seen += 1;
            let text = fs::read_to_string(&path).expect("an example");
            accepted(&path.display().to_string(), &["check", "--quiet", "--config"], &text);
        }
    }
    assert!(seen >= 3, "only {seen} examples were found");
}

#[test]
fn scenarios_are_played() {
    let page = Page::read("agent/docs/simulate.md");
    let scenarios = page.blocks("toml scenario");
    assert!(!scenarios.is_empty());
    for scenario in scenarios {
        accepted("a scenario of simulate.md", &["simulate"], scenario);
    }
}

/// A page shows a file under `<!-- output: FILE -->`, indented.
#[test]
fn output_is_what_the_program_prints() {
    let mut seen = 0;
    for page in pages() {
        let mut text = page.text.clone();
        for (mark, rest) in page.text.match_indices("<!-- output: ") {
            let name = page.text[mark + rest.len()..].split(" -->").next().unwrap_or_default();
            let file = fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let lines = file.lines().map(|line| {
                if line.is_empty() {
                    String::new()
                } else {
                    format!("    {line}")
                }
            });
            let right = lines.collect::<Vec<_>>().join("\n");
            let head = format!("<!-- output: {name} -->\n\n");
            let shown = page.text.split_once(&head).map(|(_, rest)| rest).unwrap_or_default();
            let ends = shown
                .lines()
                .scan(0, |length, line| {
                    let inside = line.is_empty() || line.starts_with("    ");
                    *length += line.len() + 1;
                    inside.then_some(*length)
                })
                .last()
                .unwrap_or(0);
            let shown = shown[..ends.min(shown.len())].trim_end();
            seen += 1;
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                text = text.replacen(&format!("{head}{shown}"), &format!("{head}{right}"), 1);
            } else {
                assert_eq!(shown, right, "{}: UPDATE_GOLDEN=1 writes it again", page.path.display());
            }
        }
        if text != page.text {
            fs::write(root().join(&page.path), text).expect("the page can be written");
        }
    }
    assert!(seen > 0);
}
