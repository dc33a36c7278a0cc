//! Judging units, and telling the driver what is news.

use sentinel_engine::{Event, Observation, Supervisor, TargetState, Trigger, TriggerState};

use super::super::classify::{Verdict, World, classify};
use super::super::names::unit_type;
use super::super::started::started_by;
use super::{Todo, Unit, Units};

impl Units {
    /// Judges one unit and says if that is news. Answers what is missing to judge it.
    pub(in super::super) fn evaluate(&mut self, name: &str, now: u64, job_asked: bool) -> Todo {
        let Some(unit) = self.by_name.get_mut(name) else {
            return Todo::Nothing;
        };
        if unit.stale {
            return Todo::Nothing;
        }
        let job = unit.tracker.facts.job;
        let world = World {
            now,
            host_stopping: self.host_stopping,
            own_job: job != 0 && (job_asked || self.own_jobs.contains(&job)),
            jobs: &self.jobs,
        };
        match classify(&mut unit.tracker, world) {
            Verdict::AskPeers => Todo::AskPeers,
            Verdict::AskJournal => Todo::AskJournal,
            Verdict::Seen(mut observation) => {
                if !job_asked {
                    observation.started_by = started_by(&unit.tracker, &self.jobs);
                }
                if let Some(other) = &mut observation.details.fell_with {
                    other.is_back = self.neighbours.runs(&other.name);
                }
                let transient = matches!(observation.state, TargetState::Down { .. })
                    && observation.supervisor == Supervisor::Active
                    && !unit.tracker.at_rest;
                let facts = unit.tracker.facts.clone();
                if !unit.services.is_empty() {
                    observation.details.triggers = self.triggers_of(&facts);
                }
                self.report(name, &observation);
                if transient { Todo::Read } else { Todo::Nothing }
            }
        }
    }

    /// Reports that no unit can be seen any more, once.
    pub(in super::super) fn lose_connection(&mut self, reason: &str) {
        for unit in self.by_name.values_mut() {
            unit.stale = true;
            unit.reading = false;
            unit.read_again = false;
            unit.collecting = None;
            unit.journal_asked = None;
        }
        self.report_stale_units(reason);
    }

    /// Reports that those units cannot be seen which have to be read and were not, once.
    pub(in super::super) fn report_stale_units(&mut self, reason: &str) {
        let stale = self.by_name.iter().filter(|(_, unit)| unit.stale);
        let names: Vec<String> = stale.map(|(name, _)| name.clone()).collect();
        for name in names {
            let Some(unit) = self.by_name.get_mut(&name) else {
                continue;
            };
            if matches!(&unit.reported, Some(reported) if matches!(reported.state, TargetState::Unknown(_))) {
                continue;
            }
            let unknown = Observation::new(TargetState::Unknown(reason.to_owned()), unit.tracker.run.clone());
            self.report(&name, &unknown);
        }
    }

    /// What the agent may do can be another by now.
    pub(in super::super) fn permissions_changed(&mut self) {
        self.outbox.hand_over(Event::PermissionsChanged);
    }

    pub(in super::super) fn host_stopping(&mut self, going_down: bool) {
        if self.host_stopping != going_down {
            self.host_stopping = going_down;
            self.outbox.hand_over(Event::HostShutdownChanged { going_down });
        }
    }

    fn report(&mut self, name: &str, observation: &Observation) {
        let Some(unit) = self.by_name.get_mut(name) else {
            return;
        };
        // An age is new every time, and says nothing that the run does not.
        let news = unit.reported.as_ref().is_none_or(|reported| {
            (
                &reported.state,
                &reported.run,
                reported.supervisor,
                reported.started_by,
                &reported.details,
            ) != (
                &observation.state,
                &observation.run,
                observation.supervisor,
                observation.started_by,
                &observation.details,
            )
        });
        if !news {
            return;
        }
        tracing::debug!(unit = name, state = ?observation.state, "A unit was observed");
        let before = unit.reported.replace(observation.clone());
        if !unit.services.is_empty() {
            say_triggers(name, before.as_ref(), observation);
        }
        let id = unit.tracker.facts.id.clone();
        if unit_type(&id) == "service" {
            // No service triggers another.
            return self.hand_over_observation(name, observation);
        }
        let triggers = |other: &&Unit| other.tracker.facts.triggered_by.contains(&id);
        let touched: Vec<String> = self
            .by_name
            .iter()
            .filter(|(_, other)| triggers(other))
            .map(|(name, _)| name.clone())
            .collect();
        self.touched.extend(touched);
        self.hand_over_observation(name, observation);
    }

    /// Waits until something that waits has been handed to the driver. Never ends when nothing waits.
    pub(in super::super) async fn flush_one(&mut self) {
        self.outbox.flush_one().await;
    }

    fn hand_over_observation(&mut self, name: &str, observation: &Observation) {
        let Some(unit) = self.by_name.get(name) else {
            return;
        };
        for service in unit.services.clone() {
            self.outbox.hand_over(Event::TargetObserved {
                service,
                observation: observation.clone(),
            });
        }
    }
}

/// Says once of each trigger that it does not wait any more.
fn say_triggers(unit: &str, before: Option<&Observation>, now: &Observation) {
    let before = before.map_or(&[][..], |before| &before.details.triggers);
    for Trigger { name, state } in now.details.triggers.iter().filter(|trigger| !before.contains(trigger)) {
        match state {
            TriggerState::Failed { result, .. } => tracing::warn!(
                event = "trigger_failed",
                unit,
                trigger = name,
                result,
                "the socket, path or timer that starts this unit has failed"
            ),
            TriggerState::Stopped => tracing::info!(
                event = "trigger_stopped",
                unit,
                trigger = name,
                "the socket, path or timer that starts this unit was stopped, and is not started again"
            ),
            TriggerState::Unseen => {}
        }
    }
}
