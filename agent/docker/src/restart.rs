//! The verbs: start a container that is down, restart one that runs but is not well.
//!
//! The Engine has no guard of its own: its `restart` starts what an operator stopped, and lets a paused container run. So
//! the container is looked at right before, and everything the Engine has told by then counts. What an operator does in the
//! few milliseconds between that look and the call cannot be seen; nothing in the API could.

use std::time::Duration;

use sentinel_engine::{ActionKind, ActionResult, Activity, RunId};
use sentinel_text::chain;

use super::checks::Health;
use super::client::Client;
use super::engine::Engine;
use super::error::CallError;
use super::facts::{Facts, Status};

/// Why nothing is done while containerd is away. It comes back by itself, and no container says so: asked again soon.
pub(super) const RUNTIME_AWAY: &str =
    "containerd, which runs containers for Docker, cannot be reached: a restart now would lose the container";

/// Why nothing is done to a container of podman.
pub const PODMAN: &str = "podman: alerts only; name the unit of its quadlet with `unit =` to have it healed";

/// A start makes a file system, a network and a process; on a busy host that takes seconds.
pub(super) const START_WITHIN: Duration = Duration::from_secs(60);

/// What is to be done, and about what it was decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision<'a> {
    pub(super) kind: ActionKind,
    pub(super) expected: Option<&'a RunId>,
    /// It was decided because Docker called it unhealthy.
    pub(super) unhealthy: bool,
    /// Somebody has asked for its end, and that is under way.
    pub(super) stopping: bool,
    /// It is the container that the agent runs in.
    pub(super) own: bool,
}

/// Whether the container is still what the decision was about.
pub(super) fn check(decision: Decision<'_>, now: &Facts) -> Result<(), ActionResult> {
    let conflict = |activity: Activity| Err(ActionResult::Conflict(activity.as_str().to_owned()));
    let outdated = |what: &str| Err(ActionResult::Outdated(what.to_owned()));
    if decision.own {
        return Err(ActionResult::Refused(
            "the agent itself runs in this container".to_owned(),
        ));
    }
    if decision.stopping {
        return conflict(Activity::Stopping);
    }
    match (now.status, decision.kind) {
        (_, ActionKind::StartTrigger) => return Err(ActionResult::Refused(NO_TRIGGER.to_owned())),
        (Status::Paused, _) => return conflict(Activity::Frozen),
        (Status::Restarting, _) => return conflict(Activity::AutoRestart),
        (Status::Removing, _) => return conflict(Activity::Stopping),
        (Status::Dead, _) => return Err(ActionResult::Refused("Docker failed to remove it".to_owned())),
        (Status::Running, ActionKind::Start) => return outdated("it runs already"),
        (Status::Exited | Status::Created, ActionKind::Restart) => return outdated("it does not run any more"),
        (Status::Other, _) => return outdated("its state has no name that is known here"),
        (Status::Running, ActionKind::Restart) | (Status::Exited | Status::Created, ActionKind::Start) => {}
    }
    if now.run_id().as_ref() != decision.expected {
        return outdated("it has been started again since");
    }
    match &now.health {
        Health::Healthy if decision.unhealthy => return outdated("its health check passes again"),
        // Whatever it said before: a restart would lose the container.
        Health::NotRun { runtime_away: true, .. } => return Err(ActionResult::Unanswered(RUNTIME_AWAY.to_owned())),
        Health::NotRun { .. } if decision.unhealthy => return outdated("its health check cannot be run any more"),
        _ => {}
    }
    Ok(())
}

/// Sockets, paths and timers are systemd's.
const NO_TRIGGER: &str = "nothing triggers a container";

/// Asks the Engine, and waits until it is done.
pub(super) async fn carry_out(client: &Client, kind: ActionKind, before: &Facts, limit: Duration) -> ActionResult {
    match client.engine().await {
        Ok(Engine::Docker { runtime: true }) => {}
        Ok(Engine::Docker { runtime: false }) => return ActionResult::Unanswered(RUNTIME_AWAY.to_owned()),
        Ok(Engine::Podman) => return ActionResult::Refused(PODMAN.to_owned()),
        Err(error) => return ActionResult::Outdated(chain(&error)),
    }
    let answer = match kind {
        ActionKind::StartTrigger => return ActionResult::Refused(NO_TRIGGER.to_owned()),
        ActionKind::Start => client.start(before, START_WITHIN.min(limit)).await,
        // It stops first, for as long as the container may take.
        ActionKind::Restart => {
            let deadline = START_WITHIN.saturating_add(before.stop_timeout).min(limit);
            client.restart(before, deadline).await
        }
    };
    match answer {
        Ok(()) => ActionResult::Done,
        Err(error) => class_of(&error),
    }
}

