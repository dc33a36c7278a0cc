mod ends;
mod running;
mod runs;

use super::*;
use crate::facts::Facts;
use crate::tracker::Happened;

/// Seconds after an arbitrary moment.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A container that ran from second 0, with a stop timeout of 10 s.
fn container(status: Status) -> Tracker {
    let started = at(0);
    Tracker {
        facts: Facts {
            id: "0123456789abcdef".into(),
            status,
            started: Some(started),
            started_text: started.to_string(),
            stop_timeout: Duration::from_secs(10),
            ..Facts::default()
        },
        ..Tracker::default()
    }
}

/// One that exited in second 100.
fn exited(code: i32, policy: RestartPolicy) -> Tracker {
    let mut tracker = container(Status::Exited);
    tracker.facts.exit_code = code;
    tracker.facts.policy = policy;
    tracker.facts.finished = Some(at(100));
    tracker
}

/// Long after, with everything heard since second 50.
const WORLD: World = World {
    now: Timestamp::UNIX_EPOCH,
    watched_since: Timestamp::UNIX_EPOCH,
    away: None,
    probed: false,
    podman: false,
};

fn world(now: i64) -> World {
    World {
        now: at(now),
        watched_since: at(50),
        ..WORLD
    }
}

/// `(intent, cause, supervisor)` in words, or what else it is.
fn judge(tracker: &mut Tracker, world: World) -> String {
    match classify(tracker, world) {
        Verdict::Wait(_) => "wait".into(),
        Verdict::Seen(seen, _) => match &seen.state {
            TargetState::Down { intent, cause } => {
                let supervisor = match seen.supervisor {
                    Supervisor::Passive => "",
                    Supervisor::Active => ", Docker goes first",
                    Supervisor::GaveUp => ", Docker gave up",
                    Supervisor::Forbids => unreachable!("Docker has no such setting"),
                };
                format!("{}: {cause}{supervisor}", intent.as_str())
            }
            TargetState::Busy(activity) => activity.as_str().into(),
            other => {
                let asked = seen
                    .asked_to_stop
                    .map(|asked| format!(", asked to stop {} s ago", asked.ago.as_secs()));
                format!("{other:?}").to_lowercase() + &asked.unwrap_or_default()
            }
        },
    }
}

fn hear(tracker: &mut Tracker, events: &[(i64, &str)]) {
    for (second, event) in events {
        let (action, value) = event.split_once(' ').unwrap_or((event, ""));
        let happened = Happened::of(action, |_| Some(value.to_owned()));
        tracker.happened(&happened, at(*second));
    }
}
