//! What a configuration could say of this host: proposals from what runs.
//!
//! Pure, and tested by tables:
//!
//! * [`propose`]: which of what runs is worth a service, and what is said of it
//! * [`document`]: proposals as TOML, ready to be used
//!
//! With the host:
//!
//! * [`listeners`]: at which TCP ports processes listen
//! * [`ask`]: what answers there, only when that is wanted
//! * [`configured`]: what the configuration has already
//!
//! What runs comes from [`sentinel_systemd`] and [`sentinel_docker`].

mod ask;
mod configured;
mod document;
mod listeners;
mod propose;

use std::path::Path;

use sentinel_docker::{Search, discover_once, running_containers};
use sentinel_systemd::{BusAddress, running_units, unit_sections};
use sentinel_text::chain;

pub use self::document::{json, toml};
use self::listeners::Listeners;
use self::propose::Inventory;
pub use self::propose::{Proposal, Proposals, Runs};

/// Looks at everything that runs, and proposes what the configuration at `config` does not have yet. With `probe`,
/// ports of this host's own addresses are connected to and asked over HTTP; otherwise nothing is sent to any service.
pub async fn suggest(config: &Path, probe: bool) -> Proposals {
    let mut known = configured::read(config);
    if known.unit_files
        && let Ok(seen) = unit_sections(&BusAddress::System).await
    {
        known.add_found(&seen);
    }
    let labels = Search {
        address: known.docker.clone(),
        labels: known.labels,
        host: false,
    };
    // Containers that cannot be seen are noted below.
    if known.labels
        && let Ok(found) = discover_once(&labels).await
    {
        for (_, seen) in found {
            known.add_found(&seen);
        }
    }
    let mut found = Inventory {
        notes: known.notes.clone(),
        ..Inventory::default()
    };
    match running_units(&BusAddress::System).await {
        Ok((units, omitted)) => {
            found.note_omitted(omitted, "systemd services");
            let listeners = Listeners::read();
            found.units = units
                .into_iter()
                .map(|unit| {
                    let ports = listeners.of(&unit.pids);
                    (unit, ports)
                })
                .collect();
        }
        Err(error) => found
            .notes
            .push(format!("systemd services could not be seen: {}", chain(&error))),
    }
    match running_containers(&known.docker).await {
        Ok((containers, omitted)) => {
            found.note_omitted(omitted, "containers");
            found.containers = containers;
        }
        Err(error) => found
            .notes
            .push(format!("containers could not be seen: {}", chain(&error))),
    }
    let mut proposals = propose::propose(found, &known);
    if probe {
        for proposal in &mut proposals.services {
            ask::all(proposal).await;
        }
    }
    proposals
}
