//! From the text of one source to a layer: a tree of values that all keep to the table of keys.
//!
//! Each source is checked by itself, while lines and columns are at hand; what is wrong is reported and left out.
//! The `config` crate then merges the layers.

use std::ops::Range;
use std::sync::Arc;

use ::config::{ConfigError, Map, Source, Value};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::files::Fragment;
use super::findings::{Findings, join};
use super::keys;
use super::lines::Lines;
use super::problem::Place;
use super::rules::{self, shown};
use super::scalar::{Wrong, scalar, spell};
use super::schema::{Kind, Section, nearest, quoted_list};
use super::slips;

/// At most this many errors of a file that is not TOML: one slip makes a parser stumble several times.
const MAX_SYNTAX_ERRORS: usize = 10;

/// The values of one source, ready to be merged. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Layer(Arc<Map<String, Value>>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(Map::clone(&self.0))
    }
}

impl Layer {
    /// Parses and checks a file.
    pub(super) fn from_file(root: &'static Section, fragment: &Fragment, findings: &mut Findings) -> Option<Self> {
        let lines = Lines::of(&fragment.text);
        let (document, errors) = DeTable::parse_recoverable(&fragment.text);
        if errors.is_empty() {
            let place = |span: Range<usize>| fragment.place.at(lines.position(span.start));
            let mut checker = Checker {
                root,
                findings,
                place: &place,
            };
            return Some(Self(Arc::new(checker.section(root, "", document.get_ref()))));
        }
        if let Some((offset, message)) = slips::other_format(&fragment.text) {
            // One sentence says more than what a parser of TOML stumbles over in each line.
            findings.unreadable(fragment.place.at(lines.position(offset)), message, None);
            return None;
        }
        for error in errors.iter().take(MAX_SYNTAX_ERRORS) {
            let span = error.span().unwrap_or_default();
            let place = fragment.place.at(lines.position(span.start));
            // What must not be shown is not in the line to write either.
            let excerpt = lines.excerpt(&span);
            let (line, start) = lines.line(span.start);
            let within = span.start - start..span.end - start;
            let line = excerpt.as_ref().and_then(|_| slips::unquoted(line, within));
            let message = match line {
                Some(line) => format!("invalid TOML: text stands in quotes; write `{line}`"),
                None => format!("invalid TOML: {}", error.message().trim_end()),
            };
            findings.unreadable(place, message, excerpt);
        }
        None
    }

    /// Checks what one variable of the environment says.
    pub(super) fn from_variable(table: &DeTable<'_>, place: &Place, findings: &mut Findings) -> Self {
        let mut checker = Checker {
            root: &keys::ROOT,
            findings,
            place: &|_| place.clone(),
        };
        Self(Arc::new(checker.section(&keys::ROOT, "", table)))
    }
}

/// Walks a document beside the table of keys.
struct Checker<'a> {
    root: &'static Section,
    findings: &'a mut Findings,
    place: &'a dyn Fn(Range<usize>) -> Place,
}