/// The class of an error of a call that may have changed something.
pub(super) fn class_of(error: &CallError) -> ActionResult {
    let words = chain(error);
    match error {
        CallError::NotConnected(_) | CallError::Status { status: 404, .. } => ActionResult::Outdated(words),
        // The second: a proxy whose Engine is gone.
        CallError::Lost(_) | CallError::Status { status: 502..=504, .. } => ActionResult::Unknown(words),
        // Paused, or being removed.
        CallError::Status { status: 409, .. } => ActionResult::Conflict(words),
        // A proxy that lets nobody do that.
        CallError::Status {
            status: 401 | 403 | 405,
            ..
        } => ActionResult::Refused(words),
        CallError::Status { .. } => ActionResult::Failed(words),
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::{AtRest, NoAnswer, Unreachable};
    use super::*;

    fn at(status: Status, started: &str) -> Facts {
        Facts {
            id: "0123456789abcdef".into(),
            status,
            started: started.parse().ok(),
            started_text: started.into(),
            ..Facts::default()
        }
    }

    const FIRST: &str = "2026-11-22T16:00:00Z";
    const SECOND: &str = "2026-11-22T17:00:00Z";

    #[test]
    fn a_container_that_changed_is_left_alone() {
        use Status::{Created, Dead, Exited, Paused, Removing, Restarting, Running};
        let expected = at(Running, FIRST).run_id();
        for (kind, status, started, result) in [
            (ActionKind::Start, Exited, FIRST, "ok"),
            (ActionKind::Start, Exited, SECOND, "outdated"),
            (ActionKind::Start, Running, FIRST, "outdated"),
            (ActionKind::Start, Restarting, FIRST, "conflict"),
            (ActionKind::Start, Removing, FIRST, "conflict"),
            (ActionKind::Start, Dead, FIRST, "refused"),
            (ActionKind::Restart, Running, FIRST, "ok"),
            (ActionKind::Restart, Running, SECOND, "outdated"),
            (ActionKind::Restart, Exited, FIRST, "outdated"),
            (ActionKind::Restart, Created, FIRST, "outdated"),
            (ActionKind::Restart, Paused, FIRST, "conflict"),
        ] {
            let decision = Decision {
                kind,
                expected: expected.as_ref(),
                unhealthy: false,
                stopping: false,
                own: false,
            };
            let class = |decision| match check(decision, &at(status, started)) {
                Ok(()) => "ok",
                Err(ActionResult::Outdated(_)) => "outdated",
                Err(ActionResult::Conflict(_)) => "conflict",
                Err(ActionResult::Refused(_)) => "refused",
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(class(decision), result, "{kind:?} {status:?} {started}");
            let stopping = Decision {
                stopping: true,
                ..decision
            };
            assert_eq!(class(stopping), "conflict");
            let own = Decision { own: true, ..decision };
            assert_eq!(class(own), "refused");
        }
    }

    #[test]
    fn what_was_unhealthy_and_is_well_again_is_left_alone() {
        let mut now = at(Status::Running, FIRST);
        let expected = now.run_id();
        let decision = Decision {
            kind: ActionKind::Restart,
            expected: expected.as_ref(),
            unhealthy: true,
            stopping: false,
            own: false,
        };
        now.health = Health::Unhealthy(String::new());
        assert_eq!(check(decision, &now), Ok(()));
        now.health = Health::Healthy;
        assert!(matches!(check(decision, &now), Err(ActionResult::Outdated(_))));
    }

    #[test]
    fn errors_have_a_class() {
        let status = |status| CallError::Status {
            status,
            message: "why".into(),
        };
        for (error, kind) in [
            (status(404), "outdated"),
            (status(409), "conflict"),
            (status(403), "refused"),
            (status(400), "failed"),
            (status(500), "failed"),
            (status(502), "unknown"),
            (NoAnswer::Endless("answer").into(), "unknown"),
            (Unreachable::AtRest(AtRest::Stopped).into(), "outdated"),
        ] {
            assert_eq!(class_of(&error).kind(), kind, "{error}");
        }
    }
}
