//! What the facts mean, and what to do about it. Pure.

mod access;
mod own;

use serde::Serialize;

use super::facts::Facts;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// The agent works, with less than it could have, or more than it should.
    Warning,
    /// The agent cannot do what it is configured for.
    Failure,
}

impl Level {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked: a closed set of words.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found, for operators.
    pub text: String,
    /// How to fix it.
    pub fix: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Ok,
            text: text.into(),
            fix: None,
        }
    }

    fn warning(check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Warning,
            text: text.into(),
            fix: Some(fix.into()),
        }
    }

    fn failure(check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Failure,
            ..Self::warning(check, text, fix)
        }
    }

    /// A failure where it matters, else a warning.
    fn failure_if(matters: bool, check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        let level = if matters { Level::Failure } else { Level::Warning };
        Self {
            level,
            ..Self::warning(check, text, fix)
        }
    }
}

/// Every check has at least one finding, in a fixed order.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.push(own::user(facts));
    findings.extend(own::configuration(facts));
    findings.push(own::receivers(facts));
    findings.extend(own::secrets(facts));
    findings.extend(own::agent(facts));
    findings.extend(own::store(facts));
    findings.extend(access::bus(facts));
    findings.extend(access::restarts(facts));
    findings.push(access::journal(facts));
    findings.push(access::docker(facts));
    findings.extend(access::clock(facts));
    findings
}

/// The first of many names, and how many there are.
fn some(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    /// More would hide the first.
    const NAMED_MAX: usize = 10;
    let names: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    let shown = names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
