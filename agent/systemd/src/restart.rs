//! The verbs: start a unit that is down, restart one that runs but is not well.
//!
//! Nothing here can act against an operator. Jobs are made with mode `fail`, which never takes a pending job away;
//! `TryRestartUnit` does nothing to a unit that does not run; and a unit that changed since the decision is left alone.

use std::time::Duration;

use sentinel_engine::{ActionKind, ActionResult, Activity, Limits, RunId};
use sentinel_text::exact_span;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::blast::MayAffect;
use super::cause::cause_of;
use super::facts::{ActiveState, Facts};
use super::message::{ALL, CallError, JobMethod, POLKIT as POLKIT_NAME};
use super::requests::{Begins, Systemd, View};
use super::session::monotonic_micros;

/// How long a restart may take in any case: systemd's default limits for a stop and a start, and a little more.
const JOB_LIMIT: Duration = Duration::from_secs(200);

/// What it may take beyond the limits of the unit's own stop and start, where those are longer.
const JOB_SPARE: Duration = Duration::from_secs(20);

/// How long a look at these may take.
const LOOK_WITHIN: Duration = Duration::from_secs(10);

impl Systemd {
    /// Carries out `kind` on `unit` if it is still at the run `expected`, and waits until systemd is done with it.
    ///
    /// Does nothing when that would restart or stop other units that `may_affect` does not allow. Never fails otherwise than
    /// by the result. After `deadline`, or without one after the time that the unit's own settings allow, the outcome is
    /// unknown, and what was asked for goes on. `begun` is reported when the old run has ended and the new one starts.
    pub async fn restart(
        &self,
        unit: &str,
        kind: ActionKind,
        expected: Option<&RunId>,
        may_affect: MayAffect<'_>,
        deadline: Option<Duration>,
        begun: oneshot::Sender<()>,
    ) -> ActionResult {
        let carried_out = async {
            match self.carry_out(unit, kind, expected, may_affect, begun).await {
                Ok(result) | Err(result) => result,
            }
        };
        tokio::pin!(carried_out);
        let first = deadline.unwrap_or(JOB_LIMIT);
        if let Ok(result) = timeout(first, &mut carried_out).await {
            return result;
        }
        // Settings are looked at only now: nearly every job has ended long before.
        let whole = match deadline {
            Some(deadline) => deadline,
            None => self.own_limit(unit).await.max(first),
        };
        timeout(whole.saturating_sub(first), carried_out)
            .await
            .unwrap_or_else(|_elapsed| {
                ActionResult::Unknown(format!(
                    "systemd was not done with `{unit}` within {}",
                    exact_span(whole)
                ))
            })
    }

    /// How long the unit's own settings let a restart of it take.
    async fn own_limit(&self, unit: &str) -> Duration {
        let limits = match timeout(LOOK_WITHIN, self.look(unit, ALL)).await {
            Ok(Ok(facts)) => facts.limits(),
            _ => Limits::default(),
        };
        let takes = limits.stop_or_usual().saturating_add(limits.start_or_usual());
        takes.saturating_add(JOB_SPARE)
    }

    async fn carry_out(
        &self,
        unit: &str,
        kind: ActionKind,
        expected: Option<&RunId>,
        may_affect: MayAffect<'_>,
        begun: oneshot::Sender<()>,
    ) -> Result<ActionResult, ActionResult> {
        let view = self.view(unit, ALL).await.map_err(|error| nothing_done(&error))?;
        let before = view.facts;
        check(kind, &before, expected, monotonic_micros())?;
        self.look_around(&view.relations, &before.triggered_by, kind, may_affect)
            .await?;
        let begins = Begins {
            before: before.invocation.clone(),
            report: begun,
        };
        let ended = match kind {
            ActionKind::Start => {
                // They come first: a start of a socket is refused once its service runs.
                self.start_failed_triggers(unit, &before, may_affect).await;
                self.start(unit, &before, begins).await?
            }
            ActionKind::StartTrigger => return Ok(self.start_triggers(unit, &before, may_affect).await),
            ActionKind::Restart => self.try_restart(unit, begins).await?,
        };
        match ended.as_str() {
            "done" if kind == ActionKind::Restart => self.verify_restart(unit, &before).await,
            "done" => self.verify_start(unit, &before).await,
            "canceled" => Ok(ActionResult::Cancelled("the job was cancelled".to_owned())),
            "dependency" => Ok(ActionResult::Failed(
                "a unit it depends on could not be started".to_owned(),
            )),
            "assert" => Ok(ActionResult::Failed("an Assert...= of the unit is not met".to_owned())),
            other => Ok(self.explain(unit, other).await),
        }
    }

