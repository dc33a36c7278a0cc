//! What is restarted and probed on a host: units, processes and containers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sentinel_config::ContainerTarget;
use sentinel_docker::Docker;
use sentinel_driver::report::Runner;
use sentinel_driver::{LogError, LogLines, Probes, Target};
use sentinel_engine::{Action, ActionResult, ProbeOutcome, RunId};
use sentinel_probe::{Prober, ServiceProbes};
use sentinel_process::Process;
use sentinel_systemd::{MayAffect, Systemd};
use tokio::sync::oneshot;

/// How long Docker may take for a restart. A unit may take as long as its own settings say.
const JOB_LIMIT: Duration = Duration::from_secs(200);

/// What can be restarted, and by whom.
#[derive(Clone)]
pub enum TargetHandle {
    /// A unit, through systemd.
    Unit(Systemd, String),
    /// A process, by its pid file.
    Process(Arc<Process>),
    /// A container, through Docker.
    Container(Docker, ContainerTarget),
}

impl Target for TargetHandle {
    async fn restart(&self, action: &Action, may_affect: &[String], begun: oneshot::Sender<()>) -> ActionResult {
        match self {
            Self::Unit(systemd, unit) => {
                // An operator who asks for a restart gets what `systemctl restart` does.
                let may_affect = match action.attempt {
                    0 => MayAffect::Anything,
                    _ => MayAffect::Only(may_affect),
                };
                systemd
                    .restart(unit, action.kind, action.expected.as_ref(), may_affect, None, begun)
                    .await
            }
            Self::Process(process) => process.restart(action.kind, action.expected.as_ref(), begun).await,
            Self::Container(docker, container) => {
                docker
                    .restart(container, action.kind, action.expected.as_ref(), JOB_LIMIT, begun)
                    .await
            }
        }
    }

    async fn last_lines(&self, run: Option<&RunId>, at: Timestamp, count: u32) -> Option<Result<LogLines, LogError>> {
        match self {
            Self::Unit(systemd, unit) => Some(systemd.last_lines(unit, run, at, count).await.map_err(Into::into)),
            Self::Container(docker, _) => Some(docker.last_lines(run?, at, count).await.map_err(Into::into)),
            Self::Process(_) => None,
        }
    }

    async fn newest_run(&self) -> Option<RunId> {
        match self {
            Self::Unit(systemd, unit) => systemd.newest_run(unit).await,
            Self::Process(_) | Self::Container(..) => None,
        }
    }

    fn runner(&self) -> Option<Runner<'_>> {
        match self {
            Self::Unit(_, unit) => Some(Runner::Systemd(unit)),
            Self::Container(..) => Some(Runner::Docker),
            Self::Process(_) => None,
        }
    }

    fn unit(&self) -> Option<&str> {
        match self {
            Self::Unit(_, unit) => Some(unit),
            Self::Process(_) | Self::Container(..) => None,
        }
    }
}

/// The probes of one service, and what all probes share.
pub struct HostProbes {
    shared: Arc<Prober>,
    probes: ServiceProbes,
}

impl HostProbes {
    pub(super) const fn new(shared: Arc<Prober>, probes: ServiceProbes) -> Self {
        Self { shared, probes }
    }
}

impl Probes for HostProbes {
    async fn round(&self) -> ProbeOutcome {
        self.shared.round(&self.probes).await
    }

    fn kind(&self) -> &'static str {
        self.probes.kind()
    }

    fn ports(&self) -> BTreeSet<u16> {
        self.probes.ports()
    }
}
