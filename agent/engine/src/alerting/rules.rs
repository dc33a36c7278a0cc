//! Who is notified what: routes, defaults and escalations, as configured. Pure functions with a reason for every answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::reason::Reason;
use super::subject::{Match, Misfit, Subject};

/// Everything that is configured about who is notified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Every receiver there is. Whoever is not in it is told nothing.
    pub receivers: BTreeSet<String>,
    /// Asked in order; the first that fits decides, unless it says to go on.
    pub routes: Vec<Route>,
    /// Who is notified when no route matches.
    pub default: Vec<String>,
    /// How long the first message of an incident waits for others to be reported together with.
    pub group_wait: Duration,
    /// How often receivers are notified again of what is still down and no operator acknowledged; `None` for never.
    pub repeat_interval: Option<Duration>,
    /// Who else is notified when no operator acknowledges.
    pub escalations: Vec<Escalation>,
}

/// Some messages, and who gets them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Which messages.
    pub matches: Match,
    /// Who gets them. Empty: nobody, on purpose.
    pub receivers: Vec<String>,
    /// Whether the routes after it are asked as well.
    pub go_on: bool,
}

/// Who else is notified of an incident that no operator acknowledged in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Which incidents. Its kinds are empty.
    pub matches: Match,
    /// How long after receivers were first notified.
    pub after: Duration,
    /// Who is notified then.
    pub receivers: Vec<String>,
}

/// What one route says to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It fits, and decides.
    Taken,
    /// It fits; the next ones are asked too.
    TakenAndOn,
    /// It does not fit.
    Passed(Misfit),
    /// An earlier route decided.
    NotAsked,
}

/// Who gets a message, each with the reason; when nobody does, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The receivers.
    pub receivers: BTreeMap<String, Reason>,
    /// Why there are none, when there are none.
    pub no_receivers: Option<Reason>,
    /// What each route said, in their order.
    pub verdicts: Vec<Verdict>,
}

impl Rules {
    /// No receiver to notify, and nothing repeated.
    pub fn without_receivers() -> Self {
        Self {
            receivers: BTreeSet::new(),
            routes: Vec::new(),
            default: Vec::new(),
            group_wait: Duration::ZERO,
            repeat_interval: None,
            escalations: Vec::new(),
        }
    }

    /// Who is notified of `subject`.
    pub fn choose(&self, subject: Subject<'_>) -> Choice {
        let mut receivers = BTreeMap::new();
        let mut no_receivers = None;
        let mut decided = false;
        let mut fitted = false;
        let verdicts = self.routes.iter().zip(1..).map(|(route, number)| {
            if decided {
                return Verdict::NotAsked;
            }
            if let Some(misfit) = route.matches.misfit(subject) {
                return Verdict::Passed(misfit);
            }
            fitted = true;
            decided = !route.go_on;
            no_receivers = Some(Reason::RouteWithoutReceivers(number));
            for name in &route.receivers {
                receivers.entry(name.clone()).or_insert(Reason::Route(number));
            }
            if route.go_on {
                Verdict::TakenAndOn
            } else {
                Verdict::Taken
            }
        });
        let verdicts = verdicts.collect();
        if !fitted {
            no_receivers = Some(Reason::NoReceivers);
            receivers.extend(self.default.iter().map(|name| (name.clone(), Reason::Default)));
        }
        receivers.retain(|name, _| self.receivers.contains(name));
        Choice {
            no_receivers: no_receivers.filter(|_| receivers.is_empty()),
            receivers,
            verdicts,
        }
    }

    /// The escalations that are about `subject`, with their numbers from 1.
    pub fn escalations_of(&self, subject: Subject<'_>) -> impl Iterator<Item = (usize, &Escalation)> {
        (1..)
            .zip(&self.escalations)
            .filter(move |(_, escalation)| escalation.matches.fits(subject))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("matches"),
            Self::TakenAndOn => f.write_str("matches, and continues"),
            Self::Passed(misfit) => write!(f, "{misfit}"),
            Self::NotAsked => f.write_str("not evaluated"),
        }
    }
}
