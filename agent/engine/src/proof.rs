//! What failed probes prove: which of them may lead to a restart, and which only alert.
//!
//! Every failure counts for *down* (`health.rs`). A restart needs more: `fall` failures since the last pass, in any order,
//! of probes that have passed before and of kinds that `restart_on` names. Each probe of a service is apart: one that has
//! never passed neither restarts the service nor keeps the others from it.

use crate::ids::Question;
use crate::memory::Passed;
use crate::policy::{BeforeFirstPass, Policy};
use crate::probe::{Answer, ProbeFailure, ProbeOutcome, Verdict};

/// What one round of probes says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    /// A failure that may lead to a restart; the first in configured order, as are the others.
    counted: Option<ProbeFailure>,
    /// A failure of what has passed before, of a kind that a restart does not help against.
    excluded: Option<ProbeFailure>,
    /// A failure of what has never passed.
    unproven: Option<ProbeFailure>,
    /// Something that has passed before was not asked this time.
    skipped: bool,
}

impl Round {
    /// Weighs what each probe said.
    pub(crate) fn of(outcome: &ProbeOutcome, passed: &Passed, policy: &Policy) -> Self {
        let mut round = Self::default();
        for (question, verdict) in answers(outcome)
            .iter()
            .map(|answer| (&answer.question, &answer.verdict))
        {
            let proven = passed.contains(question);
            match verdict {
                Verdict::Passed => {}
                Verdict::Skipped(_) => round.skipped |= proven,
                Verdict::Failed(failure) => {
                    let trusted = match policy.before_first_pass {
                        BeforeFirstPass::Hold => proven,
                        BeforeFirstPass::Restart => proven || !failure.kind.needs_pass(),
                    };
                    let place = match (trusted, policy.restart_on.covers(failure.kind)) {
                        (true, true) => &mut round.counted,
                        (true, false) => &mut round.excluded,
                        (false, _) => &mut round.unproven,
                    };
                    place.get_or_insert_with(|| failure.clone());
                }
            }
        }
        round
    }

    /// The failure to name: what matters most.
    pub(crate) fn failure(&self) -> Option<&ProbeFailure> {
        self.trusted().or(self.unproven.as_ref())
    }

    /// The failure of what has passed before.
    fn trusted(&self) -> Option<&ProbeFailure> {
        self.counted.as_ref().or(self.excluded.as_ref())
    }
}

/// What each probe said. Of a single one it is enough to know the verdict.
pub(crate) fn answers(outcome: &ProbeOutcome) -> Vec<Answer> {
    if !outcome.answers.is_empty() {
        return outcome.answers.clone();
    }
    vec![Answer {
        question: Question::default(),
        verdict: outcome.verdict.clone(),
    }]
}

/// What the rounds of the present run prove.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proof {
    /// Failures that may lead to a restart, since everything that has ever passed passed last.
    counted: Count,
    /// Failures of what has passed before, whatever their kind, since then.
    trusted: Count,
    /// Rounds in a row in which everything passed that has ever passed.
    passed: u32,
    /// The last failure of what has passed before.
    failure: Option<ProbeFailure>,
    /// What has never passed said in the last round.
    unproven: Option<ProbeFailure>,
}

/// Failures since the last pass, and among the last 64 rounds.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    in_all: u32,
    /// The newest in the lowest bit.
    recent: u64,
}

impl Count {
    fn add(&mut self, failed: bool) {
        self.in_all = self.in_all.saturating_add(u32::from(failed));
        self.recent = self.recent << 1 | u64::from(failed);
    }

    fn pass(&mut self) {
        self.in_all = 0;
        self.recent <<= 1;
    }

    fn reaches(self, policy: &Policy) -> bool {
        let window = u64::MAX.checked_shr(64_u32.saturating_sub(policy.fall_of)).unwrap_or(0);
        self.in_all >= policy.fall || (self.recent & window).count_ones() >= policy.fall
    }
}

impl Proof {
    /// Takes in a round that counts.
    pub(crate) fn record(&mut self, round: &Round) {
        self.unproven.clone_from(&round.unproven);
        if let Some(failure) = round.trusted() {
            self.passed = 0;
            self.counted.add(round.counted.is_some());
            self.trusted.add(true);
            self.failure = Some(failure.clone());
        } else if !round.skipped {
            self.passed = self.passed.saturating_add(1);
            self.counted.pass();
            self.trusted.pass();
            self.failure = None;
        }
    }

    /// Takes in a round whose failures do not count, as what it is about is still starting.
    pub(crate) fn record_in_grace(&mut self, round: &Round) {
        if round.trusted().is_some() {
            self.unproven.clone_from(&round.unproven);
            self.passed = 0;
        } else {
            self.record(round);
        }
    }

    /// Whether there is enough for a restart.
    pub(crate) fn may_restart(&self, policy: &Policy) -> bool {
        self.counted.reaches(policy)
    }

    /// What is wrong with the service, by probes that have passed before.
    pub(crate) fn trusted_failure(&self, policy: &Policy) -> Option<&ProbeFailure> {
        self.failure.as_ref().filter(|_| self.trusted.reaches(policy))
    }

    /// Whether nothing that has passed before fails.
    pub(crate) fn is_clear(&self) -> bool {
        self.trusted.in_all == 0
    }

    /// What only a probe said that has never passed, while all others pass.
    pub(crate) fn only_unproven(&self) -> Option<&ProbeFailure> {
        self.unproven.as_ref().filter(|_| self.is_clear())
    }

    /// What a probe said last that has never passed.
    pub(crate) fn unproven(&self) -> Option<&ProbeFailure> {
        self.unproven.as_ref()
    }

    /// Rounds in a row in which everything passed that has ever passed.
    pub(crate) fn passed(&self) -> u32 {
        self.passed
    }
}
