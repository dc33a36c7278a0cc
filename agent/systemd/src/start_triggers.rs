//! Starting the sockets, paths and timers of a unit that have failed.

use sentinel_engine::ActionResult;

use super::blast::MayAffect;
use super::facts::{ActiveState, Facts};
use super::journal::past_of;
use super::message::{ALL, JobMethod};
use super::relations::{Effect, Relations};
use super::requests::Systemd;
use super::restart::nothing_done;
use super::triggers::{LOOKED_AT_MAX, may_start};

impl Systemd {
    /// Starts what triggers `unit` and has failed, before the unit itself, which is `before` and is started whatever comes of
    /// it: it ran, and may do without.
    pub(super) async fn start_failed_triggers(&self, unit: &str, before: &Facts, may_affect: MayAffect<'_>) {
        if let Err(result) = self.start_each_trigger(unit, before, may_affect).await {
            tracing::warn!(
                event = "trigger_not_started",
                unit,
                reason = %result,
                "the socket, path or timer that starts this unit has failed, and did not come up; the unit is started all the same"
            );
        }
    }

    /// Starts what triggers `unit` and has failed, and nothing else.
    pub(super) async fn start_triggers(&self, unit: &str, before: &Facts, may_affect: MayAffect<'_>) -> ActionResult {
        match self.start_each_trigger(unit, before, may_affect).await {
            Ok(0) => ActionResult::Outdated("nothing that triggers it has failed any more".to_owned()),
            Ok(_) => ActionResult::Done,
            Err(result) => result,
        }
    }

    /// How many were started. The first that was not is the result.
    async fn start_each_trigger(
        &self,
        unit: &str,
        before: &Facts,
        may_affect: MayAffect<'_>,
    ) -> Result<usize, ActionResult> {
        let failed = self.failed_triggers(before).await?;
        if failed.is_empty() {
            return Ok(0);
        }
        if before.active_state == ActiveState::Failed {
            // A client that waits has the socket start the unit at once, and when that has reached its start limit the socket
            // fails for it again.
            self.reset(unit).await?;
        }
        let mut started = 0;
        let mut first_failure = None;
        for relations in failed {
            match self.start_trigger(&relations, may_affect).await {
                Ok(()) => started += 1,
                Err(result) => first_failure = first_failure.or(Some(result)),
            }
        }
        first_failure.map_or(Ok(started), Err)
    }

    /// Those that have failed, and were not stopped.
    async fn failed_triggers(&self, unit: &Facts) -> Result<Vec<Relations>, ActionResult> {
        let mut failed = Vec::new();
        for name in unit.triggered_by.iter().take(LOOKED_AT_MAX) {
            let view = self.view(name, ALL).await.map_err(|error| nothing_done(&error))?;
            if view.facts.active_state != ActiveState::Failed {
                continue;
            }
            let past = past_of(view.facts.id.clone(), view.facts.state_change).await;
            if may_start(&view.facts, &past) {
                let mut relations = view.relations;
                relations.names.retain(|other| *other != view.facts.id);
                relations.names.insert(0, view.facts.id);
                failed.push(relations);
            }
        }
        Ok(failed)
    }

    async fn start_trigger(&self, trigger: &Relations, may_affect: MayAffect<'_>) -> Result<(), ActionResult> {
        let name = trigger.names.first().map_or("", String::as_str);
        if !may_affect.is_operator() {
            self.look_around_effect(trigger, &[], Effect::Start, may_affect).await?;
        }
        self.reset(name).await?;
        match self.make_job(name, JobMethod::Start, None).await?.as_str() {
            "done" => {
                tracing::info!(trigger = name, "a trigger that had failed was started");
                Ok(())
            }
            "canceled" => Err(ActionResult::Cancelled("the job was cancelled".to_owned())),
            other => match self.explain(name, other).await {
                ActionResult::Failed(why) => Err(ActionResult::Failed(format!("`{name}` did not come up: {why}"))),
                result => Err(result),
            },
        }
    }
}
