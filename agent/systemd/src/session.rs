//! The life of one connection to the bus.

mod incoming;
mod judging;
mod reading;
mod reloads;

pub(super) use self::judging::monotonic_micros;

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use zbus::{Connection, Message, MessageStream};

use super::calls::{Calls, Purpose};
use super::error::SessionError;
use super::facts::JobId;
use super::journal::Past;
use super::message::{self, CallError, LOGIND, SYSTEMD};
use super::names::unit_path;
use super::requests::{Begins, Request, Written};
use super::rules::Rules;
use super::units::Units;
use super::watcher::Watched;
use reloads::{Due, Reloads};

/// Messages queued between the socket and the session that takes them. A reload of a big host sends thousands in a burst;
/// while the queue is full nothing is lost, but waits at the bus.
const QUEUE: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Units with a rule of their own. The bus takes 512 rules of one connection.
const RULES_MAX: usize = 400;

/// Reads under way at once. The bus allows 128 pending replies; PID 1 does one thing at a time anyway.
const READS_MAX: usize = 16;

/// Journal processes at once.
const JOURNALS_MAX: usize = 4;

/// The safety net: signals that never came are found within this time.
const POLL_EVERY: Duration = Duration::from_secs(30);

/// PID 1 of systemd before 258 can forget its subscribers when it alone drops off the bus (systemd issue 27667).
const SUBSCRIBE_EVERY: Duration = Duration::from_secs(60);

