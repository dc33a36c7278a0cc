//! Words that no user should read: the field has better ones, and a sentence is about a thing that has a name. Included by
//! every test that looks over texts for users.

/// Each with what stands in its place.
pub(crate) const FORBIDDEN: [(&str, &str); 28] = [
    ("somebody", "the operator, or the program by its name"),
    ("nobody", "no receiver, no operator"),
    ("anybody", "any user, any receiver"),
    ("everybody", "every user, every receiver"),
    ("people", "operators, receivers"),
    ("told", "notified, sent, logged, reported"),
    ("anew", "again"),
    ("mend", "fix"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("goes first", "restarts it first"),
    ("over and over", "again, repeatedly"),
    ("needs a human", "manual action needed"),
    ("calls a human", "sends a critical alert"),
    ("taken care of", "acknowledged"),
    ("takes care of", "acknowledges"),
    ("burns", "is firing"),
    ("gives evidence up", "drops evidence"),
    ("not_told", "not_notified"),
    ("sight_lost", "connection_lost"),
    ("lose_sight", "lose_connection"),
    ("out of sight", "cannot be seen"),
    ("hold=blind", "hold=unobservable"),
    ("deed", "action, event"),
    ("troubles", "problems"),
    ("the answer is no", "failure"),
    ("asks to be left alone", "is rate limiting"),
    ("at first sight", "when first observed"),
];

/// What is a name in quotes rather than a word: the Unix user, and a value in JSON.
const NAMES: [&str; 1] = ["`nobody`"];

/// The lines of `text` that have such words, each with its number, the word and what to write.
pub(crate) fn forbidden(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words = NAMES
            .iter()
            .fold(line.to_lowercase(), |line, name| line.replace(name, ""));
        for (word, instead) in FORBIDDEN {
            if occurs(&words, word) {
                found.push(format!(
                    "{}: `{word}`; better: {instead}\n    {}",
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    found
}

/// Whether `word` stands in `line` by itself and not as a part of a longer word.
fn occurs(line: &str, word: &str) -> bool {
    let letter = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    line.match_indices(word)
        .any(|(at, _)| !letter(line[..at].chars().next_back()) && !letter(line[at + word.len()..].chars().next()))
}

#[test]
fn words_are_found_whole_and_names_are_none() {
    assert_eq!(forbidden("Nobody was told.").len(), 2);
    assert_eq!(forbidden("We recommend the user `nobody`, untold times.").len(), 0);
    assert_eq!(forbidden("fine\nit goes first").len(), 1);
    assert_eq!(forbidden("Two troubles, indeed").len(), 1);
}
