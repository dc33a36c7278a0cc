//! When the runs of a container ended, to tell in its log what one run wrote from what the others did. Pure.
//!
//! All runs share one log, and the Engine notes when a run began only after its process was started: by then a quick one has
//! written its first lines, and may be over. So a run's part of the log begins where the run before it ended.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

/// Ends remembered. Evidence is read within seconds, in which not even a crash loop takes more.
const REMEMBERED: usize = 16;

/// How long before its noted beginning a run may have written, where the end of the run before is not known.
const STARTING: Duration = Duration::from_secs(2);

/// How long after a run was seen to fail its end may be reported: systemd tells it sooner than the Engine, which has
/// taken in all that the run wrote by the time it does.
const LATE: Duration = Duration::from_secs(1);

/// The last ends of a container's runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    at: BTreeSet<Timestamp>,
    /// The run that began then was the first one.
    first: Option<Timestamp>,
}

impl Ends {
    /// A run ended at `at`. May be reported twice, and late.
    pub(super) fn ended(&mut self, at: Timestamp) {
        self.at.insert(at);
        if self.at.len() > REMEMBERED {
            self.at.pop_first();
        }
    }

    /// The run that began at `started` is under way. The one before it ended at `before`; without, there was none.
    pub(super) fn runs(&mut self, started: Timestamp, before: Option<Timestamp>) {
        match before {
            // Told by an event, the end comes after what was written last.
            Some(before) if before <= started && self.at.range(before..=started).next().is_none() => {
                self.ended(before);
            }
            Some(_) => {}
            None => self.first = Some(started),
        }
    }

    /// The part of the log that is of the run which began at `started` and was seen to fail at `failed`.
    pub(super) fn part(&self, started: Timestamp, failed: Timestamp) -> (Timestamp, Timestamp) {
        let since = if self.first == Some(started) {
            Timestamp::MIN
        } else {
            let before = self.at.range(..=started).next_back().copied();
            before.unwrap_or_else(|| started.checked_sub(STARTING).unwrap_or(Timestamp::MIN))
        };
        let end = self.at.range(started..).find(|end| **end > started).copied();
        let late = failed.checked_add(LATE).unwrap_or(Timestamp::MAX);
        (since, end.filter(|end| *end <= late).unwrap_or(failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tenths: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + 100 * tenths).unwrap()
    }

    #[test]
    fn a_run_has_its_part_of_the_log() {
        for (what, first, ends, started, failed, part) in [
            ("the first run, which has ended", Some(10), vec![50], 10, 51, (None, 50)),
            ("the first run, unhealthy", Some(10), vec![], 10, 51, (None, 51)),
            ("another run", Some(10), vec![50, 90], 60, 91, (Some(50), 90)),
            ("its end is told late", Some(10), vec![50, 94], 60, 90, (Some(50), 94)),
            (
                "unhealthy, and stopped long after",
                Some(10),
                vec![50, 220],
                60,
                100,
                (Some(50), 100),
            ),
            ("in a crash loop", None, vec![50, 53, 56, 59], 54, 60, (Some(53), 56)),
            (
                "nothing is known of the run before",
                None,
                vec![99],
                60,
                99,
                (Some(40), 99),
            ),
            ("nothing is known at all", None, vec![], 60, 99, (Some(40), 99)),
            (
                "seen to fail before it is noted as begun",
                None,
                vec![50],
                60,
                59,
                (Some(50), 59),
            ),
        ] {
            let mut known = Ends::default();
            if let Some(first) = first {
                known.runs(at(first), None);
            }
            for end in ends {
                known.ended(at(end));
                known.ended(at(end));
            }
            let expected = (part.0.map_or(Timestamp::MIN, at), at(part.1));
            assert_eq!(known.part(at(started), at(failed)), expected, "{what}");
        }
    }

    #[test]
    fn the_state_reports_an_end_that_no_event_reported() {
        let mut known = Ends::default();
        known.runs(at(60), Some(at(50)));
        assert_eq!(known.part(at(60), at(99)), (at(50), at(99)));
        // The state of a run that was over by then is of no use, and an event is the better witness.
        known.runs(at(60), Some(at(70)));
        known.ended(at(80));
        known.runs(at(90), Some(at(79)));
        known.runs(at(90), Some(at(80)));
        assert_eq!(known.part(at(60), at(81)), (at(50), at(80)));
        assert_eq!(known.part(at(90), at(99)).0, at(80));
    }

    #[test]
    fn old_ends_are_forgotten() {
        let mut known = Ends::default();
        for end in 0..1000 {
            known.ended(at(end));
        }
        assert_eq!(known.at.len(), REMEMBERED);
        assert_eq!(known.part(at(1000), at(1001)).0, at(999));
    }
}
