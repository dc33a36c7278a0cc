//! Judging units, and asking what is missing for that.

use zbus::Message;

use super::super::error::SessionError;
use super::super::facts::Properties;
use super::super::journal::{Past, past_of};
use super::super::peers::Collecting;
use super::super::requests::Begins;
use super::super::units::Todo;
use super::{JOURNALS_MAX, Session};

impl Session<'_> {
    /// Judges a unit, and those that it triggers if that makes a difference to them.
    pub(super) async fn judge(&mut self, name: &str) -> Result<(), SessionError> {
        self.judge_one(name).await?;
        while let Some(touched) = self.units.take_touched() {
            self.judge_one(&touched).await?;
        }
        Ok(())
    }

    async fn judge_one(&mut self, name: &str) -> Result<(), SessionError> {
        self.report_begun(name);
        let job_asked = self.calls.job_asked(name);
        match self.units.evaluate(name, monotonic_micros(), job_asked) {
            Todo::Nothing => Ok(()),
            Todo::Read => {
                self.want_read(name);
                self.read_some().await
            }
            Todo::AskPeers => self.ask_peers(name).await,
            Todo::AskJournal => {
                self.ask_journal(name);
                Ok(())
            }
        }
    }

    /// Notifies whoever waits for it that the new run of a unit has begun.
    fn report_begun(&mut self, name: &str) {
        let Some(unit) = self.units.by_name.get(name) else {
            return;
        };
        let facts = &unit.tracker.facts;
        let met = |(unit, begins): &mut (String, Begins)| unit == name && begins.is_met_by(facts);
        for (_, begins) in self.begins.extract_if(.., met) {
            // Whoever waited may have stopped.
            let _ = begins.report.send(());
        }
    }

    pub(super) async fn ask_peers(&mut self, name: &str) -> Result<(), SessionError> {
        let Some(unit) = self.units.by_name.get_mut(name) else {
            return Ok(());
        };
        let generation = unit.tracker.generation;
        if matches!(&unit.collecting, Some(collecting) if collecting.generation == generation) {
            return Ok(());
        }
        let collecting = Collecting::begin(name, &unit.tracker, &mut self.calls)
            .await
            .map_err(SessionError::Send)?;
        unit.collecting = Some(collecting);
        Ok(())
    }

    /// The units around a unit are known: asks them.
    pub(super) async fn spread(&mut self, name: &str, generation: u64, message: &Message) -> Result<(), SessionError> {
        let Some(unit) = self.units.by_name.get_mut(name) else {
            return Ok(());
        };
        let Some(collecting) = unit.collecting.as_mut().filter(|asked| asked.generation == generation) else {
            return Ok(());
        };
        let body = message.body();
        let Ok((properties,)) = body.deserialize::<(Properties<'_>,)>() else {
            // Whatever comes next to judge this unit asks again.
            unit.collecting = None;
            return Ok(());
        };
        unit.tracker.peers_are(&properties);
        collecting
            .spread(name, &unit.tracker.facts, &mut self.calls)
            .await
            .map_err(SessionError::Send)
    }

    pub(super) async fn collected(
        &mut self,
        name: &str,
        generation: u64,
        take: impl FnOnce(&mut Collecting),
    ) -> Result<(), SessionError> {
        let Some(unit) = self.units.by_name.get_mut(name) else {
            return Ok(());
        };
        // Answers about a time that has passed are of no use.
        let Some(collecting) = unit
            .collecting
            .as_mut()
            .filter(|collecting| collecting.generation == generation && unit.tracker.generation == generation)
        else {
            return Ok(());
        };
        take(collecting);
        let Some(mut collecting) = unit.collecting.take() else {
            return Ok(());
        };
        let peers = collecting.finish(|peer| self.units.neighbour(peer));
        let Some(unit) = self.units.by_name.get_mut(name) else {
            return Ok(());
        };
        if peers.is_none() {
            unit.collecting = Some(collecting);
            return Ok(());
        }
        unit.tracker.peers = peers;
        self.judge(name).await
    }

    pub(super) fn ask_journal(&mut self, name: &str) {
        let Some(unit) = self.units.by_name.get_mut(name) else {
            return;
        };
        if unit.journal_asked == Some(unit.tracker.generation) {
            return;
        }
        unit.journal_asked = Some(unit.tracker.generation);
        self.to_look_up.push_back(name.to_owned());
        self.look_up_some();
    }

    pub(super) fn look_up_some(&mut self) {
        while self.journals.len() < JOURNALS_MAX
            && let Some(name) = self.to_look_up.pop_front()
        {
            if let Some(unit) = self.units.by_name.get(&name) {
                let generation = unit.tracker.generation;
                let (id, changed) = (unit.tracker.facts.id.clone(), unit.tracker.facts.state_change);
                self.journals
                    .spawn(async move { (name, generation, past_of(id, changed).await) });
            }
        }
    }

    pub(super) async fn take_past(&mut self, name: &str, generation: u64, past: Past) -> Result<(), SessionError> {
        self.look_up_some();
        if let Some(unit) = self.units.by_name.get_mut(name) {
            unit.journal_asked = None;
            if unit.tracker.generation == generation {
                unit.tracker.past = Some(past);
            }
            self.judge(name).await?;
        }
        Ok(())
    }
}

/// `CLOCK_MONOTONIC`, which PID 1 stamps states with.
pub(in super::super) fn monotonic_micros() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let micros = u64::try_from(now.tv_nsec / 1000).unwrap_or_default();
    seconds.saturating_mul(1_000_000).saturating_add(micros)
}
