//! What has to be remembered of a unit between signals to distinguish a stop from a crash.
//!
//! States do not tell them apart: a stop can end `failed`, and `kill -TERM` ends `inactive`. Jobs do. PID 1 sends the
//! changes of a unit before it says that a job of that unit is gone, so the state when the job ended is known exactly.

use sentinel_engine::{Cause, Intent, RunId, Supervisor};

use super::attribution::Peer;
use super::facts::{ActiveState, Facts, JobId, Properties};
use super::fallen::Fallen;
use super::journal::Past;
use super::runs::Runs;

/// Finished jobs kept of one unit. One decides; more only pile up while a unit that is down is started in vain.
const JOBS_KEPT: usize = 8;

/// A job of the unit that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FinishedJob {
    pub(super) id: JobId,
    /// Whether the agent asked for it.
    pub(super) own: bool,
    /// `done`, `failed`, `canceled`, `dependency`, ...
    pub(super) result: String,
    /// The state of the unit when it ended.
    pub(super) state: ActiveState,
    /// It was a start that did nothing, as a condition is not met: conditions were checked while it was there.
    pub(super) called_off: bool,
}

/// Why a unit is down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conclusion {
    pub(super) intent: Intent,
    pub(super) cause: Cause,
    pub(super) supervisor: Supervisor,
    /// With what it went down, or for want of what it was not started.
    pub(super) fell_with: Option<Fallen>,
}

/// One unit, as far as it was watched.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, Default)]
pub(super) struct Tracker {
    pub(super) facts: Facts,
    /// The facts with the first half of a change; see [`Self::type_changed`].
    pub(super) staged: Option<Facts>,
    /// Counts up whenever what was asked about the unit's going down is out of date.
    pub(super) generation: u64,
    /// Jobs that ended since the unit was last up or on its way up, oldest first.
    pub(super) jobs: Vec<FinishedJob>,
    /// It was seen stopping for a job, with no failure before: a stop, should the end of that job have been missed.
    pub(super) stop_began: bool,
    /// The job for which it stopped last; 0 for none.
    pub(super) stopped_for: JobId,
    /// How often `Restart=` had started it when the run before this one began; `None` when none was seen.
    pub(super) restarts_before: Option<u32>,
    /// The same of this run.
    pub(super) restarts_now: Option<u32>,
    /// The agent did not see it go down.
    pub(super) unwitnessed: bool,
    /// The facts hold: PID 1 was asked and is done with what a signal may have shown half-way.
    pub(super) at_rest: bool,
    /// When conditions had last been checked before the job that is there, if one is.
    pub(super) conditions_at: u64,
    /// The unit said `frozen` already when this run began: that is left over from the run before.
    pub(super) frozen_before: bool,
    /// The last run, which PID 1 forgets when it unloads the unit.
    pub(super) run: Option<RunId>,
    /// What was concluded when it went down. PID 1 forgets the facts at `reset-failed`, or when it unloads the unit.
    pub(super) concluded: Option<Conclusion>,
    /// The last runs, with their times.
    pub(super) runs: Runs,
    /// What the journal says of how it went down.
    pub(super) past: Option<Past>,
    /// The units that may have taken it down, as they were just after.
    pub(super) peers: Option<Vec<Peer>>,
}

impl Tracker {
    /// Takes over the first half of a change: the properties that only units of this type have.
    ///
    /// PID 1 sends the halves one right after the other, with the values of the same moment. ("The clients may rely on
    /// this order to get atomic behavior if needed", `send_changed_signal()` of systemd's dbus-unit.c.)
    pub(super) fn type_changed(&mut self, properties: &Properties<'_>) {
        let mut facts = self.staged.take().unwrap_or_else(|| self.facts.clone());
        facts.merge(properties);
        self.staged = Some(facts);
    }

    /// Takes over the second half of a change, the properties that all units have. Answers whether the facts are whole
    /// now; otherwise the unit has to be read.
    pub(super) fn changed(&mut self, properties: &Properties<'_>) -> bool {
        let staged = self.staged.take();
        let whole = staged.is_some() && !self.facts.id.is_empty();
        let mut facts = staged.unwrap_or_else(|| self.facts.clone());
        facts.merge(properties);
        self.enter(facts, false);
        whole
    }

