//! What is seen of a process target, and when to look.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sentinel_engine::{Cause, Event, Intent, Limits, Observation, RunId, StartedBy, TargetState};
use tokio::process::Child;
use tokio::time::{Instant, sleep_until, timeout};

use super::Process;
use super::changes::Changes;
use super::live::{Live, NoHold};
use super::pid_file::{self, Named, PidFile};
use super::verdict::{self, Ending, REMOVAL_GRACE};

/// How long the exit status of a child may take to come once the child has ended. It is there at once; this only bounds
/// the damage if the runtime should disagree.
const STATUS_WITHIN: Duration = Duration::from_secs(1);

/// What is known of a target beyond what can be seen of it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The run that was seen last.
    run: Option<Run>,
    /// Why the agent's own last start did not come up, if nothing has run since.
    failed_start: Option<Cause>,
    /// What was reported last.
    reported: Option<(TargetState, Option<RunId>)>,
}

/// One run of the process.
#[derive(Debug)]
struct Run {
    live: Arc<Live>,
    /// The pid file that named it.
    named: Named,
    /// The process itself, when the agent started it: its exit status can be had.
    child: Option<Child>,
    /// Who began it: another party when another run was seen before, and the agent did not start this one.
    started_by: StartedBy,
    /// Since when it is known to have ended, and how.
    ended: Option<(Instant, Ending)>,
}

/// What can be seen now.
pub(super) enum ProcessState {
    /// It runs.
    Running(Arc<Live>),
    /// No process; whether a pid file is left.
    Down { file_left: bool },
    /// The pid file can be seen, and is of no use.
    Unusable(String),
    /// Nothing can be seen.
    Unreadable(String),
}

/// An observation, and when to look again although nothing happens.
struct Look {
    observation: Option<Observation>,
    running: Option<Arc<Live>>,
    again: Option<Instant>,
}

impl Memory {
    /// The process and nothing but the process: what is there now.
    pub(super) fn look_up(&mut self, process: &Process) -> ProcessState {
        let file = pid_file::read(&process.target.pid_file);
        if let PidFile::Names(named) = &file
            && !self.is_stale(named)
        {
            match self.hold(named) {
                Ok(live) => return ProcessState::Running(live),
                Err(NoHold::Ended) => (),
                Err(NoHold::Unusable(reason)) => return ProcessState::Unusable(reason),
                Err(NoHold::Unreadable(reason)) => return ProcessState::Unreadable(reason),
            }
        }
        // What runs is not down because its pid file is lost.
        if let Some(run) = self.run.as_ref().filter(|run| !run.live.has_ended()) {
            return ProcessState::Running(run.live.clone());
        }
        match file {
            PidFile::Absent => ProcessState::Down { file_left: false },
            PidFile::Empty | PidFile::Names(_) => ProcessState::Down { file_left: true },
            PidFile::Unusable(reason) => ProcessState::Unusable(reason),
            PidFile::Unreadable(reason) => ProcessState::Unreadable(reason),
        }
    }

    /// The last run, dead or alive.
    pub(super) fn run_id(&self) -> Option<RunId> {
        self.run.as_ref().map(|run| run.live.run_id())
    }

    /// The agent started it, and it came up.
    pub(super) fn started(&mut self, live: Live, named: Named, child: Option<Child>) {
        self.holds(live, named, child, StartedBy::Unknown);
    }

    fn holds(&mut self, live: Live, named: Named, child: Option<Child>, started_by: StartedBy) {
        self.failed_start = None;
        self.run = Some(Run {
            live: Arc::new(live),
            named,
            child,
            started_by,
            ended: None,
        });
    }

    /// The agent started it, and it did not come up.
    pub(super) fn start_failed(&mut self, cause: Cause) {
        self.failed_start = Some(cause);
    }

    /// Whether the file is the one that named the run that has ended: whoever has its pid now is another party.
    fn is_stale(&self, named: &Named) -> bool {
        self.run
            .as_ref()
            .is_some_and(|run| run.named == *named && run.live.has_ended())
    }

    fn hold(&mut self, named: &Named) -> Result<Arc<Live>, NoHold> {
        if let Some(run) = &mut self.run
            && run.live.pid() == named.pid
            && !run.live.has_ended()
        {
            run.named = named.clone();
            return Ok(run.live.clone());
        }
        let started_by = if self.run.is_some() || self.failed_start.is_some() {
            StartedBy::Other
        } else {
            StartedBy::Unknown
        };
        self.holds(Live::open(named)?, named.clone(), None, started_by);
        self.run.as_ref().map(|run| run.live.clone()).ok_or(NoHold::Ended)
    }