    /// Starts a unit that is down, and clears its start-limit counter when that is what keeps it down.
    ///
    /// Not before that is known: PID 1 unloads a unit that is neither active nor failed, and loading it again to start it
    /// takes longer than the start. A start that the limit refuses harms nothing and changes nothing.
    async fn start(&self, unit: &str, before: &Facts, begins: Begins) -> Result<String, ActionResult> {
        let first = self.make_job(unit, JobMethod::Start, Some(begins)).await;
        let may_be_reset = match &first {
            // Since version 257 `frozen` is what is left of a cgroup that was frozen when the unit died.
            Ok(ended) => matches!(ended.as_str(), "failed" | "frozen"),
            Err(_) => before.frozen,
        };
        if !may_be_reset {
            return first;
        }
        match self.look(unit, ALL).await {
            // It was refused before it ran, and nobody has touched it since.
            Ok(now)
                if now.invocation == before.invocation && now.job == 0 && now.active_state == ActiveState::Failed =>
            {
                self.reset(unit).await?;
                // Who waits for the new run still does.
                self.make_job(unit, JobMethod::Start, None).await
            }
            _ => first,
        }
    }

    /// A start that conditions call off is carried out by doing nothing.
    async fn verify_start(&self, unit: &str, before: &Facts) -> Result<ActionResult, ActionResult> {
        match self.look(unit, ALL).await {
            Ok(after) if is_called_off(before, &after) => Ok(ActionResult::CalledOff(after.condition_in_words())),
            // It was carried out, whatever became of the connection since.
            Ok(_) | Err(_) => Ok(ActionResult::Done),
        }
    }

    /// Restarts a unit that runs.
    ///
    /// With a full start-limit counter this would stop it and then refuse to start it, so the counter is cleared first.
    async fn try_restart(&self, unit: &str, begins: Begins) -> Result<String, ActionResult> {
        if rustix::process::geteuid().is_root() {
            // PID 1 carries out both at once and in order: one round trip less.
            let reset = self.reset_failed(unit).await.map_err(|error| nothing_done(&error))?;
            let job = self
                .job(unit, JobMethod::TryRestart, Some(begins))
                .await
                .map_err(|error| nothing_done(&error))?;
            let (_, ended) = tokio::join!(reset.get(), job.get());
            return ended.map_err(|error| class_of(&error));
        }
        // Everybody else is asked about at polkit, call by call, and those answers may overtake each other.
        self.reset(unit).await?;
        self.make_job(unit, JobMethod::TryRestart, Some(begins)).await
    }

    pub(super) async fn reset(&self, unit: &str) -> Result<(), ActionResult> {
        let reset = self.reset_failed(unit).await.map_err(|error| nothing_done(&error))?;
        reset.get().await.map_err(|error| class_of(&error))
    }

    pub(super) async fn make_job(
        &self,
        unit: &str,
        method: JobMethod,
        begins: Option<Begins>,
    ) -> Result<String, ActionResult> {
        let job = self
            .job(unit, method, begins)
            .await
            .map_err(|error| nothing_done(&error))?;
        job.get().await.map_err(|error| class_of(&error))
    }

