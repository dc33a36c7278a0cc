//! The life of one connection to the bus.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use zbus::message::Type;
use zbus::{Connection, Message, MessageStream};

use super::attribution::SHUTDOWN_TARGET;
use super::calls::{Calls, Purpose};
use super::facts::{Facts, JobId, Properties};
use super::journal::{Past, past_of};
use super::message::{self, ALL, BUS, CallError, LOGIND, MANAGER, SYSTEMD, UNIT};
use super::names::{type_interface, unit_path};
use super::peers::{Gathering, listed};
use super::requests::Request;
use super::units::{Todo, Units};
use super::watcher::Watched;

/// Messages queued between the socket and this session. A reload of a big host sends thousands in a burst; while the queue
/// is full nothing is lost, but waits at the bus.
const QUEUE: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Units with a rule of their own. The bus takes 512 rules of one connection.
const RULES_MAX: usize = 200;

/// Reads under way at once. The bus allows 128 pending replies; PID 1 does one thing at a time anyway.
const READS_MAX: usize = 16;

/// Journal processes at once.
const JOURNALS_MAX: usize = 4;

/// The safety net: signals that never came are found within this time.
const POLL_EVERY: Duration = Duration::from_secs(30);

/// PID 1 of systemd before 258 can forget its subscribers when it alone drops off the bus (systemd issue 27667).
const SUBSCRIBE_EVERY: Duration = Duration::from_secs(60);

/// A reload that does not end is taken for ended.
const RELOAD_MAX: Duration = Duration::from_secs(60);

/// A PID 1 that executes itself anew is off the bus for a moment.
const OWNER_GONE_MAX: Duration = Duration::from_secs(5);

/// Ends of jobs kept for calls whose answer comes later than that.
const ENDED_KEPT: usize = 64;

/// One connection, and everything that is lost with it.
pub(super) struct Session<'w> {
    connection: Connection,
    calls: Calls,
    units: &'w mut Units,
    watched: &'w mut watch::Receiver<Vec<Watched>>,
    requests: &'w mut mpsc::Receiver<Request>,
    /// Units to be read, when there is room.
    to_read: VecDeque<String>,
    reads: usize,
    /// Units to be looked up in the journal, and those that are.
    to_look_up: VecDeque<String>,
    journals: JoinSet<(String, u64, Past)>,
    /// Who waits for which job.
    jobs: HashMap<JobId, oneshot::Sender<Result<String, CallError>>>,
    /// Jobs that ended lately.
    ended: VecDeque<(JobId, String)>,
    /// The unique names of those who are believed.
    systemd: Option<String>,
    logind: Option<String>,
    /// All changes of units come, instead of those of the watched ones.
    every_unit: bool,
    rules: usize,
    /// When a reload is taken for ended.
    reloading: Option<Instant>,
    /// When PID 1 is taken for gone.
    owner_gone: Option<Instant>,
    poll_at: Instant,
    subscribe_at: Instant,
    useful: bool,
}

/// Why a session cannot go on.
type Lost = String;

impl<'w> Session<'w> {
    pub(super) fn new(
        connection: Connection,
        units: &'w mut Units,
        watched: &'w mut watch::Receiver<Vec<Watched>>,
        requests: &'w mut mpsc::Receiver<Request>,
    ) -> Self {
        let now = Instant::now();
        Self {
            calls: Calls::new(connection.clone()),
            connection,
            units,
            watched,
            requests,
            to_read: VecDeque::new(),
            reads: 0,
            to_look_up: VecDeque::new(),
            journals: JoinSet::new(),
            jobs: HashMap::new(),
            ended: VecDeque::new(),
            systemd: None,
            logind: None,
            every_unit: false,
            rules: 0,
            reloading: None,
            owner_gone: None,
            poll_at: now + POLL_EVERY,
            subscribe_at: now + SUBSCRIBE_EVERY,
            useful: false,
        }
    }

    /// Whether this connection has shown a unit.
    pub(super) fn was_useful(&self) -> bool {
        self.useful
    }

    /// Watches until the connection is of no more use. Answers why.
    pub(super) async fn run(&mut self) -> Lost {
        let mut stream = MessageStream::from(&self.connection);
        stream.set_max_queued(QUEUE);
        match self.watch(&mut stream).await {
            Ok(never) => match never {},
            Err(lost) => lost,
        }
    }

