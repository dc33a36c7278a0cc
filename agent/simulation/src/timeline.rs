//! What happened in a simulation, in order.

use sentinel_engine::alerting::Outgoing;
use sentinel_engine::{Report, ReportKind, ServiceName, Time};

/// Lines kept of one simulation; what exceeds it is only counted.
const MAX_LINES: usize = 100_000;

/// The name of the agent; no service can be called so.
pub(crate) const AGENT: &str = "(agent)";

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The scenario lets it happen.
    Script,
    /// It follows from that, without the agent.
    World,
    /// The agent decides or does it.
    Agent,
    /// The agent notifies receivers.
    Message,
}

impl Who {
    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::World => "world",
            Self::Agent => "agent",
            Self::Message => "message",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Happened {
    /// The scenario lets it happen.
    Script {
        /// The key of the scenario.
        word: &'static str,
        /// The sentence.
        text: String,
    },
    /// It follows from that, without the agent.
    World {
        /// One word for it.
        word: &'static str,
        /// The sentence.
        text: String,
    },
    /// The agent reports it.
    Report(Box<Report>),
    /// The agent notifies receivers.
    Message(Box<Outgoing>),
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// When.
    pub at: Time,
    /// Which service it is about, or `(host)`, or `(agent)`.
    pub about: ServiceName,
    /// What.
    pub what: Happened,
}

impl Line {
    /// Whose doing it is.
    pub const fn who(&self) -> Who {
        match self.what {
            Happened::Script { .. } => Who::Script,
            Happened::World { .. } => Who::World,
            Happened::Report(_) => Who::Agent,
            Happened::Message(_) => Who::Message,
        }
    }

    /// The incident it belongs to.
    pub fn incident(&self) -> Option<u64> {
        match &self.what {
            Happened::Script { .. } | Happened::World { .. } => None,
            Happened::Report(report) => report.incident.map(|incident| incident.0),
            Happened::Message(outgoing) => Some(outgoing.notification.incident.0),
        }
    }

    /// The word for its kind: `event=` of the log, or the key of the scenario.
    pub fn word(&self) -> &'static str {
        match &self.what {
            Happened::Script { word, .. } | Happened::World { word, .. } => word,
            Happened::Report(report) => report.kind.name(),
            Happened::Message(outgoing) => outgoing.notification.kind.as_str(),
        }
    }
}

/// The lines of a simulation, in order.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The lines, at most 100,000.
    pub lines: Vec<Line>,
    /// How many more there were.
    pub omitted: usize,
    /// What was reported before is not reported.
    from: Time,
}

impl Timeline {
    /// None yet; reports from before `from` are left out.
    pub(crate) const fn since(from: Time) -> Self {
        Self {
            lines: Vec::new(),
            omitted: 0,
            from,
        }
    }

    pub(crate) fn add(&mut self, at: Time, about: impl Into<ServiceName>, what: Happened) {
        if self.is_left_out(at, &what) {
            return;
        }
        let about = about.into();
        if self.lines.len() < MAX_LINES {
            self.lines.push(Line { at, about, what });
        } else {
            self.omitted += 1;
        }
    }

    fn is_left_out(&self, at: Time, what: &Happened) -> bool {
        match what {
            // The message itself says so.
            Happened::Report(report) => at < self.from || matches!(report.kind, ReportKind::Notified { .. }),
            _ => false,
        }
    }
}