    /// What is there now, judged.
    async fn look(&mut self, process: &Process) -> Look {
        let state = match self.look_up(process) {
            ProcessState::Running(live) => {
                return Look {
                    observation: Some(Observation {
                        age: Some(live.age()),
                        limits: limits(process),
                        started_by: self.run.as_ref().map_or(StartedBy::Unknown, |run| run.started_by),
                        ..Observation::new(TargetState::Running, Some(live.run_id()))
                    }),
                    running: Some(live),
                    again: None,
                };
            }
            ProcessState::Unusable(reason) => TargetState::Unusable(reason),
            ProcessState::Unreadable(reason) => TargetState::Unknown(reason),
            ProcessState::Down { file_left } => match self.down(file_left).await {
                Ok(state) => state,
                Err(again) => {
                    return Look {
                        observation: None,
                        running: None,
                        again: Some(again),
                    };
                }
            },
        };
        let observation = Observation {
            limits: limits(process),
            ..Observation::new(state, self.run_id())
        };
        Look {
            observation: Some(observation),
            running: None,
            again: None,
        }
    }

    /// Why it is down; or when that can be said.
    async fn down(&mut self, file_left: bool) -> Result<TargetState, Instant> {
        if let Some(cause) = &self.failed_start {
            let (intent, cause) = (Intent::Crash, cause.clone());
            return Ok(TargetState::Down { intent, cause });
        }
        let Some(run) = &mut self.run else {
            let intent = if file_left { Intent::Crash } else { Intent::OperatorStop };
            return Ok(TargetState::Down {
                intent,
                cause: Cause::Unknown,
            });
        };
        let (at, ending) = run.ending().await;
        let decided = at + REMOVAL_GRACE;
        if verdict::may_change(ending, file_left) && Instant::now() < decided {
            return Err(decided);
        }
        Ok(TargetState::Down {
            intent: verdict::intent(ending, file_left),
            cause: ending.cause(),
        })
    }

    /// Sends the observation, unless it says what was said before. False when nothing listens any more.
    async fn report(&mut self, process: &Process, observation: Observation) -> bool {
        let said = (observation.state.clone(), observation.run.clone());
        if self.reported.as_ref() == Some(&said) || process.retired.load(Ordering::Relaxed) {
            return true;
        }
        self.reported = Some(said);
        let event = Event::TargetObserved {
            service: process.service.clone(),
            observation,
        };
        process.events.send(event).await.is_ok()
    }

    /// Looks, and reports what is new.
    pub(super) async fn look_and_report(&mut self, process: &Process) {
        if let Some(observation) = self.look(process).await.observation {
            self.report(process, observation).await;
        }
    }
}

/// Its own timeout is for the stop, and again for the start.
fn limits(process: &Process) -> Limits {
    let timeout = Some(process.target.timeout);
    Limits {
        start: timeout,
        stop: timeout,
    }
}

impl Run {
    /// Since when it is known to have ended, and how it did.
    async fn ending(&mut self) -> (Instant, Ending) {
        if let Some(ended) = self.ended {
            return ended;
        }
        let ending = match &mut self.child {
            Some(child) => match timeout(STATUS_WITHIN, child.wait()).await {
                Ok(Ok(status)) => status.into(),
                _ => Ending::Unknown,
            },
            None => Ending::Unknown,
        };
        *self.ended.insert((Instant::now(), ending))
    }
}

/// Looks whenever something may have changed.
pub(super) async fn watch(process: &Process) {
    let mut changes = Changes::of(&process.target.pid_file);
    loop {
        let look = {
            let mut memory = process.memory.lock().await;
            let mut look = memory.look(process).await;
            if let Some(observation) = look.observation.take()
                && !memory.report(process, observation).await
            {
                return;
            }
            look
        };
        tokio::select! {
            () = changes.next() => (),
            () = exit(look.running.as_deref()) => (),
            () = until(look.again) => (),
            () = process.acted.notified() => (),
            () = process.events.closed() => return,
        }
    }
}

async fn exit(running: Option<&Live>) {
    match running {
        Some(live) => live.ended().await,
        None => std::future::pending().await,
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use tokio::process::Command;
    use tokio::sync::mpsc;

    use super::*;
    use sentinel_config::ProcessTarget;

    fn sleeper() -> Child {
        let mut command = Command::new("sleep");
        command
            .arg("60")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// The kernel cannot be made to give out a pid again, so the next best: the file that named the dead process is made
    /// to name a living one.
    #[tokio::test]
    async fn pid_of_the_dead_run_used_again_is_not_the_target() {
        let directory = tempfile::tempdir().unwrap();
        let pid_file = directory.path().join("pid");
        let (mut dead, other) = (sleeper(), sleeper());
        let write = |child: &Child| {
            std::fs::write(&pid_file, child.id().unwrap().to_string()).unwrap();
            match pid_file::read(&pid_file) {
                PidFile::Names(named) => named,
                other => panic!("{other:?}"),
            }
        };
        let live = Live::open(&write(&dead)).unwrap();
        let target = ProcessTarget {
            pid_file: pid_file.clone(),
            start: vec!["true".into()],
            stop: None,
            timeout: Duration::from_secs(1),
        };
        let process = Process::new("shop".into(), target, mpsc::channel(1).0);
        let mut memory = Memory::default();
        memory.started(live, write(&other), None);
        dead.kill().await.unwrap();
        assert!(matches!(
            memory.look_up(&process),
            ProcessState::Down { file_left: true }
        ));
        // Once it is written again it is believed.
        std::fs::remove_file(&pid_file).unwrap();
        write(&other);
        assert!(matches!(memory.look_up(&process), ProcessState::Running(_)));
    }
}
