//! What happened so far in each incident, and how often a service fails, so that a message can tell it. In memory only:
//! the store has the whole history, and this is filled from it when the agent starts.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sentinel_engine::{IncidentId, Report, ReportKind, ServiceName, Time};
use sentinel_text::clip;

use super::message::{Evidence, LINE_MAX, TIMELINE_MAX};

/// The first lines of a long story say how it began; of the rest the last ones matter.
pub(super) const BEGINNING: usize = 4;

/// Timelines of incidents that are over and may still be told of.
const OVER_MAX: usize = 256;

/// Timelines at all: one for each service a host may have, and some more.
const STORIES_MAX: usize = 11_000;

/// Evidence held at the same time for messages, in bytes. When that is used up, evidence of further incidents is given up: it
/// is what can be missed most. A host of ten thousand services that all fail at once must not need more memory than the
/// agent's unit has.
const EVIDENCE_HELD_MAX: usize = 4 * 1024 * 1024;

/// Why it is given up then, and what a story says.
pub const TOO_MANY: &str = "too many incidents at once";
const GIVEN_UP: &str = "evidence was dropped: too many incidents at once";

/// Incidents of one service that are counted; more are no other news.
const COUNTED_MAX: usize = 100;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What happened so far in one incident.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IncidentTimeline {
    /// Lines with their times, oldest first.
    pub lines: Vec<(Time, String)>,
    /// Lines that were left out after the first few.
    pub omitted: usize,
    /// What was gathered about it, once that is done: the newest of each kind, the one that says most first.
    pub evidence: BTreeMap<EvidenceKind, Evidence>,
    /// Incidents of the service in the last 24 hours, this one included; `None` when it is not known.
    pub last_day: Option<u32>,
}

impl IncidentTimeline {
    fn evidence_bytes(&self) -> usize {
        self.evidence.values().map(bytes).sum()
    }
}

fn bytes(piece: &Evidence) -> usize {
    piece.title.len() + piece.text.len()
}

/// What became of a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// It is new, and kept.
    News,
    /// It says nothing new.
    Known,
    /// It is not kept: too much is.
    NoRoom,
}

/// What can be gathered about an incident, the one that says most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EvidenceKind {
    /// What the run that failed last wrote.
    Log,
    /// Whether it still accepted connections.
    Accept,
    /// Which packages changed shortly before.
    Packages,
    /// What was wrong with the host.
    Host,
}

impl EvidenceKind {
    /// What it is called.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Log => "its last log lines",
            Self::Accept => "its sockets at that time",
            Self::Packages => "packages changed before",
            Self::Host => "the host at that time",
        }
    }

    /// The one that is called so.
    pub fn of_title(title: &str) -> Option<Self> {
        [Self::Log, Self::Accept, Self::Packages, Self::Host]
            .into_iter()
            .find(|kind| kind.title() == title)
    }
}

/// The stories of all incidents.
#[derive(Debug, Default)]
pub struct Timelines {
    all: BTreeMap<IncidentId, IncidentTimeline>,
    /// Those that are over, oldest first.
    over: VecDeque<IncidentId>,
    /// When the last incidents of each service opened.
    opened: BTreeMap<ServiceName, VecDeque<Time>>,
    /// Bytes of evidence in all stories.
    evidence_held: usize,
}

impl Timelines {
    /// Takes in one thing that happened.
    pub fn note(&mut self, report: &Report) {
        let Some(incident) = report.incident else { return };
        if matches!(report.kind, ReportKind::StateChanged { .. }) {
            return;
        }
        if matches!(report.kind, ReportKind::IncidentOpened { .. }) {
            self.count(&report.service, report.at);
        }
        self.add(incident, report.at, &report.kind.to_string());
        if matches!(report.kind, ReportKind::IncidentClosed { .. }) {
            self.end(incident);
        }
    }

    /// Counts an incident of `service` that opened at `at`.
    pub fn count(&mut self, service: &ServiceName, at: Time) {
        let opened = self.opened.entry(service.clone()).or_default();
        opened.push_back(at);
        if opened.len() > COUNTED_MAX {
            opened.pop_front();
        }
    }