impl Checker<'_> {
    fn section(&mut self, section: &'static Section, path: &str, table: &DeTable<'_>) -> Map<String, Value> {
        let mut values = Map::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            let at = join(path, name);
            if let Some(known) = section.key(name) {
                self.entry(&known.kind, name, &at, key.span(), value, &mut values);
            } else {
                self.unknown(section, path, name, key.span(), value.get_ref());
            }
        }
        values
    }

    /// Checks `name = value` and adds it to `values` when it is right.
    fn entry(
        &mut self,
        kind: &'static Kind,
        name: &str,
        at: &str,
        key: Range<usize>,
        value: &Spanned<DeValue<'_>>,
        values: &mut Map<String, Value>,
    ) {
        if value.get_ref().is_table() {
            self.findings.table_stands(at, (self.place)(key));
        } else {
            self.findings.value_stands(at, (self.place)(value.span()));
        }
        if let Some(value) = self.value(kind, at, value) {
            values.insert(name.to_owned(), value);
        }
    }

    fn unknown(&mut self, section: &'static Section, path: &str, name: &str, span: Range<usize>, value: &DeValue<'_>) {
        let at = join(path, name);
        let place = (self.place)(span);
        if keys::is_not_yet(section, name) {
            return self.findings.wrong_at(
                place,
                &at,
                format!("{} is not supported by this version", shown(name)),
                None,
            );
        }
        if let Some(line) = slips::instead_of(section.path, name, value) {
            return self
                .findings
                .wrong_at(place, &at, format!("unknown key; write {line}"), None);
        }
        if let Some(meant) = nearest(name, section.all().map(|key| key.name)) {
            // What was meant is missing now, and that is not worth a complaint of its own.
            self.findings.mark_bad(&join(path, meant));
            return self
                .findings
                .wrong_at(place, &at, "unknown key", Some(meant.to_owned()));
        }
        let message = match section.home_of(name).or_else(|| self.root.home_of(name)) {
            Some(home) => format!("unknown key; it belongs in [{home}]"),
            None => format!(
                "unknown key; known here: {}",
                quoted_list(section.all().map(|key| key.name))
            ),
        };
        self.findings.wrong_at(place, &at, message, None);
    }

    fn value(&mut self, kind: &'static Kind, at: &str, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        match (kind, value.get_ref()) {
            (Kind::List { of, max } | Kind::OneOrMore { of, max }, DeValue::Array(items)) => {
                self.list(of, *max, at, value.span(), items)
            }
            (Kind::OneOrMore { of, .. }, _) => self.value(of, at, value).map(|value| vec![value].into()),
            (Kind::Map { key, of, max }, DeValue::Table(table)) => {
                self.named(*max, at, value.span(), table)?;
                let mut values = Map::new();
                for (name, value) in table {
                    let at = join(at, name.get_ref());
                    match key(name.get_ref()) {
                        Ok(()) => self.entry(of, name.get_ref(), &at, name.span(), value, &mut values),
                        Err(reason) => self.findings.wrong_at((self.place)(name.span()), &at, reason, None),
                    }
                }
                Some(values.into())
            }
            (Kind::Table { section, .. }, DeValue::Table(table)) => Some(self.section(section, at, table).into()),
            (
                Kind::Table {
                    section,
                    short: Some(short),
                },
                DeValue::String(_),
            ) => {
                let mut values = Map::new();
                let inner = join(at, short);
                self.entry(
                    &section.key(short)?.kind,
                    short,
                    &inner,
                    value.span(),
                    value,
                    &mut values,
                );
                Some(values.into())
            }
            (Kind::Tables { section, max }, DeValue::Array(items)) => {
                self.list_of_tables(section, *max, at, value.span(), items)
            }
            (Kind::Named { section, max }, DeValue::Table(table)) => {
                self.named(*max, at, value.span(), table)?;
                Some(self.tables(section, at, table).into())
            }
            _ => match scalar(kind, value.get_ref()) {
                Ok(kind) => Some(Value::new(None, kind)),
                Err(Wrong { message, suggestion }) => {
                    let name = at.rsplit('.').next().unwrap_or(at);
                    let message = match slips::instead_of_value(kind, name, value.get_ref()) {
                        Some(line) if suggestion.is_none() => format!("{message}; write `{line}`"),
                        _ => message,
                    };
                    self.findings
                        .wrong_at((self.place)(value.span()), at, message, suggestion);
                    None
                }
            },
        }
    }

    fn list(
        &mut self,
        of: &'static Kind,
        max: usize,
        at: &str,
        span: Range<usize>,
        items: &DeArray<'_>,
    ) -> Option<Value> {
        if items.len() > max {
            self.findings
                .wrong_at((self.place)(span), at, format!("holds more than {max} entries"), None);
            return None;
        }
        let mut values = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let at = format!("{at}[{index}]");
            self.findings.value_stands(&at, (self.place)(item.span()));
            values.extend(self.value(of, &at, item));
        }
        Some(values.into())
    }

    /// `[[alerts.routes]]` and the like. Merging would let a later list replace an earlier one; tables that are named
    /// by their place among all sources stay beside one another.
    fn list_of_tables(
        &mut self,
        section: &'static Section,
        max: usize,
        at: &str,
        span: Range<usize>,
        items: &DeArray<'_>,
    ) -> Option<Value> {
        let mut values: Map<String, Value> = Map::new();
        for item in items {
            let place = (self.place)(item.span());
            let number = self.findings.next_of(at);
            if number >= max {
                self.findings
                    .wrong_at((self.place)(span), at, format!("holds more than {max} entries"), None);
                return None;
            }
            let at = format!("{at}[{number}]");
            self.findings.value_stands(&at, place.clone());
            let Some(table) = item.get_ref().as_table() else {
                let message = format!("expected a table [[{}]], found {}", section.path, spell(item.get_ref()));
                self.findings.wrong_at(place, &at, message, None);
                continue;
            };
            values.insert(format!("{number:06}"), self.section(section, &at, table).into());
        }
        Some(values.into())
    }

    /// Refuses a table with free keys that has more than `max` of them.
    fn named(&mut self, max: usize, at: &str, span: Range<usize>, table: &DeTable<'_>) -> Option<()> {
        if table.len() <= max {
            return Some(());
        }
        self.findings
            .wrong_at((self.place)(span), at, format!("holds more than {max} entries"), None);
        None
    }

    /// `[services.*]` and the like.
    fn tables(&mut self, section: &'static Section, at: &str, table: &DeTable<'_>) -> Map<String, Value> {
        let mut values = Map::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            let at = join(at, name);
            let place = (self.place)(key.span());
            self.findings.table_stands(&at, place.clone());
            if let Err(reason) = rules::name(name) {
                self.findings.wrong_at(place.clone(), &at, reason, None);
            }
            let Some(inner) = value.get_ref().as_table() else {
                let message = format!("expected a table [{}], found {}", section.path, spell(value.get_ref()));
                self.findings.wrong_at(place, &at, message, None);
                continue;
            };
            // A table with a wrong name is kept, so that what refers to it is not reported as well.
            values.insert(name.to_owned(), self.section(section, &at, inner).into());
        }
        values
    }
}
