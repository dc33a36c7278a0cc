//! What comes in: signals and answers.

use tokio::sync::oneshot;
use tokio::time::Instant;
use zbus::Message;
use zbus::message::Type;

use super::super::attribution::SHUTDOWN_TARGET;
use super::super::calls::Purpose;
use super::super::error::SessionError;
use super::super::facts::{ActiveState, JobId, Properties};
use super::super::message::{self, BUS, CallError, LOGIND, MANAGER, POLKIT, SYSTEMD, UNIT};
use super::super::names::{type_interface, unit_path};
use super::super::peers::listed;
use super::super::requests::View;
use super::judging::monotonic_micros;
use super::{ENDED_KEPT, OWNER_GONE_MAX, Session};

impl Session<'_> {
    pub(super) async fn take(&mut self, message: &Message) -> Result<(), SessionError> {
        match message.message_type() {
            Type::Signal => self.signal(message).await,
            Type::MethodReturn | Type::Error => match self.calls.answered(message) {
                Some(purpose) => self.answer(purpose, message).await,
                None => Ok(()),
            },
            Type::MethodCall => Ok(()),
        }
    }

    /// Takes a signal, if its sender is who it should be: rules do not filter what is sent to this connection directly.
    pub(super) async fn signal(&mut self, message: &Message) -> Result<(), SessionError> {
        let header = message.header();
        let (Some(sender), Some(path), Some(interface), Some(member)) =
            (header.sender(), header.path(), header.interface(), header.member())
        else {
            return Ok(());
        };
        let sender = sender.as_str();
        let body = message.body();
        if sender == BUS && member.as_str() == "NameOwnerChanged" {
            if let Ok((name, _old, new)) = body.deserialize::<(&str, &str, &str)>() {
                return self.owner_changed(name, new).await;
            }
        } else if self.logind.as_deref() == Some(sender) && member.as_str() == "PrepareForShutdown" {
            if let Ok((going_down,)) = body.deserialize::<(bool,)>() {
                self.units.host_stopping(going_down);
            }
        } else if self.systemd.as_deref() == Some(sender) {
            match (interface.as_str(), member.as_str()) {
                ("org.freedesktop.DBus.Properties", "PropertiesChanged") => {
                    if let Ok((interface, properties, _)) = body.deserialize::<(&str, Properties<'_>, Vec<&str>)>() {
                        return self.unit_changed(path.as_str(), interface, &properties).await;
                    }
                }
                (MANAGER, "JobRemoved") => {
                    if let Ok((id, _, unit, result)) =
                        body.deserialize::<(u32, zbus::wire::ObjectPath<'_>, &str, &str)>()
                    {
                        return self.job_removed(id, unit, result).await;
                    }
                }
                (MANAGER, "JobNew") => {
                    if let Ok((id, _, unit)) = body.deserialize::<(u32, zbus::wire::ObjectPath<'_>, &str)>() {
                        self.units.job_made(id, unit, monotonic_micros());
                        if unit == SHUTDOWN_TARGET {
                            self.units.host_stopping(true);
                        }
                    }
                }
                (MANAGER, "Reloading") => {
                    if let Ok((active,)) = body.deserialize::<(bool,)>() {
                        return self.reloading(active).await;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) async fn unit_changed(
        &mut self,
        path: &str,
        interface: &str,
        changed: &Properties<'_>,
    ) -> Result<(), SessionError> {
        if interface == UNIT {
            for name in self.units.neighbour_changed(path, changed) {
                self.judge(&name).await?;
            }
        }
        for name in self.units.at_path(path) {
            let Some(unit) = self.units.by_name.get_mut(&name) else {
                continue;
            };
            if interface == UNIT {
                let whole = unit.tracker.changed(changed);
                if whole {
                    self.judge(&name).await?;
                } else {
                    // Half of what there is to know: not enough to judge by.
                    unit.stale = true;
                    self.want_read(&name);
                }
            } else if type_interface(&unit.tracker.facts.id) == Some(interface) {
                unit.tracker.type_changed(changed);
            }
        }
        self.read_some().await
    }

    pub(super) async fn job_removed(&mut self, id: JobId, unit: &str, result: &str) -> Result<(), SessionError> {
        let own = self.units.is_own(id);
        self.units.job_ended(id, result, monotonic_micros());
        for name in self.units.with_id(unit) {
            if let Some(unit) = self.units.by_name.get_mut(&name) {
                unit.tracker.job_removed(id, own, result);
            }
            self.judge(&name).await?;
        }
        if unit == SHUTDOWN_TARGET {
            self.make(message::system_state(), Purpose::SystemState).await?;
        }
        if let Some(triggered) = self.units.may_trigger(unit) {
            self.want_read(&triggered);
            self.read_some().await?;
        }
        if let Some(waiting) = self.jobs.remove(&id) {
            // Whoever waited may have stopped.
            let _ = waiting.send(Ok(result.to_owned()));
        }
        if self.ended.len() == ENDED_KEPT {
            self.ended.pop_front();
        }
        self.ended.push_back((id, result.to_owned()));
        Ok(())
    }

    pub(super) async fn reloading(&mut self, active: bool) -> Result<(), SessionError> {
        let now = Instant::now();
        if !active {
            self.reloads.end(now);
            return self.resync().await;
        }
        self.reloads.begin(now);
        if self.reloads.hides(now) {
            // What comes meanwhile is taken over, but only judged when everything has been read again.
            for unit in self.units.by_name.values_mut() {
                unit.stale = true;
            }
        }
        Ok(())
    }

    pub(super) async fn owner_changed(&mut self, name: &str, new: &str) -> Result<(), SessionError> {
        let owner = (!new.is_empty()).then(|| new.to_owned());
        match name {
            SYSTEMD if owner.is_some() => {
                self.systemd = owner;
                self.owner_gone = None;
                self.make(message::subscribe(), Purpose::Subscribe).await?;
                self.make(message::system_state(), Purpose::SystemState).await?;
                self.resync().await
            }
            SYSTEMD => {
                self.systemd = None;
                self.owner_gone = Some(Instant::now() + OWNER_GONE_MAX);
                Ok(())
            }
            LOGIND => {
                self.logind = owner;
                Ok(())
            }
            POLKIT => {
                if owner.is_some() {
                    self.units.permissions_changed();
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn answer(&mut self, purpose: Purpose, message: &Message) -> Result<(), SessionError> {
        let error = (message.message_type() == Type::Error).then(|| CallError::from_message(message));
        match purpose {
            Purpose::Done(call) => {
                if let Some(error) = error {
                    tracing::warn!(call, error = %error, "The system bus refused a call");
                }
                Ok(())
            }
            Purpose::Subscribe => match error {
                Some(error) if error.word() != "AlreadySubscribed" => Err(SessionError::NotSubscribed(error)),
                _ => Ok(()),
            },
            Purpose::Owner(name) => self.owner_is(name, message, error.is_some()),
            Purpose::SystemState => {
                // An error leaves what was known; the next poll asks again.
                if let Ok((zbus::Variant::Str(state),)) = message.body().deserialize::<(zbus::Variant<'_>,)>() {
                    self.units.host_stopping(state.as_str() == "stopping");
                }
                Ok(())
            }
            Purpose::Poll => self.compare(message).await,
            Purpose::Read { unit } => self.read_answered(&unit, message, error).await,
            Purpose::PeersOf { unit, generation } => self.spread(&unit, generation, message).await,
            Purpose::PeerJobs { unit, generation } => {
                let rows = listed(message);
                self.collected(&unit, generation, |collecting| collecting.jobs(rows))
                    .await
            }
            Purpose::PeerFacts { unit, generation, peer } => {
                let body = message.body();
                let answer = body.deserialize::<(Properties<'_>,)>();
                let properties = answer.as_ref().ok().map(|(properties,)| properties);
                if let Some(zbus::Variant::Str(word)) = properties.and_then(|properties| properties.get("ActiveState"))
                {
                    // Signals tell what changes after that.
                    for name in self.units.neighbour_is(&peer, ActiveState::from_word(word)) {
                        self.judge(&name).await?;
                    }
                }
                self.collected(&unit, generation, |collecting| collecting.facts(&peer, properties))
                    .await
            }
            Purpose::AskedRead(_) | Purpose::AskedStates(_) | Purpose::AskedReset(_) | Purpose::AskedJob { .. } => {
                self.pass_on(purpose, message, error).await
            }
        }
    }

    /// Who is to be believed when it comes to `name`.
    fn owner_is(&mut self, name: &str, message: &Message, failed: bool) -> Result<(), SessionError> {
        let body = message.body();
        let owner = body.deserialize::<(&str,)>().ok().filter(|_| !failed);
        let owner = owner.map(|(owner,)| owner.to_owned());
        if name == LOGIND {
            // A host without it says less of its shutdown, and enough.
            self.logind = owner;
            return Ok(());
        }
        self.systemd = owner;
        if self.systemd.is_none() {
            return Err(SessionError::Absent);
        }
        Ok(())
    }

    /// Hands an answer to whoever asked; it may be that nothing waits for it any more.
    async fn pass_on(
        &mut self,
        purpose: Purpose,
        message: &Message,
        error: Option<CallError>,
    ) -> Result<(), SessionError> {
        match purpose {
            Purpose::AskedRead(reply) => {
                let view = match (error, message.body().deserialize::<(Properties<'_>,)>()) {
                    (Some(error), _) => Err(error),
                    (None, Err(_)) => Err(CallError::Unexpected),
                    (None, Ok((properties,))) => Ok(View::of(&properties)),
                };
                let _ = reply.send(view);
            }
            Purpose::AskedStates(reply) => {
                let rows = error.map_or_else(|| listed(message).ok_or(CallError::Unexpected), Err);
                let _ = reply.send(rows);
            }
            Purpose::AskedReset(reply) => {
                let _ = reply.send(error.map_or(Ok(()), Err));
            }
            Purpose::AskedJob { unit, reply } => match error {
                Some(error) => {
                    let _ = reply.send(Err(error));
                }
                None => return self.job_made(&unit, reply, message).await,
            },
            _ => {}
        }
        Ok(())
    }

    /// The agent's own job has a number now.
    pub(super) async fn job_made(
        &mut self,
        unit: &str,
        reply: oneshot::Sender<Result<String, CallError>>,
        message: &Message,
    ) -> Result<(), SessionError> {
        let body = message.body();
        let id = body
            .deserialize::<(zbus::wire::ObjectPath<'_>,)>()
            .ok()
            .and_then(|(path,)| path.as_str().rsplit('/').next()?.parse::<JobId>().ok());
        let Some(id) = id else {
            let _ = reply.send(Err(CallError::Unexpected));
            return Ok(());
        };
        self.units.own(id);
        // Systemd says so only afterwards, but nothing in its interface promises that.
        match self.ended.iter().find(|(ended, _)| *ended == id) {
            Some((_, result)) => {
                let _ = reply.send(Ok(result.clone()));
            }
            None => drop(self.jobs.insert(id, reply)),
        }
        for name in self.units.at_path(&unit_path(unit)) {
            if let Some(unit) = self.units.by_name.get_mut(&name) {
                unit.tracker.job_is_own(id);
            }
            self.judge(&name).await?;
        }
        Ok(())
    }
}
