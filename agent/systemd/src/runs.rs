//! Which runs a unit had lately, and when each began and ended: what distinguishes the lines of one from those of
//! another where the journal does not.

use std::collections::VecDeque;

use super::facts::Facts;

/// Runs kept of one unit. What failed is looked at half a second later; more begin meanwhile only without `RestartSec=`.
const RUNS_KEPT: usize = 16;

/// One run. Times are microseconds of `CLOCK_MONOTONIC`; 0 is not known, or not yet.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Run {
    /// Its `InvocationID`.
    pub(super) id: String,
    /// When its main process started.
    pub(super) start: u64,
    /// When its main process ended, or, if there was none, the unit.
    pub(super) end: u64,
    /// Not later than this something of the next run may have written.
    pub(super) next: u64,
}

impl Run {
    /// A run of which only the id is known.
    pub(super) fn of_id(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..Self::default()
        }
    }
}

/// The last runs of a unit, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Runs(VecDeque<Run>);

impl Runs {
    /// Takes over what PID 1 now says of the unit.
    pub(super) fn note(&mut self, now: &Facts) {
        if now.invocation.is_empty() {
            // It was unloaded, and its runs stay what they were.
            return;
        }
        if self.newest().is_none_or(|run| run.id != now.invocation) {
            if let Some(before) = self.0.back_mut() {
                before.next = now.state_change;
            }
            if self.0.len() == RUNS_KEPT {
                self.0.pop_front();
            }
            self.0.push_back(Run {
                id: now.invocation.clone(),
                ..Run::default()
            });
        }
        // Until its own main process has started PID 1 shows that of the run before.
        let before = self.0.iter().rev().nth(1).map_or(0, |run| run.start.max(run.end));
        let is_own = now.exec_main_start > before && now.exec_main_start >= now.inactive_exit;
        let Some(run) = self.0.back_mut() else {
            return;
        };
        if run.start == 0 && is_own {
            run.start = now.exec_main_start;
        }
        run.end = match () {
            () if is_own && now.exec_main_exit >= now.exec_main_start => now.exec_main_exit,
            () if now.active_state.is_down() && run.start == 0 => now.state_change,
            () => 0,
        };
        let start = run.start;
        if let Some(before) = self.0.iter_mut().rev().nth(1)
            && start != 0
        {
            before.next = before.next.min(start);
        }
    }

    /// The run that PID 1 showed last.
    pub(super) fn newest(&self) -> Option<&Run> {
        self.0.back()
    }

    /// The run of this id, if it is not too long ago.
    pub(super) fn of(&self, id: &str) -> Option<&Run> {
        self.0.iter().find(|run| run.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::ActiveState;
    use super::*;

    fn facts(invocation: &str, state: ActiveState, change: u64, main: (u64, u64)) -> Facts {
        Facts {
            invocation: invocation.to_owned(),
            active_state: state,
            state_change: change,
            exec_main_start: main.0,
            exec_main_exit: main.1,
            ..Facts::default()
        }
    }

    fn run(id: &str, start: u64, end: u64, next: u64) -> Run {
        Run {
            id: id.to_owned(),
            start,
            end,
            next,
        }
    }

    #[test]
    fn each_run_has_its_own_times() {
        use ActiveState::{Activating, Active, Failed, Inactive};
        let mut runs = Runs::default();
        runs.note(&facts("a", Active, 11, (10, 0)));
        assert_eq!(runs.newest(), Some(&run("a", 10, 0, 0)));
        runs.note(&facts("a", Failed, 21, (10, 20)));
        assert_eq!(runs.newest(), Some(&run("a", 10, 20, 0)));
        // While something runs before it, PID 1 shows the main process of the run before.
        runs.note(&facts("b", Activating, 30, (10, 20)));
        assert_eq!(runs.newest(), Some(&run("b", 0, 0, 0)));
        assert_eq!(runs.of("a"), Some(&run("a", 10, 20, 30)));
        runs.note(&facts("b", Active, 33, (32, 0)));
        assert_eq!(runs.newest(), Some(&run("b", 32, 0, 0)));
        // The one before the main process fails: there is none.
        runs.note(&facts("c", Failed, 50, (32, 40)));
        assert_eq!(runs.newest(), Some(&run("c", 0, 50, 0)));
        // First seen when it had already started.
        runs.note(&facts("d", Active, 62, (61, 0)));
        assert_eq!(
            (runs.of("c"), runs.newest()),
            (Some(&run("c", 0, 50, 61)), Some(&run("d", 61, 0, 0)))
        );
        // Another main process in the same run begins no other run.
        runs.note(&facts("d", Active, 62, (70, 0)));
        assert_eq!(runs.newest(), Some(&run("d", 61, 0, 0)));
        // Unloaded, PID 1 forgets.
        runs.note(&facts("", Inactive, 0, (0, 0)));
        assert_eq!(runs.newest(), Some(&run("d", 61, 0, 0)));
        assert_eq!(runs.of("e"), None);
    }

    #[test]
    fn a_main_process_from_before_the_start_is_none_of_this_run() {
        let mut runs = Runs::default();
        let mut first = facts("a", ActiveState::Activating, 100, (10, 20));
        first.inactive_exit = 99;
        runs.note(&first);
        assert_eq!(runs.newest(), Some(&run("a", 0, 0, 0)));
    }

    #[test]
    fn runs_that_pile_up_are_forgotten() {
        let mut runs = Runs::default();
        for number in 1..100_u64 {
            runs.note(&facts(&number.to_string(), ActiveState::Active, number, (number, 0)));
        }
        assert_eq!(runs.0.len(), RUNS_KEPT);
        assert_eq!(runs.newest().map(|run| run.start), Some(99));
    }
}
