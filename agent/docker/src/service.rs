//! One service and the containers that are it: which of them speaks for it, and what remains when there is none.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::Timestamp;
use sentinel_engine::{Cause, Intent, Observation, ServiceName, TargetState};

use super::tracker::Tracker;

/// A service, with the containers that the configuration means by its target.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: ServiceName,
    /// It has probes of its own.
    pub(super) probed: bool,
    /// The ids of its containers.
    pub(super) members: BTreeSet<String>,
    /// What became of the last of them.
    pub(super) departed: Option<Observation>,
    /// What was reported last.
    pub(super) reported: Option<Observation>,
    /// When it has to be judged again although nothing happens.
    pub(super) again: Option<Timestamp>,
}

impl Service {
    pub(super) fn new(name: ServiceName, probed: bool) -> Self {
        Self {
            name,
            probed,
            members: BTreeSet::new(),
            departed: None,
            reported: None,
            again: None,
        }
    }

    /// What is seen of a service that has no container.
    pub(super) fn absent(&self) -> Observation {
        self.departed
            .clone()
            .unwrap_or_else(|| Observation::new(TargetState::Unusable("there is no such container".to_owned()), None))
    }

    /// What was seen of a run last, unless that was nothing.
    pub(super) fn unobservable(&self, reason: &str) -> Observation {
        Observation::new(
            TargetState::Unknown(reason.to_owned()),
            self.reported.as_ref().and_then(|reported| reported.run.clone()),
        )
    }
}

/// What is left of a container that was removed, or renamed to something else.
///
/// An operator did that, and what is gone on purpose is not brought back. Only `--rm` removes a container by itself.
pub(super) fn departure(tracker: &Tracker) -> Observation {
    let removed_by_docker = tracker.facts.auto_remove && tracker.stopped_at().is_none();
    let state = if removed_by_docker {
        let ended = tracker
            .die
            .map_or_else(String::new, |(_, code)| format!(" after it exited with code {code}"));
        TargetState::Unusable(format!("Docker removed it{ended}, as `--rm` says"))
    } else {
        TargetState::Down {
            intent: Intent::OperatorStop,
            cause: Cause::Other {
                result: "removed".to_owned(),
            },
        }
    };
    Observation::new(state, tracker.facts.run_id())
}

/// The observation that speaks for all: the worst, and of equals the youngest. A service of several containers is as well
/// as the least of them, and what an operator stopped or scaled away is missed by nobody.
pub(super) fn worst(seen: Vec<Observation>) -> Option<Observation> {
    seen.into_iter()
        .max_by_key(|observation| (rank(observation), Reverse(observation.age), observation.age.is_some()))
}

fn rank(observation: &Observation) -> u8 {
    match &observation.state {
        TargetState::Down {
            intent: Intent::OperatorStop | Intent::AskedToStop | Intent::ConflictStop | Intent::NotApplicable,
            ..
        } => 0,
        // On its way there, whatever becomes of it meanwhile.
        _ if observation.asked_to_stop.is_some() => 1,
        TargetState::Running => 2,
        TargetState::Unchecked { .. } => 3,
        TargetState::Unknown(_) => 4,
        TargetState::Busy(_) => 5,
        TargetState::Unhealthy(_) => 6,
        TargetState::Unusable(_) => 7,
        TargetState::Down { .. } => 8,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sentinel_engine::AskedToStop;

    use super::*;

    fn seen(state: TargetState, run: &str, age: Option<u64>) -> Observation {
        Observation {
            age: age.map(Duration::from_secs),
            ..Observation::new(state, Some(run.into()))
        }
    }

    fn down(intent: Intent) -> TargetState {
        TargetState::Down {
            intent,
            cause: Cause::Unknown,
        }
    }

    #[test]
    fn the_worst_speaks_for_all() {
        let runs = || seen(TargetState::Running, "runs", Some(60));
        for (others, speaks) in [
            (vec![seen(down(Intent::Crash), "crashed", None)], "crashed"),
            (vec![seen(down(Intent::OperatorStop), "scaled away", None)], "runs"),
            (
                vec![seen(TargetState::Unhealthy(String::new()), "ill", Some(60))],
                "ill",
            ),
            (
                vec![Observation {
                    asked_to_stop: Some(AskedToStop {
                        ago: Duration::from_secs(20),
                        patience: Duration::from_secs(15),
                    }),
                    ..seen(TargetState::Unhealthy(String::new()), "is scaled away", Some(5))
                }],
                "runs",
            ),
            (vec![seen(TargetState::Running, "younger", Some(5))], "younger"),
            (vec![seen(TargetState::Running, "older", Some(500))], "runs"),
        ] {
            let mut all = vec![runs()];
            all.extend(others);
            let worst = worst(all).unwrap();
            assert_eq!(worst.run, Some(speaks.into()));
        }
        assert_eq!(worst(Vec::new()), None);
    }
}
