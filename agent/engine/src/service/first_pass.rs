//! What has ever passed, and what follows: a probe or check that has never passed may be the wrong question, so it alerts and
//! restarts nothing; and what a restart does not help against restarts nothing either.

use std::fmt;

use super::{Context, Machine};
use crate::cause::Cause;
use crate::health::Health;
use crate::memory::Passed;
use crate::notification::Failing;
use crate::policy::BeforeFirstPass;
use crate::probe::{ProbeFailure, ProbeOutcome, Verdict};
use crate::proof::{Proof, Round, answers};
use crate::report::ReportKind;
use crate::state::Hold;
use crate::time::Time;

/// A round that passed: its status, if it had one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass(pub(super) Option<u16>);

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(status) => write!(f, "{status}"),
            None => f.write_str("it passed"),
        }
    }
}

/// What probes said of the present run.
#[derive(Debug, Default)]
pub(super) struct ProbeResults {
    /// Health by probes.
    pub(super) health: Health,
    /// What of that may lead to a restart.
    pub(super) proof: Proof,
    /// Since when they have failed without a pass, and the status of the pass before that.
    pub(super) failing: Option<Failing>,
    /// What the last round said that passed.
    pub(super) last_pass: Option<Pass>,
    /// Since when every probe has passed.
    pub(super) answers_since: Option<Time>,
    /// The last round, and when it ended.
    pub(super) last: Option<(Time, ProbeOutcome)>,
    /// Failures do not count before this: the host was suspended a moment ago.
    pub(super) calm_until: Option<Time>,
}

impl ProbeResults {
    /// What they said belongs to a run that is over.
    pub(super) fn restart(&mut self) {
        self.health.reset();
        self.proof = Proof::default();
        self.answers_since = None;
    }

    /// What failed while something else was busy with the target says nothing after that.
    pub(super) fn forgive(&mut self) {
        self.health.forgive();
        self.proof = Proof::default();
    }

    /// Another question is asked: what the one before was answered says nothing.
    pub(super) fn forget_answers(&mut self) {
        (self.failing, self.last_pass) = (None, None);
    }

    /// Notes since when they fail, and what they say now.
    pub(super) fn note_failing(&mut self, failure: &ProbeFailure, outcome: &ProbeOutcome, now: Time) {
        let since = self.failing.as_ref().map_or(now, |failing| failing.since);
        self.failing = Some(Failing {
            now: outcome
                .status_code
                .map_or_else(|| failure.detail.clone(), |status| status.to_string()),
            since,
            before: self.last_pass.map(|pass| pass.to_string()),
        });
    }
}

impl Machine {
    /// Goes on from what was noted. A version that noted nothing knew whether the service was healthy: then what is asked now
    /// has passed, as far as anybody can tell.
    pub(super) fn resume_passed(&mut self) {
        let healthy = self.memory.healthy_since.is_some();
        if self.memory.passed.is_none() {
            self.memory.passed = Some(Passed::inherited(healthy));
            self.unsaved |= healthy;
        }
    }

    /// Another target: what passed on the one before says nothing of it.
    pub(super) fn forget_passed(&mut self) {
        self.memory.passed = Some(Passed::default());
        self.unsaved = true;
    }

    /// Notes what passed, and weighs what failed.
    pub(super) fn weigh(&mut self, outcome: &ProbeOutcome) -> Round {
        let passed = self.memory.passed.get_or_insert_default();
        if !matches!(outcome.verdict, Verdict::Skipped(_)) {
            let inherited = passed.take_inherited_probes();
            self.unsaved |= inherited;
            for answer in answers(outcome) {
                if inherited || answer.verdict == Verdict::Passed {
                    self.unsaved |= passed.insert(&answer.question);
                }
            }
        }
        Round::of(outcome, passed, &self.service.policy)
    }

    /// Notes what the target's supervisor says of its own check.
    pub(super) fn note_check(&mut self) {
        let Some(check) = self
            .target
            .observation
            .as_ref()
            .and_then(|observation| observation.check.as_ref())
        else {
            return;
        };
        let passed = self.memory.passed.get_or_insert_default();
        let inherited = passed.take_inherited_check();
        self.unsaved |= inherited;
        if inherited || check.passes {
            self.unsaved |= passed.insert(&check.question);
        }
    }

