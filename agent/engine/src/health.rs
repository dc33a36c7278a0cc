//! Fall and rise: probe outcomes turned into health with hysteresis.

use crate::probe::ProbeFailure;

/// Health by consecutive probe results, as in `HAProxy`: down after `fall` failures, up after `rise` successes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    up: Option<bool>,
    was_up: bool,
    passed: u32,
    failed: u32,
    /// The last 64 results, the newest in the lowest bit; 1 is a failure.
    recent: u64,
    failure: Option<ProbeFailure>,
}

impl Health {
    /// A probe passed. A single success forgives failures that were too few to count.
    pub(crate) fn record_pass(&mut self, rise: u32) {
        self.failed = 0;
        self.failure = None;
        self.recent <<= 1;
        self.passed = self.passed.saturating_add(1);
        if self.passed >= rise {
            if self.up != Some(true) {
                self.recent = 0;
            }
            self.up = Some(true);
            self.was_up = true;
        }
    }

    /// A probe failed. When `of` is not 0, `fall` failures among the last `of` results are enough.
    pub(crate) fn record_failure(&mut self, failure: ProbeFailure, fall: u32, of: u32) {
        self.passed = 0;
        self.failed = self.failed.saturating_add(1);
        self.recent = self.recent << 1 | 1;
        self.failure = Some(failure);
        let window = u64::MAX.checked_shr(64_u32.saturating_sub(of)).unwrap_or(0);
        if self.failed >= fall || (self.recent & window).count_ones() >= fall {
            self.up = Some(false);
        }
    }

    /// Up for certain.
    pub(crate) fn is_up(&self) -> bool {
        self.up == Some(true)
    }

    /// Down for certain, and the last failure.
    pub(crate) fn down(&self) -> Option<&ProbeFailure> {
        self.failure.as_ref().filter(|_| self.up == Some(false))
    }

    /// Whether the last probe passed.
    pub(crate) fn passes(&self) -> bool {
        self.passed > 0
    }

    /// Up, but the last probes failed.
    pub(crate) fn is_suspect(&self) -> bool {
        self.failed > 0
    }

    /// Whether it was up at any time: then failures count at once.
    pub(crate) fn was_up(&self) -> bool {
        self.was_up
    }

    /// A failure that does not count still breaks a run of successes.
    pub(crate) fn interrupt(&mut self) {
        self.passed = 0;
    }

    /// Forgets failures: what was asked while somebody was busy with the target says nothing.
    pub(crate) fn forgive(&mut self) {
        self.failed = 0;
        self.recent = 0;
        self.failure = None;
        self.up = self.up.filter(|up| *up);
    }

    /// Forgets everything: another run, or a gap in what was seen.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::FailureKind;

    fn after(results: &str, of: u32) -> Health {
        let mut health = Health::default();
        for result in results.chars() {
            match result {
                '+' => health.record_pass(2),
                _ => health.record_failure(ProbeFailure::new(FailureKind::Status(500), "500"), 3, of),
            }
        }
        health
    }

    #[test]
    fn health_flips_only_after_fall_failures_or_rise_successes() {
        // probes, up, down, suspect
        let table = [
            ("", false, false, false),
            ("+", false, false, false),
            ("++", true, false, false),
            ("++-", true, false, true),
            ("++--", true, false, true),
            ("++---", false, true, true),
            ("++--+--", true, false, true),
            ("++---+", false, false, false),
            ("++---++", true, false, false),
            ("---", false, true, true),
        ];
        for (probes, up, down, suspect) in table {
            let health = after(probes, 0);
            assert_eq!(
                (health.is_up(), health.down().is_some(), health.is_suspect()),
                (up, down, suspect),
                "{probes}"
            );
        }
    }

    #[test]
    fn some_of_the_last_probes_are_enough_when_asked_for() {
        // probes, of, down
        let table = [
            ("++-+-+-", 0, false),
            ("++-+-+-", 5, true),
            ("++-+-++-", 5, false),
            ("++-+-++-", 6, true),
            ("++-+-+-", 64, true),
            ("++---++-", 8, false),
        ];
        for (probes, of, down) in table {
            assert_eq!(after(probes, of).down().is_some(), down, "{probes} of {of}");
        }
    }
}
