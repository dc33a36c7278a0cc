//! The sections of one unit as keys of a service, or what is wrong with them.
//!
//! A unit file is root's, and what it starts runs as it says; so a section may also name a `command` to probe with, which
//! runs as the agent and may do less than the service itself. What it may not do is speak for others: name another
//! target than its unit, or say which other units a restart may take along.

use std::collections::BTreeMap;

use sentinel_config::{DiscoveredKey, DiscoveredService, Origin, OriginKind, Place, Rejected, quote};

use super::SECTION;
use super::specifiers::expanded;
use super::syntax::{Assignment, Section, SyntaxError, unquoted, words};

/// What a section cannot set, and why.
const REFUSED: [(&str, &str); 5] = [
    ("unit", "the unit itself is what is watched"),
    ("container", "the unit itself is what is watched"),
    ("compose", "the unit itself is what is watched"),
    ("process", "the unit itself is what is watched"),
    (
        "may_affect",
        "which other units a restart may take along is for a configuration file to say",
    ),
];

/// Keys whose values add up, as systemd's lists do; an empty value clears them.
const LISTS: [&str; 3] = ["after", "http.status", "restart_on"];

/// Keys that are one command line; a later one replaces it.
const COMMANDS: [&str; 1] = ["command"];

/// Keys that are true or false, in systemd's words.
const FLAGS: [&str; 4] = ["enabled", "http.insecure", "http.keep_alive", "recovery.retry_oneshot"];

/// One file of a unit, as read.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) path: String,
    pub(super) section: Section,
}

/// A key as the files up to here have it.
#[derive(Clone, Debug)]
struct Value {
    /// The items of a list, or the one text.
    items: Vec<String>,
    place: Place,
}

/// What the `parts` of `unit`, in the order in which systemd reads them, say. `None` when there is no section, or it says
/// `enabled=no`.
///
/// # Errors
///
/// Everything that is wrong; then none of it counts.
pub(super) fn service(unit: &str, parts: &[Part]) -> Result<Option<DiscoveredService>, Vec<Rejected>> {
    let Some(first) = parts.iter().find_map(|part| Some((part, part.section.line?))) else {
        return Ok(None);
    };
    let origin = Place::line_of(first.0.path.as_str(), first.1);
    let mut reading = Reading {
        unit,
        values: BTreeMap::new(),
        rejected: Vec::new(),
    };
    for part in parts {
        for mistake in &part.section.mistakes {
            let place = Place::line_of(part.path.as_str(), mistake.line);
            reading.reject(place, "", mistake.message.clone());
        }
        for assignment in &part.section.assignments {
            let place = Place::line_of(part.path.as_str(), assignment.line);
            reading.take(assignment, place);
        }
    }
    reading.finish(origin, &first.0.path)
}

/// A unit under way to a service.
struct Reading<'a> {
    unit: &'a str,
    values: BTreeMap<String, Value>,
    rejected: Vec<Rejected>,
}

impl Reading<'_> {
    fn reject(&mut self, place: Place, key: &str, message: impl Into<String>) {
        let mut rejected = Rejected::new(&default_name(self.unit), OriginKind::UnitFile, place, message);
        key.clone_into(&mut rejected.problem.key);
        self.rejected.push(rejected);
    }

    fn take(&mut self, assignment: &Assignment, place: Place) {
        let key = assignment.key.as_str();
        let head = key.split('.').next().unwrap_or_default();
        if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == head) {
            return self.reject(place, key, *why);
        }
        if key.split('.').any(str::is_empty) {
            return self.reject(place, key, "is not a key");
        }
        if assignment.value.is_empty() {
            // Back to what it is without: as systemd's own keys, with everything below.
            let below = format!("{key}.");
            self.values.retain(|name, _| name != key && !name.starts_with(&below));
            return;
        }
        // After quotes and words, as systemd does: an instance's name cannot make two words of one.
        let items = items(key, &assignment.value).map(|items| {
            let items = items.into_iter().map(|item| expanded(&item, self.unit));
            items.collect::<Vec<_>>()
        });
        match items {
            Ok(items) if LISTS.contains(&key) => {
                let value = self.values.entry(key.to_owned()).or_insert_with(|| Value {
                    items: Vec::new(),
                    place: place.clone(),
                });
                value.items.extend(items);
                value.place = place;
            }
            Ok(items) => {
                self.values.insert(key.to_owned(), Value { items, place });
            }
            Err(error) => self.reject(place, key, error.to_string()),
        }
    }

    fn finish(mut self, origin: Place, path: &str) -> Result<Option<DiscoveredService>, Vec<Rejected>> {
        let name = self.values.remove("name").map(|value| value.items.concat());
        let enabled = self.values.remove("enabled").map(|value| value.items.concat());
        if !self.rejected.is_empty() {
            return Err(self.rejected);
        }
        if enabled.as_deref() == Some("false") {
            return Ok(None);
        }
        let mut keys = vec![DiscoveredKey::new("unit", self.unit, origin)];
        for (key, value) in self.values {
            let text = if LISTS.contains(&key.as_str()) || COMMANDS.contains(&key.as_str()) {
                let items: Vec<String> = value.items.iter().map(|item| quote(item)).collect();
                format!("[{}]", items.join(", "))
            } else {
                value.items.concat()
            };
            keys.push(DiscoveredKey::new(key, text, value.place));
        }
        Ok(Some(DiscoveredService {
            name: name.unwrap_or_else(|| default_name(self.unit)),
            origin: Origin {
                kind: OriginKind::UnitFile,
                place: path.to_owned(),
            },
            keys,
            aliases: Vec::new(),
        }))
    }
}

/// The value of one assignment: items of a list, words of a command, or one text.
fn items(key: &str, value: &str) -> Result<Vec<String>, SyntaxError> {
    if LISTS.contains(&key) {
        let words = words(value)?;
        let items = words.iter().flat_map(|word| word.split(',')).map(str::trim);
        return Ok(items.filter(|item| !item.is_empty()).map(str::to_owned).collect());
    }
    if COMMANDS.contains(&key) {
        return words(value);
    }
    let text = unquoted(value)?;
    if FLAGS.contains(&key) {
        return flag(&text).map(|flag| vec![flag.to_string()]);
    }
    Ok(vec![text])
}

/// A truth value as systemd writes it.
fn flag(text: &str) -> Result<bool, SyntaxError> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "y" | "true" | "t" | "on" | "1" => Ok(true),
        "no" | "n" | "false" | "f" | "off" | "0" => Ok(false),
        _ => Err(SyntaxError::NoFlag),
    }
}

/// The name of a service whose section gives none: `pg-15-main` for `pg@15-main.service`.
pub(super) fn default_name(unit: &str) -> String {
    let name = unit.strip_suffix(".service").unwrap_or(unit).to_ascii_lowercase();
    name.replace(['@', ':', '\\'], "-")
}

/// Something wrong with the whole of a file of `unit`.
pub(super) fn unreadable(unit: &str, path: &str, why: &str) -> Rejected {
    let message = format!("its [{SECTION}] section does not count: {why}");
    Rejected::new(&default_name(unit), OriginKind::UnitFile, Place::named(path), message)
}

#[cfg(test)]
mod tests;