    /// A restart of a unit that does not run is carried out by doing nothing; only a new run proves that it was one.
    async fn verify_restart(&self, unit: &str, before: &Facts) -> Result<ActionResult, ActionResult> {
        match self.look(unit, ALL).await {
            Ok(after) if is_called_off(before, &after) => Ok(ActionResult::CalledOff(after.condition_in_words())),
            Ok(after) if after.invocation == before.invocation || after.invocation.is_empty() => Ok(
                ActionResult::Outdated("it was stopped before it could be restarted".to_owned()),
            ),
            // It was carried out, whatever became of the connection since.
            Ok(_) | Err(_) => Ok(ActionResult::Done),
        }
    }

    pub(super) async fn explain(&self, unit: &str, result: &str) -> ActionResult {
        match self.look(unit, ALL).await {
            Ok(facts) if !matches!(facts.result.as_str(), "success" | "") => {
                ActionResult::Failed(format!("the job ended as `{result}`: {}", cause_of(&facts)))
            }
            _ => ActionResult::Failed(format!("the job ended as `{result}`")),
        }
    }

    async fn look(&self, unit: &str, interface: &'static str) -> Result<Facts, CallError> {
        Ok(self.view(unit, interface).await?.facts)
    }

    pub(super) async fn view(&self, unit: &str, interface: &'static str) -> Result<View, CallError> {
        self.read(unit, interface).await?.get().await
    }
}

/// Whether the unit is still what the decision was about.
fn check(kind: ActionKind, now: &Facts, expected: Option<&RunId>, clock: u64) -> Result<(), ActionResult> {
    let conflict = |activity: Activity| Err(ActionResult::Conflict(activity.as_str().to_owned()));
    let outdated = |what: &str| Err(ActionResult::Outdated(what.to_owned()));
    if now.job != 0 {
        return conflict(Activity::Job);
    }
    match (now.active_state, kind) {
        (ActiveState::Activating, _) if now.sub_state.starts_with("auto-restart") => {
            return conflict(Activity::AutoRestart);
        }
        (ActiveState::Activating, _) => return conflict(Activity::Starting),
        (ActiveState::Deactivating, _) => return conflict(Activity::Stopping),
        // Without a job, and for longer than a reload may take: it only looks so, see `is_past_reload`.
        (ActiveState::Reloading, ActionKind::Restart) if is_past_reload(now, clock) => {}
        (ActiveState::Reloading, _) => return conflict(Activity::Reloading),
        (ActiveState::Active, ActionKind::Start | ActionKind::StartTrigger) => return outdated("it runs already"),
        (ActiveState::Inactive | ActiveState::Failed, ActionKind::Restart) => {
            return outdated("it does not run any more");
        }
        (ActiveState::Active, ActionKind::Restart)
        | (ActiveState::Inactive | ActiveState::Failed, ActionKind::Start | ActionKind::StartTrigger) => {}
        (ActiveState::Other, _) => return outdated("its state has no name that is known here"),
    }
    match expected {
        // A unit that was unloaded has no run; nothing ran since, or it would have one.
        Some(expected) if !now.invocation.is_empty() && now.invocation != expected.as_str() => {
            outdated("it has been started again since")
        }
        _ => Ok(()),
    }
}

/// Whether the start since `before` did nothing, as a condition is not met.
fn is_called_off(before: &Facts, after: &Facts) -> bool {
    let checked = after.condition_at > before.condition_at || after.result == "exec-condition";
    after.active_state.is_down() && checked && after.condition_failed()
}

/// Whether it has been `reloading` for longer than that may take. systemd before 262 shows it without an end when the service
/// never says that it is done.
fn is_past_reload(now: &Facts, clock: u64) -> bool {
    let lasted = Duration::from_micros(clock.saturating_sub(now.state_change));
    now.state_change != 0 && lasted >= now.limits().start_or_usual()
}