    async fn watch(&mut self, stream: &mut MessageStream) -> Result<std::convert::Infallible, Lost> {
        self.begin().await?;
        loop {
            let timer = self.next_timer();
            tokio::select! {
                message = stream.next() => match message {
                    Some(Ok(message)) => self.take(&message).await?,
                    Some(Err(error)) => return Err(format!("the system bus closed the connection: {error}")),
                    None => return Err("the system bus closed the connection".to_owned()),
                },
                Some(request) = self.requests.recv() => self.request(request).await?,
                () = self.units.flush_one() => {}
                Some(done) = self.journals.join_next() => if let Ok((name, generation, past)) = done {
                    self.journal_told(&name, generation, past).await?;
                },
                Ok(()) = self.watched.changed() => self.set_units().await?,
                () = tokio::time::sleep_until(timer) => self.timer().await?,
            }
        }
    }

    /// Everything is sent at once; the answers come in the same order.
    async fn begin(&mut self) -> Result<(), Lost> {
        for rule in message::general_rules() {
            self.make(message::add_match(&rule), Purpose::Done("AddMatch")).await?;
        }
        self.make(message::name_owner(SYSTEMD), Purpose::Owner(SYSTEMD)).await?;
        self.make(message::name_owner(LOGIND), Purpose::Owner(LOGIND)).await?;
        self.make(message::subscribe(), Purpose::Subscribe).await?;
        self.make(message::system_state(), Purpose::SystemState).await?;
        let watched = self.watched.borrow_and_update().clone();
        self.units.set(&watched);
        let paths: Vec<String> = self
            .units
            .by_name
            .values()
            .flat_map(|unit| [Some(unit.path.clone()), unit.canonical_path.clone()])
            .flatten()
            .collect();
        for path in paths {
            self.add_unit_rule(&path).await?;
        }
        self.resync().await
    }

    /// Brings the set of units up to date with what is wanted.
    async fn set_units(&mut self) -> Result<(), Lost> {
        let watched = self.watched.borrow_and_update().clone();
        let (new, gone) = self.units.set(&watched);
        if !self.every_unit {
            for path in gone {
                self.rules = self.rules.saturating_sub(1);
                let rule = message::unit_rule(&path);
                self.make(message::remove_match(&rule), Purpose::Done("RemoveMatch"))
                    .await?;
            }
        }
        for name in new {
            self.add_unit_rule(&unit_path(&name)).await?;
            self.want_read(&name);
        }
        // Services that joined a unit which is known already.
        let names: Vec<String> = self.units.by_name.keys().cloned().collect();
        for name in names {
            self.judge(&name).await?;
        }
        self.read_some().await
    }

    async fn add_unit_rule(&mut self, path: &str) -> Result<(), Lost> {
        if self.every_unit {
            return Ok(());
        }
        self.rules += 1;
        let rule = if self.rules > RULES_MAX {
            self.every_unit = true;
            message::all_units_rule()
        } else {
            message::unit_rule(path)
        };
        self.make(message::add_match(&rule), Purpose::Done("AddMatch")).await
    }

    async fn make(&mut self, message: zbus::Result<Message>, purpose: Purpose) -> Result<(), Lost> {
        self.calls
            .make(message, purpose)
            .await
            .map_err(|error| format!("cannot send to the system bus: {error}"))
    }

    // ---- what comes in ----------------------------------------------------------------------------------------------

