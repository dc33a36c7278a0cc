//! What is wrong with a configuration, and where.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

/// Where something stands: a line of a file, a whole file, or a variable of the environment.
///
/// Places are ordered as the sources are read, then by line and column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    order: usize,
    line: usize,
    column: usize,
    name: Arc<str>,
}

impl Place {
    /// All of the source called `name`, which is read as number `order`.
    pub(super) fn source(order: usize, name: impl Into<Arc<str>>) -> Self {
        Self {
            order,
            line: 0,
            column: 0,
            name: name.into(),
        }
    }

    /// A variable of the environment, which is read after all files.
    pub(super) fn environment(variable: &str) -> Self {
        Self::source(usize::MAX, format!("environment: {variable}"))
    }

    /// All of something that is no file of the configuration, such as `container web`. It is read before the files.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self::source(0, name)
    }

    /// Line `line`, counted from 1, of a file that is not the configuration's.
    pub fn line_of(name: impl Into<Arc<str>>, line: usize) -> Self {
        Self {
            line,
            ..Self::named(name)
        }
    }

    /// A position in this source; lines and columns (in characters) count from 1.
    pub(super) fn at(&self, (line, column): (usize, usize)) -> Self {
        Self {
            line,
            column,
            ..self.clone()
        }
    }

    /// The file's path as it was given, or `environment: VARIABLE`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Line, counted from 1; `None` when no line can be named.
    pub const fn line(&self) -> Option<usize> {
        if self.line == 0 { None } else { Some(self.line) }
    }

    /// Column in characters, counted from 1; `None` when none can be named.
    pub const fn column(&self) -> Option<usize> {
        if self.column == 0 { None } else { Some(self.column) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        Ok(())
    }
}

/// One thing that is wrong, or, as a warning, that is probably not meant.
///
/// `Display` gives one line, `sentinel.toml:12:1: services.shop.intervall: unknown key; did you mean `interval`?`;
/// invalid TOML adds the line and a caret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// The key's full path; empty when it is about a whole file.
    pub key: String,
    /// What is wrong. Never holds a secret.
    pub message: String,
    /// The nearest right word.
    pub suggestion: Option<String>,
    /// The line in question, with a caret.
    pub excerpt: Option<String>,
}

/// How each message ends about what this user may not read.
pub(super) const DENIED: &str = "permission denied";

impl Problem {
    /// Whether nothing is known to be wrong: this user may not read the file.
    pub fn is_denied(&self) -> bool {
        self.message.contains(DENIED)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean `{suggestion}`?")?;
        }
        if let Some(excerpt) = &self.excerpt {
            write!(f, "\n{excerpt}")?;
        }
        Ok(())
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Problem", 6)?;
        object.serialize_field("source", self.place.name())?;
        object.serialize_field("line", &self.place.line())?;
        object.serialize_field("column", &self.place.column())?;
        object.serialize_field("key", &self.key)?;
        object.serialize_field("message", &self.message)?;
        object.serialize_field("suggestion", &self.suggestion)?;
        object.end()
    }
}

/// Everything that is wrong with a configuration, in reading order. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// The problems, at most [`MAX_PROBLEMS`](Self::MAX_PROBLEMS).
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub omitted: usize,
}

impl ConfigErrors {
    /// More cannot be read at once, and a mangled file must not fill the journal.
    pub const MAX_PROBLEMS: usize = 200;

    /// How many problems there are, those that are not listed included.
    pub fn count(&self) -> usize {
        self.problems.len() + self.omitted
    }

    /// For a path that no input reaches: settings missing without a problem found.
    pub(super) fn unexplained() -> Self {
        let place = Place::source(0, "configuration");
        let (key, message) = (String::new(), "cannot be read".to_owned());
        Self {
            problems: vec![Problem {
                place,
                key,
                message,
                suggestion: None,
                excerpt: None,
            }],
            omitted: 0,
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        if self.omitted > 0 {
            write!(f, "\nand {} more", self.omitted)?;
        }
        Ok(())
    }
}
