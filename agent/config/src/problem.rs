//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::reading::FileError;

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
    /// The file or directory that this user may not read, when that is all that is wrong.
    pub denied: Option<PathBuf>,
}

impl Problem {
    /// What is wrong at `place` with `key`; an empty one is about the whole of it.
    pub fn new(place: Place, key: impl Into<String>, fault: impl Into<Fault>) -> Self {
        let Fault { message, denied } = fault.into();
        Self {
            place,
            key: key.into(),
            message,
            suggestion: None,
            excerpt: None,
            denied,
        }
    }

    /// Whether nothing is known to be wrong: this user may not read the file.
    pub const fn is_denied(&self) -> bool {
        self.denied.is_some()
    }
}

/// Why something cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A sentence for the operator.
    pub(super) message: String,
    /// The file or directory that this user may not read, when that is all that is wrong.
    pub(super) denied: Option<PathBuf>,
}

impl Fault {
    /// What keeps this process from using the file at `path`, as `message` says.
    pub(super) fn of_file(error: &FileError, path: &Path, message: String) -> Self {
        let denied = matches!(error, FileError::Denied).then(|| path.to_owned());
        Self { message, denied }
    }

    /// The same, with the path before it.
    pub(super) fn at(self, path: &Path) -> Self {
        Self {
            message: format!("`{}` {}", path.display(), self.message),
            ..self
        }
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self { message, denied: None }
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        Self::from(message.to_owned())
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
        Self {
            problems: vec![Problem::new(place, "", "cannot be read")],
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_read_is_known_by_the_fault_and_not_by_words() {
        let path = Path::new("/etc/permission denied");
        let problem = |error: FileError| {
            let fault = Fault::of_file(&error, path, error.words()).at(path);
            Problem::new(Place::named("a"), "receivers.a.slack.token_file", fault)
        };
        let missing = problem(FileError::Missing);
        assert_eq!(missing.message, "`/etc/permission denied` does not exist");
        assert!(!missing.is_denied());
        let denied = problem(FileError::Denied);
        assert_eq!(
            denied.message,
            "`/etc/permission denied` cannot be read: permission denied"
        );
        assert_eq!(denied.denied.as_deref(), Some(path));
        assert!(denied.is_denied());
    }
}
