//! The form of the table of keys: what a key's value may be, and how to find the key that was meant.

use std::fmt;
use std::time::Duration;

use sentinel_text::exact_span;

/// One key: its name, its values, its default and what it means. Checks and documentation both come from here.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// The default in words; empty when the key simply may be absent.
    pub default: &'static str,
    /// What it means, for the documentation.
    pub doc: &'static str,
}

/// The keys of one kind of table.
#[derive(Debug)]
pub struct Section {
    /// Its full path, with `NAME` where a name is chosen; empty for the whole file.
    pub path: &'static str,
    /// What it is about.
    pub doc: &'static str,
    /// Its keys, in groups that may be shared between sections.
    pub keys: &'static [&'static [Key]],
}

/// The days as they are written, in the order of the week.
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A rule for text. The error says what is wrong, and must not repeat a secret.
pub type Rule = fn(&str) -> Result<(), String>;

/// What a value may be.
#[derive(Debug)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number within these bounds.
    Integer {
        /// The smallest allowed.
        min: u32,
        /// The largest allowed.
        max: u32,
    },
    /// A number from 0 to this.
    Share {
        /// The largest allowed.
        max: f64,
    },
    /// A duration within these bounds.
    Duration(Bounds),
    /// `"auto"` or a duration within these bounds.
    AutoOrDuration(Bounds),
    /// `"off"` or a duration within these bounds.
    OffOrDuration(Bounds),
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words, or text that follows a rule.
    WordOr {
        /// The words, and what else there may be as one of them.
        words: &'static [&'static str],
        /// The rule.
        rule: Rule,
    },
    /// Text that follows a rule.
    Text {
        /// What it is, as in "expected an absolute path".
        what: &'static str,
        /// The rule.
        rule: Rule,
    },
    /// Text or a whole number, read as text.
    Status(Rule),
    /// Anything JSON can say, except null.
    Json,
    /// A list.
    List {
        /// Of these.
        of: &'static Kind,
        /// At most this many.
        max: usize,
    },
    /// One of these, or a list of them.
    OneOrMore {
        /// Of these.
        of: &'static Kind,
        /// At most this many.
        max: usize,
    },
    /// A table with free keys.
    Map {
        /// The rule for its keys.
        key: Rule,
        /// Its values.
        of: &'static Kind,
        /// At most this many.
        max: usize,
    },
    /// A table of known keys.
    Table {
        /// The keys.
        section: &'static Section,
        /// Text alone stands for a table with just this key.
        short: Option<&'static str>,
    },
    /// A list of tables, `[[...]]`. Those of a later source come after those of the earlier ones.
    Tables {
        /// The keys of each.
        section: &'static Section,
        /// At most this many.
        max: usize,
    },
    /// A table per name.
    Named {
        /// The keys of each.
        section: &'static Section,
        /// At most this many.
        max: usize,
    },
}

/// Bounds of a duration.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The shortest allowed.
    pub min: Duration,
    /// The longest allowed.
    pub max: Duration,
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", exact_span(self.min), exact_span(self.max))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("true or false"),
            Self::Integer { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Share { max } => write!(f, "a number from 0 to {max}"),
            Self::Duration(_) => f.write_str("a duration such as \"10s\""),
            Self::AutoOrDuration(_) => f.write_str("\"auto\" or a duration such as \"10s\""),
            Self::OffOrDuration(_) => f.write_str("\"off\" or a duration such as \"4h\""),
            Self::Word(words) | Self::WordOr { words, .. } => {
                write!(f, "one of {}", quoted_list(words.iter().copied()))
            }
            Self::Text { what, .. } => f.write_str(what),
            Self::Status(_) => f.write_str("a status or a range such as \"200-299\""),
            Self::Json => f.write_str("a JSON value"),
            Self::List { .. } => f.write_str("a list"),
            Self::OneOrMore { of, .. } => write!(f, "{of}, or a list"),
            Self::Map { .. } | Self::Table { short: None, .. } => f.write_str("a table"),
            Self::Table { short: Some(key), .. } => write!(f, "text (the `{key}`) or a table"),
            Self::Tables { .. } => f.write_str("a list of tables"),
            Self::Named { .. } => f.write_str("a table of named tables"),
        }
    }
}

impl Section {
    /// Every key, in the order in which they are documented.
    pub fn all(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().copied().flatten()
    }

    /// The key with this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.all().find(|key| key.name == name)
    }

    /// The path of the section at or below this one that knows `name`, when that is not this one.
    pub fn home_of(&'static self, name: &str) -> Option<&'static str> {
        let below = self.all().filter_map(|key| match &key.kind {
            Kind::Table { section, .. }
            | Kind::Named { section, .. }
            | Kind::Tables { section, .. }
            | Kind::List {
                of: Kind::Table { section, .. },
                ..
            } => Some(*section),
            _ => None,
        });
        for section in below {
            if section.key(name).is_some() {
                return Some(section.path);
            }
            if let Some(path) = section.home_of(name) {
                return Some(path);
            }
        }
        None
    }
}

/// `` `a`, `b` ``
pub(super) fn quoted_list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The candidate that was probably meant by `word`: at most a third of its letters differ, or it was cut short.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// No word we know is longer; comparing is quadratic.
    const MAX_LEN: usize = 64;
    if word.len() > MAX_LEN {
        return None;
    }
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let word = plain(word);
    candidates
        .filter(|candidate| candidate.len() <= MAX_LEN)
        .map(|candidate| (strsim::damerau_levenshtein(&word, &plain(candidate)), candidate))
        .filter(|&(distance, candidate)| {
            let is_close = distance <= (candidate.len().min(word.len()) / 3).max(1);
            is_close || (word.len() >= 3 && candidate.starts_with(&word))
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Whether TOML lets this key stand without quotes.
pub(super) fn is_bare(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