/// A PID 1 that executes itself again is off the bus for a moment.
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
    /// Who waits for the new run of which unit.
    begins: Vec<(String, Begins)>,
    /// Jobs that ended lately.
    ended: VecDeque<(JobId, String)>,
    /// The unique names of those who are believed.
    systemd: Option<String>,
    logind: Option<String>,
    /// All changes of units come, instead of those of the watched ones.
    every_unit: bool,
    rules: usize,
    reloads: Reloads,
    /// When PID 1 is taken for gone.
    owner_gone: Option<Instant>,
    /// Polkit's rules as they were at the last poll.
    rules_of_polkit: Rules,
    poll_at: Instant,
    subscribe_at: Instant,
    useful: bool,
}

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
            begins: Vec::new(),
            ended: VecDeque::new(),
            systemd: None,
            logind: None,
            every_unit: false,
            rules: 0,
            reloads: Reloads::default(),
            owner_gone: None,
            rules_of_polkit: Rules::look(),
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
    pub(super) async fn run(&mut self) -> SessionError {
        let mut stream = MessageStream::from(&self.connection);
        stream.set_max_queued(QUEUE);
        match self.watch(&mut stream).await {
            Ok(never) => match never {},
            Err(lost) => lost,
        }
    }

    async fn watch(&mut self, stream: &mut MessageStream) -> Result<std::convert::Infallible, SessionError> {
        self.begin().await?;
        loop {
            let timer = self.next_timer();
            tokio::select! {
                message = stream.next() => match message {
                    Some(Ok(message)) => self.take(&message).await?,
                    Some(Err(error)) => return Err(SessionError::Closed(Some(error))),
                    None => return Err(SessionError::Closed(None)),
                },
                Some(request) = self.requests.recv() => self.request(request).await?,
                () = self.units.flush_one() => {}
                Some(done) = self.journals.join_next() => if let Ok((name, generation, past)) = done {
                    self.take_past(&name, generation, past).await?;
                },
                Ok(()) = self.watched.changed() => self.set_units().await?,
                () = tokio::time::sleep_until(timer) => self.timer().await?,
            }
        }
    }

    /// Everything is sent at once; the answers come in the same order.
    async fn begin(&mut self) -> Result<(), SessionError> {
        for rule in message::general_rules() {
            self.make(message::add_match(&rule), Purpose::Done("AddMatch")).await?;
        }
        self.make(message::name_owner(SYSTEMD), Purpose::Owner(SYSTEMD)).await?;
        self.make(message::name_owner(LOGIND), Purpose::Owner(LOGIND)).await?;
        self.make(message::subscribe(), Purpose::Subscribe).await?;
        self.make(message::system_state(), Purpose::SystemState).await?;
        let watched = self.watched.borrow_and_update().clone();
        self.units.set(&watched);
        let paths = self.units.paths();
        for path in paths {
            self.add_unit_rule(&path).await?;
        }
        self.resync().await
    }

    /// Brings the set of units up to date with what is wanted.
    async fn set_units(&mut self) -> Result<(), SessionError> {
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

    async fn add_unit_rule(&mut self, path: &str) -> Result<(), SessionError> {
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

    async fn make(&mut self, message: zbus::Result<Message>, purpose: Purpose) -> Result<(), SessionError> {
        self.calls.make(message, purpose).await.map_err(SessionError::Send)
    }

    async fn request(&mut self, request: Request) -> Result<(), SessionError> {
        match request {
            Request::Read { unit, interface, reply } => {
                self.make(message::properties(&unit, interface), Purpose::AskedRead(reply))
                    .await
            }
            Request::Runs { unit, reply } => {
                let tracker = self.units.by_name.get(&unit).map(|unit| &unit.tracker);
                // Whoever asked may have stopped waiting.
                let _ = reply.send(Ok(tracker.map_or_else(Written::default, |tracker| Written {
                    id: tracker.facts.id.clone(),
                    namespace: tracker.facts.log_namespace.clone(),
                    runs: tracker.runs.clone(),
                })));
                Ok(())
            }
            Request::States { units, reply } => {
                let names: Vec<&str> = units.iter().map(String::as_str).collect();
                self.make(message::list_units(&names), Purpose::AskedStates(reply))
                    .await
            }
            Request::ResetFailed { unit, reply } => {
                self.make(message::reset_failed(&unit), Purpose::AskedReset(reply))
                    .await
            }
            Request::Job {
                unit,
                method,
                begins,
                reply,
            } => {
                // Those whose job has ended wait no more.
                self.begins.retain(|(_, begins)| !begins.report.is_closed());
                self.begins.extend(begins.map(|begins| (unit.clone(), begins)));
                self.make(message::start_job(method, &unit), Purpose::AskedJob { unit, reply })
                    .await
            }
        }
    }

    fn next_timer(&self) -> Instant {
        let timers = [
            self.overdue_at(),
            self.reloads.timer(),
            self.owner_gone,
            Some(self.subscribe_at),
        ];
        timers.into_iter().flatten().fold(self.poll_at, Instant::min)
    }

    /// When PID 1 has not answered for too long. During a reload it answers nothing, and will.
    fn overdue_at(&self) -> Option<Instant> {
        self.calls.deadline().filter(|_| !self.reloads.under_way())
    }

    async fn timer(&mut self) -> Result<(), SessionError> {
        let now = Instant::now();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.overdue_at()) {
            return Err(SessionError::Unanswered);
        }
        if due(self.owner_gone) {
            return Err(SessionError::Left);
        }
        match self.reloads.due(now) {
            Some(Due::End) => self.resync().await?,
            Some(Due::Read) => self.read_stale().await?,
            Some(Due::Unobservable) => self.units.report_stale_units("systemd is reloading its configuration"),
            None => {}
        }
        if due(Some(self.subscribe_at)) {
            self.subscribe_at = now + SUBSCRIBE_EVERY;
            self.make(message::subscribe(), Purpose::Subscribe).await?;
        }
        if due(Some(self.poll_at)) {
            self.poll_at = now + POLL_EVERY;
            self.calls.forget_abandoned();
            if self.rules_of_polkit.changed() {
                self.units.permissions_changed();
            }
            self.make(message::system_state(), Purpose::SystemState).await?;
            let poll = message::list_units(&self.units.polled());
            self.make(poll, Purpose::Poll).await?;
        }
        Ok(())
    }
}
