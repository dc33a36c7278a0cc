//! A process target in a directory of its own.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sentinel_config::ProcessTarget;
use sentinel_engine::{ActionKind, ActionResult, Cause, Event, Intent, Observation, RunId, TargetState};
use sentinel_process::Process;
use tokio::sync::mpsc;

/// Long enough for whatever should happen, on the busiest machine.
pub(crate) const AMPLE: Duration = Duration::from_secs(30);

/// For what can only end by its deadline; long enough for a shell to get going.
pub(crate) const SHORT: Duration = Duration::from_secs(1);

pub(crate) struct Scene {
    directory: tempfile::TempDir,
    pub(crate) process: Arc<Process>,
    events: mpsc::Receiver<Event>,
    seen: Vec<RunId>,
}

impl Scene {
    /// A target whose `start` is this shell script; `$F` in it is the pid file.
    pub(crate) fn new(start: &str) -> Self {
        Self::with(start, None, AMPLE)
    }

    pub(crate) fn with(start: &str, stop: Option<&str>, timeout: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pid_file = directory.path().join("run/pid");
        std::fs::create_dir(directory.path().join("run")).unwrap();
        let script = |script: &str| {
            let script = script.replace("$F", pid_file.to_str().unwrap());
            vec!["sh".to_owned(), "-c".to_owned(), script]
        };
        let target = ProcessTarget {
            start: script(start),
            stop: stop.map(script),
            pid_file,
            timeout,
        };
        let (sender, events) = mpsc::channel(16);
        Self {
            directory,
            process: Arc::new(Process::new("shop".into(), target, sender)),
            events,
            seen: Vec::new(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.path("run/pid")
    }

    /// Begins to watch.
    pub(crate) fn watch(&self) {
        let process = self.process.clone();
        tokio::spawn(async move { process.watch().await });
    }

    /// The next observation.
    pub(crate) async fn next(&mut self) -> Observation {
        let event = tokio::time::timeout(AMPLE, self.events.recv())
            .await
            .expect("something is observed");
        let Some(Event::TargetObserved { service, observation }) = event else {
            panic!("{event:?}");
        };
        assert_eq!(service.as_str(), "shop");
        self.seen.extend(observation.run.clone());
        observation
    }

    /// The next observation must be of a running process; which.
    pub(crate) async fn running(&mut self) -> RunId {
        let observation = self.next().await;
        assert_eq!(observation.state, TargetState::Running);
        assert!(observation.age.is_some_and(|age| age < AMPLE), "{observation:?}");
        observation.run.unwrap()
    }

    /// The next observation must be of one that is down; why.
    pub(crate) async fn down(&mut self) -> (Intent, Cause) {
        let observation = self.next().await;
        let TargetState::Down { intent, cause } = observation.state else {
            panic!("{observation:?}");
        };
        assert_eq!(observation.age, None);
        (intent, cause)
    }

    pub(crate) fn nothing_more(&mut self) {
        assert!(self.events.is_empty(), "{:?}", self.events.try_recv());
    }

    pub(crate) async fn restart(&self, kind: ActionKind, expected: Option<&RunId>) -> ActionResult {
        let restart = self.process.restart(kind, expected, tokio::sync::oneshot::channel().0);
        tokio::time::timeout(AMPLE * 2, restart)
            .await
            .expect("the action ends by itself")
    }

    /// Starts it through the agent, and watches it.
    pub(crate) async fn started(&mut self) -> RunId {
        assert_eq!(self.restart(ActionKind::Start, None).await, ActionResult::Done);
        let run = self.running().await;
        self.watch();
        run
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for run in &self.seen {
            let (pid, started) = run.as_str().split_once(':').unwrap();
            if start_time(pid).as_deref() == Some(started) {
                signal(pid.parse().unwrap(), "KILL");
            }
        }
    }
}

/// A process that the agent did not start.
pub(crate) struct Foreign(std::process::Child);

impl Foreign {
    pub(crate) fn start() -> Self {
        Self(Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn run_id(&self) -> RunId {
        let pid = self.pid().to_string();
        format!("{pid}:{}", start_time(&pid).unwrap()).into()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn start_time(pid: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19).map(ToOwned::to_owned)
}

pub(crate) fn pid_of(run: &RunId) -> u32 {
    run.as_str().split_once(':').unwrap().0.parse().unwrap()
}

pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), "--", &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Whether it has ended; a zombie has.
pub(crate) fn has_ended(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

/// Waits for the condition, within [`AMPLE`].
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let poll = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(AMPLE, poll)
        .await
        .expect("the condition comes true");
}

pub(crate) fn write(path: &Path, text: impl Display) {
    std::fs::write(path, format!("{text}")).unwrap();
}
