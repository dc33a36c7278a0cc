//! The loop around the engine: feeds it events and the clock, records what it decided, and then has it done.
//!
//! Everything decided in one turn is one transaction. A restart is only asked for when its intent is on disk; while the
//! store cannot be written, nothing is restarted, and what could not be recorded is kept in memory and tried again.

mod acting;
mod alerts;
mod batch;
pub mod control;
pub mod counters;
mod evidence;
pub mod history;
mod holds;
pub mod maintenance;
mod reload;
pub mod report;
mod scrub;
mod serve;
mod target;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use sentinel_base::clock::Clock;
use sentinel_base::watchdog::Watchdog;
use sentinel_config::Rejected;
use sentinel_config::discovery::Discovery;
use sentinel_config::template::Link;
use sentinel_engine::{
    Action, ActionResult, Command, Engine, Event, ProbeOutcome, ProbeRound, Report, STANDSTILL, ServiceName, Time,
    Verdict, Window,
};
use sentinel_notify::heartbeat::AgentHealth;
use sentinel_notify::{FallbackNotifier, Timelines};
use sentinel_store::{Store, StoreErrorKind};
use tokio::sync::{mpsc, watch};

use control::{ControlRequest, ReloadReply};
use counters::Counters;
use maintenance::{Open, Schedule};
use report::{Runner, report};

pub use batch::PendingWrites;
pub use evidence::EvidenceCollector;
pub use holds::Holds;
pub use reload::Change;
pub use target::{LogError, LogLines, Probes, ServiceHandle, Target};
pub use upgrade::Upgrades;

/// Events that may wait for the driver. Watchers wait when it is full; nothing is dropped.
const EVENTS: usize = 1024;

/// Events taken in one turn, so that a burst costs one transaction and not one each.
const TURN: usize = 256;

/// How long to leave a store alone that could not be written.
const STORE_GAP: Duration = Duration::from_secs(5);

/// Longest sleep, which is no standstill. The runtime's timers stand still while the host is suspended; the engine's time
/// does not.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// Reports, and messages, that may wait in memory for a store that cannot be written. What exceeds it is in the log.
const PENDING_MAX: usize = 10_000;

/// Everything the driver works with.
pub struct Driver<T, P> {
    /// Decides.
    pub engine: Engine,
    /// Tells the time.
    pub clock: Clock,
    /// Remembers.
    pub store: Store,
    /// The services by name.
    pub services: BTreeMap<ServiceName, ServiceHandle<T, P>>,
    /// What was found on the host and is not watched, with the reasons.
    pub rejected: Vec<Rejected>,
    /// Who looks on the host, and sees or not.
    pub found: watch::Receiver<Discovery>,
    /// The host's name in messages.
    pub host: String,
    /// Where to read more about an incident.
    pub link: Option<Arc<Link>>,
    /// Notifies systemd that the agent makes progress.
    pub watchdog: Watchdog,
    /// Where events go, for those who make them.
    pub sender: mpsc::Sender<Event>,
    /// Where they come from.
    pub events: mpsc::Receiver<Event>,
    /// What operators ask.
    pub control: mpsc::Receiver<ControlRequest>,
    /// Who reads the configuration again, for operators who ask for it.
    pub reloads: mpsc::Sender<ReloadReply>,
    /// New configurations.
    pub changes: mpsc::Receiver<Change<T, P>>,
    /// How it is, for the heartbeat.
    pub agent_health: AgentHealth,
    /// What happened so far in each incident, for messages.
    pub timelines: Timelines,
    /// What keeps services from being restarted, and is not said yet.
    pub holds: Holds,
    /// Reads the logs of what failed.
    pub collector: EvidenceCollector,
    /// The maintenance windows.
    pub maintenance: Schedule,
    /// Says what cannot be recorded.
    pub fallback: FallbackNotifier,
    /// What is decided and not on disk; empty at the start.
    pub pending: PendingWrites,
    /// Whether packages are changing on the host.
    pub upgrades: Upgrades,
    /// What is counted; `None` where metrics are served nowhere, and then nothing is.
    pub counters: Option<Box<Counters>>,
}

/// A queue of events.
pub fn events() -> (mpsc::Sender<Event>, mpsc::Receiver<Event>) {
    mpsc::channel(EVENTS)
}

/// What is to be done once a turn is recorded.
#[derive(Default)]
struct Effects {
    probes: Vec<(ServiceName, ProbeRound)>,
    actions: Vec<Action>,
    reports: Vec<Report>,
}

