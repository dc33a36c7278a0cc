//! What programs say: help, the message catalog, transcripts, errors and every sentence in the code use the words of the field.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::pages::root;
use super::words::forbidden;

/// What begins a statement for the store, whose names are those of its schema.
const STATEMENTS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE "];

/// Reads a file of the repository.
fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `folder` whose name ends so, in the order of their paths.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from(folder)];
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder of the repository") {
            let entry = entry.expect("an entry of it");
            let path = folder.join(entry.file_name());
            if entry.file_type().expect("its type").is_dir() {
                folders.push(path);
            } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
                paths.push(path);
            }
        }
    }
    paths.sort();
    assert!(!paths.is_empty(), "no {endings:?} in {folder}");
    paths
}

/// Fails for each forbidden word in `texts`, which come with their names.
fn only_words_of_the_field(texts: impl IntoIterator<Item = (String, String)>) {
    let found: Vec<String> = texts
        .into_iter()
        .flat_map(|(name, text)| forbidden(&text).into_iter().map(move |line| format!("{name}:{line}")))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The help of a command and of all below it, each with its command line.
fn help(command: &[String]) -> Vec<(String, String)> {
    let output = Command::new(env!("CARGO_BIN_EXE_sentinel"))
        .args(command)
        .arg("--help")
        .output()
        .expect("the help");
    assert!(output.status.success(), "{command:?}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let listed = text.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let names = listed
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help");
    let mut below: Vec<(String, String)> = names
        .flat_map(|name| help(&[command, &[name.to_owned()]].concat()))
        .collect();
    below.push((format!("sentinel {} --help", command.join(" ")), text));
    below
}

/// The sentences in a file of Rust: literals of more than one word outside comments, tests and statements for the store,
/// each with its line before it.
fn sentences(source: &str) -> String {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut literals = Vec::new();
    let (mut rest, mut line) = (code, 1);
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '\'' if rest.starts_with("'\"'") => 3,
            '\'' if rest.starts_with("'\\") => rest[2..].find('\'').map_or(rest.len(), |end| end + 3),
            'r' if rest.starts_with("r#\"") => rest.find("\"#").map_or(rest.len(), |end| end + 2),
            '"' => {
                let mut escaped = false;
                let end = rest[1..].find(|letter| {
                    let closes = letter == '"' && !escaped;
                    escaped = letter == '\\' && !escaped;
                    closes
                });
                end.map_or(rest.len(), |end| end + 2)
            }
            other => other.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        if piece.len() > 1 && piece.contains('"') && letter != '/' {
            let words: Vec<&str> = piece
                .trim_matches('"')
                .split(|letter: char| letter.is_whitespace() || letter == '\\')
                .filter(|word| !word.is_empty())
                .collect();
            let text = words.join(" ");
            if words.len() > 1 && !STATEMENTS.iter().any(|statement| text.contains(statement)) {
                literals.push(format!("line {line}: {text}"));
            }
        }
        line += piece.matches('\n').count();
        rest = after;
    }
    literals.join("\n")
}

/// Text without what stands between backticks, which is a name or another party's words.
fn unquoted(text: &str) -> String {
    let unquoted = |line: &str| line.split('`').step_by(2).collect::<Vec<_>>().join("``");
    text.lines().map(unquoted).collect::<Vec<_>>().join("\n")
}

/// The cells of a transcript that are sentences, and not the names of events, services or states.
fn cells(transcript: &str) -> String {
    let cells = |line: &str| {
        let cells = line.split("  ").filter(|cell| cell.trim().contains(' '));
        cells.collect::<Vec<_>>().join("  ")
    };
    unquoted(&transcript.lines().map(cells).collect::<Vec<_>>().join("\n"))
}

#[test]
fn help_uses_the_words_of_the_field() {
    let all = help(&[]);
    assert!(all.len() > 25, "these are not all commands: {}", all.len());
    only_words_of_the_field(all);
}

#[test]
fn the_message_catalog_uses_the_words_of_the_field() {
    let path = Path::new("systemd/sentinel.catalog");
    // Comments carry the names of events.
    let text = read(path);
    let text: Vec<&str> = text
        .lines()
        .map(|line| if line.starts_with('#') { "" } else { line })
        .collect();
    only_words_of_the_field([(path.display().to_string(), text.join("\n"))]);
}

#[test]
fn transcripts_and_errors_use_the_words_of_the_field() {
    let transcripts = files("agent/tests/simulate", &[".txt", ".golden", ".stderr"]);
    let errors = files("agent/tests/config", &[".stderr", ".stdout"]);
    let texts = transcripts.into_iter().chain(errors);
    only_words_of_the_field(texts.map(|path| (path.display().to_string(), cells(&read(&path)))));
}

#[test]
fn sentences_in_the_code_use_the_words_of_the_field() {
    let is = |path: &Path, folder: &str| path.components().any(|part| part.as_os_str() == folder);
    let sources = files("agent", &[".rs"]).into_iter();
    let sources = sources.filter(|path| is(path, "src") && !is(path, "tests") && !path.ends_with("tests.rs"));
    only_words_of_the_field(sources.map(|path| (path.display().to_string(), sentences(&read(&path)))));
}

#[test]
fn sentences_are_found() {
    let source = "let a = \"one\"; // \"in a comment\"\nlet b = '\"'; let c = \"two \\\n    words\";\nlet d = \"say \\\"it\\\" now\";";
    assert_eq!(sentences(source), "line 2: two words\nline 4: say \"it \" now");
    assert_eq!(sentences("let a = \"SELECT told FROM firing\";"), "");
}
