//! What is known of every key while a configuration is read: where it stands, and what is wrong with it.

use std::collections::{BTreeSet, HashMap};

use super::problem::{ConfigErrors, Place, Problem};
use super::schema::is_bare;
use super::secret::Secrets;

/// Collects places, problems and warnings on the way from text to settings.
#[derive(Debug)]
pub(crate) struct Findings {
    /// The main file, where what is missing altogether is reported.
    main: Place,
    /// Where each key stands, by its full path.
    places: HashMap<String, Place>,
    /// How many tables of each list of tables there are so far.
    listed: HashMap<String, usize>,
    /// Keys whose value could not be used. What follows from their absence is not worth reporting.
    bad: BTreeSet<String>,
    problems: BTreeSet<Problem>,
    warnings: BTreeSet<Problem>,
    /// A source could not be read or parsed, so nothing can be said about what is missing.
    pub(super) incomplete: bool,
    /// Which secrets are to be read.
    pub(super) secrets: Secrets,
    /// The keys of those that were not.
    pub(super) unread: Vec<String>,
}

impl Findings {
    pub(super) fn new(main: Place) -> Self {
        Self {
            main,
            places: HashMap::new(),
            listed: HashMap::new(),
            bad: BTreeSet::new(),
            problems: BTreeSet::new(),
            warnings: BTreeSet::new(),
            incomplete: false,
            secrets: Secrets::default(),
            unread: Vec::new(),
        }
    }

    /// Notes where a value stands. A later source overrides an earlier one.
    pub(super) fn value_stands(&mut self, key: &str, place: Place) {
        self.places.insert(key.to_owned(), place);
    }

    /// The place, from 0, of one more table of the list `key` among those of all sources.
    pub(super) fn next_of(&mut self, key: &str) -> usize {
        let listed = self.listed.entry(key.to_owned()).or_default();
        *listed += 1;
        *listed - 1
    }

    /// Notes where a table begins. Several sources add to one table; it is known by the first.
    pub(super) fn table_stands(&mut self, key: &str, place: Place) {
        self.places.entry(key.to_owned()).or_insert(place);
    }

    /// Whether any source has this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    /// Where `key` stands, or else the table around it.
    pub(crate) fn place_of(&self, key: &str) -> Place {
        let mut path = key;
        loop {
            if let Some(place) = self.places.get(path) {
                return place.clone();
            }
            match path.rfind('.') {
                Some(dot) => path = &path[..dot],
                None => return self.main.clone(),
            }
        }
    }

    /// Takes `key` for unusable without reporting it again.
    pub(super) fn mark_bad(&mut self, key: &str) {
        self.bad.insert(key.to_owned());
    }

    /// Whether `key`, or something below it, could not be used.
    pub(crate) fn is_bad(&self, key: &str) -> bool {
        let below = format!("{key}.");
        let element = format!("{key}[");
        self.bad.contains(key)
            || [below, element].iter().any(|prefix| {
                self.bad
                    .range(prefix.clone()..)
                    .next()
                    .is_some_and(|found| found.starts_with(prefix))
            })
    }

    /// Reports that the value of `key` at `place` is wrong.
    pub(crate) fn wrong_at(&mut self, place: Place, key: &str, message: impl Into<String>, suggestion: Option<String>) {
        self.mark_bad(key);
        self.problems.insert(Problem {
            place,
            key: key.to_owned(),
            message: message.into(),
            suggestion,
            excerpt: None,
        });
    }

    /// Reports that `key`, which was read before, is wrong.
    pub(crate) fn wrong(&mut self, key: &str, message: impl Into<String>) {
        self.wrong_at(self.place_of(key), key, message, None);
    }

    /// Reports a problem about a source rather than a key. What else is missing is not reported then.
    pub(super) fn unreadable(&mut self, place: Place, message: impl Into<String>, excerpt: Option<String>) {
        self.incomplete = true;
        let (key, message) = (String::new(), message.into());
        self.problems.insert(Problem {
            place,
            key,
            message,
            suggestion: None,
            excerpt,
        });
    }

    /// Reports something that is probably not meant.
    pub(super) fn warn(&mut self, key: &str, message: impl Into<String>) {
        let place = self.place_of(key);
        let (key, message) = (key.to_owned(), message.into());
        self.warnings.insert(Problem {
            place,
            key,
            message,
            suggestion: None,
            excerpt: None,
        });
    }

    /// Reports something about a source that is probably not meant.
    pub(super) fn warn_at(&mut self, place: Place, message: &str) {
        self.warnings.insert(Problem {
            place,
            key: String::new(),
            message: message.to_owned(),
            suggestion: None,
            excerpt: None,
        });
    }

    /// The warnings, or the errors when there is any.
    pub(super) fn finish(self) -> Result<Vec<Problem>, ConfigErrors> {
        if self.problems.is_empty() {
            return Ok(self.warnings.into_iter().collect());
        }
        let omitted = self.problems.len().saturating_sub(ConfigErrors::MAX_PROBLEMS);
        let problems = self.problems.into_iter().take(ConfigErrors::MAX_PROBLEMS).collect();
        Err(ConfigErrors { problems, omitted })
    }
}

/// The full path of `name` within the table `path`, quoted as TOML would have it.
pub(crate) fn join(path: &str, name: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    if is_bare(name) {
        format!("{path}{dot}{name}")
    } else {
        format!("{path}{dot}\"{}\"", name.escape_debug())
    }
}
