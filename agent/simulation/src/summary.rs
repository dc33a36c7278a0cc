//! What a simulation comes to: per service, in all, and beside what was expected.

use std::time::Duration;

use sentinel_engine::{HOST, ServiceName, Time};
use sentinel_text::exact_span;

use crate::scenario::Expect;
use crate::timeline::{Line, Who};
use crate::world::World;

/// The word of the report that opens an incident.
const OPENED: &str = "incident_opened";
/// The word of the report that closes it.
const CLOSED: &str = "incident_closed";

/// What became of one service, or of the host as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The service, or `(host)`.
    pub name: ServiceName,
    /// How long it did not answer, noticed or not; but not while an operator wanted it down or the host was off.
    pub downtime: Duration,
    /// Incidents opened.
    pub incidents: usize,
    /// How long one was open, up to the end; not counted for the host.
    pub open: Duration,
    /// Restarts by the agent, also those that did not help.
    pub restarts: usize,
    /// The kinds of the messages sent, in order.
    pub messages: Vec<&'static str>,
    /// The state at the end; `None` for the host, and while the agent does not run.
    pub state: Option<&'static str>,
}

/// Something that was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What: `max_restarts = 5`.
    pub expected: String,
    /// What came instead, or as well.
    pub found: String,
    /// Whether that is as expected.
    pub holds: bool,
}

/// What a simulation comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// By service; the host first, when it had an incident of its own.
    pub rows: Vec<Row>,
    /// What was expected, in the order of the keys.
    pub checks: Vec<Check>,
}

impl Summary {
    pub(crate) fn of(world: &World, expect: &Expect) -> Self {
        let lines = &world.timeline.lines;
        let mut rows = Vec::new();
        let host = Row::of(HOST.into(), lines);
        if host.incidents > 0 {
            rows.push(host);
        }
        let snapshot = world.snapshots();
        for (name, actor) in &world.actors {
            let state = snapshot.iter().find(|service| service.name == *name);
            rows.push(Row {
                downtime: actor.downtime,
                open: open(name, lines, world.now),
                restarts: actor.restarts,
                state: state.map(|service| service.state.as_str()),
                ..Row::of(name.clone(), lines)
            });
        }
        let mut summary = Self {
            rows,
            checks: Vec::new(),
        };
        summary.checks = summary.check(expect);
        summary
    }

    /// Restarts by the agent, of all services together.
    pub fn restarts(&self) -> usize {
        self.rows.iter().map(|row| row.restarts).sum()
    }

    /// Messages, of all services together.
    pub fn messages(&self) -> usize {
        self.rows.iter().map(|row| row.messages.len()).sum()
    }

    /// The downtimes of all services together.
    pub fn downtime(&self) -> Duration {
        self.rows.iter().map(|row| row.downtime).sum()
    }

    /// Whether everything is as expected.
    pub fn is_as_expected(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }

    fn check(&self, expect: &Expect) -> Vec<Check> {
        let mut checks = Vec::new();
        let counts = [
            ("max_restarts", expect.max_restarts, self.restarts()),
            ("max_messages", expect.max_messages, self.messages()),
        ];
        for (key, max, found) in counts {
            checks.extend(max.map(|max| Check {
                expected: format!("{key} = {max}"),
                found: found.to_string(),
                holds: found <= max,
            }));
        }
        if let Some(max) = expect.max_downtime
            && let Some(worst) = self.rows.iter().max_by_key(|row| row.downtime)
        {
            checks.push(Check {
                expected: format!("max_downtime = \"{}\"", exact_span(max)),
                found: format!("{} of {}", exact_span(whole(worst.downtime)), worst.name),
                holds: worst.downtime <= max,
            });
        }
        for (name, expected) in &expect.end {
            let state = self.rows.iter().find(|row| row.name == *name).and_then(|row| row.state);
            let state = state.unwrap_or("no agent runs");
            checks.push(Check {
                expected: format!("end.{name} = \"{expected}\""),
                found: state.to_owned(),
                holds: state == expected,
            });
        }
        checks
    }
}

impl Row {
    /// What the lines report `name`.
    fn of(name: ServiceName, lines: &[Line]) -> Self {
        let own = || lines.iter().filter(|line| line.about == name);
        Self {
            incidents: own().filter(|line| line.word() == OPENED).count(),
            messages: own()
                .filter(|line| line.who() == Who::Message)
                .map(Line::word)
                .collect(),
            downtime: Duration::ZERO,
            open: Duration::ZERO,
            restarts: 0,
            state: None,
            name,
        }
    }
}

/// How long `name` had an incident, up to `end`.
fn open(name: &ServiceName, lines: &[Line], end: Time) -> Duration {
    let mut since = None;
    let mut sum = Duration::ZERO;
    for line in lines
        .iter()
        .filter(|line| line.about == *name && line.who() == Who::Agent)
    {
        match line.word() {
            OPENED => since = Some(line.at),
            CLOSED => sum += since.take().map_or(Duration::ZERO, |since| line.at.since(since)),
            _ => {}
        }
    }
    sum + since.map_or(Duration::ZERO, |since| end.since(since))
}

/// To the millisecond: what is finer is an artefact of the simulation.
fn whole(span: Duration) -> Duration {
    Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