    /// Adds a line to a story.
    pub fn add(&mut self, incident: IncidentId, at: Time, text: &str) {
        let timeline = self.all.entry(incident).or_default();
        let text = clip(text, LINE_MAX);
        // Nothing new was said.
        if timeline.lines.last().is_some_and(|(_, last)| *last == text) {
            return;
        }
        timeline.lines.push((at, text));
        if timeline.lines.len() > TIMELINE_MAX {
            timeline.lines.remove(BEGINNING);
            timeline.omitted += 1;
        }
        while self.all.len() > STORIES_MAX
            && let Some((_, timeline)) = self.all.pop_first()
        {
            self.evidence_held -= timeline.evidence_bytes();
        }
    }

    /// Whether more evidence can be taken in.
    pub const fn has_room(&self) -> bool {
        self.evidence_held < EVIDENCE_HELD_MAX
    }

    /// Says that evidence of an incident was not gathered or not kept, and answers whether that is news.
    pub fn give_up_evidence(&mut self, incident: IncidentId, at: Time) -> bool {
        let Some(timeline) = self.all.get(&incident) else {
            return false;
        };
        let is_news = timeline.lines.iter().all(|(_, line)| line != GIVEN_UP);
        if is_news {
            self.add(incident, at, GIVEN_UP);
        }
        is_news
    }

    /// Takes in what was found out about an incident. Incidents that nobody will be told of any more have no story; what is
    /// found out about them is always news.
    pub fn learn(&mut self, incident: IncidentId, kind: EvidenceKind, text: &str) -> Learned {
        let Some(timeline) = self.all.get_mut(&incident) else {
            return Learned::News;
        };
        let evidence = Evidence::last_lines(kind.title(), text);
        if timeline.evidence.get(&kind) == Some(&evidence) {
            return Learned::Known;
        }
        let before = timeline.evidence.get(&kind).map_or(0, bytes);
        let held = self.evidence_held - before + bytes(&evidence);
        if held > EVIDENCE_HELD_MAX {
            return Learned::NoRoom;
        }
        self.evidence_held = held;
        timeline.evidence.insert(kind, evidence);
        Learned::News
    }

    /// The story so far of `incident` of `service`.
    pub fn so_far(&self, incident: IncidentId, service: &ServiceName, now: Time) -> IncidentTimeline {
        let mut timeline = self.all.get(&incident).cloned().unwrap_or_default();
        timeline.last_day = self.opened.get(service).and_then(|opened| {
            let recent = opened.iter().filter(|at| now.since(**at) < DAY).count();
            u32::try_from(recent).ok().filter(|recent| *recent > 0)
        });
        timeline
    }

    /// Forgets services that are not among `names`.
    pub fn keep(&mut self, known: impl Fn(&ServiceName) -> bool) {
        self.opened.retain(|service, _| known(service));
    }