/// The class of an error of a call that was not about to change anything, or was never made.
pub(super) fn nothing_done(error: &CallError) -> ActionResult {
    match class_of(error) {
        ActionResult::Unknown(why) => ActionResult::Outdated(why),
        other => other,
    }
}

/// The class of an error of a call that may have changed something.
fn class_of(error: &CallError) -> ActionResult {
    let words = error.to_string();
    match error {
        CallError::NotConnected => return ActionResult::Outdated(words),
        CallError::Lost | CallError::Unexpected => return ActionResult::Unknown(words),
        CallError::Answered { .. } => {}
    }
    if polkit_is_away(error) {
        return ActionResult::Unanswered(format!("polkit does not answer: {words}"));
    }
    match error.word() {
        // The last one: the host goes down.
        "TransactionIsDestructive" | "TransactionJobsConflicting" | "ShuttingDown" => ActionResult::Conflict(words),
        "NoSuchUnit"
        | "UnitMasked"
        | "OnlyByDependency"
        | "BadUnitSetting"
        | "LoadFailed"
        | "JobTypeNotApplicable"
        | "InvalidArgs" => ActionResult::Refused(words),
        "AccessDenied" | "AuthFailed" | "InteractiveAuthorizationRequired" => ActionResult::Refused(format!(
            "the agent's user is not allowed to: {words}; `sentinel polkit-rules --install`, run as root, allows it"
        )),
        // NoReply, Disconnected, Timeout, ServiceUnknown, ...
        _ => ActionResult::Unknown(words),
    }
}

/// What systemd says of the unit that runs polkit begins so; the agent never restarts that one (`config::protected`).
const POLKIT: &str = "Unit polkit.service";

