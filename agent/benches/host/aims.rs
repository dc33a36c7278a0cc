//! What the agent should reach: section "Numbers to reach" of the design.

use crate::figures::Figure;
use crate::inside::{alert, heal, load, outage, probe};

/// An aim for the agent.
#[derive(Clone, Copy, Debug)]
pub enum Aim {
    /// A median of at most this.
    AtMost(f64),
    /// At most this many times another's, pair by pair.
    Times(f64, &'static str),
}

/// The aim for what is called `what`, if there is one.
pub fn aim(what: &str) -> Option<Aim> {
    Some(match what {
        // The intent to restart is on disk before the call.
        heal::ACTIVE => Aim::Times(1.3, heal::SYSTEMD),
        alert::HAS_IT => Aim::AtMost(50.0),
        // Half an interval of 1 s until it is asked again, and 50 ms.
        probe::HAS_IT | probe::ACTIVE => Aim::AtMost(550.0),
        load::RSS_FEW => Aim::AtMost(10.0),
        load::RSS_MANY => Aim::AtMost(14.0),
        // Half of what the unit may have.
        outage::PEAK => Aim::AtMost(134.2),
        load::CPU_PER_PROBES => Aim::AtMost(0.1),
        load::CPU_IDLE => Aim::AtMost(0.05),
        _ => return None,
    })
}

impl Aim {
    /// Whether `figure` reaches it, beside the others; `None` when that cannot be known.
    pub fn reached(self, figure: &Figure, others: &[Figure]) -> Option<bool> {
        match self {
            Self::AtMost(limit) => Some(figure.median() <= limit),
            Self::Times(limit, name) => {
                let other = others
                    .iter()
                    .find(|other| other.what == figure.what && other.who == name)?;
                Some(figure.ratio_to(other) <= limit)
            }
        }
    }

    /// In a few words.
    pub fn describe(self, unit: &str) -> String {
        match self {
            Self::AtMost(limit) => format!("≤ {limit} {unit}"),
            Self::Times(limit, other) => format!("≤ {limit} × {other}"),
        }
    }
}
