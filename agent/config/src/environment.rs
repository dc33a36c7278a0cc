//! Keys set by the environment: `SENTINEL__SERVICES__SHOP__INTERVAL=5s`.
//!
//! Two underscores part the names, so that `SENTINEL_CONFIG` and the like stay free for the command line. Names are
//! lower-cased and empty variables ignored. Lists are separated by commas, or written as TOML when they begin with
//! `[`; tables are written as TOML.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use ::config::{Environment, Source as _};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::findings::Findings;
use super::keys::ROOT;
use super::layer::Layer;
use super::problem::Place;
use super::schema::Kind;

const PREFIX: &str = "SENTINEL";
const SEPARATOR: &str = "__";
/// More is no longer set by hand, and belongs in a file.
const MAX_VARIABLES: usize = 1000;

/// The variables of this process that may hold configuration.
///
/// A variable that is not Unicode keeps its shape with replacement characters, which no rule lets pass.
pub fn environment() -> Vec<(String, String)> {
    let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os()
        .map(|(name, value)| (lossy(name), lossy(value)))
        .filter(|(name, _)| is_ours(name))
        .collect()
}

fn is_ours(name: &str) -> bool {
    let prefix = format!("{PREFIX}{SEPARATOR}").to_lowercase();
    name.to_lowercase().starts_with(&prefix)
}

/// One layer for each variable, in the order of their names.
pub(super) fn layers(env: impl IntoIterator<Item = (String, String)>, findings: &mut Findings) -> Vec<Layer> {
    let variables = variables(env, findings);
    let mut layers = Vec::new();
    for (key, text) in &variables {
        let place = Place::environment(&format!("{PREFIX}{SEPARATOR}{}", key.to_uppercase()));
        let path: Vec<&str> = key.split(SEPARATOR).collect();
        if path.iter().any(|name| name.is_empty()) {
            findings.unreadable(place, "a name between two `__` is missing", None);
            continue;
        }
        let value = parse(kind_at(&path), text);
        let table = path.iter().rev().fold(value, |value, name| {
            let mut table = DeTable::new();
            table.insert(spanned(Cow::Borrowed(*name)), spanned(value));
            DeValue::Table(table)
        });
        if let DeValue::Table(table) = table {
            layers.push(Layer::from_variable(&table, &place, findings));
        }
    }
    layers
}

/// What follows the prefix, lower-cased, and its value.
fn variables(env: impl IntoIterator<Item = (String, String)>, findings: &mut Findings) -> BTreeMap<String, String> {
    let ours: Vec<_> = env.into_iter().filter(|(name, _)| is_ours(name)).collect();
    let mut seen = HashSet::new();
    for (name, _) in &ours {
        if !seen.insert(name.to_lowercase()) {
            findings.unreadable(Place::environment(name), "is set twice, as case does not count", None);
        }
    }
    if ours.len() > MAX_VARIABLES {
        let place = Place::environment(PREFIX);
        findings.unreadable(place, format!("sets more than {MAX_VARIABLES} variables"), None);
        return BTreeMap::new();
    }
    let source = Environment::with_prefix(PREFIX)
        .prefix_separator(SEPARATOR)
        .ignore_empty(true)
        .source(Some(ours.into_iter().collect()));
    match source.collect() {
        Ok(values) => values
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.into_string().ok()?)))
            .collect(),
        Err(error) => {
            findings.unreadable(Place::environment(PREFIX), error.to_string(), None);
            BTreeMap::new()
        }
    }
}

/// What the value at `path` may be; `None` when there is no such key.
pub(super) fn kind_at(path: &[&str]) -> Option<&'static Kind> {
    let mut names = path.iter();
    let mut kind = &ROOT.key(names.next()?)?.kind;
    while let Some(name) = names.next() {
        kind = match kind {
            Kind::Table { section, .. } => &section.key(name)?.kind,
            Kind::Named { section, .. } => &section.key(names.next()?)?.kind,
            Kind::Map { of, .. } => of,
            _ => return None,
        };
    }
    Some(kind)
}

/// Reads text as what `kind` wants. What cannot be read so stays text, and the check says what is wrong with that.
pub(super) fn parse<'a>(kind: Option<&Kind>, text: &'a str) -> DeValue<'a> {
    let toml = || DeValue::parse(text).ok().map(Spanned::into_inner);
    let parsed = match kind {
        Some(Kind::Bool | Kind::Integer { .. } | Kind::Share { .. } | Kind::Json) => toml(),
        Some(Kind::List { .. } | Kind::OneOrMore { .. } | Kind::Tables { .. })
            if text.trim_start().starts_with('[') =>
        {
            toml()
        }
        Some(Kind::List { .. } | Kind::OneOrMore { .. }) => {
            let mut items = DeArray::new();
            for item in text.split(',') {
                items.push(spanned(DeValue::String(Cow::Borrowed(item.trim()))));
            }
            Some(DeValue::Array(items))
        }
        Some(Kind::Map { .. } | Kind::Table { .. } | Kind::Named { .. }) if text.trim_start().starts_with('{') => {
            toml()
        }
        _ => None,
    };
    parsed.unwrap_or(DeValue::String(Cow::Borrowed(text)))
}

/// A variable has no lines and columns.
fn spanned<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}
