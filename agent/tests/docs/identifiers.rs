//! No name in the code is one that the field has a better word for: whoever knows the field finds things under its words.

use super::sources::sources;

/// Words that stand in no name, neither whole nor as a part of `snake_case` or `CamelCase`, each with what stands in its place.
///
/// Not listed are words that are right elsewhere: `select` (tokio's), `found` and `seen` (of any search), `instance` (of a
/// unit's template; what runs is a `run`), `verb` (polkit's, and SMTP's), `story` (of a test), `letter` (of a text), `line`,
/// `order`, `listening` (a socket is), `turns`, `room`, `circle`, `history`.
const PARTS: [(&str, &str); 38] = [
    ("told", "notified, reported, logged"),
    ("untold", "unnotified, unreported"),
    ("tell", "notify, report, send"),
    ("tells", "notifies, reports, sends"),
    ("telling", "notifying, reporting"),
    ("sight", "observation, connection"),
    ("blind", "unobservable"),
    ("mend", "fix"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("deed", "effect, event, action"),
    ("deeds", "effects, events, actions"),
    ("toy", "service model"),
    ("manner", "behaviour"),
    ("sequel", "consequence"),
    ("happening", "report kind, event"),
    ("conversation", "notification log, thread"),
    ("conversations", "notification logs, threads"),
    ("gather", "collect"),
    ("gathers", "collects"),
    ("gathered", "collected"),
    ("gathering", "collecting"),
    ("gatherer", "collector"),
    ("unrecorded", "pending writes"),
    ("awaited", "pending"),
    ("troubles", "problems"),
    ("trial", "dry run, attempt"),
    ("trials", "dry runs, attempts"),
    ("insist", "retry until"),
    ("insists", "retries until"),
    ("surroundings", "context"),
    ("somebody", "operator, process"),
    ("nobody", "no receiver, no operator"),
    ("anybody", "any user, any receiver"),
    ("everybody", "every user, every receiver"),
    ("people", "operators, receivers"),
    ("anew", "again"),
    ("burns", "fires"),
];

/// Names that are wrong as a whole, and whose words are right in others.
const NAMES: [(&str, &str); 14] = [
    ("Letter", "RenderedMessage"),
    ("Stories", "Timelines"),
    ("Around", "AlertContext"),
    ("AlertCommand", "Command"),
    ("Pulse", "AgentHealth"),
    ("Verb", "ActionKind"),
    ("Instance", "Run"),
    ("Directory", "ReceiverRegistry"),
    ("Direct", "FallbackNotifier"),
    ("Board", "DiscoveryFeed"),
    ("FailedBefore", "PreexistingFailure"),
    ("Ask", "ControlCommand"),
    ("Listening", "ListeningSocket"),
    ("host_bus", "root_guard"),
];

/// Files that have a better name.
const FILES: [(&str, &str); 6] = [
    ("children", "subprocess"),
    ("listening", "tcp_listeners"),
    ("host_bus", "root_guard"),
    ("explain", "error_mapping"),
    ("circle", "receiver_notices"),
    ("desk", "pipeline"),
];

/// The names in a source, each with its line, without what stands in comments and in literals.
fn identifiers(source: &str) -> Vec<(usize, &str)> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let (mut rest, mut line, mut found) = (source, 1, Vec::new());
    while let Some(first) = rest.chars().next() {
        let hashes = rest
            .strip_prefix('r')
            .map_or(0, |raw| raw.len() - raw.trim_start_matches('#').len());
        let is_raw = first == 'r' && rest[1 + hashes..].starts_with('"');
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            'r' if is_raw => {
                let (begin, end) = (hashes + 2, format!("\"{}", "#".repeat(hashes)));
                rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len())
            }
            '"' => literal(rest),
            '\'' if rest.starts_with("'\\") => rest[3..].find('\'').map_or(rest.len(), |at| at + 4),
            '\'' if rest.chars().nth(2) == Some('\'') => rest.char_indices().nth(3).map_or(rest.len(), |(at, _)| at),
            _ if is_part(first) => {
                let name = &rest[..rest.find(|letter| !is_part(letter)).unwrap_or(rest.len())];
                found.push((line, name));
                name.len()
            }
            _ => first.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        line += piece.matches('\n').count();
        rest = after;
    }
    found
}

/// The length of the text in quotes that `rest` begins with.
fn literal(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest[1..].find(|letter| {
        let closes = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        closes
    });
    end.map_or(rest.len(), |end| end + 2)
}

/// The words of a name: `lose_sight`, `loseSight` and `LOSE_SIGHT` have the same two.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for letter in name.chars() {
        if letter == '_' || letter.is_uppercase() && before.is_lowercase() {
            words.push(String::new());
        }
        if letter != '_' {
            words.last_mut().expect("never empty").extend(letter.to_lowercase());
        }
        before = letter;
    }
    words
}

/// What is better than `name`, if anything is.
fn better(name: &str) -> Option<&'static str> {
    let words = words(name);
    let whole = NAMES.iter().find(|(wrong, _)| *wrong == name);
    let part = || PARTS.iter().find(|(wrong, _)| words.iter().any(|word| word == wrong));
    whole.or_else(part).map(|(_, better)| *better)
}

/// The wrong names in a source.
fn wrong_names(source: &str) -> Vec<String> {
    let named = identifiers(source).into_iter();
    named
        .filter_map(|(line, name)| Some(format!("{line}: `{name}`; better: {}", better(name)?)))
        .collect()
}

/// What is better than the name of the file at `path`, if anything is.
fn better_file(path: &str) -> Option<&'static str> {
    let stem = path.rsplit('/').next()?.strip_suffix(".rs")?;
    let listed = FILES.iter().find(|(wrong, _)| *wrong == stem);
    listed.map_or_else(|| better(stem), |(_, better)| Some(*better))
}

#[test]
fn names_are_words_of_the_field() {
    let mut wrong = Vec::new();
    for (path, source) in sources() {
        wrong.extend(wrong_names(&source).into_iter().map(|name| format!("{path}:{name}")));
        wrong.extend(better_file(&path).map(|better| format!("{path}: better: {better}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wrong_names_are_found_as_wholes_and_as_parts() {
    for wrong in [
        "fn lose_sight() {}",
        "const SIGHT: u8 = 1;",
        "struct LoseSight;",
        "enum A { Told, }",
        "x.untold()",
        "struct Letter<'a>(&'a str);",
        "let c = '\"'; told()",
        "let c = '\\''; told()",
        "r#\"a \" b\"#; told()",
        "\"a \\\" b\"; told()",
        "// a \"\ntold()",
    ] {
        assert_eq!(wrong_names(wrong).len(), 1, "{wrong}");
    }
    for right in [
        "// told",
        "let text = \"told {reported}\";",
        "r#\"told \" told\"#",
        "let letter = 'c';",
        "struct Insight;",
        "fn intelligible() {}",
    ] {
        assert_eq!(wrong_names(right), Vec::<String>::new(), "{right}");
    }
    assert_eq!(
        wrong_names("a\n\nb told"),
        ["3: `told`; better: notified, reported, logged"]
    );
    assert_eq!(better_file("agent/src/demo/children.rs"), Some("subprocess"));
    assert_eq!(
        better_file("agent/tests/host/sight.rs"),
        Some("observation, connection")
    );
    assert_eq!(better_file("agent/src/lib.rs"), None);
}
