//! Why a receiver is notified, or is not: one closed set for both.

use std::fmt;

/// The reason of one decision. `Display` is the sentence; [`Reason::kind`] the word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Notified: this route fits, counted from 1.
    Route(usize),
    /// Notified: no route fits, so it goes to `[alerts] receivers`.
    Default,
    /// Notified: it goes on with a log that this receiver is part of.
    NotifiedBefore,
    /// Notified: it is an end, and who was notified of the beginning is not known any more.
    Forgotten,
    /// Notified: it is still down, `repeat_interval` after the last message.
    Repeat,
    /// Notified: no operator acknowledged it in time; the escalation, counted from 1.
    Escalation(usize),
    /// Notified: an operator acknowledged it.
    Acknowledgement,

    /// Not notified: a route fits, and names no receiver.
    RouteWithoutReceivers(usize),
    /// Not notified: no route fits, and `[alerts] receivers` is empty.
    NoReceivers,
    /// Not notified: no receiver was notified of the beginning.
    NoneNotified,
    /// Not notified: a silence.
    Silenced(u64),
    /// Not notified: it is in maintenance.
    Maintenance,
    /// Not notified: the host goes down.
    HostGoesDown,
    /// Not notified: the service cannot be seen, so it is unknown whether it is still down.
    Unseen,
    /// Not notified: the alert of a service it depends on speaks for it.
    Dependency,
    /// Not notified: the host's own alert speaks for it.
    HostWide,
}

impl Reason {
    /// The word for this reason, for logs and JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Route(_) => "route",
            Self::Default => "default",
            Self::NotifiedBefore => "notified_before",
            Self::Forgotten => "forgotten",
            Self::Repeat => "repeat",
            Self::Escalation(_) => "escalation",
            Self::Acknowledgement => "acknowledged",
            Self::RouteWithoutReceivers(_) => "route_without_receivers",
            Self::NoReceivers => "no_receivers",
            Self::NoneNotified => "none_notified",
            Self::Silenced(_) => "silenced",
            Self::Maintenance => "maintenance",
            Self::HostGoesDown => "host_goes_down",
            Self::Unseen => "unseen",
            Self::Dependency => "dependency",
            Self::HostWide => "host_wide",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Route(number) => return write!(f, "route {number} matches"),
            Self::Default => "no route matches",
            Self::NotifiedBefore => "was notified before",
            Self::Forgotten => "receivers notified before are no longer known",
            Self::Repeat => "still down",
            Self::Escalation(number) => return write!(f, "escalation {number}: not acknowledged"),
            Self::Acknowledgement => "acknowledged",
            Self::RouteWithoutReceivers(number) => return write!(f, "route {number} matches and names no receiver"),
            Self::NoReceivers => "no receivers are configured",
            Self::NoneNotified => "no receiver was notified that it was down",
            Self::Silenced(id) => return write!(f, "silence {id}"),
            Self::Maintenance => "in maintenance",
            Self::HostGoesDown => "the host goes down",
            Self::Unseen => "cannot be seen now",
            Self::Dependency => "the alert of what it depends on speaks for it",
            Self::HostWide => "the host's own alert speaks for it",
        })
    }
}