    /// Takes over what PID 1 answered when asked for everything.
    ///
    /// Signals and answers come in order, so an answer that differs from what signals have told means that some never
    /// came: the unit was first seen now, or there was a gap.
    pub(super) fn read(&mut self, properties: &Properties<'_>) {
        let first = self.facts.id.is_empty();
        self.staged = None;
        let mut facts = Facts::default();
        facts.merge(properties);
        let missed = first
            || (facts.active_state, facts.state_change) != (self.facts.active_state, self.facts.state_change)
            || facts.invocation != self.facts.invocation;
        // A unit that is not needed any more is unloaded, and its times and its run with it; nothing happened to it.
        let unloaded = !first && facts.state_change == 0 && self.facts.active_state == ActiveState::Inactive;
        if unloaded {
            // Those that name it were unloaded with it.
            facts.pulled_in_by.clone_from(&self.facts.pulled_in_by);
        }
        let gap = missed && !unloaded && facts.active_state.is_down();
        self.enter(facts, gap);
        self.at_rest = true;
    }

    fn enter(&mut self, facts: Facts, gap: bool) {
        let before = std::mem::replace(&mut self.facts, facts);
        let now = &self.facts;
        self.runs.note(now);
        if gap || before.id.is_empty() {
            self.conditions_at = now.condition_at;
        }
        let state_changed = now.active_state != before.active_state;
        let new_run = !now.invocation.is_empty() && now.invocation != before.invocation;
        if new_run {
            self.run = Some(RunId::from(now.invocation.clone()));
            self.restarts_before = self.restarts_now.replace(now.n_restarts);
            // Of the first run that is seen nobody knows.
            self.frozen_before = now.frozen && !before.id.is_empty();
        }
        self.frozen_before &= now.frozen;
        if (state_changed && now.active_state.is_up()) || new_run || gap {
            self.jobs.clear();
            self.stop_began = false;
            self.concluded = None;
            self.unwitnessed = false;
        }
        if state_changed && now.active_state == ActiveState::Deactivating {
            self.stopped_for = now.job;
        }
        if now.active_state == ActiveState::Deactivating && now.result == "success" && now.job != 0 {
            self.stop_began = true;
        }
        if state_changed && now.active_state == ActiveState::Failed {
            self.concluded = None;
        }
        if state_changed || new_run || gap {
            self.generation += 1;
            self.at_rest = false;
            self.past = None;
            self.peers = None;
        }
        self.unwitnessed = (self.unwitnessed || gap) && now.active_state.is_down();
    }

    /// Takes over which units are around it now, and nothing else.
    pub(super) fn peers_are(&mut self, properties: &Properties<'_>) {
        let mut now = Facts::default();
        now.merge(properties);
        self.facts.bound_to = now.bound_to;
        self.facts.needs = now.needs;
        self.facts.conflicts = now.conflicts;
        self.facts.triggered_by = now.triggered_by;
    }

    /// A job of the unit ended.
    pub(super) fn job_removed(&mut self, id: JobId, own: bool, result: &str) {
        if self.jobs.len() == JOBS_KEPT {
            self.jobs.remove(0);
        }
        let checked_at = std::mem::replace(&mut self.conditions_at, self.facts.condition_at);
        self.jobs.push(FinishedJob {
            id,
            own,
            result: result.to_owned(),
            state: self.facts.active_state,
            called_off: self.facts.condition_failed() && self.facts.condition_at > checked_at,
        });
        if !own || result == "dependency" {
            // An operator did something with it, or there is a new reason: what was concluded may not hold any more.
            self.concluded = None;
            self.peers = None;
            self.generation += 1;
        }
        if self.facts.job == id && result == "failed" {
            // PID 1 refused or failed it, and is done with it.
            self.at_rest = true;
        }
    }

    /// A job that ended turned out to have been the agent's.
    pub(super) fn job_is_own(&mut self, id: JobId) {
        if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id && !job.own) {
            job.own = true;
            self.concluded = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use zbus::Variant;

    use super::*;

    fn unit(state: &str, job: u32, invocation: u8) -> Properties<'static> {
        Properties::from([
            ("Id", Variant::from("a.service".to_owned())),
            ("ActiveState", Variant::from(state.to_owned())),
            ("Job", Variant::from((job, "/"))),
            ("InvocationID", Variant::from(vec![invocation])),
            ("StateChangeTimestampMonotonic", Variant::from(u64::from(invocation))),
        ])
    }