impl<T: Target, P: Probes> Driver<T, P> {
    /// Runs until `stop` is done. What was decided by then is on disk.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut last_turn = self.clock.now();
        self.keep_calendar();
        loop {
            self.carry_out().await;
            self.watchdog.progress();
            self.agent_health.turned(self.pending.failing);
            let now = self.notice_standstill(&mut last_turn);
            let wake = self
                .engine
                .poll_timeout()
                .into_iter()
                .chain(self.pending.retry_at)
                .chain(self.holds.next())
                .min();
            let sleep = wake
                .map_or(SLEEP_MAX, |at| at.since(now))
                .min(self.until_calendar())
                .min(if self.upgrades.under_way {
                    upgrade::LOOK_EVERY
                } else {
                    SLEEP_MAX
                })
                .min(SLEEP_MAX);
            tokio::select! {
                () = &mut stop => break,
                Some(event) = self.events.recv() => {
                    self.notice_standstill(&mut last_turn);
                    self.take(event);
                }
                Some(request) = self.control.recv() => {
                    self.notice_standstill(&mut last_turn);
                    self.serve(request);
                }
                Some(collected) = self.collector.recv() => self.keep_evidence(collected),
                Some(change) = self.changes.recv() => {
                    self.notice_standstill(&mut last_turn);
                    self.apply(change).await;
                }
                () = tokio::time::sleep(sleep) => {}
            }
            let now = self.notice_standstill(&mut last_turn);
            self.engine.handle_timeout(now);
            self.pending.retry_at.take_if(|at| *at <= now);
            self.keep_calendar();
            if self.upgrades.is_due() {
                self.look_again_for_upgrade();
            }
        }
        self.carry_out().await;
        self.store.close().await;
    }

    /// Tells the engine when nothing was done for long: before anything that was seen, or is due, in that time. What was
    /// asked before a suspend and answered after it would count as a failure otherwise.
    fn notice_standstill(&mut self, last_turn: &mut Time) -> Time {
        let now = self.clock.now();
        if now.since(*last_turn) > STANDSTILL {
            tracing::warn!(
                event = "resumed",
                seconds = now.since(*last_turn).as_secs(),
                "the host or the agent was suspended or stalled"
            );
            self.engine.handle_event(now, Event::HostResumed);
        }
        *last_turn = now;
        now
    }

    /// Tells the engine of maintenance windows that opened or ended.
    fn keep_calendar(&mut self) {
        let wall = sentinel_base::clock::wall();
        for (service, open) in self.maintenance.poll(wall) {
            let now = self.clock.now();
            let window = open.map(|Open { reason, end }| Window {
                reason,
                until: now + Duration::try_from(end.duration_since(wall)).unwrap_or_default(),
            });
            self.engine
                .handle_event(now, Event::MaintenanceChanged { service, window });
        }
    }

    /// How long nothing changes by the calendar.
    fn until_calendar(&self) -> Duration {
        let next = self
            .maintenance
            .next()
            .map(|at| at.duration_since(sentinel_base::clock::wall()));
        next.map_or(SLEEP_MAX, |left| Duration::try_from(left).unwrap_or_default())
    }

    /// Takes an event and those that wait behind it.
    fn take(&mut self, event: Event) {
        self.take_one(event);
        for _ in 1..TURN {
            let Ok(event) = self.events.try_recv() else { break };
            self.take_one(event);
        }
    }

    fn take_one(&mut self, mut event: Event) {
        scrub::scrub(&mut event);
        self.look_for_upgrade(&event);
        self.agent_health.saw(&event);
        self.count(&event);
        self.engine.handle_event(self.clock.now(), event);
    }

    /// Does what the engine asked for, until it asks for nothing more.
    async fn carry_out(&mut self) {
        loop {
            let effects = self.collect();
            let record = !self.pending.is_empty() && self.pending.retry_at.is_none();
            if effects.is_empty() && !record {
                return;
            }
            if record {
                self.record().await;
            }
            for action in effects.actions {
                if self.pending.failing {
                    self.finish(&action, ActionResult::NotRecorded("the store cannot be written".into()));
                } else {
                    self.act(action);
                }
            }
            if !effects.reports.is_empty() {
                self.agent_health.news();
            }
            // Lines and evidence come after the acts: whoever waits for a restart waits for nothing else.
            for news in &effects.reports {
                if let Some(counters) = &mut self.counters {
                    counters.reported(news);
                }
                report(news, self.runner_of(&news.service));
                self.collect_evidence(news);
            }
            for (service, round) in effects.probes {
                self.probe(service, round);
            }
        }
    }

    /// Sorts the engine's commands into what is recorded and what is done.
    fn collect(&mut self) -> Effects {
        let mut effects = Effects::default();
        for report in self.holds.due(self.clock.now()) {
            self.note(report, &mut effects);
        }
        while let Some(command) = self.engine.poll_command() {
            match command {
                Command::RunProbes { service, round } => effects.probes.push((service, round)),
                Command::RestartTarget(action) => effects.actions.push(action),
                Command::Save { service, memory } => {
                    self.pending.saves.insert(service, *memory);
                }
                Command::SaveHost(memory) => self.pending.host = Some(*memory),
                Command::Report(report) => {
                    if let Some(report) = self.holds.take(report) {
                        self.note(report, &mut effects);
                    }
                }
                Command::Notify(outgoing) => self.send(*outgoing),
                Command::SaveNotificationLog(log) => {
                    let changes = &mut self.pending.alerts.notification_logs;
                    changes.insert(log.incident, Some(*log));
                }
                Command::ForgetNotificationLog(incident) => {
                    self.pending.alerts.notification_logs.insert(incident, None);
                }
                Command::SaveSilence(silence) => {
                    self.pending.alerts.silences.insert(silence.id, Some(*silence));
                }
                Command::EndSilence { silence, by } => self.end_silence(&silence, by.as_deref()),
            }
        }
        effects
    }

    /// Commits everything decided, or keeps it for later.
    async fn record(&mut self) {
        let Err(error) = self.store.commit(self.batch()).await else {
            let mut recorded = std::mem::take(&mut self.pending);
            recorded.answer(true);
            if recorded.failing {
                tracing::info!(event = "store_writable", "the store can be written again");
                self.fallback.store_writable(&self.host);
                self.engine
                    .handle_event(self.clock.now(), Event::StoreChanged { writable: true });
            }
            return;
        };
        self.pending.answer(false);
        let was_failing = std::mem::replace(&mut self.pending.failing, true);
        self.pending.retry_at = Some(self.clock.now() + STORE_GAP);
        if error.kind() == StoreErrorKind::Conflict {
            // The story contradicts what is stored and never will be accepted; the rest must not wait for it for ever.
            self.pending.reports.clear();
        }
        if was_failing {
            // Not at the first failure: one that passes needs nobody.
            let messages = self.batch().messages;
            let error = error.kind().as_str();
            let names = self.engine.default_receivers();
            self.fallback.store_failed(&self.host, names, error, messages);
        } else {
            let error: &dyn std::error::Error = &error;
            tracing::error!(
                event = "store_failed",
                error,
                "the store cannot be written, so nothing is restarted"
            );
            self.engine
                .handle_event(self.clock.now(), Event::StoreChanged { writable: false });
        }
    }

    /// What runs a service.
    fn runner_of(&self, service: &ServiceName) -> Option<Runner<'_>> {
        self.services.get(service)?.target.as_ref()?.runner()
    }

    /// Has a target restarted, beside everything else.
    fn act(&mut self, action: Action) {
        let Some(target) = self
            .services
            .get(&action.service)
            .and_then(|service| service.target.clone())
        else {
            self.finish(&action, ActionResult::Refused("there is nothing to restart".into()));
            return;
        };
        let allowed = self.may_affect(&action.service);
        let sender = self.sender.clone();
        tokio::spawn(async move {
            acting::act(&target, action, &allowed, &sender).await;
        });
    }

    /// The units that a restart of `service` may restart or stop: what its configuration says, and the units of all
    /// services that come after it.
    fn may_affect(&self, service: &ServiceName) -> Vec<String> {
        let mut allowed = Vec::new();
        let mut seen = BTreeSet::new();
        let mut next = vec![service];
        while let Some(name) = next.pop() {
            let Some(handle) = self.services.get(name) else {
                continue;
            };
            if name == service {
                allowed.extend(handle.reach.may_affect.iter().cloned());
            } else if let Some(unit) = handle.target.as_ref().and_then(Target::unit) {
                allowed.push(unit.to_owned());
            }
            next.extend(handle.reach.dependents.iter().filter(|name| seen.insert(*name)));
        }
        allowed
    }

    fn finish(&mut self, action: &Action, result: ActionResult) {
        let event = Event::ActionFinished {
            action: action.id,
            service: action.service.clone(),
            result,
        };
        self.engine.handle_event(self.clock.now(), event);
    }

    /// Has a service probed, beside everything else.
    fn probe(&self, service: ServiceName, round: ProbeRound) {
        let Some(handle) = self.services.get(&service) else {
            return;
        };
        let (probes, sender) = (Arc::clone(&handle.probes), self.sender.clone());
        tokio::spawn(async move {
            let outcome = AssertUnwindSafe(probes.round()).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| ProbeOutcome {
                verdict: Verdict::Skipped("the agent failed while probing".into()),
                status_code: None,
                latency: Duration::ZERO,
                answers: Vec::new(),
            });
            let _ = sender
                .send(Event::ProbeCompleted {
                    service,
                    round,
                    outcome,
                })
                .await;
        });
    }
}

impl Effects {
    fn is_empty(&self) -> bool {
        self.probes.is_empty() && self.actions.is_empty() && self.reports.is_empty()
    }
}
