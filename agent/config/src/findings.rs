//! What is known of every key while a configuration is read: where it stands, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::problem::{ConfigErrors, Fault, Place, Problem};
use super::referenced::ReferencedFiles;
use super::schema::is_bare;
use super::secret::Secrets;

/// Collects places, problems and warnings on the way from text to settings.
#[derive(Debug)]
pub struct Findings {
    /// The main file, where what is missing altogether is reported.
    main: Place,
    /// Where each key stands, by its full path.
    places: HashMap<String, Stands>,
    /// How many tables of each list of tables there are so far.
    listed: HashMap<String, usize>,
    /// Keys whose value could not be used. What follows from their absence is not worth reporting.
    bad: BTreeSet<String>,
    /// Each with the services that it is about, the one that can do most about it first.
    problems: BTreeMap<Problem, Vec<String>>,
    /// The services that are looked at now: what is wrong is about them.
    subjects: Vec<String>,
    warnings: BTreeSet<Problem>,
    /// A source could not be read or parsed, so nothing can be said about what is missing.
    pub(super) incomplete: bool,
    /// Which secrets are to be read.
    pub(super) secrets: Secrets,
    /// What the files hold that the configuration names.
    pub(super) referenced: ReferencedFiles,
    /// The keys of those that were not.
    pub(super) unread: Vec<String>,
}

/// Where a key stands.
#[derive(Clone, Debug)]
struct Stands {
    place: Place,
    /// Whether its value is a table, to which several sources may add.
    is_table: bool,
}

/// A problem, and the services that it is about.
pub(super) type Blamed = (Problem, Vec<String>);

impl Findings {
    /// None so far, in a configuration whose main file is `main`.
    pub fn new(main: Place) -> Self {
        Self {
            main,
            places: HashMap::new(),
            listed: HashMap::new(),
            bad: BTreeSet::new(),
            problems: BTreeMap::new(),
            subjects: Vec::new(),
            warnings: BTreeSet::new(),
            incomplete: false,
            secrets: Secrets::default(),
            referenced: ReferencedFiles::default(),
            unread: Vec::new(),
        }
    }

    /// Notes where a value stands. A later source overrides an earlier one.
    pub(super) fn value_stands(&mut self, key: &str, place: Place) {
        let is_table = false;
        self.places.insert(key.to_owned(), Stands { place, is_table });
    }

    /// The place, from 0, of one more table of the list `key` among those of all sources.
    pub(super) fn next_of(&mut self, key: &str) -> usize {
        let listed = self.listed.entry(key.to_owned()).or_default();
        *listed += 1;
        *listed - 1
    }

    /// Notes where a table begins. Several sources add to one table; it is known by the first.
    pub(super) fn table_stands(&mut self, key: &str, place: Place) {
        let is_table = true;
        self.places.entry(key.to_owned()).or_insert(Stands { place, is_table });
    }

    /// Whether any source has this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    /// Where `key` stands, or else the table around it.
    pub fn place_of(&self, key: &str) -> Place {
        let mut path = key;
        loop {
            if let Some(stands) = self.places.get(path) {
                return stands.place.clone();
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
    pub fn is_bad(&self, key: &str) -> bool {
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
    pub fn wrong_at(&mut self, place: Place, key: &str, fault: impl Into<Fault>, suggestion: Option<String>) {
        self.mark_bad(key);
        self.note(Problem {
            suggestion,
            ..Problem::new(place, key, fault)
        });
    }

    /// Reports that `key`, which was read before, is wrong.
    pub fn wrong(&mut self, key: &str, fault: impl Into<Fault>) {
        self.wrong_at(self.place_of(key), key, fault, None);
    }

    /// Reports a problem about a source rather than a key. What else is missing is not reported then.
    pub(super) fn unreadable(&mut self, place: Place, fault: impl Into<Fault>, excerpt: Option<String>) {
        self.incomplete = true;
        self.note(Problem {
            excerpt,
            ..Problem::new(place, "", fault)
        });
    }

    fn note(&mut self, problem: Problem) {
        let about = self.problems.entry(problem).or_default();
        for subject in &self.subjects {
            if !about.contains(subject) {
                about.push(subject.clone());
            }
        }
    }

    /// Notes of all that `look` finds wrong that it is about these `services`.
    pub(super) fn about<T>(&mut self, services: &[&str], look: impl FnOnce(&mut Self) -> T) -> T {
        let services = services.iter().map(|service| (*service).to_owned()).collect();
        let before = std::mem::replace(&mut self.subjects, services);
        let found = look(self);
        self.subjects = before;
        found
    }

    /// Adds the places of `above`, whose sources are read after those of so far.
    pub(super) fn add_places(&mut self, above: &Self) {
        for (key, stands) in &above.places {
            if stands.is_table {
                self.places.entry(key.clone()).or_insert_with(|| stands.clone());
            } else {
                self.places.insert(key.clone(), stands.clone());
            }
        }
    }

    /// Reports something that is probably not meant.
    pub(super) fn warn(&mut self, key: &str, message: impl Into<String>) {
        self.warnings
            .insert(Problem::new(self.place_of(key), key, message.into()));
    }

    /// Reports something about a source that is probably not meant.
    pub(super) fn warn_at(&mut self, place: Place, message: &str) {
        self.warnings.insert(Problem::new(place, "", message));
    }

    /// The warnings, or the errors when there is any.
    pub(super) fn finish(&mut self) -> Result<Vec<Problem>, ConfigErrors> {
        self.finish_blamed().map_err(|problems| ConfigErrors {
            omitted: problems.len().saturating_sub(ConfigErrors::MAX_PROBLEMS),
            problems: problems
                .into_iter()
                .map(|(problem, _)| problem)
                .take(ConfigErrors::MAX_PROBLEMS)
                .collect(),
        })
    }

    /// The warnings, or all errors, each with the services that it is about.
    pub(super) fn finish_blamed(&mut self) -> Result<Vec<Problem>, Vec<Blamed>> {
        let problems = std::mem::take(&mut self.problems);
        let warnings = std::mem::take(&mut self.warnings);
        if problems.is_empty() {
            Ok(warnings.into_iter().collect())
        } else {
            Err(problems.into_iter().collect())
        }
    }
}

/// The full path of `name` within the table `path`, quoted as TOML would have it.
pub fn join(path: &str, name: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    if is_bare(name) {
        format!("{path}{dot}{name}")
    } else {
        format!("{path}{dot}\"{}\"", name.escape_debug())
    }
}
