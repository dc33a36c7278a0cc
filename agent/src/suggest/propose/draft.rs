//! Proposals while they are made: names, targets and needs of each other. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use sentinel_config::service_name;
use sentinel_docker::{RunningContainer, at_host, read_labels};
use sentinel_systemd::RunningUnit;

use super::super::configured::Configured;
use super::super::listeners::Ports;
use super::{Proposal, Proposals, Runs};

/// Proposals while they are made.
#[derive(Default)]
pub(super) struct Draft {
    proposals: Proposals,
    /// Names that are taken.
    names: BTreeSet<String>,
    /// Whose a target is.
    by_target: BTreeMap<String, String>,
    /// What a service needs, by target.
    needs: Vec<(usize, Vec<String>)>,
}

impl Draft {
    pub(super) fn new(known: &Configured) -> Self {
        Self {
            names: known.names.clone(),
            by_target: known.targets.clone(),
            ..Self::default()
        }
    }

    pub(super) fn unit(&mut self, unit: &RunningUnit, ports: &Ports, known: &Configured) {
        let runs = Runs::Unit(unit.name.clone());
        if self.is_configured(&runs, known) {
            return;
        }
        let mut notes = Vec::new();
        let bound: Vec<String> = ports.at.iter().map(ToString::to_string).collect();
        if !bound.is_empty() {
            notes.push(format!("It listens at {}.", bound.join(", ")));
        }
        if ports.hidden {
            notes.push("Where it listens could not be seen in full; that takes root.".to_owned());
        } else if bound.is_empty() {
            notes.push("It listens at no TCP port; a `command` could tell whether it works.".to_owned());
        }
        if !matches!(unit.restart.as_str(), "" | "no") {
            notes.push(format!(
                "systemd restarts it itself (Restart={}), and is left to.",
                unit.restart
            ));
        }
        let needs = unit.needs.iter().map(|name| format!("unit {name}")).collect();
        let name = unit.name.trim_end_matches(".service").to_owned();
        let proposal = Proposal {
            ports: reachable(ports),
            notes,
            ..empty(runs)
        };
        self.add(proposal, &[name], needs);
    }

    pub(super) fn container(&mut self, container: &RunningContainer, runs: Runs, known: &Configured) {
        if self.is_configured(&runs, known) || self.is_configured(&Runs::Container(container.name.clone()), known) {
            return;
        }
        let mut proposal = Proposal {
            notes: about(container),
            ..empty(runs)
        };
        proposal.ports = container
            .published
            .iter()
            .map(|port| at_host(port.at, port.outside))
            .collect();
        proposal.ports.sort_unstable();
        proposal.ports.dedup();
        let mut wanted = Vec::new();
        match read_labels(container, proposal.runs.key()) {
            Ok(None) => {}
            Ok(Some(labelled)) => {
                wanted.extend(labelled.name);
                proposal.keys = labelled.keys;
            }
            Err(problems) => proposal.notes.extend(
                problems
                    .iter()
                    .map(|problem| format!("WRONG, so its labels were not taken: {problem}")),
            ),
        }
        let mut needs = Vec::new();
        if let Some((project, service)) = &container.compose {
            wanted.extend([service.clone(), format!("{project}-{service}")]);
            needs = container
                .depends_on
                .iter()
                .map(|other| format!("compose {project}/{other}"))
                .collect();
        } else {
            wanted.push(container.name.clone());
        }
        self.add(proposal, &wanted, needs);
    }

    /// Whether the configuration has it; takes note of that.
    fn is_configured(&mut self, runs: &Runs, known: &Configured) -> bool {
        let id = runs.id();
        // One container of a Compose service is a part of it.
        let part = format!("{id}/");
        let owner = known
            .targets
            .iter()
            .find(|(target, _)| **target == id || (matches!(runs, Runs::Compose(_)) && target.starts_with(&part)));
        if let Some((_, owner)) = owner {
            let (_, target) = runs.key();
            self.proposals.configured.push((target.to_owned(), owner.clone()));
        }
        owner.is_some()
    }

    /// Adds a proposal under the first of these names that is free.
    fn add(&mut self, mut proposal: Proposal, wanted: &[String], needs: Vec<String>) {
        let wanted: Vec<String> = wanted.iter().map(|name| service_name(name)).collect();
        let free = wanted.iter().find(|name| !self.names.contains(*name)).cloned();
        let last = wanted.last().cloned().unwrap_or_default();
        let numbered = || (2..).map(|number| format!("{}-{number}", last.get(..56).unwrap_or(&last)));
        let name = free.or_else(|| numbered().find(|name| !self.names.contains(name)));
        proposal.name = name.unwrap_or(last);
        self.names.insert(proposal.name.clone());
        self.by_target.insert(proposal.runs.id(), proposal.name.clone());
        self.needs.push((self.proposals.services.len(), needs));
        self.proposals.services.push(proposal);
    }

    pub(super) fn finish(mut self, notes: Vec<String>) -> Proposals {
        for (index, needs) in self.needs {
            let needed = needs.iter().filter_map(|target| self.by_target.get(target));
            self.proposals.services[index].after = needed.cloned().collect();
        }
        for proposal in &mut self.proposals.services {
            proposal.check_after(&self.names);
        }
        self.proposals.notes = notes;
        self.proposals
    }
}

fn empty(runs: Runs) -> Proposal {
    Proposal {
        name: String::new(),
        runs,
        ports: Vec::new(),
        http: None,
        after: Vec::new(),
        keys: BTreeMap::new(),
        notes: Vec::new(),
    }
}

fn about(container: &RunningContainer) -> Vec<String> {
    let mut notes = Vec::new();
    if !container.published.is_empty() {
        notes.push(
            "Docker itself accepts connections at published ports; only `http` tells whether the container does."
                .to_owned(),
        );
    }
    if !container.unpublished.is_empty() {
        let ports: Vec<String> = container.unpublished.iter().map(ToString::to_string).collect();
        notes.push(format!(
            "Not published, so not reached from the host: port {}.",
            ports.join(", ")
        ));
    }
    if container.shares_network {
        notes.push("It has no network of its own; at which port it listens was not looked up.".to_owned());
    }
    notes.push(if container.health_check {
        "It has a health check, which counts: unhealthy is down.".to_owned()
    } else {
        "It has no health check.".to_owned()
    });
    if !matches!(container.restart_policy.as_str(), "" | "no") {
        let policy = &container.restart_policy;
        notes.push(format!(
            "Docker restarts it itself (restart policy {policy}), and is left to."
        ));
    }
    notes
}

/// Where ports are reached from this host: each once, the lowest first.
fn reachable(ports: &Ports) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = ports
        .at
        .iter()
        .map(|address| at_host(address.ip(), address.port()))
        .collect();
    all.sort_unstable_by_key(|address| (address.port(), *address));
    all.dedup();
    all
}
