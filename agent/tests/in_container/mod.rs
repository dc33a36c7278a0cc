//! What runs inside a test host, as root.

mod blast;
mod connection_lost;
mod scenarios;
mod starts;
mod triggers;
mod verbs;

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_engine::{Event, Intent, Observation, RunId, ServiceName, TargetState};
use sentinel_systemd::{BusAddress, Systemd, Watched, Watcher};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Longest wait for anything; nothing here takes a second of it on an idle machine.
const BOUND: Duration = Duration::from_secs(15);

/// No news for this long means that there will be none.
const QUIET: Duration = Duration::from_millis(250);

/// A running watcher and what it has told. Services are called like their units, without `.service`.
struct Watch {
    systemd: Systemd,
    events: mpsc::Receiver<Event>,
    reported: BTreeMap<String, Vec<Observation>>,
    shutdown: bool,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    /// Watches these units, and waits until each was seen.
    async fn start(units: &[&str]) -> Self {
        let (sender, events) = mpsc::channel(1024);
        let (watcher, systemd) = Watcher::new(BusAddress::System, watched(units), sender);
        let mut watch = Self {
            systemd,
            events,
            reported: BTreeMap::new(),
            shutdown: false,
            task: tokio::spawn(watcher.run()),
        };
        for unit in units {
            watch.until(unit, "seen at all", |_| true).await;
        }
        watch
    }

    fn last(&self, unit: &str) -> Option<&Observation> {
        self.reported.get(unit)?.last()
    }

    fn run_id(&self, unit: &str) -> Option<RunId> {
        self.last(unit)?.run.clone()
    }

    /// Forgets all but the last observation of each unit.
    fn forget(&mut self) {
        for reported in self.reported.values_mut() {
            reported.drain(..reported.len().saturating_sub(1));
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::TargetObserved { service, observation } => {
                self.reported.entry(service.to_string()).or_default().push(observation);
            }
            Event::HostShutdownChanged { going_down } => self.shutdown = going_down,
            Event::PermissionsChanged => {}
            other => panic!("a watcher does not send {other:?}"),
        }
    }

    /// Waits until the last observation of `unit` is as wanted.
    async fn until(&mut self, unit: &str, what: &str, wanted: impl Fn(&Observation) -> bool) -> Observation {
        let bound = Instant::now() + BOUND;
        loop {
            if let Some(last) = self.last(unit)
                && wanted(last)
            {
                return last.clone();
            }
            let Ok(event) = timeout_at(bound, self.events.recv()).await else {
                panic!("`{unit}` is not {what} within {BOUND:?}: {:?}", self.reported.get(unit));
            };
            self.take(event.expect("the watcher runs"));
        }
    }

    async fn until_running(&mut self, unit: &str) -> Observation {
        self.until(unit, "running", |seen| seen.state == TargetState::Running)
            .await
    }

    async fn until_down(&mut self, unit: &str, intent: Intent) -> Observation {
        self.until(
            unit,
            intent.as_str(),
            |seen| matches!(seen.state, TargetState::Down { intent: seen, .. } if seen == intent),
        )
        .await
    }

    /// Takes what comes until nothing has come for a while.
    async fn quiet(&mut self) {
        while let Ok(event) = timeout_at(Instant::now() + QUIET, self.events.recv()).await {
            self.take(event.expect("the watcher runs"));
        }
    }
}

fn watched(units: &[&str]) -> Vec<Watched> {
    units
        .iter()
        .map(|unit| Watched {
            service: ServiceName::from(*unit),
            unit: format!("{unit}.service"),
        })
        .collect()
}

/// Runs a shell script; its exit status is part of some scenarios, and of no interest.
/// In a process group of its own: where a unit has no process any more, `kill $(systemctl show -P MainPID ...)` is `kill 0`.
async fn sh(script: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", script])
        .process_group(0)
        .output()
        .await
        .expect("there is a shell");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

async fn property(unit: &str, name: &str) -> String {
    sh(&format!("systemctl show -P {name} {unit}")).await
}

/// Runs a test on one thread, as the agent does.
fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built")
        .block_on(test);
}
