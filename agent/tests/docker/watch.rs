//! A watcher beside the test, and what it has told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sentinel_config::{ContainerTarget, DockerAddress};
use sentinel_docker::{Docker, Watched, Watcher};
use sentinel_engine::{
    ActionKind, ActionResult, Activity, Cause, Event, Intent, Observation, RunId, ServiceName, TargetState,
};
use tokio::sync::{mpsc, oneshot};

/// Longer than anything here takes on a busy machine.
pub const BOUND: Duration = Duration::from_secs(60);

/// A watcher of the Engine of this machine, in a thread of its own: tests wait for commands meanwhile.
pub struct Watch {
    docker: Docker,
    seen: Arc<Mutex<BTreeMap<String, Vec<Observation>>>>,
    stop: Option<oneshot::Sender<()>>,
    stall: Arc<Mutex<()>>,
}

/// Services named like the containers.
pub fn named(containers: &[&str]) -> Vec<Watched> {
    containers
        .iter()
        .map(|name| watched(name, ContainerTarget::Named((*name).to_owned())))
        .collect()
}

pub fn watched(service: &str, target: ContainerTarget) -> Watched {
    Watched {
        service: ServiceName::from(service),
        target,
        probed: false,
    }
}

impl Watch {
    pub fn of(containers: Vec<Watched>) -> Self {
        Self::at(DockerAddress::default(), containers)
    }

    pub fn at(address: DockerAddress, containers: Vec<Watched>) -> Self {
        let (sender, mut events) = mpsc::channel(64);
        let (watcher, docker) = Watcher::new(sender);
        docker.watch(address, containers);
        let seen: Arc<Mutex<BTreeMap<String, Vec<Observation>>>> = Arc::default();
        let (reported, (stop, stopped)) = (Arc::clone(&seen), oneshot::channel());
        let stall: Arc<Mutex<()>> = Arc::default();
        let hold = Arc::clone(&stall);
        std::thread::spawn(move || {
            runtime().block_on(async {
                let listen = async {
                    while let Some(event) = events.recv().await {
                        if let Event::TargetObserved { service, observation } = event {
                            let mut reported = reported.lock().unwrap();
                            reported.entry(service.to_string()).or_default().push(observation);
                        }
                    }
                };
                // The thread stands still, and the watcher with it, for as long as somebody holds this.
                let stall = async {
                    loop {
                        drop(hold.lock().unwrap());
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                };
                tokio::select! {
                    () = watcher.run() => {}
                    () = listen => {}
                    () = stall => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            docker,
            seen,
            stop: Some(stop),
            stall,
        }
    }

    /// Does something while the watcher can do nothing.
    pub fn stand_still(&self, effect: impl FnOnce()) {
        let held = self.stall.lock().unwrap();
        effect();
        drop(held);
    }

    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// What was told of a service last.
    pub fn last(&self, service: &str) -> Option<Observation> {
        self.seen.lock().unwrap().get(service)?.last().cloned()
    }

    /// Everything that was told of it, in words.
    pub fn story(&self, service: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.get(service).into_iter().flatten().map(label).collect()
    }

    pub fn label(&self, service: &str) -> String {
        self.last(service).as_ref().map_or_else(|| "nothing".into(), label)
    }

    /// Waits until it is in that state. Answers whether that came.
    pub fn comes(&self, service: &str, expected: &str) -> bool {
        let start = Instant::now();
        while self.label(service) != expected {
            if start.elapsed() > BOUND {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    pub fn until(&self, service: &str, expected: &str) {
        assert!(
            self.comes(service, expected),
            "`{expected}` was not seen of {service}, but {:?}",
            self.story(service)
        );
    }

    pub fn act(&self, container: &str, kind: ActionKind, expected: Option<&RunId>) -> ActionResult {
        self.act_on(&ContainerTarget::Named(container.to_owned()), kind, expected)
    }

    pub fn act_on(&self, target: &ContainerTarget, kind: ActionKind, expected: Option<&RunId>) -> ActionResult {
        self.act_and_hear(target, kind, expected).0
    }

    /// Also answers what is heard of the begin of the new run.
    pub fn act_and_hear(
        &self,
        target: &ContainerTarget,
        kind: ActionKind,
        expected: Option<&RunId>,
    ) -> (ActionResult, oneshot::Receiver<()>) {
        let (begun, has_begun) = oneshot::channel();
        let restart = self.docker.restart(target, kind, expected, BOUND, begun);
        (runtime().block_on(restart), has_begun)
    }

    pub fn run_id(&self, service: &str) -> Option<RunId> {
        self.last(service)?.run
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A state in one word or two, as the scenarios name it.
pub fn label(observation: &Observation) -> String {
    match &observation.state {
        TargetState::Unknown(_) => "unknown".into(),
        TargetState::Unusable(why) if why.starts_with("there is no such") => "absent".into(),
        TargetState::Unusable(_) => "unusable".into(),
        TargetState::Running if observation.asked_to_stop.is_some() => "asked-to-stop".into(),
        TargetState::Running => "running".into(),
        TargetState::Unhealthy(_) => "unhealthy".into(),
        TargetState::Unchecked { runtime_away, .. } if *runtime_away => "containerd-away".into(),
        TargetState::Unchecked { .. } => "unchecked".into(),
        TargetState::Busy(Activity::Frozen) => "paused".into(),
        TargetState::Busy(Activity::AutoRestart) => "supervisor-busy".into(),
        TargetState::Busy(activity) => activity.as_str().into(),
        TargetState::Down {
            intent: Intent::OperatorStop,
            cause: Cause::Other { result },
        } if result == "removed" => "gone".into(),
        TargetState::Down {
            intent: Intent::OperatorStop,
            cause: Cause::Unknown,
        } => "never-started".into(),
        TargetState::Down {
            intent: Intent::OperatorStop,
            ..
        } => "operator-stop".into(),
        TargetState::Down {
            intent: Intent::AskedToStop,
            ..
        } => "late-stop".into(),
        TargetState::Down {
            intent: Intent::CleanExit,
            ..
        } => "self-exit".into(),
        TargetState::Down {
            intent: Intent::Crash,
            cause,
        } => match cause {
            Cause::OomKilled => "crash:oom".into(),
            Cause::Exited { code } => format!("crash:exit-{code}"),
            Cause::Other { result } if result.starts_with("went down with") => "with-daemon".into(),
            other => format!("crash:{}", other.kind()),
        },
        TargetState::Down { intent, .. } => intent.as_str().into(),
    }
}
