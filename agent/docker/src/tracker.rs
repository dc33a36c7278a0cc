//! What has to be remembered of a container between events, to distinguish a stop from a crash.
//!
//! The state does not tell them apart: `docker kill` and a crash both end as `exited (137)`. Events do. What the Engine
//! does to a container and how the container ended come in order, each with the Engine's own time, so what belongs to a
//! run is what happened after that run began. Events that come late, twice or not at all change nothing else.

use std::time::Duration;

use jiff::Timestamp;
use sentinel_engine::{AskedToStop, Cause, DRAIN_MAX, Intent, RunId, Supervisor};

use super::facts::{Facts, signal_number};
use super::run_log::Ends;

/// How much longer than its own timeout a stop may take until it is late. How long whoever asked waits (`docker stop -t`)
/// is in no event and no inspection.
pub(super) const STOP_SLACK: Duration = Duration::from_secs(5);

/// Signals that ask a process to end. Others, such as HUP, ask it for something else, whatever it makes of them.
const ENDING: [i32; 4] = [2, 3, 9, 15];

/// Those of them with which Docker itself stops a container, beside its own stop signal: what drains may take longer than
/// its timeout. INT and QUIT are for operators at a terminal, and are heeded soon or not at all.
const STOPPING: [i32; 2] = [9, 15];

/// Something that happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// Somebody had a signal sent through the Engine.
    Kill { signal: Option<i32> },
    /// It runs.
    Start,
    /// The main process ended.
    Die { code: i32 },
    /// A stop was carried out.
    Stop,
    /// The kernel killed a process in it for want of memory.
    OutOfMemory,
    /// It is gone.
    Destroy,
    /// Anything else: it has to be looked at.
    Other,
}

impl Happened {
    /// Whether there may be another set of containers, or other ports, after it. The rest comes often.
    pub(super) const fn changes_the_set(&self) -> bool {
        matches!(self, Self::Start | Self::Destroy | Self::Die { .. } | Self::Other)
    }

    /// An event by its action and attributes. Actions carry data after a colon.
    pub(super) fn of(action: &str, attribute: impl Fn(&str) -> Option<String>) -> Self {
        match action {
            "kill" => Self::Kill {
                signal: attribute("signal").as_deref().and_then(signal_number),
            },
            // `died`, with its code by another name, is podman's, as is `remove`.
            "die" | "died" => Self::Die {
                code: attribute("exitCode")
                    .or_else(|| attribute("containerExitCode"))
                    .and_then(|code| code.parse().ok())
                    .unwrap_or(-1),
            },
            "start" => Self::Start,
            "stop" => Self::Stop,
            "oom" => Self::OutOfMemory,
            "destroy" | "remove" => Self::Destroy,
            _ => Self::Other,
        }
    }
}

/// A signal that was sent through the Engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kill {
    pub(super) signal: Option<i32>,
    pub(super) at: Timestamp,
    /// The agent itself had it sent.
    pub(super) own: bool,
}

/// Why a container is down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conclusion {
    /// The run and the end that this is about.
    pub(super) of: (Option<RunId>, Option<Timestamp>),
    pub(super) intent: Intent,
    pub(super) cause: Cause,
    pub(super) supervisor: Supervisor,
}

/// One container, as far as it was watched.
#[derive(Clone, Debug, Default)]
pub(super) struct Tracker {
    pub(super) facts: Facts,
    /// The last signal that asks the main process to end.
    pub(super) kill: Option<Kill>,
    /// The last one with which Docker stops a container.
    pub(super) asked: Option<Kill>,
    /// When the main process ended last, and its exit code.
    pub(super) die: Option<(Timestamp, i32)>,
    pub(super) ends: Ends,
    /// When it was last started, and whether by the agent.
    pub(super) start: Option<(Timestamp, bool)>,
    /// When a stop was last carried out, and whether it was the agent's.
    pub(super) stop: Option<(Timestamp, bool)>,
    pub(super) out_of_memory: Option<Timestamp>,
    /// The run that was last seen running during this watch.
    pub(super) seen_running: Option<RunId>,
    pub(super) concluded: Option<Conclusion>,
    /// What the health check said when this run was first found unhealthy. It says something new each time, and that is
    /// no news.
    pub(super) unhealthy: Option<(Option<RunId>, String)>,
    /// The agent is restarting it: what the Engine does to it now is the agent's doing.
    pub(super) acting: bool,
    /// It was when the Engine was lost from sight, or had answered before it reported the start: the next start may be
    /// that.
    pub(super) lost_action: bool,
}