    /// The last messages about an incident may come after its end, as in a group; its story is kept for them.
    fn end(&mut self, incident: IncidentId) {
        self.over.push_back(incident);
        if self.over.len() > OVER_MAX
            && let Some(oldest) = self.over.pop_front()
            && let Some(timeline) = self.all.remove(&oldest)
        {
            self.evidence_held -= timeline.evidence_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use sentinel_engine::{Cause, Outage, Resolution};

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_epoch(Duration::from_secs(seconds))
    }

    fn report(incident: u64, seconds: u64, what: ReportKind) -> Report {
        Report {
            at: at(seconds),
            service: "shop".into(),
            incident: Some(IncidentId(incident)),
            kind: what,
        }
    }

    fn opened(incident: u64, seconds: u64) -> Report {
        report(incident, seconds, ReportKind::IncidentOpened { cause: Cause::Watchdog })
    }

    fn closed(incident: u64, seconds: u64) -> Report {
        let what = ReportKind::IncidentClosed {
            resolution: Resolution::Healed,
            duration: Duration::from_secs(3),
            outage: Outage::default(),
        };
        report(incident, seconds, what)
    }

    #[test]
    fn a_story_is_reported_to_its_end_and_after() {
        let mut timelines = Timelines::default();
        timelines.note(&opened(1, 10));
        timelines.note(&closed(1, 13));
        let timeline = timelines.so_far(IncidentId(1), &"shop".into(), at(14));
        let lines: Vec<&str> = timeline.lines.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(lines, ["did not feed its watchdog in time", "healed after 3s"]);
        assert_eq!(timeline.last_day, Some(1));
    }

    #[test]
    fn a_long_story_keeps_its_beginning_and_its_end() {
        let mut timelines = Timelines::default();
        for n in 0..100 {
            timelines.add(IncidentId(1), at(n), &format!("line {n}"));
        }
        let timeline = timelines.so_far(IncidentId(1), &"shop".into(), at(100));
        assert_eq!(timeline.lines.len(), TIMELINE_MAX);
        assert_eq!(timeline.omitted, 100 - TIMELINE_MAX);
        assert_eq!(timeline.lines[BEGINNING - 1].1, "line 3");
        assert_eq!(timeline.lines[BEGINNING].1, "line 88");
        assert_eq!(timeline.lines[TIMELINE_MAX - 1].1, "line 99");
    }

    #[test]
    fn incidents_are_counted_for_a_day() {
        let mut timelines = Timelines::default();
        for incident in 1..=3 {
            timelines.note(&opened(incident, incident * 36_000));
        }
        let last_day = |now| timelines.so_far(IncidentId(9), &"shop".into(), at(now)).last_day;
        assert_eq!(last_day(109_000), Some(3));
        assert_eq!(last_day(123_000), Some(2));
        assert_eq!(last_day(400_000), None);
    }

    #[test]
    fn only_so_many_stories_are_kept() {
        let mut timelines = Timelines::default();
        for incident in 1..=300 {
            timelines.note(&opened(incident, incident));
            timelines.note(&closed(incident, incident));
        }
        assert_eq!(timelines.all.len(), OVER_MAX);
        assert!(!timelines.all.contains_key(&IncidentId(44)));
        assert_eq!(timelines.opened.values().map(VecDeque::len).sum::<usize>(), COUNTED_MAX);
    }

    #[test]
    fn evidence_is_given_up_before_memory_is() {
        let text = "x".repeat(2000);
        let mut timelines = Timelines::default();
        let kinds = [
            EvidenceKind::Log,
            EvidenceKind::Accept,
            EvidenceKind::Packages,
            EvidenceKind::Host,
        ];
        let mut given_up = 0_u64;
        for incident in 1..=10_000 {
            timelines.note(&report(
                incident,
                100,
                ReportKind::IncidentOpened { cause: Cause::Watchdog },
            ));
            for kind in kinds {
                if timelines.learn(IncidentId(incident), kind, &text) == Learned::NoRoom {
                    given_up += u64::from(timelines.give_up_evidence(IncidentId(incident), at(101)));
                }
            }
            assert!(timelines.evidence_held <= EVIDENCE_HELD_MAX);
        }
        let held: usize = timelines.all.values().map(IncidentTimeline::evidence_bytes).sum();
        assert_eq!(held, timelines.evidence_held);
        assert!(held > EVIDENCE_HELD_MAX - 2000, "{held}");
        assert!(given_up > 8000, "{given_up}");
        let last = timelines.so_far(IncidentId(10_000), &"shop".into(), at(101));
        assert_eq!(last.lines.iter().filter(|(_, line)| line == GIVEN_UP).count(), 1);
        // What is over makes room.
        for incident in 1..=10_000 {
            let what = ReportKind::IncidentClosed {
                resolution: Resolution::Recovered,
                duration: Duration::from_secs(1),
                outage: Outage::default(),
            };
            timelines.note(&report(incident, 200, what));
        }
        let held: usize = timelines.all.values().map(IncidentTimeline::evidence_bytes).sum();
        assert_eq!(held, timelines.evidence_held);
        assert!(timelines.has_room());
    }
}
