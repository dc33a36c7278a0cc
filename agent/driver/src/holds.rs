//! What keeps services from being restarted, on its way to the log and the timeline: what lasts a second is said, once for
//! each reason in an incident. A crash loop passes through the same few reasons again and again, and most of them for a
//! moment only. Status and messages know the reason of this moment all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sentinel_engine::{IncidentId, Report, ReportKind, ServiceName, Time};

/// What is over sooner is not said.
const LASTS: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub struct Holds {
    /// What holds now and is not said yet.
    waiting: BTreeMap<ServiceName, Report>,
    /// What was said of the open incident of each service.
    said: BTreeMap<ServiceName, (IncidentId, BTreeSet<String>)>,
}

impl Holds {
    /// Takes in what is reported; answers it when it is said at once.
    pub(super) fn take(&mut self, report: Report) -> Option<Report> {
        match &report.kind {
            ReportKind::ActionHeld { hold, .. } => {
                let known = self.said.get(&report.service);
                let was_said =
                    known.is_some_and(|(id, said)| report.incident == Some(*id) && said.contains(&hold.to_string()));
                if was_said {
                    self.waiting.remove(&report.service);
                } else {
                    self.waiting.insert(report.service.clone(), report);
                }
                return None;
            }
            // The reason of the new state, if there is one, comes after it.
            ReportKind::StateChanged { .. } => {
                self.waiting.remove(&report.service);
            }
            ReportKind::IncidentClosed { .. } => {
                self.waiting.remove(&report.service);
                self.said.remove(&report.service);
            }
            _ => {}
        }
        Some(report)
    }

    /// What has lasted long enough by `now`.
    pub(super) fn due(&mut self, now: Time) -> Vec<Report> {
        let is_due = |report: &Report| report.at + LASTS <= now;
        let mut due = Vec::new();
        while let Some(service) = self
            .waiting
            .values()
            .find(|report| is_due(report))
            .map(|report| report.service.clone())
        {
            due.extend(self.waiting.remove(&service));
        }
        for report in &mut due {
            let since = now.since(report.at);
            report.at = now;
            if let ReportKind::ActionHeld { hold, remaining } = &mut report.kind {
                *remaining = remaining.map(|left| left.saturating_sub(since));
                let Some(incident) = report.incident else { continue };
                let said = self
                    .said
                    .entry(report.service.clone())
                    .or_insert_with(|| (incident, BTreeSet::new()));
                if said.0 != incident {
                    *said = (incident, BTreeSet::new());
                }
                said.1.insert(hold.to_string());
            }
        }
        due
    }

    /// When [`Self::due`] is next needed.
    pub(super) fn next(&self) -> Option<Time> {
        self.waiting.values().map(|report| report.at + LASTS).min()
    }
}

#[cfg(test)]
mod tests {
    use sentinel_engine::{Hold, Outage, Resolution, State};

    use super::*;

    fn at(milliseconds: u64) -> Time {
        Time::from_epoch(Duration::from_millis(milliseconds))
    }

    fn report(milliseconds: u64, incident: u64, what: ReportKind) -> Report {
        Report {
            at: at(milliseconds),
            service: "shop".into(),
            incident: Some(IncidentId(incident)),
            kind: what,
        }
    }

    fn held(milliseconds: u64, incident: u64, hold: Hold) -> Report {
        let remaining = Some(Duration::from_secs(9));
        report(milliseconds, incident, ReportKind::ActionHeld { hold, remaining })
    }

    fn state(milliseconds: u64, to: State) -> Report {
        let from = State::Verifying;
        report(milliseconds, 1, ReportKind::StateChanged { from, to })
    }

    fn closed(milliseconds: u64) -> Report {
        let what = ReportKind::IncidentClosed {
            resolution: Resolution::Healed,
            duration: Duration::ZERO,
            outage: Outage::default(),
        };
        report(milliseconds, 1, what)
    }

    fn reasons(reports: &[Report]) -> Vec<String> {
        reports.iter().map(|report| report.kind.to_string()).collect()
    }

    #[test]
    fn a_reason_is_said_once_it_has_lasted_a_second_and_once_in_an_incident() {
        let mut holds = Holds::default();
        assert_eq!(holds.take(held(0, 1, Hold::Backoff)), None);
        assert_eq!((holds.due(at(999)), holds.next()), (Vec::new(), Some(at(1000))));
        let said = holds.due(at(1000));
        assert_eq!(
            reasons(&said),
            ["not restarted: the next attempt is not due yet (for 8s)"]
        );
        assert_eq!(
            said[0].at,
            at(1000),
            "when it is said, so that the timeline stays in order"
        );
        assert_eq!(holds.next(), None);

        // The crash loop: the same again, and one that is over at once.
        for round in 0..9 {
            let begin = 10_000 + 10_000 * round;
            assert!(holds.take(state(begin, State::Settling)).is_some(), "states are said");
            holds.take(held(begin, 1, Hold::Settling));
            holds.take(state(begin + 10, State::Backoff));
            holds.take(held(begin + 10, 1, Hold::Backoff));
            assert_eq!(holds.due(at(begin + 9_000)), []);
        }
        // The next incident says it again.
        assert!(holds.take(closed(200_000)).is_some());
        holds.take(held(300_000, 2, Hold::Backoff));
        assert_eq!(holds.due(at(301_000)).len(), 1);
    }

    #[test]
    fn what_is_over_within_a_second_is_not_said() {
        let mut holds = Holds::default();
        holds.take(held(0, 1, Hold::Settling));
        holds.take(state(500, State::Restarting));
        assert_eq!((holds.due(at(5000)), holds.next()), (Vec::new(), None));
        holds.take(held(6000, 1, Hold::Settling));
        holds.take(closed(6500));
        assert_eq!(holds.due(at(9000)), []);
    }
}