    #[test]
    fn a_change_counts_when_both_halves_are_there() {
        let mut tracker = Tracker::default();
        tracker.read(&unit("active", 0, 1));
        tracker.type_changed(&Properties::from([("Result", Variant::from("signal"))]));
        assert_eq!(
            (tracker.facts.result.as_str(), tracker.facts.active_state),
            ("", ActiveState::Active)
        );
        assert!(tracker.changed(&unit("failed", 0, 1)));
        assert_eq!(
            (tracker.facts.result.as_str(), tracker.facts.active_state),
            ("signal", ActiveState::Failed)
        );
        assert!(
            !tracker.changed(&unit("failed", 0, 1)),
            "half a change is not the whole"
        );
    }

    #[test]
    fn what_was_seen_before_a_start_does_not_count_after_it() {
        for next in [unit("activating", 9, 1), unit("inactive", 9, 2)] {
            let mut tracker = Tracker::default();
            tracker.read(&unit("active", 0, 1));
            tracker.changed(&unit("deactivating", 7, 1));
            tracker.changed(&unit("inactive", 7, 1));
            tracker.job_removed(7, false, "done");
            tracker.changed(&next);
            assert_eq!(tracker.jobs, []);
        }
    }

    #[test]
    fn a_read_that_differs_from_the_signals_is_a_gap() {
        let mut tracker = Tracker::default();
        tracker.read(&unit("inactive", 0, 1));
        assert!(tracker.unwitnessed, "first seen down");

        tracker.changed(&unit("active", 0, 2));
        tracker.changed(&unit("failed", 0, 2));
        tracker.read(&unit("failed", 0, 2));
        assert!(!tracker.unwitnessed, "seen going down, and read again");

        tracker.read(&unit("failed", 0, 3));
        assert!(tracker.unwitnessed, "it ran once more, unseen");

        tracker.read(&unit("active", 0, 4));
        assert!(!tracker.unwitnessed, "it is up");
    }

    #[test]
    fn a_unit_that_is_unloaded_keeps_its_history() {
        let mut tracker = Tracker::default();
        tracker.read(&unit("active", 0, 1));
        tracker.changed(&unit("inactive", 0, 1));
        let mut unloaded = unit("inactive", 0, 0);
        unloaded.insert("InvocationID", Variant::from(Vec::<u8>::new()));
        tracker.read(&unloaded);
        assert!(!tracker.unwitnessed);
        assert_eq!(tracker.run, Some("01".into()));
    }

    #[test]
    fn a_job_during_which_conditions_failed_is_a_start_that_did_nothing() {
        let checked = |at: u64| {
            let mut unit = unit("failed", 0, 1);
            unit.insert("ConditionResult", Variant::from(false));
            unit.insert("ConditionTimestampMonotonic", Variant::from(at));
            unit
        };
        let mut tracker = Tracker::default();
        tracker.read(&checked(5));
        tracker.job_removed(1, false, "done");
        tracker.changed(&checked(6));
        tracker.job_removed(2, false, "done");
        tracker.job_removed(3, false, "done");
        let called_off: Vec<bool> = tracker.jobs.iter().map(|job| job.called_off).collect();
        assert_eq!(called_off, [false, true, false]);
    }

    #[test]
    fn frozen_that_a_run_began_with_is_left_over() {
        let frozen = |state: &str, invocation: u8, word: &str| {
            let mut unit = unit(state, 0, invocation);
            unit.insert("FreezerState", Variant::from(word.to_owned()));
            unit
        };
        let mut tracker = Tracker::default();
        tracker.read(&frozen("active", 1, "frozen"));
        assert!(!tracker.frozen_before, "nobody saw it begin");
        tracker.changed(&frozen("failed", 1, "frozen"));
        tracker.changed(&frozen("active", 2, "frozen"));
        assert!(tracker.frozen_before);
        tracker.changed(&frozen("active", 2, "running"));
        tracker.changed(&frozen("active", 2, "frozen"));
        assert!(!tracker.frozen_before, "it changed during this run");
    }

    #[test]
    fn jobs_that_pile_up_are_forgotten() {
        let mut tracker = Tracker::default();
        for id in 0..100 {
            tracker.job_removed(id, false, "failed");
        }
        assert_eq!(tracker.jobs.len(), JOBS_KEPT);
        assert_eq!(tracker.jobs.last().map(|job| job.id), Some(99));
    }
}