impl Tracker {
    /// Takes note of an event.
    pub(super) fn happened(&mut self, happened: &Happened, at: Timestamp) {
        match happened {
            Happened::Kill { signal } if self.asks_to_end(*signal) => {
                let kill = Kill {
                    signal: *signal,
                    at,
                    own: self.acting,
                };
                self.kill = Some(kill);
                if self.asks_to_stop(*signal) {
                    self.asked = Some(kill);
                }
            }
            Happened::Die { code } => {
                self.die = Some((at, *code));
                self.ends.ended(at);
            }
            Happened::Stop => self.stop = Some((at, self.acting)),
            Happened::OutOfMemory => self.out_of_memory = Some(at),
            Happened::Start => {
                // What the agent asked for is done; what comes now is another party's.
                let own = self.acting || self.lost_action;
                (self.acting, self.lost_action) = (false, false);
                self.start = Some((at, own));
            }
            Happened::Kill { .. } | Happened::Destroy | Happened::Other => {}
        }
    }

    /// The Engine answered what the agent asked for. Answers and events come by ways of their own, so the start that was
    /// asked for may still be told of.
    pub(super) fn answered(&mut self, done: bool) {
        let is_pending = std::mem::take(&mut self.acting) && done;
        self.lost_action |= is_pending;
    }

    /// Takes over what the Engine answered when asked.
    pub(super) fn read(&mut self, facts: Facts) {
        self.facts = facts;
        if self.facts.is_up() {
            self.seen_running = self.facts.run_id();
            if let Some(started) = self.facts.started {
                self.ends.runs(started, self.facts.finished);
            }
        }
        if self
            .concluded
            .as_ref()
            .is_some_and(|concluded| concluded.of != self.end())
        {
            self.concluded = None;
        }
    }

    /// What distinguishes one end of a run from another.
    pub(super) fn end(&self) -> (Option<RunId>, Option<Timestamp>) {
        (self.facts.run_id(), self.facts.finished)
    }

    /// Whether `at` lies within the last run, or after its end.
    pub(super) fn is_of_this_run(&self, at: Timestamp) -> bool {
        self.facts.started.is_none_or(|started| at >= started)
    }

    /// Until when a stop is under way that another party asked for, by the wall clock.
    pub(super) fn stopping_until(&self) -> Option<Timestamp> {
        let kill = self.kill.filter(|kill| !kill.own && self.is_of_this_run(kill.at))?;
        if self.die.is_some_and(|(at, _)| at >= kill.at) {
            return None;
        }
        kill.at.checked_add(self.patience()).ok()
    }

    /// When another party asked for a stop that is under way and may take its time, and what the engine has to know of
    /// that.
    pub(super) fn asked_to_stop(&self, now: Timestamp) -> Option<(Timestamp, AskedToStop)> {
        let asked = self.asked_at()?;
        if self.die.is_some_and(|(at, _)| at >= asked) {
            return None;
        }
        // The Engine's clock may be ahead by the time it takes to tell.
        let ago = Duration::try_from(now.duration_since(asked)).unwrap_or_default();
        let reported = AskedToStop {
            ago,
            patience: self.patience(),
        };
        (ago < DRAIN_MAX).then_some((asked, reported))
    }

    /// Whether the run ended by itself after somebody had asked for a stop, too late to be that stop for certain: then when
    /// it was asked for.
    pub(super) fn ended_late(&self) -> Option<Timestamp> {
        let asked = self.asked_at()?;
        let died = self.died_at().or(self.facts.finished)?;
        (asked <= died && died <= asked.checked_add(DRAIN_MAX).ok()?).then_some(asked)
    }

    fn asked_at(&self) -> Option<Timestamp> {
        let asked = self.asked.filter(|asked| !asked.own && self.is_of_this_run(asked.at))?;
        Some(asked.at)
    }

    /// Whether the run was ended by somebody who asked the Engine for it, and who was not the agent; and when.
    pub(super) fn stopped_at(&self) -> Option<Timestamp> {
        if let Some((at, false)) = self.stop.filter(|(at, _)| self.is_of_this_run(*at)) {
            return Some(at);
        }
        let kill = self.kill.filter(|kill| !kill.own && self.is_of_this_run(kill.at))?;
        let died = self.died_at().or(self.facts.finished)?;
        let late = kill.at.checked_add(self.patience()).ok()?;
        (kill.at <= died && died <= late).then_some(kill.at)
    }

    /// When this run was heard to end.
    pub(super) fn died_at(&self) -> Option<Timestamp> {
        self.die.map(|(at, _)| at).filter(|at| self.is_of_this_run(*at))
    }

    fn patience(&self) -> Duration {
        self.facts.stop_timeout + STOP_SLACK
    }

    fn asks_to_stop(&self, signal: Option<i32>) -> bool {
        signal.is_none_or(|signal| STOPPING.contains(&signal)) || signal == self.facts.stop_signal
    }

    fn asks_to_end(&self, signal: Option<i32>) -> bool {
        // A signal that has no number here is left alone rather than fought.
        signal.is_none_or(|signal| ENDING.contains(&signal)) || signal == self.facts.stop_signal
    }
}
