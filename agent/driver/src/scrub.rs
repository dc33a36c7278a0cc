//! What services and their commands say, without what looks like a secret: here, so that it is in no line of the log, no
//! status and no memory either, and not only in no alert.

use sentinel_engine::{ActionResult, Cause, Event, TargetState, Verdict};

/// Takes what looks like a secret out of `event`.
pub(super) fn scrub(event: &mut Event) {
    match event {
        Event::ProbeCompleted { outcome, .. } => {
            scrub_verdict(&mut outcome.verdict);
            for answer in &mut outcome.answers {
                scrub_verdict(&mut answer.verdict);
            }
        }
        Event::TargetObserved { observation, .. } => {
            observation.details.ended.iter_mut().for_each(scrub_cause);
            match &mut observation.state {
                TargetState::Unknown(text)
                | TargetState::Unusable(text)
                | TargetState::Unhealthy(text)
                | TargetState::Unchecked { reason: text, .. } => hide(text),
                TargetState::Down { cause, .. } => scrub_cause(cause),
                TargetState::Running | TargetState::Busy(_) => {}
            }
        }
        Event::ActionFinished { result, .. } => match result {
            ActionResult::Failed(text)
            | ActionResult::Outdated(text)
            | ActionResult::Conflict(text)
            | ActionResult::Cancelled(text)
            | ActionResult::Refused(text)
            | ActionResult::Unanswered(text)
            | ActionResult::CalledOff(text)
            | ActionResult::Unknown(text)
            | ActionResult::NotRecorded(text) => hide(text),
            ActionResult::Done | ActionResult::TooWide(_) => {}
        },
        Event::ActionBegun { .. }
        | Event::OperatorRequested { .. }
        | Event::MaintenanceChanged { .. }
        | Event::HostShutdownChanged { .. }
        | Event::PermissionsChanged
        | Event::HostResumed
        | Event::PackagesChange { .. }
        | Event::StoreChanged { .. } => {}
    }
}

fn scrub_verdict(verdict: &mut Verdict) {
    match verdict {
        Verdict::Failed(failure) => hide(&mut failure.detail),
        Verdict::Skipped(why) => hide(why),
        Verdict::Passed => {}
    }
}

fn scrub_cause(cause: &mut Cause) {
    match cause {
        Cause::Probe(failure) => hide(&mut failure.detail),
        Cause::NotStarted { reason: text }
        | Cause::Unhealthy { output: text }
        | Cause::Unchecked { reason: text }
        | Cause::NeverPassed { detail: text }
        | Cause::Unusable { reason: text }
        | Cause::Other { result: text } => hide(text),
        // The others hold no words of anybody else.
        _ => {}
    }
}

fn hide(text: &mut String) {
    let masked = sentinel_text::scrub(text);
    if masked != *text {
        *text = masked;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sentinel_engine::{ActionId, Answer, FailureKind, Intent, Observation, ProbeFailure, ProbeOutcome, ProbeRound};

    use super::*;

    const SAID: &str = "exit 1: login failed, password=hunter2";

    fn observed(state: TargetState) -> Event {
        Event::TargetObserved {
            service: "shop".into(),
            observation: Observation::new(state, None),
        }
    }

    fn down(cause: Cause) -> Event {
        observed(TargetState::Down {
            intent: Intent::Crash,
            cause,
        })
    }

    #[test]
    fn nothing_that_comes_from_outside_brings_a_secret() {
        let said = || SAID.to_owned();
        let failure = || ProbeFailure::new(FailureKind::Command, said());
        let probed = |verdict| Event::ProbeCompleted {
            service: "shop".into(),
            round: ProbeRound(1),
            outcome: ProbeOutcome {
                answers: vec![Answer {
                    question: "first".into(),
                    verdict: Verdict::clone(&verdict),
                }],
                verdict,
                status_code: None,
                latency: Duration::ZERO,
            },
        };
        let finished = |result| Event::ActionFinished {
            action: ActionId(1),
            service: "shop".into(),
            result,
        };
        for mut event in [
            probed(Verdict::Failed(failure())),
            probed(Verdict::Skipped(said())),
            observed(TargetState::Unknown(said())),
            observed(TargetState::Unusable(said())),
            observed(TargetState::Unhealthy(said())),
            down(Cause::Probe(failure())),
            down(Cause::NotStarted { reason: said() }),
            down(Cause::Unhealthy { output: said() }),
            down(Cause::Unusable { reason: said() }),
            down(Cause::Other { result: said() }),
            finished(ActionResult::Failed(said())),
            finished(ActionResult::Refused(said())),
            finished(ActionResult::Unknown(said())),
        ] {
            scrub(&mut event);
            let shown = format!("{event:?}");
            assert!(
                shown.contains("login failed, password=[redacted]") && !shown.contains("hunter2"),
                "{shown}"
            );
        }
    }
}
