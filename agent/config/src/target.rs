//! What runs a service: a unit, a process, containers.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use sentinel_engine::ServiceName;

/// What runs a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A systemd unit, by its full name.
    Unit(String),
    /// A process known by its pid file.
    Process(ProcessTarget),
    /// A Docker container, or those of a Compose service.
    Container(ContainerTarget),
}

/// `container = "NAME"` or `compose = "PROJECT/SERVICE"`. Containers come and go under such a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContainerTarget {
    /// The container of this name.
    Named(String),
    /// What Compose made for a service: its labels outlive the containers.
    Compose {
        /// `com.docker.compose.project`.
        project: String,
        /// `com.docker.compose.service`.
        service: String,
        /// `com.docker.compose.container-number`; `None` is every one there is.
        number: Option<u32>,
    },
}

impl fmt::Display for ContainerTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Compose {
                project,
                service,
                number: None,
            } => write!(f, "{project}/{service}"),
            Self::Compose {
                project,
                service,
                number: Some(number),
            } => write!(f, "{project}/{service}/{number}"),
        }
    }
}

/// `process = { ... }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessTarget {
    /// Holds the pid while it runs, and is removed by the process on a clean stop.
    pub pid_file: PathBuf,
    /// Starts it: a program and its arguments, no shell.
    pub start: Vec<String>,
    /// Stops it; `None` sends SIGTERM, then SIGKILL.
    pub stop: Option<Vec<String>>,
    /// How long `start` and `stop` may each take. Default 30 s.
    pub timeout: Duration,
}

/// Which other units a restart of a service may restart or stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// `may_affect`: full names of units, or patterns with `*` and `?`.
    pub may_affect: Vec<String>,
    /// The healed services that name this one in `after`. Their units, and those of the services after them in turn,
    /// may be taken along: the configuration says that they depend on this one, and they are watched.
    pub dependents: Vec<ServiceName>,
}

/// Where a Docker Engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerAddress {
    /// `unix:///PATH`: its socket.
    Unix(PathBuf),
    /// `tcp://HOST:PORT`: a proxy that lets through what the agent needs. Not encrypted, so for a private network.
    Tcp(String),
}

impl Default for DockerAddress {
    fn default() -> Self {
        Self::Unix(PathBuf::from("/var/run/docker.sock"))
    }
}
