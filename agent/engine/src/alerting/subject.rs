//! What a message is about, and which messages a route, a silence or an escalation is about.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::pattern::matches;
use crate::policy::Severity;

/// What receivers are chosen by.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The service; [`crate::HOST`] for the host's own incidents.
    pub service: &'a str,
    /// How urgent.
    pub severity: Severity,
    /// A word of [`crate::NotificationKind`].
    pub kind: &'a str,
    /// The service's labels.
    pub labels: &'a BTreeMap<String, String>,
}

/// Which messages are meant. What is empty is not asked; of a list one must fit, and of `labels` each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// Names of services, or patterns with `*` and `?`.
    pub services: Vec<String>,
    /// Severities, each exactly: a list says "at least" where that is meant, and a route for warnings alone can be said.
    pub severities: Vec<Severity>,
    /// Kinds of message.
    pub kinds: Vec<String>,
    /// Labels the service must have, with values or patterns of values.
    pub labels: BTreeMap<String, String>,
}

/// The first thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// Another service.
    Service,
    /// Another severity.
    Severity,
    /// Another kind of message.
    Kind,
    /// This label is missing or has another value.
    Label(String),
}

impl Match {
    /// What keeps it from being about `subject`; `None` when it is.
    pub fn misfit(&self, subject: Subject<'_>) -> Option<Misfit> {
        let fits = |patterns: &[String], name: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, name))
        };
        if !fits(&self.services, subject.service) {
            return Some(Misfit::Service);
        }
        if !self.severities.is_empty() && !self.severities.contains(&subject.severity) {
            return Some(Misfit::Severity);
        }
        if !self.kinds.is_empty() && !self.kinds.iter().any(|kind| kind == subject.kind) {
            return Some(Misfit::Kind);
        }
        self.labels
            .iter()
            .find(|(name, pattern)| {
                let value = subject.labels.get(*name);
                !value.is_some_and(|value| matches(pattern, value))
            })
            .map(|(name, _)| Misfit::Label(name.clone()))
    }

    /// Whether it is about `subject`.
    pub fn fits(&self, subject: Subject<'_>) -> bool {
        self.misfit(subject).is_none()
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut list = |name: &str, words: Vec<&str>| {
            if !words.is_empty() {
                parts.push(format!("{name} {}", words.join(" or ")));
            }
        };
        list("service", self.services.iter().map(String::as_str).collect());
        list(
            "severity",
            self.severities.iter().map(|severity| severity.as_str()).collect(),
        );
        list("kind", self.kinds.iter().map(String::as_str).collect());
        parts.extend(self.labels.iter().map(|(name, value)| format!("label {name}={value}")));
        if parts.is_empty() {
            return f.write_str("everything");
        }
        f.write_str(&parts.join(", "))
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service => f.write_str("another service"),
            Self::Severity => f.write_str("another severity"),
            Self::Kind => f.write_str("another kind of message"),
            Self::Label(name) => write!(f, "another label {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_that_is_said_must_fit() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let labels = BTreeMap::from([("team".to_owned(), "web-eu".to_owned())]);
        let subject = Subject {
            service: "db-1",
            severity: Severity::Warning,
            kind: "fired",
            labels: &labels,
        };
        let label = |name: &str, value: &str| Match {
            labels: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            ..Match::default()
        };
        let services = |text: &str| Match {
            services: words(text),
            ..Match::default()
        };
        let severities = |severities: &[Severity]| Match {
            severities: severities.to_vec(),
            ..Match::default()
        };
        let kinds = |text: &str| Match {
            kinds: words(text),
            ..Match::default()
        };
        #[rustfmt::skip]
        let table = [
            (Match::default(), None, "everything"),
            (services("db-*"), None, "service db-*"),
            (services("web db-?"), None, "service web or db-?"),
            (services("db"), Some(Misfit::Service), "service db"),
            (severities(&[Severity::Warning]), None, "severity warning"),
            (severities(&[Severity::Info]), Some(Misfit::Severity), "severity info"),
            (severities(&[Severity::Critical]), Some(Misfit::Severity), "severity critical"),
            (severities(&[Severity::Warning, Severity::Critical]), None, "severity warning or critical"),
            (kinds("gave_up fired"), None, "kind gave_up or fired"),
            (kinds("gave_up"), Some(Misfit::Kind), "kind gave_up"),
            (label("team", "web-eu"), None, "label team=web-eu"),
            (label("team", "web-*"), None, "label team=web-*"),
            (label("team", "web"), Some(Misfit::Label("team".into())), "label team=web"),
            (label("tier", "*"), Some(Misfit::Label("tier".into())), "label tier=*"),
            (Match { kinds: words("healed"), ..services("x") }, Some(Misfit::Service), "service x, kind healed"),
        ];
        for (filter, misfit, words) in table {
            assert_eq!(filter.misfit(subject), misfit, "{filter}");
            assert_eq!(filter.to_string(), words);
        }
    }
}