    async fn take(&mut self, message: &Message) -> Result<(), Lost> {
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
    async fn signal(&mut self, message: &Message) -> Result<(), Lost> {
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
                    if let Ok((_, _, unit)) = body.deserialize::<(u32, zbus::wire::ObjectPath<'_>, &str)>()
                        && unit == SHUTDOWN_TARGET
                    {
                        self.units.host_stopping(true);
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

    async fn unit_changed(&mut self, path: &str, interface: &str, changed: &Properties<'_>) -> Result<(), Lost> {
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

    async fn job_removed(&mut self, id: JobId, unit: &str, result: &str) -> Result<(), Lost> {
        let own = self.units.is_own(id);
        for name in self.units.with_id(unit) {
            if let Some(unit) = self.units.by_name.get_mut(&name) {
                unit.tracker.job_removed(id, own, result);
            }
            self.judge(&name).await?;
        }
        if unit == SHUTDOWN_TARGET {
            self.make(message::system_state(), Purpose::SystemState).await?;
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

    async fn reloading(&mut self, active: bool) -> Result<(), Lost> {
        if active {
            self.reloading = Some(Instant::now() + RELOAD_MAX);
            // What comes meanwhile is taken over, but only judged when everything has been read again.
            for unit in self.units.by_name.values_mut() {
                unit.stale = true;
            }
            return Ok(());
        }
        self.reloading = None;
        self.resync().await
    }

    async fn owner_changed(&mut self, name: &str, new: &str) -> Result<(), Lost> {
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
            _ => Ok(()),
        }
    }

    async fn answer(&mut self, purpose: Purpose, message: &Message) -> Result<(), Lost> {
        let error = (message.message_type() == Type::Error).then(|| CallError::from_message(message));
        let body = message.body();
        match (purpose, error) {
            (Purpose::Done(_), None) | (Purpose::Subscribe, None) => {}
            (Purpose::Subscribe, Some(error)) if error.word() == "AlreadySubscribed" => {}
            (Purpose::Subscribe, Some(error)) => return Err(format!("systemd does not let the agent watch: {error}")),
            (Purpose::Done(what), Some(error)) => {
                tracing::warn!(call = what, error = %error, "The system bus refused a call");
            }
            (Purpose::Owner(name), None) => {
                let owner = body.deserialize::<(&str,)>().ok().map(|(owner,)| owner.to_owned());
                if name == SYSTEMD {
                    self.systemd = owner;
                } else {
                    self.logind = owner;
                }
            }
            (Purpose::Owner(SYSTEMD), Some(_)) => return Err("systemd is not on the system bus".to_owned()),
            (Purpose::SystemState, None) => {
                if let Ok((zbus::Variant::Str(state),)) = body.deserialize::<(zbus::Variant<'_>,)>() {
                    self.units.host_stopping(state.as_str() == "stopping");
                }
            }
            // Without logind there is nobody to say more. The state of the system is asked again at the next poll.
            (Purpose::Owner(_) | Purpose::SystemState, Some(_)) => {}
            (Purpose::Poll, _) => self.compare(message).await?,
            (Purpose::Read { unit }, error) => self.read_answered(&unit, message, error).await?,
            (Purpose::PeerJobs { unit, generation }, error) => {
                let rows = if error.is_none() { listed(message) } else { None };
                self.gathered(&unit, generation, |gathering| gathering.jobs(rows))
                    .await?;
            }
            (Purpose::PeerFacts { unit, generation, peer }, error) => {
                let answer = body.deserialize::<(Properties<'_>,)>().ok().filter(|_| error.is_none());
                let properties = answer.as_ref().map(|(properties,)| properties);
                self.gathered(&unit, generation, |gathering| gathering.facts(&peer, properties))
                    .await?;
            }
            (Purpose::AskedRead(reply), error) => {
                let facts = match (error, body.deserialize::<(Properties<'_>,)>()) {
                    (Some(error), _) => Err(error),
                    (None, Err(_)) => Err(CallError::Unexpected),
                    (None, Ok((properties,))) => {
                        let mut facts = Facts::default();
                        facts.merge(&properties);
                        Ok(facts)
                    }
                };
                let _ = reply.send(facts);
            }
            (Purpose::AskedReset(reply), error) => {
                let _ = reply.send(error.map_or(Ok(()), Err));
            }
            (Purpose::AskedJob { reply, .. }, Some(error)) => {
                let _ = reply.send(Err(error));
            }
            (Purpose::AskedJob { unit, reply }, None) => self.job_made(&unit, reply, message).await?,
        }
        Ok(())
    }

    /// The agent's own job has a number now.
    async fn job_made(
        &mut self,
        unit: &str,
        reply: oneshot::Sender<Result<String, CallError>>,
        message: &Message,
    ) -> Result<(), Lost> {
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

    // ---- reading units ----------------------------------------------------------------------------------------------

    /// Reads everything anew.
    async fn resync(&mut self) -> Result<(), Lost> {
        let names: Vec<String> = self.units.by_name.keys().cloned().collect();
        for name in names {
            if let Some(unit) = self.units.by_name.get_mut(&name) {
                unit.stale = true;
            }
            self.want_read(&name);
        }
        self.read_some().await
    }

    fn want_read(&mut self, name: &str) {
        if let Some(unit) = self.units.by_name.get_mut(name) {
            if unit.reading {
                unit.read_again = true;
            } else {
                unit.reading = true;
                self.to_read.push_back(name.to_owned());
            }
        }
    }

    async fn read_some(&mut self) -> Result<(), Lost> {
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

    async fn read_answered(&mut self, name: &str, message: &Message, error: Option<CallError>) -> Result<(), Lost> {
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
                if unit.read_again {
                    self.want_read(name);
                } else if self.reloading.is_none() {
                    unit.stale = false;
                }
                self.learn_path(name).await?;
                self.judge(name).await?;
            }
            // It stays unknown, and the poll reads it again.
            (error, _) => {
                let error = error.unwrap_or(CallError::Unexpected);
                tracing::warn!(unit = name, error = %error, "A unit cannot be read");
            }
        }
        self.read_some().await
    }

    /// Signals of an alias come under the canonical name.
    async fn learn_path(&mut self, name: &str) -> Result<(), Lost> {
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
    async fn compare(&mut self, message: &Message) -> Result<(), Lost> {
        for row in listed(message).unwrap_or_default() {
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
        let unread: Vec<String> = self
            .units
            .by_name
            .iter()
            .filter(|(_, unit)| unit.stale && !unit.reading)
            .map(|(name, _)| name.clone())
            .collect();
        for name in unread {
            self.want_read(&name);
        }
        self.read_some().await
    }

    // ---- judging units ----------------------------------------------------------------------------------------------

    async fn judge(&mut self, name: &str) -> Result<(), Lost> {
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

    async fn ask_peers(&mut self, name: &str) -> Result<(), Lost> {
        let Some(unit) = self.units.by_name.get_mut(name) else {
            return Ok(());
        };
        let generation = unit.tracker.generation;
        if matches!(&unit.gathering, Some(gathering) if gathering.generation == generation) {
            return Ok(());
        }
        let gathering = Gathering::begin(name, &unit.tracker, &mut self.calls)
            .await
            .map_err(|error| format!("cannot send to the system bus: {error}"))?;
        unit.gathering = Some(gathering);
        Ok(())
    }

    async fn gathered(&mut self, name: &str, generation: u64, take: impl FnOnce(&mut Gathering)) -> Result<(), Lost> {
        let Some(unit) = self.units.by_name.get_mut(name) else {
            return Ok(());
        };
        // Answers about a time that has passed are of no use.
        let Some(gathering) = unit
            .gathering
            .as_mut()
            .filter(|gathering| gathering.generation == generation && unit.tracker.generation == generation)
        else {
            return Ok(());
        };
        take(gathering);
        if let Some(peers) = gathering.finish() {
            unit.gathering = None;
            unit.tracker.peers = Some(peers);
            self.judge(name).await?;
        }
        Ok(())
    }

    fn ask_journal(&mut self, name: &str) {
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

    fn look_up_some(&mut self) {
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

    async fn journal_told(&mut self, name: &str, generation: u64, past: Past) -> Result<(), Lost> {
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

    // ---- requests and timers ----------------------------------------------------------------------------------------

    async fn request(&mut self, request: Request) -> Result<(), Lost> {
        match request {
            Request::Read { unit, interface, reply } => {
                self.make(message::properties(&unit, interface), Purpose::AskedRead(reply))
                    .await
            }
            Request::ResetFailed { unit, reply } => {
                self.make(message::reset_failed(&unit), Purpose::AskedReset(reply))
                    .await
            }
            Request::Job { unit, method, reply } => {
                self.make(message::start_job(method, &unit), Purpose::AskedJob { unit, reply })
                    .await
            }
        }
    }

    fn next_timer(&self) -> Instant {
        let timers = [
            self.overdue_at(),
            self.reloading,
            self.owner_gone,
            Some(self.subscribe_at),
        ];
        timers.into_iter().flatten().fold(self.poll_at, Instant::min)
    }

    /// When PID 1 has not answered for too long. During a reload it answers nobody, and will.
    fn overdue_at(&self) -> Option<Instant> {
        self.calls.deadline().filter(|_| self.reloading.is_none())
    }

    async fn timer(&mut self) -> Result<(), Lost> {
        let now = Instant::now();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.overdue_at()) {
            return Err("systemd does not answer".to_owned());
        }
        if due(self.owner_gone) {
            return Err("systemd left the system bus".to_owned());
        }
        if due(self.reloading) {
            self.reloading = None;
            self.resync().await?;
        }
        if due(Some(self.subscribe_at)) {
            self.subscribe_at = now + SUBSCRIBE_EVERY;
            self.make(message::subscribe(), Purpose::Subscribe).await?;
        }
        if due(Some(self.poll_at)) {
            self.poll_at = now + POLL_EVERY;
            self.calls.forget_abandoned();
            self.make(message::system_state(), Purpose::SystemState).await?;
            let names: Vec<&str> = self.units.by_name.keys().map(String::as_str).collect();
            let poll = message::list_units(&names);
            self.make(poll, Purpose::Poll).await?;
        }
        Ok(())
    }
}

/// `CLOCK_MONOTONIC`, which PID 1 stamps states with.
fn monotonic_micros() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let micros = u64::try_from(now.tv_nsec / 1000).unwrap_or_default();
    seconds.saturating_mul(1_000_000).saturating_add(micros)
}
