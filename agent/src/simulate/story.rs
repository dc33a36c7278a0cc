//! What a simulation tells: a line per happening.

use std::fmt::Write as _;

use sentinel_engine::alerting::Outgoing;
use sentinel_engine::{NotificationKind, Report, ReportKind, Resolution, ServiceName, Severity, Time};
use sentinel_text::Tone;

use super::policies::STAND_IN;
use crate::receivers;

/// Lines kept of one simulation; what exceeds it is only counted.
const MAX_LINES: usize = 100_000;

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// The scenario lets it happen.
    Script,
    /// It follows from that, without the agent.
    World,
    /// The agent decides or does it.
    Agent,
    /// The agent tells people.
    Message,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Time,
    /// Whose doing it is.
    pub who: Who,
    /// Which service it is about, or `(host)`, or `(agent)`.
    pub about: ServiceName,
    /// The incident it belongs to.
    pub incident: Option<u64>,
    /// The word for its kind: `event=` of the log, or the key of the scenario.
    pub word: &'static str,
    /// The sentence.
    pub text: String,
    /// What it means to the reader.
    pub(super) tone: Tone,
}

/// The lines of a simulation, in order.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// The lines, at most 100,000.
    pub lines: Vec<Line>,
    /// How many more there were.
    pub omitted: usize,
}

impl Story {
    fn add(&mut self, line: Line) {
        if self.lines.len() < MAX_LINES {
            self.lines.push(line);
        } else {
            self.omitted += 1;
        }
    }

    /// The scenario, or the world, does something.
    pub(super) fn tell(&mut self, at: Time, who: Who, about: ServiceName, word: &'static str, text: String) {
        let tone = if who == Who::Script { Tone::Strong } else { Tone::Plain };
        self.add(Line {
            at,
            who,
            about,
            incident: None,
            word,
            text,
            tone,
        });
    }

    /// The agent reports something.
    pub(super) fn report(&mut self, report: &Report) {
        if matches!(report.kind, ReportKind::Notified { .. }) {
            // The message itself says so.
            return;
        }
        self.add(Line {
            at: report.at,
            who: Who::Agent,
            about: report.service.clone(),
            incident: report.incident.map(|incident| incident.0),
            word: report.kind.name(),
            text: report.kind.to_string(),
            tone: tone(&report.kind),
        });
    }

    /// The agent sends a message.
    pub(super) fn notify(&mut self, outgoing: &Outgoing) {
        let message = &outgoing.notification;
        let cause = message.cause.to_string();
        let mut text = format!(
            "{}: {}",
            message.severity.as_str(),
            receivers::sentence(message, message.service.as_str(), &cause)
        );
        if matches!(
            message.kind,
            NotificationKind::Fired | NotificationKind::GaveUp | NotificationKind::Flapping { .. }
        ) {
            text.push_str("; ");
            text.push_str(&message.doing);
        }
        let named = outgoing.receivers.iter().filter(|(name, _)| *name != STAND_IN);
        let named: Vec<String> = named.map(|(name, reason)| format!("{name} ({reason})")).collect();
        if !named.is_empty() {
            let _ = write!(text, " -> {}", named.join(", "));
        }
        self.add(Line {
            at: message.at,
            who: Who::Message,
            about: message.service.clone(),
            incident: Some(message.incident.0),
            word: message.kind.as_str(),
            text,
            tone: match message.severity {
                Severity::Info => Tone::Good,
                Severity::Warning => Tone::Warn,
                Severity::Critical => Tone::Bad,
            },
        });
    }
}

fn tone(what: &ReportKind) -> Tone {
    match what {
        ReportKind::StateChanged { .. } | ReportKind::ActionHeld { .. } => Tone::Faint,
        ReportKind::WentDown { .. } | ReportKind::GaveUp { .. } | ReportKind::ActionUnverified { .. } => Tone::Bad,
        ReportKind::BecameHealthy { .. } | ReportKind::ActionVerified { .. } => Tone::Good,
        ReportKind::IncidentClosed { resolution, .. } => match resolution {
            Resolution::Healed | Resolution::Recovered | Resolution::Started => Tone::Good,
            Resolution::Stopped | Resolution::Unmanaged => Tone::Plain,
        },
        ReportKind::ActionStarted { .. } | ReportKind::FlappingBegan { .. } => Tone::Warn,
        _ => Tone::Plain,
    }
}
