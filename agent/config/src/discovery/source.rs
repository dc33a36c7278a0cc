//! Where services are looked for on the host.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Checked, HostWatch};

/// Where services are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Labels of containers.
    Labels,
    /// Sections of unit files.
    UnitFiles,
    /// Services that systemd runs.
    HostUnits,
    /// Containers that run.
    HostContainers,
}

impl Source {
    /// What is looked for there, in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Labels => "labels of containers",
            Self::UnitFiles => "sections of unit files",
            Self::HostUnits => "systemd services",
            Self::HostContainers => "containers",
        }
    }
}

impl Source {
    /// Where a configuration has services looked for.
    pub fn wanted(configuration: &Checked) -> BTreeSet<Self> {
        let agent = &configuration.alone.settings.agent;
        let mut wanted = BTreeSet::new();
        if agent.labels {
            wanted.insert(Self::Labels);
        }
        if agent.unit_files {
            wanted.insert(Self::UnitFiles);
        }
        let observe = match agent.host {
            HostWatch::Auto => configuration.names_no_service(),
            HostWatch::Observe => true,
            HostWatch::Off => false,
        };
        if observe {
            wanted.extend([Self::HostUnits, Self::HostContainers]);
        }
        wanted
    }
}
