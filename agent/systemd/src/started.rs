//! On whose account a unit was started, by a job that was not the agent's.
//!
//! PID 1 numbers jobs in the order in which it makes them: first the one that was asked for, then those that follow from
//! it. So a unit that was pulled in, or restarted along, has a job with a higher number than the unit on whose account
//! that was; and whoever asks for a unit by name gets the lowest number for it. `NRestarts` counts what `Restart=` did.
//! What was not witnessed is not guessed.

use std::collections::VecDeque;
use std::time::Duration;

use sentinel_engine::StartedBy;

use super::facts::{Facts, JobId};
use super::tracker::Tracker;

/// Jobs of the whole host remembered. A boot makes some three hundred, and everything else a few.
const JOBS_KEPT: usize = 512;

/// How long before a job another one may have been made that it follows from. Those of one transaction are made at once;
/// the news of them comes within milliseconds.
const TOGETHER: Duration = Duration::from_secs(2);

/// How long before it that one may have ended: the news of a job that is done at once may come before that of the jobs that
/// were made with it.
const OVERTAKEN: Duration = Duration::from_millis(100);

/// The jobs that PID 1 made lately, for whatever unit, oldest first.
#[derive(Debug)]
pub(super) struct Jobs(VecDeque<Made>);

#[derive(Debug)]
struct Made {
    id: JobId,
    unit: String,
    /// `CLOCK_MONOTONIC` in microseconds.
    at: u64,
    ended: Option<u64>,
    /// `done`, `failed`, `dependency`, ...; empty before it ends.
    result: String,
}

impl Jobs {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// PID 1 made a job.
    pub(super) fn made(&mut self, id: JobId, unit: &str, now: u64) {
        if self.0.len() == JOBS_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Made {
            id,
            unit: unit.to_owned(),
            at: now,
            ended: None,
            result: String::new(),
        });
    }

    /// A job ended.
    pub(super) fn ended(&mut self, id: JobId, result: &str, now: u64) {
        if let Some(made) = self.0.iter_mut().rev().find(|made| made.id == id) {
            made.ended = Some(now);
            result.clone_into(&mut made.result);
        }
    }

    /// Whether a job of `unit` ended in vain when `id` did, and not because somebody called it off.
    pub(super) fn failed_with(&self, unit: &str, id: JobId) -> bool {
        let Some(at) = self
            .0
            .iter()
            .rev()
            .find(|made| made.id == id)
            .and_then(|made| made.ended)
        else {
            return false;
        };
        let together = u64::try_from(TOGETHER.as_micros()).unwrap_or(u64::MAX);
        let in_vain = |made: &Made| matches!(made.result.as_str(), "failed" | "timeout" | "dependency" | "assert");
        let then = |made: &Made| made.ended.is_some_and(|ended| ended.abs_diff(at) <= together);
        self.0
            .iter()
            .any(|made| made.unit == unit && in_vain(made) && then(made))
    }

    /// Whether `id`, a job of `unit`, was witnessed; and whether it follows from one of these units.
    pub(super) fn follows(&self, id: JobId, unit: &str, from: &[&[String]]) -> Option<bool> {
        let job = self.0.iter().rev().find(|made| made.id == id && made.unit == unit)?;
        let is_near = |time: u64, within: Duration| {
            time.saturating_add(u64::try_from(within.as_micros()).unwrap_or(u64::MAX)) >= job.at
        };
        let before = |made: &&Made| {
            made.id < id && is_near(made.at, TOGETHER) && made.ended.is_none_or(|ended| is_near(ended, OVERTAKEN))
        };
        let mut before = self.0.iter().filter(before);
        Some(before.any(|made| from.iter().any(|names| names.contains(&made.unit))))
    }
}

