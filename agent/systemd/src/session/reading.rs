//! Reading units, and finding out which have to be read.

use tokio::time::Instant;
use zbus::Message;

use super::super::calls::Purpose;
use super::super::error::SessionError;
use super::super::facts::{ActiveState, Properties};
use super::super::message::{self, ALL, CallError};
use super::super::names::unit_path;
use super::super::peers::listed;
use super::{READS_MAX, Session};

impl Session<'_> {
    /// Reads everything again. Signals are not judged by before that, unless a storm of reloads has lasted for long: what
    /// is known then may be out of date, and the next reload may come before all is read.
    pub(super) async fn resync(&mut self) -> Result<(), SessionError> {
        let names: Vec<String> = self.units.by_name.keys().cloned().collect();
        let stale = !self.reloads.is_storm(Instant::now());
        for name in names {
            if let Some(unit) = self.units.by_name.get_mut(&name) {
                unit.stale |= stale;
            }
            self.want_read(&name);
        }
        self.read_some().await
    }

    /// Reads what is not known for certain, if no read of it is on its way.
    pub(super) async fn read_stale(&mut self) -> Result<(), SessionError> {
        let stale = self
            .units
            .by_name
            .iter()
            .filter(|(_, unit)| unit.stale && !unit.reading);
        let stale: Vec<String> = stale.map(|(name, _)| name.clone()).collect();
        for name in stale {
            self.want_read(&name);
        }
        self.read_some().await
    }

    pub(super) fn want_read(&mut self, name: &str) {
        if let Some(unit) = self.units.by_name.get_mut(name) {
            if unit.reading {
                unit.read_again = true;
            } else {
                unit.reading = true;
                self.to_read.push_back(name.to_owned());
            }
        }
    }

    pub(super) async fn read_some(&mut self) -> Result<(), SessionError> {
        while self.reads < READS_MAX
            && let Some(unit) = self.to_read.pop_front()
        {
            self.reads += 1;
            if let Some(known) = self.units.by_name.get_mut(&unit) {
                known.read_again = false;
            }
            self.make(message::properties(&unit, ALL), Purpose::Read { unit })
                .await?;
        }
        Ok(())
    }

    pub(super) async fn read_answered(
        &mut self,
        name: &str,
        message: &Message,
        error: Option<CallError>,
    ) -> Result<(), SessionError> {
        self.reads = self.reads.saturating_sub(1);
        let Some(unit) = self.units.by_name.get_mut(name) else {
            return self.read_some().await;
        };
        unit.reading = false;
        let body = message.body();
        match (error, body.deserialize::<(Properties<'_>,)>()) {
            (None, Ok((properties,))) => {
                unit.tracker.read(&properties);
                self.useful = true;
                let now = Instant::now();
                if !self.reloads.under_way() && !unit.read_again || self.reloads.is_storm(now) {
                    unit.stale = false;
                }
                if unit.read_again {
                    self.want_read(name);
                }
                self.learn_path(name).await?;
                for path in self.units.meet_neighbours(name) {
                    self.add_unit_rule(&path).await?;
                }
                for trigger in self.units.meet_triggers(name) {
                    self.add_unit_rule(&unit_path(&trigger)).await?;
                    self.want_read(&trigger);
                }
                self.judge(name).await?;
            }
            // It stays unknown, and the poll reads it again.
            (error, _) => {
                let error = error.unwrap_or(CallError::Unexpected);
                tracing::warn!(unit = name, error = %error, "A unit cannot be read");
                if unit.read_again {
                    self.want_read(name);
                }
            }
        }
        self.read_some().await
    }

    /// Signals of an alias come under the canonical name.
    pub(super) async fn learn_path(&mut self, name: &str) -> Result<(), SessionError> {
        let Some(unit) = self.units.by_name.get_mut(name) else {
            return Ok(());
        };
        let path = unit_path(&unit.tracker.facts.id);
        if path == unit.path || unit.canonical_path.as_deref() == Some(&path) {
            return Ok(());
        }
        unit.canonical_path = Some(path.clone());
        // What happened before the rule was there is in a read after it.
        unit.stale = true;
        self.add_unit_rule(&path).await?;
        self.want_read(name);
        Ok(())
    }

    /// The safety net: reads the units that are not as they are thought to be.
    pub(super) async fn compare(&mut self, message: &Message) -> Result<(), SessionError> {
        for row in listed(message).unwrap_or_default() {
            for name in self
                .units
                .neighbour_is(&row.id, ActiveState::from_word(&row.active_state))
            {
                self.judge(&name).await?;
            }
            for name in self.units.with_id(&row.id) {
                let Some(unit) = self.units.by_name.get_mut(&name) else {
                    continue;
                };
                let facts = &unit.tracker.facts;
                if unit.stale || facts.job != row.job || !facts.active_state.is_called(&row.active_state) {
                    self.want_read(&name);
                }
            }
        }
        // Those that were never read are not among the rows by their canonical name.
        self.read_stale().await
    }
}