    /// Whether the check of the target's supervisor can say that the target is down: it has passed before, or need not
    /// have.
    pub(super) fn trusts_check(&self) -> bool {
        if self.service.policy.before_first_pass == BeforeFirstPass::Restart {
            return true;
        }
        let check = self
            .target
            .observation
            .as_ref()
            .and_then(|observation| observation.check.as_ref());
        let passed = self.memory.passed.as_ref();
        // One that is not named by what it asks is believed.
        check.is_none_or(|check| passed.is_some_and(|passed| passed.contains(&check.question)))
    }

    /// Whether that check may lead to a restart.
    pub(super) fn check_may_restart(&self) -> bool {
        self.trusts_check() && self.service.policy.restart_on.covers_health_check()
    }

    /// Whether the open incident is about a question that has never been answered well, and about nothing else.
    pub(super) fn is_in_doubt(&self) -> bool {
        let incident = self.memory.incident.as_ref();
        incident.is_some_and(|incident| matches!(incident.cause, Cause::NeverPassed { .. }))
            && self.probes.proof.is_clear()
    }

    /// Why the service is down by that check, which says `output`.
    pub(super) fn cause_of_check(&self, output: String) -> Cause {
        if self.trusts_check() {
            Cause::Unhealthy { output }
        } else {
            Cause::NeverPassed { detail: output }
        }
    }

    /// Why the service is down by its probes, of which `failure` was the last.
    pub(super) fn cause_of_probes(&self, failure: ProbeFailure) -> Cause {
        let policy = &self.service.policy;
        if let Some(failure) = self.probes.proof.trusted_failure(policy) {
            return Cause::Probe(failure.clone());
        }
        match self.probes.proof.unproven() {
            Some(unproven) => Cause::NeverPassed {
                detail: unproven.detail.clone(),
            },
            None => Cause::Probe(failure),
        }
    }

    /// Why what is wrong with a target that runs is no reason to restart it, if it is none.
    pub(super) fn what_restarts_nothing(&self) -> Option<Hold> {
        if self.target_down().is_some() || self.target.unusable().is_some() {
            return None;
        }
        let policy = &self.service.policy;
        let unhealthy = self.target.unhealthy().is_some();
        if self.probes.proof.may_restart(policy) || (unhealthy && self.check_may_restart()) {
            return None;
        }
        if unhealthy {
            return Some(if self.trusts_check() {
                left_out("health-check")
            } else {
                Hold::ProbeNeverPassed
            });
        }
        Some(
            match (self.probes.proof.trusted_failure(policy), self.probes.proof.unproven()) {
                (Some(failure), _) if !policy.restart_on.covers(failure.kind) => left_out(&failure.kind.word()),
                (None, Some(_)) => Hold::ProbeNeverPassed,
                _ => Hold::RestartOn {
                    reason: format!(
                        "fewer than {} failures since the last pass are of a kind in restart_on",
                        policy.fall
                    ),
                },
            },
        )
    }

    /// What is wrong with a run that only what has never passed calls unwell.
    pub(super) fn only_unproven(&self) -> Option<Cause> {
        if let Some(output) = self.target.unhealthy()
            && !self.trusts_check()
        {
            let others =
                !self.service.has_probes || self.probes.health.is_up() || self.probes.proof.only_unproven().is_some();
            return others.then(|| self.cause_of_check(output.to_owned()));
        }
        let failure = self.probes.proof.only_unproven()?;
        (self.target.unhealthy().is_none() && self.probes.proof.passed() >= self.service.policy.rise).then(|| {
            Cause::NeverPassed {
                detail: failure.detail.clone(),
            }
        })
    }

    /// Ends the attempt: the new run lives, and more cannot be said of it.
    pub(super) fn end_unproven(&mut self, cause: Cause, cx: &mut Context<'_>) {
        let Some(attempt) = self.memory.attempt.take() else {
            return;
        };
        self.unsaved = true;
        let action = attempt.action;
        let reason = cause.to_string();
        self.report(ReportKind::ActionUnproven { action, reason }, cx);
        if self.memory.incident.is_some() {
            self.open_incident(cause, cx);
        }
    }
}

fn left_out(word: &str) -> Hold {
    Hold::RestartOn {
        reason: format!("{word} is not in restart_on"),
    }
}
