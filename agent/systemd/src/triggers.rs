//! Sockets, paths and timers that start a watched unit: what each of them does now, and what may be done to it.
//!
//! They are watched like the units themselves (`units.rs`), so that what distinguishes a stop of a service from its
//! failure reports that of a socket too. Pure.

use sentinel_engine::{Intent, Observation, TargetState, TriggerState};

use super::facts::{ActiveState, Facts};
use super::journal::Past;
use super::tracker::Tracker;

/// Triggers watched for all units together. Hosts have some fifty.
pub(super) const TRIGGERS_MAX: usize = 256;

/// Triggers of one unit that are looked at before it is started.
pub(super) const LOOKED_AT_MAX: usize = 16;

/// Why a trigger of `unit` does not wait, by how it was last judged; `None` when it does, or was never meant to.
pub(super) fn state_of(tracker: &Tracker, reported: Option<&Observation>, unit: &str) -> Option<TriggerState> {
    let facts = &tracker.facts;
    let Some(reported) = reported else {
        return Some(TriggerState::Unseen);
    };
    match &reported.state {
        TargetState::Unknown(_) | TargetState::Busy(_) => Some(TriggerState::Unseen),
        TargetState::Down { intent, .. } => match intent {
            // `RemainAfterElapse=no`, or there is nothing for it to do.
            Intent::CleanExit | Intent::NotApplicable | Intent::ConditionNotMet | Intent::Shutdown => None,
            Intent::Crash | Intent::Unclear | Intent::OneshotFailed | Intent::AskedToStop
                if facts.active_state == ActiveState::Failed =>
            {
                Some(TriggerState::Failed {
                    unit: unit.to_owned(),
                    result: facts.result.clone(),
                })
            }
            _ => has_waited(tracker).then_some(TriggerState::Stopped),
        },
        // Masked, or removed: whoever did that wants it so.
        TargetState::Unusable(_) | TargetState::Running | TargetState::Unhealthy(_) | TargetState::Unchecked { .. } => {
            None
        }
    }
}

/// Whether it did its duty in this boot before it was stopped. One that is not enabled was not stopped.
fn has_waited(tracker: &Tracker) -> bool {
    let facts = &tracker.facts;
    facts.active_enter != 0 || tracker.past == Some(Past::Stopped) || !tracker.unwitnessed
}

/// Whether a trigger is started before its unit: it has failed, and that was not how a stop of it ended.
pub(super) fn may_start(facts: &Facts, past: &Past) -> bool {
    facts.active_state == ActiveState::Failed && facts.job == 0 && *past != Past::Stopped
}

#[cfg(test)]
mod tests {
    use sentinel_engine::{Activity, Cause, Details, Limits, StartedBy, Supervisor};

    use super::*;

    fn seen(state: TargetState) -> Observation {
        Observation {
            state,
            run: None,
            age: None,
            supervisor: Supervisor::Passive,
            started_by: StartedBy::Unknown,
            restarts: None,
            asked_to_stop: None,
            limits: Limits::default(),
            check: None,
            details: Details::default(),
        }
    }

    fn down(intent: Intent) -> TargetState {
        TargetState::Down {
            intent,
            cause: Cause::Unknown,
        }
    }

    #[test]
    fn trigger_that_failed_is_distinguished_from_one_that_was_stopped() {
        use ActiveState::{Active, Failed, Inactive};
        // Its state, when it began to wait, whether somebody saw it go down, and how it was judged.
        for (state, waited, seen_down, judged, expected) in [
            (Active, 5, true, TargetState::Running, "waits"),
            (Failed, 5, true, down(Intent::Crash), "failed"),
            // The journal may not be read.
            (Failed, 5, false, down(Intent::Unclear), "failed"),
            (Inactive, 5, true, down(Intent::OperatorStop), "stopped"),
            (Inactive, 5, false, down(Intent::OperatorStop), "stopped"),
            // PID 1 has unloaded it since.
            (Inactive, 0, true, down(Intent::OperatorStop), "stopped"),
            // It is not enabled.
            (Inactive, 0, false, down(Intent::OperatorStop), "waits"),
            // A stop may end so.
            (Failed, 5, true, down(Intent::OperatorStop), "stopped"),
            (Inactive, 5, true, down(Intent::DependencyStop), "stopped"),
            (Inactive, 5, true, down(Intent::ConflictStop), "stopped"),
            // A timer that has done its work, and is not to remain.
            (Inactive, 5, true, down(Intent::CleanExit), "waits"),
            (Inactive, 5, true, down(Intent::ConditionNotMet), "waits"),
            (Inactive, 5, true, down(Intent::Shutdown), "waits"),
            (
                Inactive,
                5,
                true,
                TargetState::Unusable("the unit is masked".into()),
                "waits",
            ),
            (Active, 5, true, TargetState::Unknown("no bus".into()), "unseen"),
            (Inactive, 5, true, TargetState::Busy(Activity::Starting), "unseen"),
        ] {
            let mut tracker = Tracker {
                unwitnessed: !seen_down,
                ..Tracker::default()
            };
            (tracker.facts.active_state, tracker.facts.active_enter) = (state, waited);
            tracker.facts.result = "trigger-limit-hit".into();
            let found = match state_of(&tracker, Some(&seen(judged.clone())), "shop.service") {
                None => "waits",
                Some(TriggerState::Stopped) => "stopped",
                Some(TriggerState::Unseen) => "unseen",
                Some(TriggerState::Failed { unit, result }) => {
                    assert_eq!((unit.as_str(), result.as_str()), ("shop.service", "trigger-limit-hit"));
                    "failed"
                }
            };
            assert_eq!(found, expected, "{state:?} {waited} {seen_down} {judged:?}");
        }
        assert_eq!(
            state_of(&Tracker::default(), None, "shop.service"),
            Some(TriggerState::Unseen)
        );
    }

    #[test]
    fn only_what_failed_is_started() {
        for (state, job, past, expected) in [
            (ActiveState::Failed, 0, Past::Crashed(None), true),
            (ActiveState::Failed, 0, Past::Unknown, true),
            (ActiveState::Failed, 0, Past::Stopped, false),
            (ActiveState::Failed, 7, Past::Crashed(None), false),
            (ActiveState::Inactive, 0, Past::Stopped, false),
            (ActiveState::Inactive, 0, Past::Unknown, false),
            (ActiveState::Active, 0, Past::Unknown, false),
            (ActiveState::Deactivating, 0, Past::Unknown, false),
        ] {
            let facts = Facts {
                active_state: state,
                job,
                ..Facts::default()
            };
            assert_eq!(may_start(&facts, &past), expected, "{state:?} {job} {past:?}");
        }
    }
}