/// Whether systemd passes on that polkit cannot be asked, before it does anything (seen with systemd 252 and polkit 122):
///
/// | polkit | error |
/// | --- | --- |
/// | masked | `UnitMasked`: Unit polkit.service is masked. |
/// | hangs, or fails to start | `NoReply`: Method call timed out, after 25 s |
/// | not installed | `AccessDenied`: an answer |
///
/// The bus itself says `NoReply` in other words, when PID 1 is gone; then it is unknown what was done.
fn polkit_is_away(error: &CallError) -> bool {
    let CallError::Answered { text, .. } = error else {
        return false;
    };
    let timed_out = matches!(error.word(), "NoReply" | "Timeout" | "TimedOut") && text == "Method call timed out";
    text.starts_with(POLKIT) || timed_out || text.contains(POLKIT_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(state: ActiveState, invocation: &str) -> Facts {
        Facts {
            active_state: state,
            invocation: invocation.into(),
            ..Facts::default()
        }
    }

    #[test]
    fn a_unit_that_changed_is_left_alone() {
        use ActiveState::{Activating, Active, Deactivating, Failed, Inactive, Reloading};
        // With this timeout in seconds, since that second; it is second 100.
        let reloading = |timeout: u64, since: u64| Facts {
            timeout_start: timeout.saturating_mul(1_000_000),
            state_change: since * 1_000_000,
            ..at(Reloading, "01")
        };
        let job = Facts {
            job: 3,
            ..at(Failed, "01")
        };
        for (kind, now, result) in [
            (ActionKind::Start, at(Failed, "01"), "ok"),
            (ActionKind::Start, at(Inactive, "01"), "ok"),
            (ActionKind::Start, at(Inactive, ""), "ok"),
            (ActionKind::Start, at(Failed, "02"), "outdated"),
            (ActionKind::Start, at(Active, "01"), "outdated"),
            (ActionKind::Start, at(Activating, "01"), "conflict"),
            (ActionKind::Start, job, "conflict"),
            (ActionKind::Restart, at(Active, "01"), "ok"),
            (ActionKind::Restart, at(Active, "02"), "outdated"),
            (ActionKind::Restart, at(Failed, "01"), "outdated"),
            (ActionKind::Restart, at(Inactive, ""), "outdated"),
            (ActionKind::Restart, at(Deactivating, "01"), "conflict"),
            (ActionKind::Restart, reloading(30, 100), "conflict"),
            (ActionKind::Restart, reloading(u64::MAX, 20), "conflict"),
            (ActionKind::Restart, reloading(30, 60), "ok"),
            (ActionKind::Restart, reloading(u64::MAX, 1), "ok"),
            (ActionKind::Start, reloading(30, 60), "conflict"),
        ] {
            let checked = match check(kind, &now, Some(&"01".into()), 100_000_000) {
                Ok(()) => "ok",
                Err(ActionResult::Outdated(_)) => "outdated",
                Err(ActionResult::Conflict(_)) => "conflict",
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(checked, result, "{kind:?} {now:?}");
        }
    }

    #[test]
    fn a_polkit_that_is_away_is_no_answer() {
        for (name, text, expected) in [
            (
                "org.freedesktop.systemd1.UnitMasked",
                "Unit polkit.service is masked.",
                "unanswered",
            ),
            (
                "org.freedesktop.systemd1.NoSuchUnit",
                "Unit polkit.service not found.",
                "unanswered",
            ),
            (
                "org.freedesktop.DBus.Error.NoReply",
                "Method call timed out",
                "unanswered",
            ),
            (
                "org.freedesktop.DBus.Error.ServiceUnknown",
                "The name org.freedesktop.PolicyKit1 was not provided by any .service files",
                "unanswered",
            ),
            (
                "org.freedesktop.systemd1.UnitMasked",
                "Unit shop.service is masked.",
                "refused",
            ),
            (
                "org.freedesktop.DBus.Error.AccessDenied",
                "Permission denied",
                "refused",
            ),
            (
                "org.freedesktop.DBus.Error.NoReply",
                "Message recipient disconnected from message bus without replying",
                "unknown",
            ),
        ] {
            let error = CallError::Answered {
                name: name.into(),
                text: text.into(),
            };
            assert_eq!(class_of(&error).kind(), expected, "{name} {text}");
            let nothing = if expected == "unknown" { "outdated" } else { expected };
            assert_eq!(nothing_done(&error).kind(), nothing, "{name} {text}");
        }
    }

    #[test]
    fn errors_have_a_class() {
        let answered = |name: &str| CallError::Answered {
            name: name.into(),
            text: "why".into(),
        };
        for (error, expected) in [
            ("org.freedesktop.systemd1.TransactionIsDestructive", "conflict"),
            ("org.freedesktop.systemd1.NoSuchUnit", "refused"),
            ("org.freedesktop.systemd1.UnitMasked", "refused"),
            ("org.freedesktop.systemd1.OnlyByDependency", "refused"),
            ("org.freedesktop.systemd1.BadUnitSetting", "refused"),
            ("org.freedesktop.systemd1.LoadFailed", "refused"),
            ("org.freedesktop.DBus.Error.AccessDenied", "refused"),
            ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "refused"),
            ("org.freedesktop.DBus.Error.NoReply", "unknown"),
            ("org.freedesktop.DBus.Error.Disconnected", "unknown"),
            ("org.example.Whatever", "unknown"),
        ] {
            let class = match class_of(&answered(error)) {
                ActionResult::Conflict(_) => "conflict",
                ActionResult::Refused(_) => "refused",
                ActionResult::Unknown(_) => "unknown",
                other => panic!("{other:?}"),
            };
            assert_eq!(class, expected, "{error}");
        }
        assert!(matches!(class_of(&CallError::Lost), ActionResult::Unknown(_)));
        assert!(matches!(class_of(&CallError::NotConnected), ActionResult::Outdated(_)));
        assert!(matches!(nothing_done(&CallError::Lost), ActionResult::Outdated(_)));
    }
}
