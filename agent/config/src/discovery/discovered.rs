//! Services that are found on the host: in labels of containers, in unit files, or because they run there.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::environment::{kind_at, parse};
use crate::findings::Findings;
use crate::layer::Layer;
use crate::problem::{Place, Problem};

/// Where a service comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginKind {
    /// A file of the configuration, or the environment.
    #[default]
    File,
    /// Labels of a container.
    Label,
    /// A section of a unit file.
    UnitFile,
    /// It runs on the host, and neither a file nor a label nor a section names it.
    Host,
}

impl OriginKind {
    /// The word in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Label => "label",
            Self::UnitFile => "unit file",
            Self::Host => "host",
        }
    }
}

/// Where a service comes from, and where that stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Where it comes from.
    pub kind: OriginKind,
    /// `container web`, or the path of a unit file; empty for the files of the configuration.
    pub place: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        match self.place.as_str() {
            "" => Ok(()),
            place => write!(f, " ({place})"),
        }
    }
}

/// A service that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveredService {
    /// Its name, which need not be free.
    pub name: String,
    /// Where it comes from, with the place that stands for all of it.
    pub origin: Origin,
    /// What is said of it. One of the keys names its target, or a probe.
    pub keys: Vec<DiscoveredKey>,
    /// Other names of the same target, as `container web`: a file that watches one of them watches this.
    pub aliases: Vec<String>,
}

/// One key of a service that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveredKey {
    /// Within `[services.NAME]`, its parts separated by dots: `interval`, `http.status`.
    pub key: String,
    /// Its value as a variable of the environment would have it: `5s`, `200, 204`, `[1, 2]`.
    pub text: String,
    /// Where it stands, for messages.
    pub place: Place,
}

impl DiscoveredKey {
    /// `key` with the value `text`, which stands at `place`.
    pub fn new(key: impl Into<String>, text: impl Into<String>, place: Place) -> Self {
        Self {
            key: key.into(),
            text: text.into(),
            place,
        }
    }
}

/// A service that was found and is not watched, or not as it asks, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rejected {
    /// The name it would have; empty when it has none.
    pub service: String,
    /// Where it comes from.
    pub kind: OriginKind,
    /// What is wrong, and where.
    pub problem: Problem,
    /// Whether that is left out and the service watched all the same: a warning.
    pub watched: bool,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl Rejected {
    /// Something wrong at `place`.
    pub fn new(service: &str, kind: OriginKind, place: Place, message: impl Into<String>) -> Self {
        Self {
            service: service.to_owned(),
            kind,
            problem: Problem::new(place, "", message.into()),
            watched: false,
        }
    }
}

impl DiscoveredService {
    /// What is said of whatever merely runs: it is never restarted, and may end in peace.
    pub const OBSERVED: [(&'static str, &'static str); 2] = [("mode", "observe"), ("recovery.on_clean_exit", "ignore")];

    /// Where it is defined, for messages.
    pub fn place(&self) -> Place {
        Place::named(self.origin.place.as_str())
    }

    /// One layer for each key, as variables of the environment are.
    pub(crate) fn layers(&self, findings: &mut Findings) -> Vec<Layer> {
        let layers = self.keys.iter().filter_map(|key| {
            let mut path = vec!["services", self.name.as_str()];
            path.extend(key.key.split('.'));
            let value = parse(kind_at(&path), &key.text);
            let table = path.iter().rev().fold(value, |value, name| {
                let mut table = DeTable::new();
                table.insert(Spanned::new(0..0, Cow::Borrowed(*name)), Spanned::new(0..0, value));
                DeValue::Table(table)
            });
            match table {
                DeValue::Table(table) => Some(Layer::from_variable(&table, &key.place, findings)),
                _ => None,
            }
        });
        layers.collect()
    }
}

/// The nearest name that the configuration takes.
pub fn service_name(text: &str) -> String {
    let lower = text.to_lowercase();
    let known = |c: char| {
        if c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = lower.chars().map(known).collect();
    let name: String = name.trim_start_matches(['.', '_', '-']).chars().take(64).collect();
    if name.is_empty() { "service".to_owned() } else { name }
}
