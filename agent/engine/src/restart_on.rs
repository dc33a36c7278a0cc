//! `restart_on`: the kinds of failure that a restart may help against. What it cannot help alerts only.

use std::fmt;

use crate::probe::FailureKind;

/// The kinds of failure for which a service is restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartOn(Vec<RestartWord>);

/// One word of `restart_on`. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartWord {
    /// `refused`, `timeout`, ...: a word of one kind.
    Kind(FailureKind),
    /// `redirect`: an answer that leads elsewhere.
    Redirect,
    /// `status-4xx`.
    ClientError,
    /// `status-5xx`.
    ServerError,
    /// `status-NNN`: just this one.
    Status(u16),
    /// `health-check`: a container's own check.
    HealthCheck,
}

impl RestartWord {
    /// Every word that can be listed; `status-NNN` stands for a number each.
    pub const WORDS: [&str; 17] = [
        "refused",
        "reset",
        "closed",
        "timeout",
        "status-5xx",
        "body",
        "command",
        "health-check",
        "status-4xx",
        "status-NNN",
        "redirect",
        "slow",
        "dns",
        "tls",
        "unreachable",
        "protocol",
        "agent",
    ];

    /// The word that `text` is, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "refused" => Self::Kind(FailureKind::Refused),
            "reset" => Self::Kind(FailureKind::Reset),
            "closed" => Self::Kind(FailureKind::Closed),
            "timeout" => Self::Kind(FailureKind::Timeout),
            "body" => Self::Kind(FailureKind::Body),
            "command" => Self::Kind(FailureKind::Command),
            "slow" => Self::Kind(FailureKind::Slow),
            "dns" => Self::Kind(FailureKind::Dns),
            "tls" => Self::Kind(FailureKind::Tls),
            "unreachable" => Self::Kind(FailureKind::Unreachable),
            "protocol" => Self::Kind(FailureKind::Protocol),
            "agent" => Self::Kind(FailureKind::Agent),
            "redirect" => Self::Redirect,
            "status-4xx" => Self::ClientError,
            "status-5xx" => Self::ServerError,
            "health-check" => Self::HealthCheck,
            _ => {
                let digits = text.strip_prefix("status-").filter(|digits| digits.len() == 3)?;
                let status = digits.parse().ok().filter(|status| (100..=599).contains(status))?;
                Self::Status(status)
            }
        })
    }

    fn covers(self, kind: FailureKind) -> bool {
        match (self, kind) {
            (Self::Kind(word), kind) => word == kind,
            (Self::Redirect, FailureKind::Status(300..=399))
            | (Self::ClientError, FailureKind::Status(400..=499))
            | (Self::ServerError, FailureKind::Status(500..=599)) => true,
            (Self::Status(word), FailureKind::Status(status)) => word == status,
            _ => false,
        }
    }
}

impl fmt::Display for RestartWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => f.write_str(&kind.word()),
            Self::Redirect => f.write_str("redirect"),
            Self::ClientError => f.write_str("status-4xx"),
            Self::ServerError => f.write_str("status-5xx"),
            Self::Status(status) => write!(f, "status-{status}"),
            Self::HealthCheck => f.write_str("health-check"),
        }
    }
}

impl RestartOn {
    /// Just these.
    pub fn new(words: impl IntoIterator<Item = RestartWord>) -> Self {
        Self(words.into_iter().collect())
    }

    /// The words, in the order in which they were given.
    pub fn words(&self) -> &[RestartWord] {
        &self.0
    }

    /// Whether a failed probe of this kind may lead to a restart.
    pub fn covers(&self, kind: FailureKind) -> bool {
        self.0.iter().any(|word| word.covers(kind))
    }

    /// Whether a container's own check that fails may lead to one.
    pub fn covers_health_check(&self) -> bool {
        self.0.contains(&RestartWord::HealthCheck)
    }
}

impl Default for RestartOn {
    /// What a process that hangs, has lost its listener or fails within shows. Names, certificates, networks and refusals
    /// are not fixed by a restart.
    fn default() -> Self {
        Self(vec![
            RestartWord::Kind(FailureKind::Refused),
            RestartWord::Kind(FailureKind::Reset),
            RestartWord::Kind(FailureKind::Closed),
            RestartWord::Kind(FailureKind::Timeout),
            RestartWord::ServerError,
            RestartWord::Kind(FailureKind::Body),
            RestartWord::Kind(FailureKind::Command),
            RestartWord::HealthCheck,
        ])
    }
}

impl fmt::Display for RestartOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, word) in self.0.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{word}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written() {
        for word in RestartWord::WORDS {
            let text = word.replace("NNN", "418");
            let read = RestartWord::parse(&text).map(|word| word.to_string());
            assert_eq!(read, Some(text));
        }
        for wrong in [
            "",
            "refuse",
            "status",
            "status-",
            "status-99",
            "status-600",
            "status-+50",
            "status-2xx",
            "Timeout",
        ] {
            assert_eq!(RestartWord::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn by_default_only_what_a_restart_can_help_leads_to_one() {
        let table = [
            (FailureKind::Refused, true),
            (FailureKind::Reset, true),
            (FailureKind::Closed, true),
            (FailureKind::Timeout, true),
            (FailureKind::Status(500), true),
            (FailureKind::Status(503), true),
            (FailureKind::Body, true),
            (FailureKind::Command, true),
            (FailureKind::Status(204), false),
            (FailureKind::Status(301), false),
            (FailureKind::Status(401), false),
            (FailureKind::Status(404), false),
            (FailureKind::Slow, false),
            (FailureKind::Dns, false),
            (FailureKind::Tls, false),
            (FailureKind::Unreachable, false),
            (FailureKind::Protocol, false),
            (FailureKind::Agent, false),
        ];
        let default = RestartOn::default();
        for (kind, restarts) in table {
            assert_eq!(default.covers(kind), restarts, "{}", kind.word());
        }
        assert!(default.covers_health_check());
        let none = RestartOn::new([]);
        assert!(table.iter().all(|(kind, _)| !none.covers(*kind)) && !none.covers_health_check());
    }

    #[test]
    fn a_status_is_named_by_its_class_or_by_itself() {
        let table = [
            ("redirect", 302, true),
            ("status-4xx", 404, true),
            ("status-404", 404, true),
            ("status-403", 404, false),
            ("status-5xx", 404, false),
            ("status-204", 204, true),
        ];
        for (word, status, covers) in table {
            let on = RestartOn::new(RestartWord::parse(word));
            assert_eq!(on.covers(FailureKind::Status(status)), covers, "{word}, {status}");
        }
    }
}