/// Who began the last run of a unit that has no job any more.
pub(super) fn started_by(tracker: &Tracker, jobs: &Jobs) -> StartedBy {
    let Facts { id, n_restarts, .. } = &tracker.facts;
    let Some(before) = tracker.restarts_before else {
        return StartedBy::Unknown;
    };
    if *n_restarts > 0 && *n_restarts != before {
        return StartedBy::Supervisor;
    }
    // The first one that ended since it was on its way up; later ones are no starts, or found it running.
    let Some(job) = tracker.jobs.first().filter(|job| !job.own) else {
        return StartedBy::Unknown;
    };
    match jobs.follows(job.id, id, &[&tracker.facts.bound_to, &tracker.facts.pulled_in_by]) {
        None => StartedBy::Unknown,
        Some(true) => StartedBy::Dependency,
        // Of a start that may be the trigger's nobody knows. A restart is never a trigger's.
        Some(false) if !tracker.facts.triggered_by.is_empty() && tracker.stopped_for != job.id => StartedBy::Trigger,
        Some(false) => StartedBy::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::ActiveState;
    use super::super::tracker::FinishedJob;
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn app(job: JobId, own: bool) -> Tracker {
        let mut tracker = Tracker {
            restarts_before: Some(0),
            jobs: vec![FinishedJob {
                id: job,
                own,
                result: "done".into(),
                state: ActiveState::Active,
                called_off: false,
            }],
            ..Tracker::default()
        };
        tracker.facts.id = "app.service".into();
        tracker.facts.bound_to = vec!["db.service".into()];
        tracker.facts.pulled_in_by = vec!["web.service".into()];
        tracker
    }

    fn jobs(made: &[(JobId, &str, u64)]) -> Jobs {
        let mut jobs = Jobs::new();
        for (id, unit, second) in made {
            jobs.made(*id, unit, second * SECOND);
        }
        jobs
    }

    #[test]
    fn a_start_is_somebodys() {
        let alone = [(7, "app.service", 100)];
        for (what, made, expected) in [
            ("nothing else", &alone[..], StartedBy::Other),
            ("nobody saw the job", &[(7, "db.service", 100)], StartedBy::Unknown),
            (
                "another unit's job before it",
                &[(6, "mail.service", 100), (7, "app.service", 100)],
                StartedBy::Other,
            ),
            (
                "what it is bound to, just before",
                &[(6, "db.service", 100), (7, "app.service", 100)],
                StartedBy::Dependency,
            ),
            (
                "what wants it, just before, the news in another order",
                &[(7, "app.service", 100), (6, "web.service", 100)],
                StartedBy::Dependency,
            ),
            (
                "what it is bound to, long before",
                &[(6, "db.service", 90), (7, "app.service", 100)],
                StartedBy::Other,
            ),
            (
                "it pulled that in itself",
                &[(7, "app.service", 100), (8, "db.service", 100)],
                StartedBy::Other,
            ),
        ] {
            assert_eq!(started_by(&app(7, false), &jobs(made)), expected, "{what}");
        }
        assert_eq!(started_by(&app(7, true), &jobs(&alone)), StartedBy::Unknown, "ours");
    }

    #[test]
    fn a_job_that_was_over_before_is_another_story() {
        for (ended, expected) in [(99_500_000, StartedBy::Other), (99_950_000, StartedBy::Dependency)] {
            let mut jobs = jobs(&[(6, "db.service", 99), (7, "app.service", 100)]);
            jobs.ended(6, "done", ended);
            assert_eq!(started_by(&app(7, false), &jobs), expected, "{ended}");
        }
    }

    #[test]
    fn what_restart_does_is_counted_by_systemd() {
        for (before, now, expected) in [
            (Some(0), 1, StartedBy::Supervisor),
            (Some(3), 1, StartedBy::Supervisor),
            // A start by hand sets it back; before 257 a restart leaves it as it is.
            (Some(3), 0, StartedBy::Other),
            (Some(3), 3, StartedBy::Other),
            (None, 0, StartedBy::Unknown),
        ] {
            let mut tracker = app(7, false);
            (tracker.restarts_before, tracker.facts.n_restarts) = (before, now);
            let by = started_by(&tracker, &jobs(&[(7, "app.service", 100)]));
            assert_eq!(by, expected, "{before:?} {now}");
        }
    }

    #[test]
    fn a_start_that_may_be_the_triggers_is_not_somebodys_and_a_restart_is() {
        let mut tracker = app(7, false);
        tracker.facts.triggered_by = vec!["app.socket".into()];
        let jobs = jobs(&[(7, "app.service", 100)]);
        assert_eq!(started_by(&tracker, &jobs), StartedBy::Trigger);
        tracker.stopped_for = 7;
        assert_eq!(started_by(&tracker, &jobs), StartedBy::Other);
    }

    #[test]
    fn jobs_are_forgotten() {
        let mut jobs = Jobs::new();
        for id in 0..2000 {
            jobs.made(id, "a.service", 0);
        }
        assert_eq!(jobs.0.len(), JOBS_KEPT);
    }
}
